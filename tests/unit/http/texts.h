/* SPDX-License-Identifier: Apache-2.0 */
/* texts.h -- slices of literals, for the tests of HTTP. */
#ifndef TEST_HTTP_TEXTS_H
#define TEST_HTTP_TEXTS_H

#include "proto/bytes.h"
#include "proto/terms.h"

#include <string.h>

/* With the NULs that it has within. */
#define SLICE(literal) \
    ((idp_slice){(const uint8_t *)(literal), sizeof(literal) - 1})

static inline idp_slice slice_of(const char *text) {
    return (idp_slice){(const uint8_t *)text, strlen(text)};
}

static inline bool same(idp_slice a, idp_slice b) {
    return a.len == b.len && (!a.len || memcmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
