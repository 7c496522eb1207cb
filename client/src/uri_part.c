/* SPDX-License-Identifier: Apache-2.0 */
/* uri_part.c -- see uri_part.h. */
#include "client/src/uri_part.h"

#include <string.h>

#include "client/src/error.h"
#include "client/src/uri.h"

bool idem__part_is(idem__part p, const char *word) {
    return p.len == strlen(word) && memcmp(p.ptr, word, p.len) == 0;
}

/* Splits p at the first `at`: what stands before it is returned, p becomes
 * what stands behind. Without one, p becomes empty and *found false. */
idem__part idem__part_cut(idem__part *p, char at, bool *found) {
    const char *hit = p->len > 0 ? memchr(p->ptr, at, p->len) : NULL;
    idem__part before = hit != NULL ? idem__part_of(p->ptr, hit) : *p;
    *p = hit != NULL ? idem__part_of(hit + 1, p->ptr + p->len)
                     : idem__part_of(p->ptr + p->len, p->ptr + p->len);
    if (found != NULL)
        *found = hit != NULL;
    return before;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool idem__part_is_hidden(idem__part p) {
    for (size_t i = 0; i < p.len; i++)
        if (idem__is_hidden((uint8_t)p.ptr[i]))
            return true;
    return false;
}

int32_t idem__part_refuse_hidden(const char *what, idem_error *err) {
    return idem__fail(err, IDEM_E_URI,
                      "the URI's %s has a byte below 0x21, or 0x7f; is there a "
                      "blank or a line end in it?",
                      what);
}

typedef enum decoded {
    DECODED,
    DECODED_BAD,
    DECODED_LONG,
    DECODED_HIDDEN
} decoded;

/* %XX decoded into `to`, at most max bytes. A blank may stand as %20 where the
 * part is a file's path, which has what name it has. */
static decoded part_decode(idem__part p, bool is_path, uint8_t *to, size_t max,
                           size_t *len) {
    *len = 0;
    for (size_t i = 0; i < p.len; i++) {
        uint8_t c = (uint8_t)p.ptr[i];
        bool is_coded = c == '%';
        if (is_coded) {
            int high = i + 2 < p.len ? hex_digit(p.ptr[i + 1]) : -1;
            int low = i + 2 < p.len ? hex_digit(p.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return DECODED_BAD;
            c = (uint8_t)(high * 16 + low);
            i += 2;
        }
        if (idem__is_hidden(c) && !(c == ' ' && is_coded && is_path))
            return DECODED_HIDDEN;
        if (*len == max)
            return DECODED_LONG;
        to[(*len)++] = c;
    }
    return DECODED;
}

int32_t idem__part_bytes(idem__part p, const char *what, bool is_path,
                         uint8_t *to, size_t max, size_t *len,
                         idem_error *err) {
    switch (part_decode(p, is_path, to, max, len)) {
    case DECODED_BAD:
        return idem__fail(err, IDEM_E_URI,
                          "the URI's %s has a %% without two hex digits; a %% "
                          "itself is written %%25",
                          what);
    case DECODED_LONG:
        return idem__fail(err, IDEM_E_URI,
                          "the URI's %s is over %zu bytes long", what, max);
    case DECODED_HIDDEN:
        return idem__part_refuse_hidden(what, err);
    case DECODED:
        break;
    }
    return 0;
}

/* The same for text that becomes a C string in `to` of max + 1 bytes. */
int32_t idem__part_text(idem__part p, const char *what, char *to, size_t max,
                        size_t *len, idem_error *err) {
    int32_t code =
        idem__part_bytes(p, what, false, (uint8_t *)to, max, len, err);
    *len = code == 0 ? *len : 0;
    to[*len] = '\0';
    return code;
}

int32_t idem__part_path(idem__part p, const char *what, char *to, size_t max,
                        idem_error *err) {
    size_t len = 0;
    int32_t code =
        idem__part_bytes(p, what, true, (uint8_t *)to, max, &len, err);
    to[code == 0 ? len : 0] = '\0';
    return code;
}

bool idem__part_number(idem__part p, uint64_t max, uint64_t *value) {
    if (p.len == 0 || p.len > 10)
        return false;
    *value = 0;
    for (size_t i = 0; i < p.len; i++) {
        if (p.ptr[i] < '0' || p.ptr[i] > '9')
            return false;
        *value = *value * 10 + (uint64_t)(p.ptr[i] - '0');
    }
    return *value <= max;
}
