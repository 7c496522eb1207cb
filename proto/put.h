/* SPDX-License-Identifier: Apache-2.0 */
/* put.h -- the one way to write MessagePack: stores at a pointer that moves.
 *
 * For proto, and where the client packs bytes of its own. The caller has
 * checked, once per message, that the room is there. Integers take their
 * shortest form. */
#ifndef IDP_PUT_H
#define IDP_PUT_H

#include "proto/terms.h"

#include <string.h>

/* The longest header of a str, bin, array or map, and the longest integer. */
#define PUT_HEADER_BYTES_MAX 5
#define PUT_UINT_BYTES_MAX   9

static inline uint8_t *put_raw(uint8_t *to, const void *from, size_t len) {
    if (len > 0) {
        memcpy(to, from, len);
    }
    return to + len;
}

/* Bytes that are known when this is compiled: PUT(to, "\x94\x00"). */
#define PUT(to, literal) put_raw((to), (literal), sizeof(literal) - 1)

static inline uint8_t *put_u8(uint8_t *to, uint8_t byte) {
    *to = byte;
    return to + 1;
}

static inline uint8_t *put_be16(uint8_t *to, uint16_t v) {
    v = __builtin_bswap16(v);
    return put_raw(to, &v, sizeof v);
}

static inline uint8_t *put_be32(uint8_t *to, uint32_t v) {
    v = __builtin_bswap32(v);
    return put_raw(to, &v, sizeof v);
}

static inline uint8_t *put_be64(uint8_t *to, uint64_t v) {
    v = __builtin_bswap64(v);
    return put_raw(to, &v, sizeof v);
}

/* No integer above 2^53-1 goes out: JavaScript could not read it. A counter
 * that got so far stays there. */
static inline uint8_t *put_uint(uint8_t *to, uint64_t v) {
    if (v < 0x80) {
        return put_u8(to, (uint8_t)v);
    }
    if (v <= UINT8_MAX) {
        return put_u8(put_u8(to, 0xcc), (uint8_t)v);
    }
    if (v <= UINT16_MAX) {
        return put_be16(put_u8(to, 0xcd), (uint16_t)v);
    }
    if (v <= UINT32_MAX) {
        return put_be32(put_u8(to, 0xce), (uint32_t)v);
    }
    return put_be64(put_u8(to, 0xcf), v < IDP_INT_MAX ? v : IDP_INT_MAX);
}

static inline uint8_t *put_bool(uint8_t *to, bool v) {
    return put_u8(to, v ? 0xc3 : 0xc2);
}

static inline uint8_t *put_nil(uint8_t *to) {
    return put_u8(to, 0xc0);
}

/* The header of len bytes; tag8 is that of the kind's 8-bit form. */
static inline uint8_t *put_header(uint8_t *to, uint8_t tag8, size_t len) {
    if (len <= UINT8_MAX) {
        return put_u8(put_u8(to, tag8), (uint8_t)len);
    }
    if (len <= UINT16_MAX) {
        return put_be16(put_u8(to, tag8 + 1), (uint16_t)len);
    }
    return put_be32(put_u8(to, tag8 + 2), (uint32_t)len);
}

static inline uint8_t *put_str(uint8_t *to, const void *text, size_t len) {
    to = len < 32 ? put_u8(to, (uint8_t)(0xa0 | len))
                  : put_header(to, 0xd9, len);
    return put_raw(to, text, len);
}

static inline uint8_t *put_str_or_nil(uint8_t *to, idp_slice text) {
    return text.ptr ? put_str(to, text.ptr, text.len) : put_nil(to);
}

/* Given a literal, this folds into a few stores. */
static inline uint8_t *put_word(uint8_t *to, const char *text) {
    return put_str(to, text, strlen(text));
}

static inline uint8_t *put_bin(uint8_t *to, idp_slice bytes) {
    return put_raw(put_header(to, 0xc4, bytes.len), bytes.ptr, bytes.len);
}

static inline uint8_t *put_token(uint8_t *to, idp_token token) {
    to = PUT(to, "\xc4\x10");
    return put_be64(put_be64(to, token.epoch), token.sequence);
}

/* count < 16: none of our arrays is longer. */
static inline uint8_t *put_array(uint8_t *to, unsigned count) {
    return put_u8(to, (uint8_t)(0x90 | count));
}

/* Of a table, which may have more. */
static inline uint8_t *put_rows(uint8_t *to, uint32_t count) {
    return count < 16 ? put_array(to, count)
                      : put_be16(put_u8(to, 0xdc), (uint16_t)count);
}

static inline uint8_t *put_map(uint8_t *to, size_t count) {
    return count < 16 ? put_u8(to, (uint8_t)(0x80 | count))
                      : put_be16(put_u8(to, 0xde), (uint16_t)count);
}

/* [1, msgid, nil, ... of a reply that is not an error. */
#define PUT_REPLY_HEAD_BYTES_MAX (2 + PUT_HEADER_BYTES_MAX + 1)

static inline uint8_t *put_reply_head(uint8_t *to, uint32_t msgid) {
    return put_nil(put_uint(PUT(to, "\x94\x01"), msgid));
}

#endif
