/* SPDX-License-Identifier: Apache-2.0 */
/* prepare.h -- the files that settings name, at a reload: all of them are read
 * and checked aside before any of it holds, then all take their places. */
#ifndef IDS_PREPARE_H
#define IDS_PREPARE_H

#include "server/access/access.h"
#include "server/io/live.h"
#include "server/io/peering.h"
#include "server/io/reload.h"
#include "server/net/tls.h"

typedef struct ids_prepare {
    ids_live *live;
    ids_tls *tls;       /* open only with --tls-cert */
    ids_access *access; /* NULL: everybody gets in */
    ids_loop *loops;
    ids_peering *peering;      /* open only with replication */
    ids_tls_contexts next_tls; /* of the reload that is under way */
    ids_credentials *next_credentials;
} ids_prepare;

/* What a reload asks of it. */
ids_reload_driver ids_prepare_driver(ids_prepare *prepare);

/* Nothing of it is to hold. */
void ids_prepare_forget(ids_prepare *prepare);

/* When the certificate ends: the first loop's counter, and one for the whole
 * node. */
void ids_prepare_tell_certificate(const ids_prepare *prepare);

#endif
