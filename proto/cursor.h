/* cursor.h -- the one way to read MessagePack: a bounded cursor.
 *
 * Inside proto only. A read either succeeds and moves on, or fails; then the
 * cursor's place is not to be relied on. Nothing is read past end, and no
 * announced length is believed before its bytes are there. */
#ifndef IDP_CURSOR_H
#define IDP_CURSOR_H

#include "proto/terms.h"

#include <string.h>

typedef struct cursor {
    const uint8_t *at;
    const uint8_t *end;
} cursor;

static inline cursor cursor_over(idp_slice slice) {
    /* No arithmetic on the NULL of an absent slice. */
    static const uint8_t nothing[1];
    const uint8_t *at = slice.ptr ? slice.ptr : nothing;
    return (cursor){at, at + (slice.ptr ? slice.len : 0)};
}

static inline size_t cursor_left(const cursor *c) {
    return (size_t)(c->end - c->at);
}

static inline uint64_t load_u16(const uint8_t *at) {
    uint16_t v;
    memcpy(&v, at, sizeof v);
    return __builtin_bswap16(v);
}

static inline uint64_t load_u32(const uint8_t *at) {
    uint32_t v;
    memcpy(&v, at, sizeof v);
    return __builtin_bswap32(v);
}

static inline uint64_t load_u64(const uint8_t *at) {
    uint64_t v;
    memcpy(&v, at, sizeof v);
    return __builtin_bswap64(v);
}

/* JavaScript clients send an integer beyond 2^31 as a float. */
static inline bool float_is_uint(double from, uint64_t *value) {
    if (!(from >= 0 && from <= (double)IDP_INT_MAX)) {
        return false;
    }
    *value = (uint64_t)from;
    return (double)*value == from;
}

static inline bool load_float(const uint8_t *at, bool wide, uint64_t *value) {
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

/* A number that is more than one byte long. */
static inline bool cursor_uint_long(cursor *c, uint64_t *value) {
    const uint8_t *at = c->at;
    uint8_t tag = at[0];
    if (tag < 0xca || tag > 0xd3) {
        return false;
    }
    /* ca, cb: floats; cc..cf: unsigned; d0..d3: signed, 1, 2, 4, 8 bytes. */
    size_t bytes = tag < 0xcc ? 4u << (tag - 0xca) : 1u << (tag & 3);
    if (cursor_left(c) <= bytes) {
        return false;
    }
    c->at = at + 1 + bytes;
    if (tag < 0xcc) {
        return load_float(at + 1, tag == 0xcb, value);
    }
    uint64_t v;
    switch (bytes) {
    case 1:
        v = at[1];
        break;
    case 2:
        v = load_u16(at + 1);
        break;
    case 4:
        v = load_u32(at + 1);
        break;
    default:
        v = load_u64(at + 1);
        break;
    }
    bool negative = tag >= 0xd0 && (at[1] & 0x80);
    *value = v;
    return !negative && v <= IDP_INT_MAX;
}

/* A number from 0 to 2^53-1, however it is encoded. */
static inline bool cursor_uint(cursor *c, uint64_t *value) {
    if (c->at == c->end) {
        return false;
    }
    if (*c->at < 0x80) {
        *value = *c->at++;
        return true;
    }
    return cursor_uint_long(c, value);
}

static inline bool cursor_u32(cursor *c, uint32_t *value) {
    uint64_t wide;
    if (!cursor_uint(c, &wide) || wide > UINT32_MAX) {
        return false;
    }
    *value = (uint32_t)wide;
    return true;
}

/* The length of a str or bin whose header has length bytes; 0 when it is
 * neither or too short. */
static inline size_t bytes_header(const cursor *c, size_t *len) {
    size_t left = cursor_left(c);
    const uint8_t *at = c->at;
    switch (at[0]) {
    case 0xc4:
    case 0xd9:
        if (left < 2) {
            return 0;
        }
        *len = at[1];
        return 2;
    case 0xc5:
    case 0xda:
        if (left < 3) {
            return 0;
        }
        *len = load_u16(at + 1);
        return 3;
    case 0xc6:
    case 0xdb:
        if (left < 5) {
            return 0;
        }
        *len = load_u32(at + 1);
        return 5;
    default:
        return 0;
    }
}

/* A str or a bin, whole. */
static inline bool cursor_bytes(cursor *c, idp_slice *slice) {
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
static inline bool cursor_container(cursor *c, uint8_t fix, uint8_t tag16,
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

static inline bool cursor_array(cursor *c, uint32_t *count) {
    return cursor_container(c, 0x90, 0xdc, count);
}

static inline bool cursor_map(cursor *c, uint32_t *count) {
    return cursor_container(c, 0x80, 0xde, count);
}

/* Moves on only when a nil is there. */
static inline bool cursor_nil(cursor *c) {
    if (c->at == c->end || *c->at != 0xc0) {
        return false;
    }
    c->at++;
    return true;
}

static inline bool cursor_bool(cursor *c, bool *value) {
    if (c->at == c->end || (*c->at != 0xc2 && *c->at != 0xc3)) {
        return false;
    }
    *value = *c->at++ == 0xc3;
    return true;
}

static inline bool cursor_token(cursor *c, idp_token *token) {
    idp_slice bytes;
    if (!cursor_bytes(c, &bytes) || bytes.len != IDP_TOKEN_BYTES) {
        return false;
    }
    token->epoch = load_u64(bytes.ptr);
    token->sequence = load_u64(bytes.ptr + 8);
    return true;
}

/* slice_is(name, "wait_ms"): text must be a literal or an array's name. */
static inline bool slice_is(idp_slice slice, const char *text) {
    size_t len = strlen(text);
    return slice.len == len && memcmp(slice.ptr, text, len) == 0;
}

#endif
