/* SPDX-License-Identifier: Apache-2.0 */
/* text.h -- texts that may be longer than their place: cut, and no character in
 * half.
 *
 * Inside proto only. */
#ifndef IDP_TEXT_H
#define IDP_TEXT_H

#include "proto/cursor.h"

/* How much of it is kept where at most max bytes may be. */
static inline size_t text_cut(idp_slice text, size_t max) {
    size_t len = text.len < max ? text.len : max;
    while (len > 0 && len < text.len && (text.ptr[len] & 0xc0) == 0x80) {
        len--;
    }
    return len;
}

/* A str, NUL-terminated. */
static inline bool text_read(cursor *c, char *to, size_t size) {
    idp_slice text;
    if (!cursor_bytes(c, &text)) {
        return false;
    }
    size_t len = text_cut(text, size - 1);
    memcpy(to, text.ptr, len);
    to[len] = '\0';
    return true;
}

#endif
