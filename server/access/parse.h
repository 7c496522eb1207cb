/* SPDX-License-Identifier: Apache-2.0 */
/* parse.h -- the file of credentials, line by line; see parse.c. */
#ifndef IDS_CREDENTIALS_PARSE_H
#define IDS_CREDENTIALS_PARSE_H

#include "server/access/credentials.h"

/* Fills it from the text; its arrays have room for all that can stand there.
 * False: why says what is wrong, and in which line. */
bool ids_credentials_fill(ids_credentials *to, const char *text, size_t len,
                          char *why, size_t why_cap);

#endif
