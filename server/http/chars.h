/* SPDX-License-Identifier: Apache-2.0 */
/* chars.h -- HTTP's classes of characters, and slices of text.
 *
 * Inside server/http only. */
#ifndef IDS_HTTP_CHARS_H
#define IDS_HTTP_CHARS_H

#include "proto/terms.h"
#include "server/base/pack.h"

#include <string.h>

static inline bool is_digit(uint8_t c) {
    return c >= '0' && c <= '9';
}

static inline bool is_alpha(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* -1: it is no hexadecimal digit. */
static inline int hex_of(uint8_t c) {
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A set of ASCII's characters, a bit each. */
static inline bool is_in(const uint64_t set[static 2], uint8_t c) {
    return c < 128 && (set[c >> 6] >> (c & 63) & 1);
}

/* tchar of RFC 9110: digits, letters, !#$%&'*+-.^_`|~ */
static inline bool is_token(uint8_t c) {
    static const uint64_t set[2] = {0x03ff6cfa00000000u, 0x57ffffffc7fffffeu};
    return is_in(set, c);
}

/* Of a path or a query, RFC 3986: digits, letters, -._~!$&'()*+,;=:@/?% */
static inline bool is_uri(uint8_t c) {
    static const uint64_t set[2] = {0xaffffff200000000u, 0x47fffffe87ffffffu};
    return is_in(set, c);
}

/* Of a field's value: visible, a space, a tab, or beyond ASCII. */
static inline bool is_value(uint8_t c) {
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

/* Eight bytes at once, as in each: which are below this, or are this one; its
 * highest bit is set then. Those beyond ASCII are neither. Exact up to the
 * first that is. */
#define IN_EACH(byte) (UINT64_MAX / 255 * (byte))
static inline uint64_t which_below(uint64_t eight, uint8_t byte) {
    return (eight - IN_EACH(byte)) & ~eight & IN_EACH(0x80);
}
static inline uint64_t which_are(uint64_t eight, uint8_t byte) {
    return which_below(eight ^ IN_EACH(byte), 1);
}
/* How many bytes stand before the first of which that was said. */
static inline size_t bytes_before(uint64_t which) {
    return (size_t)__builtin_ctzll(which) / 8;
}

/* Where the first is that may be no is_value; only the last seven may be any.
 */
static inline size_t values_at(const uint8_t *bytes, size_t len) {
    size_t at = 0;
    for (; len - at >= 8; at += 8) {
        uint64_t eight = ids_get_u64(bytes + at);
        uint64_t which = which_below(eight, ' ') | which_are(eight, 0x7f);
        if (which)
            return at + bytes_before(which);
    }
    return at;
}

static inline uint8_t lower_of(uint8_t c) {
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

static inline bool slice_equals(idp_slice slice, const char *word) {
    size_t len = strlen(word);
    return slice.len == len && memcmp(slice.ptr, word, len) == 0;
}

/* Without spaces and tabs around. */
static inline idp_slice slice_trim(idp_slice slice) {
    while (slice.len && (*slice.ptr == ' ' || *slice.ptr == '\t')) {
        slice.ptr++;
        slice.len--;
    }
    while (slice.len && (slice.ptr[slice.len - 1] == ' ' ||
                         slice.ptr[slice.len - 1] == '\t'))
        slice.len--;
    return slice;
}

/* Takes what stands before the next such character, and that, off *rest.
 * False: there is nothing more. */
static inline bool slice_split(idp_slice *rest, uint8_t at, idp_slice *part) {
    if (!rest->ptr)
        return false;
    const uint8_t *end = rest->len ? memchr(rest->ptr, at, rest->len) : NULL;
    *part = *rest;
    if (!end) {
        *rest = (idp_slice){0};
        return true;
    }
    part->len = (size_t)(end - rest->ptr);
    *rest = (idp_slice){end + 1, rest->len - part->len - 1};
    return true;
}

#endif
