/* SPDX-License-Identifier: Apache-2.0 */
/* scan.h -- where does a frame end, and is it one that we take at all?
 *
 * Inside proto only. The scan believes no announced count: containers hold
 * at most IDP_CONTAINER_ITEMS_MAX items (pairs in a map), nest at most
 * IDP_DEPTH_MAX deep, a frame has at most IDP_VALUES_MAX values and
 * frame_bytes_max bytes. Its work is bounded by the values, not the bytes. */
#ifndef IDP_SCAN_H
#define IDP_SCAN_H

#include "proto/cursor.h"

typedef enum scan_end {
    SCAN_WHOLE,
    SCAN_PARTIAL,  /* need_bytes is set */
    SCAN_BROKEN,   /* text is set */
    SCAN_TOO_LARGE /* announced or grown over frame_bytes_max */
} scan_end;

typedef enum token_kind {
    TOKEN_SCALAR, /* nil, bool, a number */
    TOKEN_BYTES,  /* str, bin */
    TOKEN_ARRAY,
    TOKEN_MAP,
    TOKEN_BAD /* ext, or the reserved 0xc1 */
} token_kind;

/* The beginning of one value. */
typedef struct token {
    token_kind kind;
    uint32_t header_bytes; /* of a scalar: all of it */
    uint64_t count;        /* BYTES: of the payload; ARRAY, MAP: items */
} token;

typedef struct scan {
    const uint8_t *bytes;
    size_t len;
    size_t frame_bytes_max;
    size_t at;         /* the next value begins here */
    uint32_t pending;  /* values announced and not read yet */
    uint32_t values;   /* values read */
    size_t need_bytes; /* PARTIAL: a lower bound of the frame's size */
    const char *text;  /* BROKEN: why; static storage */
} scan;

void idp_scan_start(scan *s, const uint8_t *bytes, size_t len,
                    size_t frame_bytes_max);

/* Reads the header of the value at the cursor, and moves not. */
scan_end idp_scan_peek(scan *s, token *t);

/* Moves past one scalar, one str or bin with its payload, or the header of
 * one container. depth: how many containers are open around it. */
scan_end idp_scan_token(scan *s, unsigned depth, token *t);

/* Moves past one value with all that is in it. */
scan_end idp_scan_value(scan *s, unsigned depth);

/* Moves a cursor past one value, bounded in the same way. */
bool idp_skip(cursor *c);

#endif
