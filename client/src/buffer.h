/* SPDX-License-Identifier: Apache-2.0 */
/* buffer.h -- bytes on their way in or out: written at the end, read from the
 * front. */
#ifndef IDEM_BUFFER_H
#define IDEM_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct idem__buffer { /* zeroed is empty */
    uint8_t *bytes;
    size_t at;  /* the first byte not read yet */
    size_t end; /* one behind the last byte written */
    size_t cap;
} idem__buffer;

static inline size_t idem__buffer_len(const idem__buffer *buffer) {
    return buffer->end - buffer->at;
}

/* Room for at least `room` bytes at the end; NULL when memory is refused, the
 * content stays. Moves what is unread: pointers into it end here. */
uint8_t *idem__buffer_reserve(idem__buffer *buffer, size_t room);

/* Empties it; a block much larger than usual is given back. */
void idem__buffer_reset(idem__buffer *buffer);

void idem__buffer_fini(idem__buffer *buffer);

#endif
