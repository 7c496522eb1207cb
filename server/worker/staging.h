/* SPDX-License-Identifier: Apache-2.0 */
/* staging.h -- a replica's copy of another node's records, one worker's part.
 *
 * Records come on the loop that has the stream's connection and are put by
 * the loop that owns the key: at once where that is the same, else by message,
 * and a message back says that they are in. A full copy is loaded into a second
 * shard beside the first and takes its place as a whole.
 *
 * Whether to believe a record is the peer's to say (server/peer); here they
 * are put. */
#ifndef IDS_STAGING_H
#define IDS_STAGING_H

#include "server/peer/receiver.h"
#include "server/worker/message.h"

typedef struct ids_worker ids_worker;

/* Records of one tag that are in. */
typedef struct ids_applied {
    ids_batch_tag tag;
    uint64_t number; /* once this change of the worker's is kept; 0: now */
    uint32_t count;
} ids_applied;

#define IDS_STAGING_RETIRED_MAX 4

typedef struct ids_staging {
    ids_shard *staged;       /* NULL: none is being loaded */
    uint64_t staged_session; /* whose records are in it */
    uint64_t session;        /* whose full copy took the first one's place */
    /* Done with, to be freed; not while a snapshot still walks it. */
    ids_shard *retired[IDS_STAGING_RETIRED_MAX];
    idp_bytes applied; /* ids_applied, to be told to the peer */
    size_t applied_at; /* those before are told */
    bool failed;       /* no memory for a record, see the log */
} ids_staging;

/* Puts a record that has come, or sends it to its owner. The change borrows
 * until this returns. False: no memory. For the peer's route. */
bool ids_staging_route(ids_worker *worker, const ids_batch_tag *tag,
                       const ids_change *changes, uint32_t count);

/* What is in since the last call, and on this node's medium if replies wait
 * for that (kept: up to which change it is), for ids_peer_applied, count
 * times: records of streams that this loop has the connection of. False: no
 * more. Other loops say theirs when it is kept there. */
bool ids_staging_next_applied(ids_worker *worker, uint64_t kept,
                              ids_applied *applied);

/* True once, after a record found no memory here: end the session. What was
 * lost is not reported as applied, so nobody was told that it is in. */
bool ids_staging_take_failure(ids_worker *worker);

/* What is to be put makes no sense: as if it had found no memory. */
void ids_staging_spoil(ids_worker *worker);

/* The staging copy; it is made for a session's first record, in place of
 * another one's. drop: it is given up. prepare and swap while all loops
 * stand still: first prepare on every worker (false: no memory, or
 * old ones are not done with; end the session), then swap on every worker. What
 * comes of that session afterwards is put into the new copy. */
void ids_staging_drop(ids_worker *worker);
bool ids_staging_prepare(ids_worker *worker, uint64_t session);
void ids_staging_swap(ids_worker *worker);

/* At the end of each turn, and not within the peer's monitor, for it may take
 * a while: frees what a swap or a drop left behind. */
void ids_staging_tidy(ids_worker *worker);
void ids_staging_fini(ids_worker *worker);

/* A batch with records, and what comes back for one; incoming.c's. walk spans
 * a batch and begins with zeros: whether a tag is current is asked once for
 * all its records, and they are reported together, at last by close. */
typedef struct ids_staging_batch {
    ids_batch_tag asked;
    bool is_asked, is_current;
    uint32_t from;
    ids_applied applied;
} ids_staging_batch;
void ids_staging_apply(ids_worker *worker, const ids_message *message,
                       const uint8_t *body, ids_staging_batch *walk);
void ids_staging_close(ids_worker *worker, ids_staging_batch *walk);
void ids_staging_applied(ids_worker *worker, const uint8_t *body);

#endif
