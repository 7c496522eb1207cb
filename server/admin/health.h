/* SPDX-License-Identifier: Apache-2.0 */
/* health.h -- whether this node is well, and whether it serves: what a probe is
 * told, as a sentence.
 *
 * Sans I/O: who asks has the time. Neither waits nor asks anybody: each worker
 * leaves the time of its last turn in its mailbox, and one that has nothing to
 * do turns twice a second all the same. So a question costs the line nothing,
 * and a thousand of them cost no worker anything. */
#ifndef IDS_HEALTH_H
#define IDS_HEALTH_H

#include "server/worker/worker.h"

/* A worker whose last turn began so long ago does not answer. */
#define IDS_HEALTH_TURN_MS_MAX 2000u

#define IDS_HEALTH_WHY_BYTES 256

typedef struct ids_health {
    bool is_good;
    /* One sentence for people, NUL-terminated, printable ASCII, in both cases.
     */
    char why[IDS_HEALTH_WHY_BYTES];
} ids_health;

/* Whether every worker turned within IDS_HEALTH_TURN_MS_MAX before now_ms. A
 * peer, a full memory and a disk don't matter: to restart the process would
 * mend none of them. Any thread. */
ids_health ids_health_of(const ids_server *server, uint64_t now_ms);

/* Whom a probe looks for. */
typedef enum ids_ready_role {
    IDS_READY_CLAIMS,  /* new claims are made here */
    IDS_READY_REPLICA, /* a replica that is in sync: it may be promoted */
    IDS_READY_ANY      /* the primary, while it answers calls (it may make no
                        * claims: its completes are wanted all the more); or a
                        * replica, in sync or loading */
} ids_ready_role;

/* "" or "primary": CLAIMS; "replica", "any". False: none of these. */
bool ids_ready_role_parse(idp_slice word, ids_ready_role *role);

/* Whether this node is that, as the worker knows it: half a second ago at the
 * earliest. The worker's thread. */
ids_health ids_ready(const ids_worker *worker, ids_ready_role role);

#endif
