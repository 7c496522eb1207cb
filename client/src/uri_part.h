/* SPDX-License-Identifier: Apache-2.0 */
/* uri_part.h -- pieces of a URI: cut, decoded, and refused by their names. */
#ifndef IDEM_URI_PART_H
#define IDEM_URI_PART_H

#include <stdbool.h>

#include "client/include/idemclient.h"

typedef struct idem__part {
    const char *ptr;
    size_t len;
} idem__part;

static inline idem__part idem__part_of(const char *from, const char *to) {
    return (idem__part){from, (size_t)(to - from)};
}

bool idem__part_is(idem__part p, const char *word);
/* Splits p at the first `at`: what stands before it is returned, p becomes
 * what stands behind. Without one, p becomes empty and *found false. */
idem__part idem__part_cut(idem__part *p, char at, bool *found);
bool idem__part_is_hidden(idem__part p);
int32_t idem__part_refuse_hidden(const char *what, idem_error *err);

/* %XX decoded into `to`, at most max bytes. A blank may stand as %20 where the
 * part is a file's path, which has what name it has. */
int32_t idem__part_bytes(idem__part p, const char *what, bool is_path,
                         uint8_t *to, size_t max, size_t *len, idem_error *err);
/* The same for text that becomes a C string in `to` of max + 1 bytes. */
int32_t idem__part_text(idem__part p, const char *what, char *to, size_t max,
                        size_t *len, idem_error *err);
int32_t idem__part_path(idem__part p, const char *what, char *to, size_t max,
                        idem_error *err);
bool idem__part_number(idem__part p, uint64_t max, uint64_t *value);

#endif
