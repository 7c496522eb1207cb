/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.h -- a run of bytes that grows by what is put into it.
 *
 * Allocation may fail; then nothing has changed and false says so. */
#ifndef IDS_BYTES_H
#define IDS_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ids_bytes {
    uint8_t *ptr;
    size_t len;
    size_t cap;
} ids_bytes;

/* Makes room for more bytes behind len; doubles, so that appending is linear
 * in what was appended. */
bool ids_bytes_reserve(ids_bytes *bytes, size_t more);

bool ids_bytes_append(ids_bytes *bytes, const void *from, size_t len);

/* Drops the first len bytes. */
void ids_bytes_consume(ids_bytes *bytes, size_t len);

/* A queue: what is put behind len is taken at *at. The next len bytes of it are
 * taken; what is left moves to the front when that is less than what it passes
 * over. Empty, both begin anew, and the room is kept. */
void ids_bytes_take(ids_bytes *queue, size_t *at, size_t len);

void ids_bytes_free(ids_bytes *bytes);

#endif
