/* SPDX-License-Identifier: Apache-2.0 */
/* cursor.h -- the one way to read MessagePack: a bounded cursor.
 *
 * For proto, and where the client reads bytes of its own. A read either
 * succeeds and moves on, or fails; then the cursor's place is not to be relied
 * on. Nothing is read past end, and no announced length is believed before its
 * bytes are there. */
#ifndef IDP_CURSOR_H
#define IDP_CURSOR_H

#include "proto/terms.h"

#include <string.h>

/* A cursor whose address no real call takes stays in registers, which is what
 * makes the straight pass over a request fast: so everything here is inlined,
 * and callers copy a cursor before they hand it on. */
#define CURSOR_INLINE static inline __attribute__((always_inline))

typedef struct cursor {
    const uint8_t *at;
    const uint8_t *end;
} cursor;

CURSOR_INLINE cursor cursor_over(idp_slice slice) {
    /* No arithmetic on the NULL of an absent slice. */
    static const uint8_t nothing[1];
    const uint8_t *at = slice.ptr ? slice.ptr : nothing;
    return (cursor){at, at + (slice.ptr ? slice.len : 0)};
}

/* Zeroes a struct of at most 192 bytes. In pieces, since one memset of that
 * size becomes a rep stos, which takes longer than decoding an acquire. */
CURSOR_INLINE void clear(void *to, size_t bytes) {
    uint8_t *at = to;
    size_t second = bytes > 64 ? bytes - 64 : 0;
    size_t third = bytes > 128 ? bytes - 128 : 0;
    memset(at, 0, bytes - second);
    if (bytes > 64) {
        memset(at + 64, 0, second - third);
    }
    if (bytes > 128) {
        memset(at + 128, 0, third);
    }
}

CURSOR_INLINE size_t cursor_left(const cursor *c) {
    return (size_t)(c->end - c->at);
}

CURSOR_INLINE uint64_t load_u16(const uint8_t *at) {
    uint16_t v;
    memcpy(&v, at, sizeof v);
    return __builtin_bswap16(v);
}

CURSOR_INLINE uint64_t load_u32(const uint8_t *at) {
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return __builtin_bswap32(v);
}

CURSOR_INLINE uint64_t load_u64(const uint8_t *at) {
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return __builtin_bswap64(v);
}

/* JavaScript clients send an integer beyond 2^31 as a float. */
CURSOR_INLINE bool float_is_uint(double from, uint64_t *value) {
    if (!(from >= 0 && from <= (double)IDP_INT_MAX)) {
        return false;
    }
    *value = (uint64_t)from;
    return (double)*value == from;
}

CURSOR_INLINE bool load_float(const uint8_t *at, bool wide, uint64_t *value) {
    if (wide) {
        uint64_t bits = load_u64(at);
        double number;
        memcpy(&number, &bits, sizeof number);
        return float_is_uint(number, value);
    }
    uint32_t bits = (uint32_t)load_u32(at);
    float number;
    memcpy(&number, &bits, sizeof number);
    return float_is_uint(number, value);
}

typedef struct number {
    uint64_t value;
    size_t bytes; /* with its tag; 0: none that we take */
} number;

/* A number that is more than one byte long. By value, so that the cursor
 * stays in registers. */
static inline number uint_long(const uint8_t *at, size_t left) {
    static const number none = {0, 0};
    uint8_t tag = at[0];
    if (tag < 0xca || tag > 0xd3) {
        return none;
    }
    /* ca, cb: floats; cc..cf: unsigned; d0..d3: signed, 1, 2, 4, 8 bytes. */
    size_t bytes = tag < 0xcc ? 4u << (tag - 0xca) : 1u << (tag & 3);
    if (left <= bytes) {
        return none;
    }
    uint64_t v = bytes == 2   ? load_u16(at + 1)
                 : bytes == 4 ? load_u32(at + 1)
                 : bytes == 8 ? load_u64(at + 1)
                              : at[1];
    if (tag < 0xcc ? !load_float(at + 1, tag == 0xcb, &v)
                   : (tag >= 0xd0 && (at[1] & 0x80)) || v > IDP_INT_MAX) {
        return none;
    }
    return (number){v, 1 + bytes};
}

/* A number from 0 to 2^53-1, however it is encoded. The usual forms have
 * branches of their own: a size that the processor foresees is one that the
 * next value needs not wait for. */
