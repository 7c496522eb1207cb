/* SPDX-License-Identifier: Apache-2.0 */
/* claims.h -- inside the shard: what one call does to one record.
 *
 * shard.c is the outer half (waiters, time); claims.c the inner one, the
 * state machine. Nobody else includes this. Pure. */
#ifndef IDS_CLAIMS_H
#define IDS_CLAIMS_H

#include "server/core/quota.h"
#include "server/core/table.h"
#include "server/core/waiters.h"
#include "server/core/wheel.h"

#include <assert.h>

struct ids_shard {
    ids_shard_config config;
    ids_budget budget;
    ids_slab slab;
    ids_table table;
    ids_wheel wheel;
    ids_waiters waiters;
    ids_prefixes prefixes;
    uint64_t sequence; /* of the last token granted */
    uint64_t now_ms;   /* of the last call or tick */
    uint64_t floor_ms; /* no claim in progress counts from before this */
    bool following;    /* the floor rises with the time */
    ids_shard_stats counted;
    ids_quota *quota; /* NULL: nobody counts */
    ids_limited limited;
    uint64_t waited_ms; /* of who is woken now */
};

/* So many records are moved by one call at most, for room: a chunk's, nearly
 * whatever is in it. Each counts as work, so that a turn ends. */
#define IDS_MOVES_A_CALL 2048

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

/* acquired, of a record that was granted under this name. */
static inline void ids_claims_acquired(const ids_record *record,
                                       idp_token token, uint32_t attempt,
                                       idp_answer *answer) {
    assert(record->state == IDP_STATE_IN_PROGRESS);
    answer->outcome = IDP_OUTCOME_ACQUIRED;
    answer->token = token;
    answer->attempt = attempt;
    answer->previous = (idp_previous)record->previous;
    answer->lease_ms = ids_record_lease_ms(record);
}

/* An operator decides, or erases this one key. REFUSED: no memory, nothing was
 * changed. */
ids_verdict ids_claims_resolve(ids_shard *shard, const ids_call *call,
                               idp_answer *answer, idp_error *error);

/* Hands the record to on_change as it is now, or as one that is dropped: where
 * it was deleted, or is expired. */
void ids_claims_tell(ids_shard *shard, const ids_record *record,
                     idp_event_kind kind);

static inline bool ids_claims_drops(idp_event_kind kind) {
    return kind == IDP_EVENT_DELETED || kind == IDP_EVENT_EXPIRED;
}

/* ids_shard_put, within a call. */
bool ids_claims_put(ids_shard *shard, uint64_t hash, const ids_change *change,
                    uint64_t now_ms);

/* replay, of a record that is completed. */
void ids_claims_replay(const ids_record *record, uint64_t now_ms,
                       idp_answer *answer);

/* in_progress, with the lease time left as of then. */
void ids_claims_in_progress(const ids_record *record, uint64_t as_of_ms,
                            idp_answer *answer);

/* What begins now has begun by then: deadlines count from here. */
static inline uint64_t ids_claims_begin_ms(const ids_shard *shard,
                                           uint64_t now_ms) {
    return now_ms + shard->config.clock_cut_ms;
}

/* A claim that the shard took over counts from then on at the earliest. To be
 * called before a record's times are looked at. */
static inline void ids_claims_stretch(const ids_shard *shard,
                                      ids_record *record) {
    if (record->restart_ms < shard->floor_ms &&
        record->state == IDP_STATE_IN_PROGRESS)
        record->restart_ms = shard->floor_ms & ((1ull << 42) - 1);
}

/* Takes the record out of everything and frees it. */
void ids_claims_drop(ids_shard *shard, uint64_t hash, ids_ref ref);

/* The same for a record whose retention is over and that was taken off the
 * wheel. */
void ids_claims_expire(ids_shard *shard, uint64_t hash, ids_ref ref);

/* The record as a change record, number 0. */
void ids_claims_change(const ids_shard *shard, const ids_record *record,
                       uint64_t now_ms, ids_change *change);

/* How a record is to have this token and attempt: by a prefix's number, else
 * spelled, which takes extra_bytes of it. */
typedef struct ids_naming {
    idp_token token;
    uint32_t attempt;
    uint32_t prefix;
    uint32_t extra_bytes;
} ids_naming;

ids_naming ids_claims_naming(ids_shard *shard, idp_token token,
                             uint32_t attempt);

/* Gives it to the record, whose lengths are set and which has room for it.
 * unname: it is to have another one, or goes. */
void ids_claims_name(ids_shard *shard, ids_record *record,
                     const ids_naming *naming);
void ids_claims_unname(ids_shard *shard, const ids_record *record);

/* A slot for a record. Where there is no memory, chunks are emptied for it:
 * then records have moved, and places hold no longer. 0: no memory. */
ids_ref ids_claims_alloc(ids_shard *shard, size_t bytes);

/* Empties chunks, at most so many records moved. See ids_slab_victim. */
void ids_claims_empty(ids_shard *shard, uint32_t moves_max, bool eager);

#endif
