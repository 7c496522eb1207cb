/* SPDX-License-Identifier: Apache-2.0 */
/* record.h -- what a command wrote and how it ended, as the bytes of a result:
 * MessagePack [1, exit code, [[1 or 2, bytes], ...] or nil, bytes in all]. 1 is
 * stdout, 2 is stderr; the pieces stand in the order in which they came. Pure.
 *
 * Memory is bounded by what a result may have: what does not fit is dropped
 * whole, and nil stands for it. */
#ifndef CTL_RECORD_H
#define CTL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct record {
    uint8_t *bytes; /* ours; NULL: nothing yet, or dropped */
    size_t len;
    size_t cap;
    size_t result_bytes_max;
    size_t piece_at; /* where the last piece begins */
    uint32_t pieces;
    int stream;           /* the last piece's */
    bool dropped;         /* too long, or no memory */
    uint64_t whole_bytes; /* that were written, kept or not */
    uint8_t small[24];    /* the result when all is dropped */
} record;

void record_init(record *r, size_t result_bytes_max);
void record_fini(record *r);

/* stream: 1 or 2. */
void record_add(record *r, int stream, const uint8_t *bytes, size_t len);

/* The result; it borrows from the record, to which nothing is added then. */
const uint8_t *record_end(record *r, int exit_code, size_t *len);

/* One piece; it borrows. */
typedef void record_piece(void *ctx, int stream, const uint8_t *bytes,
                          size_t len);

typedef struct record_read {
    int exit_code;
    bool dropped;
    uint64_t whole_bytes;
} record_read;

/* False: it is no such result, and piece was not called. */
bool record_parse(const uint8_t *bytes, size_t len, record_read *is,
                  record_piece *piece, void *ctx);

#endif