CURSOR_INLINE bool cursor_uint(cursor *c, uint64_t *value) {
    const uint8_t *at = c->at;
    size_t left = cursor_left(c);
    if (left == 0) {
        return false;
    }
    if (at[0] < 0x80) {
        *value = at[0];
        c->at = at + 1;
        return true;
    }
    if (at[0] == 0xcd && left > 2) {
        *value = load_u16(at + 1);
        c->at = at + 3;
        return true;
    }
    if (at[0] == 0xce && left > 4) {
        *value = load_u32(at + 1);
        c->at = at + 5;
        return true;
    }
    number longer = uint_long(at, left);
    *value = longer.value;
    c->at = at + longer.bytes;
    return longer.bytes > 0;
}

CURSOR_INLINE bool cursor_u32(cursor *c, uint32_t *value) {
    uint64_t wide;
    if (!cursor_uint(c, &wide) || wide > UINT32_MAX) {
        return false;
    }
    *value = (uint32_t)wide;
    return true;
}

/* The header of a str or bin that is no fixstr; 0 when it is neither, or
 * not all there. */
CURSOR_INLINE size_t bytes_header(const cursor *c, size_t *len) {
    size_t left = cursor_left(c);
    const uint8_t *at = c->at;
    uint8_t tag = at[0];
    if ((tag == 0xc4 || tag == 0xd9) && left >= 2) {
        *len = at[1];
        return 2;
    }
    if ((tag == 0xc5 || tag == 0xda) && left >= 3) {
        *len = load_u16(at + 1);
        return 3;
    }
    if ((tag == 0xc6 || tag == 0xdb) && left >= 5) {
        *len = load_u32(at + 1);
        return 5;
    }
    return 0;
}

/* A str or a bin, whole. */
CURSOR_INLINE bool cursor_bytes(cursor *c, idp_slice *slice) {
    if (c->at == c->end) {
        return false;
    }
    size_t len = *c->at & 0x1f;
    size_t header = 1;
    if ((*c->at & 0xe0) != 0xa0) {
        header = bytes_header(c, &len);
        if (header == 0) {
            return false;
        }
    }
    if (cursor_left(c) - header < len) {
        return false;
    }
    slice->ptr = c->at + header;
    slice->len = len;
    c->at += header + len;
    return true;
}

/* The header of an array (fix 0x90, long 0xdc) or map (0x80, 0xde). */
CURSOR_INLINE bool cursor_container(cursor *c, uint8_t fix, uint8_t tag16,
                                    uint32_t *count) {
    size_t left = cursor_left(c);
    const uint8_t *at = c->at;
    if (left >= 1 && (at[0] & 0xf0) == fix) {
        *count = at[0] & 0x0f;
        c->at = at + 1;
        return true;
    }
    if (left >= 3 && at[0] == tag16) {
        *count = (uint32_t)load_u16(at + 1);
        c->at = at + 3;
        return true;
    }
    if (left >= 5 && at[0] == tag16 + 1) {
        *count = (uint32_t)load_u32(at + 1);
        c->at = at + 5;
        return true;
    }
    return false;
}

CURSOR_INLINE bool cursor_array(cursor *c, uint32_t *count) {
    return cursor_container(c, 0x90, 0xdc, count);
}

CURSOR_INLINE bool cursor_map(cursor *c, uint32_t *count) {
    return cursor_container(c, 0x80, 0xde, count);
}

/* Moves on only when a nil is there. */
CURSOR_INLINE bool cursor_nil(cursor *c) {
    if (c->at == c->end || *c->at != 0xc0) {
        return false;
    }
    c->at++;
    return true;
}

CURSOR_INLINE bool cursor_bool(cursor *c, bool *value) {
    if (c->at == c->end || (*c->at != 0xc2 && *c->at != 0xc3)) {
        return false;
    }
    *value = *c->at++ == 0xc3;
    return true;
}

CURSOR_INLINE bool cursor_token(cursor *c, idp_token *token) {
    idp_slice bytes;
    if (!cursor_bytes(c, &bytes) || bytes.len != IDP_TOKEN_BYTES) {
        return false;
    }
    token->epoch = load_u64(bytes.ptr);
    token->sequence = load_u64(bytes.ptr + 8);
    return true;
}

/* slice_is(name, "wait_ms"): text must be a literal or an array's name. */
CURSOR_INLINE bool slice_is(idp_slice slice, const char *text) {
    size_t len = strlen(text);
    return slice.len == len && memcmp(slice.ptr, text, len) == 0;
}

#endif
