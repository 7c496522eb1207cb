/* SPDX-License-Identifier: Apache-2.0 */
/* quota.h -- inside the shard: what its namespaces have and may have.
 *
 * A record's head has its namespace's number, NONE where nobody counts, so
 * that what was counted is given back to just that. Counts are exact at each
 * moment: records that are in the table, ended ones not yet reclaimed among
 * them, and their bytes (ids_record_counted_bytes). A shard that leads leases
 * what it has from the ledger, and a share more; one that follows only counts.
 * Pure. */
#ifndef IDS_QUOTA_H
#define IDS_QUOTA_H

#include "server/core/ledger.h"
#include "server/core/record.h"

#define IDS_QUOTA_CACHE 256u

typedef struct ids_quota_place {
    ids_ns_counts counts; /* of this shard */
    int64_t records_leased;
    int64_t bytes_leased;
    const ids_ns_limits *limits;
    uint64_t claims_end_ms; /* until then it may make these */
    uint32_t claims;
    bool named; /* pinned by it, whatever it has */
    bool will_be_named;
} ids_quota_place;

typedef struct ids_quota {
    ids_ledger *ledger;
    const ids_ns_limits_table *limits;
    bool leads;
    bool walks; /* records that are counted as nothing, or as others */
    uint32_t bucket, buckets_seen;
    uint32_t last; /* the number that was looked up last: often the next, too */
    uint16_t cache[IDS_QUOTA_CACHE]; /* numbers, by the names' hash */
    ids_quota_place *segments[IDS_NS_SEGMENTS];
} ids_quota;

/* A record's bytes as they are counted: its parts, 32 for its head and 16 for
 * what the table takes for it. */
#define IDS_RECORD_COUNTED_BYTES 48u

static inline size_t ids_record_counted_bytes(const ids_record *r) {
    return ids_record_plain_bytes(r) - IDS_RECORD_HEAD_BYTES +
           IDS_RECORD_COUNTED_BYTES;
}

/* 0 where nobody counts. */
static inline size_t ids_quota_bytes(const ids_record *r) {
    return r->ns_number != IDS_NS_NONE ? ids_record_counted_bytes(r) : 0;
}

/* Gives back all that is pinned and leased, and its memory. */
void ids_quota_fini(ids_shard *shard);

/* What this namespace may have; the shard has a quota. */
const ids_ns_limits *ids_quota_limits(const ids_shard *shard, idp_slice ns);

/* Whether a claim may be made that makes a record of so many counted bytes;
 * then the namespace's number, to be followed by ids_quota_enter or
 * ids_quota_undo (NONE: nothing to undo). NONE: it may not, and shard->limited
 * and error say why. */
uint32_t ids_quota_admit(ids_shard *shard, idp_slice ns, size_t bytes,
                         idp_error *error);
void ids_quota_enter(ids_shard *shard, uint32_t number, ids_record *record);
void ids_quota_undo(ids_shard *shard, uint32_t number);

/* The same for a claim of a record that is there; undo, as above, if it is not
 * made. */
uint32_t ids_quota_admit_next(ids_shard *shard, idp_slice ns, idp_error *error);

/* Whether an acquire may ask for this retention; else error is set. */
bool ids_quota_allows_ttl(ids_shard *shard, const idp_request *request,
                          idp_error *error);

/* The record is completed and was of so many counted bytes: how long it is
 * kept from now on. And what a complete says of that: 0 where it is what was
 * asked for, and the same when it is asked again. */
uint64_t ids_quota_completed(ids_shard *shard, const ids_record *record,
                             uint64_t ttl_ms, size_t bytes_before);
uint64_t ids_quota_said_ttl_ms(const ids_shard *shard, const ids_record *record,
                               const idp_request *request);

/* Counts a record that was not; whatever the limit is. And no longer. */
void ids_quota_count(ids_shard *shard, ids_record *record);
void ids_quota_leave(ids_shard *shard, const ids_record *record);

static inline void ids_quota_uncount(ids_shard *shard,
                                     const ids_record *record) {
    if (record->ns_number != IDS_NS_NONE)
        ids_quota_leave(shard, record);
}

/* Its counted bytes were these, and are other ones. */
void ids_quota_resized(ids_shard *shard, const ids_record *record,
                       size_t bytes_before);

static inline void ids_quota_recount(ids_shard *shard, const ids_record *record,
                                     size_t bytes_before) {
    if (record->ns_number != IDS_NS_NONE)
        ids_quota_resized(shard, record, bytes_before);
}

/* It is counted, and about to enter this state. */
void ids_quota_moves(ids_shard *shard, const ids_record *record, idp_state to);

/* Whether a result may be kept in the record, which was of so many counted
 * bytes and has none. */
bool ids_quota_keeps(ids_shard *shard, const ids_record *record,
                     size_t result_bytes, size_t bytes_before);

/* It leads, or follows, from now on. */
void ids_quota_lead(ids_shard *shard, bool leads);

/* Between quota.c and quota_set.c: the place of a number, or NULL; whether this
 * shard has it pinned; a place with its memory (NULL: none); what a name may
 * have; what is leased made to fit what is used; what is left of a share of the
 * rate given back; all of that, and a number that the shard has no use for any
 * more given back, too. */
#define IDS_QUOTA_SEGMENT_BYTES (IDS_NS_SEGMENT * sizeof(ids_quota_place))

static inline ids_quota_place *ids_quota_at(const ids_quota *quota,
                                            uint32_t number) {
    ids_quota_place *segment = quota->segments[number / IDS_NS_SEGMENT];
    return segment != NULL ? &segment[number % IDS_NS_SEGMENT] : NULL;
}

static inline bool ids_quota_is_held(const ids_quota_place *place) {
    return place->counts.records > 0 || place->named;
}

ids_quota_place *ids_quota_reach(ids_shard *shard, uint32_t number);
const ids_ns_limits *ids_quota_limits_of(const ids_ns_limits_table *limits,
                                         idp_slice ns);
void ids_quota_settle(const ids_quota *quota, uint32_t number);
void ids_quota_give_claims_back(const ids_quota *quota, uint32_t number);
void ids_quota_rest(ids_shard *shard, uint32_t number);

/* A part of the walk. */
void ids_quota_walk(ids_shard *shard, uint32_t buckets_max);

#endif
