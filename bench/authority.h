/* SPDX-License-Identifier: Apache-2.0 */
/* authority.h -- a throw-away authority and a certificate of 127.0.0.1, for a
 * server of ours: files, made by the program `openssl`. */
#ifndef IDB_AUTHORITY_H
#define IDB_AUTHORITY_H

#include <stddef.h>

/* Makes ca.pem, ca.key, server.pem and server.key in the folder: P-256, good
 * for a day. 0, or a text that says what failed; why: room for it. */
const char *idb_authority_make(const char *folder, char *why, size_t cap);

#endif
