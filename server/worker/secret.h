/* SPDX-License-Identifier: Apache-2.0 */
/* secret.h -- the shared secret that a connection must know. */
#ifndef IDS_SECRET_H
#define IDS_SECRET_H

#include "proto/terms.h"

typedef struct ids_secret {
    uint8_t bytes[IDP_SECRET_BYTES_MAX];
    size_t len; /* 0: none is demanded */
} ids_secret;

/* Reads the file; one newline at its end is not part of the secret. False:
 * why says what is wrong. Warns in the log when others may read the file. */
bool ids_secret_load(ids_secret *secret, const char *path, char *why,
                     size_t why_cap);

/* In time that does not depend on where the two differ. */
bool ids_secret_matches(const ids_secret *secret, idp_slice given);

#endif
