/* SPDX-License-Identifier: Apache-2.0 */
/* http_chars.h -- what may stand around a header's value. Pure. */
#ifndef IDEM_HTTP_CHARS_H
#define IDEM_HTTP_CHARS_H

#include <stdbool.h>

static inline bool is_http_blank(char c) {
    return c == ' ' || c == '\t';
}

#endif
