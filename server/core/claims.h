/* claims.h -- inside the shard: what one call does to one record.
 *
 * shard.c is the outer half (waiters, time); claims.c the inner one, the
 * state machine. Nobody else includes this. Pure. */
#ifndef IDS_CLAIMS_H
#define IDS_CLAIMS_H

#include "server/core/table.h"
#include "server/core/waiters.h"
#include "server/core/wheel.h"

struct ids_shard {
    ids_shard_config config;
    ids_budget budget;
    ids_slab slab;
    ids_table table;
    ids_wheel wheel;
    ids_waiters waiters;
    uint64_t sequence; /* of the last token granted */
    uint64_t now_ms;   /* of the last call or tick */
    ids_shard_stats counted;
};

/* The record as of now; one whose retention is over is dropped first. NULL:
 * the key is absent. */
ids_record *ids_claims_find(ids_shard *shard, const ids_call *call,
                            ids_place *place);

/* The first row of the table that fits. IDS_PARKED here only says that the
 * asker would have to wait; nothing was changed. */
ids_verdict ids_claims_acquire(ids_shard *shard, const ids_call *call,
                               idp_answer *answer, idp_error *error);

/* These always answer. */
void ids_claims_complete(ids_shard *shard, const ids_call *call,
                         idp_answer *answer);
void ids_claims_release(ids_shard *shard, const ids_call *call,
                        idp_answer *answer);
void ids_claims_renew(ids_shard *shard, const ids_call *call,
                      idp_answer *answer);
void ids_claims_peek(ids_shard *shard, const ids_call *call,
                     idp_answer *answer);

/* in_progress, with the lease time left as of then. */
void ids_claims_in_progress(const ids_record *record, uint64_t as_of_ms,
                            idp_answer *answer);

/* Takes the record out of everything and frees it. */
void ids_claims_drop(ids_shard *shard, uint64_t hash, ids_ref ref);

/* The record as a change record, number 0. */
void ids_claims_change(const ids_record *record, uint64_t now_ms,
                       ids_change *change);

#endif
