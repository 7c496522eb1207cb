/* SPDX-License-Identifier: Apache-2.0 */
/* access.h -- who gets in, as all workers of a server share it: the version of
 * the credentials that counts, the sources of wrong secrets, and whose secret
 * was shown in plain.
 *
 * Its lock is taken where a worker takes a new version, for a wrong secret and
 * for one in plain, never for a request. */
#ifndef IDS_ACCESS_H
#define IDS_ACCESS_H

#include "server/access/credentials.h"
#include "server/access/failures.h"

typedef struct ids_access ids_access;

/* Takes the first version. NULL: no memory, and the version is still yours. */
ids_access *ids_access_new(ids_credentials *first);
void ids_access_free(ids_access *access);

/* The version that counts, to be dropped. Any thread. */
ids_credentials *ids_access_take(ids_access *access);

/* Takes next, whose number becomes one higher than that before; from now on it
 * counts. Workers have to be told. */
void ids_access_publish(ids_access *access, ids_credentials *next);

/* ids_failures_note; any thread. */
bool ids_access_failed(ids_access *access, const ids_source *source,
                       uint64_t now_ms);

/* This user's secret has crossed a network in plain. True: nobody has been told
 * so for IDS_PLAIN_TOLD_MS, and is to be told now; any thread. Of so many names
 * that is known, and of the last ones. */
#define IDS_PLAIN_TOLD_MS 3600000u
#define IDS_PLAIN_NAMES   64u
bool ids_access_shown_plain(ids_access *access, const char *user,
                            uint64_t now_ms);

#endif
