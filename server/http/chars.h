/* SPDX-License-Identifier: Apache-2.0 */
/* chars.h -- HTTP's classes of characters, and slices of text.
 *
 * Inside server/http only. */
#ifndef IDS_HTTP_CHARS_H
#define IDS_HTTP_CHARS_H

#include "proto/terms.h"

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

/* tchar of RFC 9110. */
static inline bool is_token(uint8_t c) {
    return is_digit(c) || is_alpha(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Of a path or a query, RFC 3986. */
static inline bool is_uri(uint8_t c) {
    return is_digit(c) || is_alpha(c) ||
           (c && strchr("-._~!$&'()*+,;=:@/?%", c));
}

/* Of a field's value: visible, a space, a tab, or beyond ASCII. */
static inline bool is_value(uint8_t c) {
    return c == '\t' || (c >= ' ' && c != 0x7f);
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
