/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h -- a secret as it lies in a file. */
#ifndef IDS_SECRET_H
#define IDS_SECRET_H

#include "proto/terms.h"

#include <stdbool.h>

typedef struct ids_secret {
    uint8_t bytes[IDP_SECRET_BYTES_MAX];
    size_t len; /* 0: there is none */
} ids_secret;

/* Reads the file; one newline at its end is not part of the secret. False:
 * why says what is wrong. Warns in the log when others may read the file. */
bool ids_secret_load(ids_secret *secret, const char *path, char *why,
                     size_t why_cap);

/* The same of a file of one or two lines; next.len 0: there is one line. */
bool ids_secret_load_two(ids_secret *current, ids_secret *next,
                         const char *path, char *why, size_t why_cap);

#endif
