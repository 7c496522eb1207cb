/* SPDX-License-Identifier: Apache-2.0 */
/* bytes.h -- a run of bytes that grows by what is put into it.
 *
 * Allocation may fail; then nothing has changed and false says so. */
#ifndef IDP_BYTES_H
#define IDP_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct idp_bytes {
    uint8_t *ptr;
    size_t len;
    size_t cap;
} idp_bytes;

/* Makes room for more bytes behind len; doubles, so that appending is linear
 * in what was appended. */
bool idp_bytes_reserve(idp_bytes *bytes, size_t more);

bool idp_bytes_append(idp_bytes *bytes, const void *from, size_t len);

/* Drops the first len bytes. */
void idp_bytes_consume(idp_bytes *bytes, size_t len);

/* A queue: what is put behind len is taken at *at. The next len bytes of it are
 * taken; what is left moves to the front when that is less than what it passes
 * over. Empty, both begin anew, and the room is kept. */
void idp_bytes_take(idp_bytes *queue, size_t *at, size_t len);

void idp_bytes_free(idp_bytes *bytes);

#endif
