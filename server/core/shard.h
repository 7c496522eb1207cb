/* SPDX-License-Identifier: Apache-2.0 */
/* shard.h -- one shard of keys: claims, results, waiters, expiry, memory.
 *
 * Pure: no socket, no file, no clock, no thread. Time is an argument, in
 * milliseconds of a clock that never goes back; let it start at
 * IDS_CLOCK_START_MS, so that a record that is carried over may have begun
 * before. A clock that is read in whole milliseconds hides part of one: see
 * clock_cut_ms. Memory, the hash and the epoch come with the configuration. One
 * thread at a time may call it.
 *
 * The core decides; it never refuses to carry out what it has answered. What
 * must watch it (a journal, a peer) is handed a change record by on_change,
 * after the change and before the answer is used. */
#ifndef IDS_SHARD_H
#define IDS_SHARD_H

#include "proto/error.h"
#include "proto/terms.h"
#include "server/core/mix.h"

#define IDS_CLOCK_START_MS IDP_TTL_MS_MAX

typedef struct ids_shard ids_shard;
typedef struct ids_ns_limits_table ids_ns_limits_table;
typedef struct ids_ledger ids_ledger;

/* Where memory comes from. alloc may fail (NULL); free is told the size that
 * alloc was. Blocks are aligned to 64 bytes. takes: what a block of so many
 * bytes really takes, which is what counts; NULL: just that many. */
typedef struct ids_mem {
    void *ctx;
    void *(*alloc)(void *ctx, size_t bytes);
    void (*free)(void *ctx, void *block, size_t bytes);
    size_t (*takes)(size_t bytes);
} ids_mem;

/* A limit that several shards share, each on its own thread. */
typedef struct ids_pool {
    int64_t left_bytes; /* changed by atomic operations; may go below 0 */
    uint64_t bytes_max; /* so, too; it only grows */
    /* So much over the limit may be taken for records that are carried over
     * (ids_shard_put): what one node or process could hold another can, even
     * where its shards are more and each holds some room that it does not
     * use. */
    uint64_t over_bytes;
} ids_pool;

static inline void ids_pool_init(ids_pool *pool, uint64_t bytes_max,
                                 uint64_t over_bytes) {
    *pool = (ids_pool){.left_bytes = (int64_t)bytes_max,
                       .bytes_max = bytes_max,
                       .over_bytes = over_bytes};
}

static inline uint64_t ids_pool_used_bytes(const ids_pool *pool) {
    return __atomic_load_n(&pool->bytes_max, __ATOMIC_RELAXED) -
           (uint64_t)__atomic_load_n(&pool->left_bytes, __ATOMIC_RELAXED);
}

/* Who is asking: an opaque name of a connection, chosen by the caller. It is
 * given back when a parked acquire is answered, and to ids_shard_forget. */
typedef uint64_t ids_asker;

/* Who claims, as a number of the caller's for a name: 1..IDS_BY_MAX; 0: nobody
 * that is known. A record has it until its claim is ended. */
#define IDS_BY_MAX 4095u

/* A whole record after a change, or its absence (state ABSENT: only ns and
 * key are set). Remaining times, never a wall clock. Slices borrow from the
 * record until the callback returns. */
typedef struct ids_change {
    uint64_t number;     /* 1, 2, 3 ... per shard */
    idp_event_kind kind; /* what has made it; ANY: told of no caller's call */
    idp_slice ns, key, fingerprint, nonce, result;
    idp_token token;
    idp_state state;
    idp_class class;
    idp_previous previous;
    uint32_t attempt;
    uint32_t lease_ms;      /* the full lease */
    uint64_t lease_left_ms; /* 0 unless in_progress */
    uint64_t ttl_ms;        /* the full retention */
    uint64_t ttl_left_ms;
    uint64_t age_ms;
    bool has_result;
    uint32_t by;       /* who claimed it; 0 unless in_progress or orphaned */
    idp_slice by_name; /* and the name that outlives this process, if any: at
                        * most IDP_USER_BYTES_MAX */
    /* All of that but number, kind and by, as server/journal/change writes it,
     * if it was written already or read from there: then it is not encoded
     * again. Empty: it was not. Whoever alters a field empties it. */
    idp_slice encoded;
} ids_change;

typedef struct ids_shard_config {
    uint64_t epoch;          /* the first half of every token granted */
    uint64_t sequence;       /* the second half begins after this: shards of
                              * one epoch start so far apart that no token is
                              * granted twice */
    size_t memory_bytes_max; /* of all that the shard allocates */
    ids_pool *pool;          /* or of all that these shards do; may be NULL */
    size_t result_bytes_max;
    uint32_t waiters_per_key_max;
    uint32_t waiters_max;
    /* By how much a time that it is told may be behind the moment that it
     * stands for: 1 where a clock is cut down to whole milliseconds, 0 where
     * there is nothing in between. A deadline counts from the later of the
     * two, so that none comes early: a millisecond that has begun counts
     * whole. What is left of a deadline is never said to be more than the
     * whole of it. */
    uint32_t clock_cut_ms;
    ids_mem mem;
    /* The same hash that callers pass in ids_call, for moving records. Nobody
     * outside may know its upper half: see ids_mix_hash. */
    uint64_t (*hash)(void *ctx, idp_slice ns, idp_slice key);
    void *hash_ctx;
    /* Of who claims: the name that goes with a number, empty for none, and the
     * number for a name that came with a record. NULL, both: nobody has one. */
    idp_slice (*by_name)(void *ctx, uint32_t by);
    uint32_t (*by_number)(void *ctx, idp_slice name);
    void *by_ctx;
    /* Namespaces, counted and limited: see ids_shard_set_limits. NULL, both:
     * nobody counts. */
    const ids_ns_limits_table *limits;
    ids_ledger *ledger;
    ids_mix_key mix_key; /* for askers; random, and told to nobody */
    uint32_t *work;      /* counts waiters that were looked at, and records that
                          * were moved; NULL: nobody reads it */
    /* A parked acquire is answered: error IDP_OK and an answer, or an error
     * and NULL. The answer borrows until the callback returns. It must not
     * call back into the shard. */
    void (*on_wake)(void *ctx, ids_asker asker, uint32_t msgid, idp_error error,
                    const idp_answer *answer);
    void *wake_ctx;
    /* Optional hook; NULL costs a comparison. Not called for completed or
     * released records that merely expire: everyone can tell that from the
     * remaining time. Called when a claim that nobody ended does, since a
     * copy may not let it expire by itself. */
    void (*on_change)(void *ctx, const ids_change *change);
    void *change_ctx;
} ids_shard_config;

/* NULL when memory for the empty table is refused. */
ids_shard *ids_shard_new(const ids_shard_config *config);

/* Frees everything; waiters are not told (see ids_shard_drain). */
void ids_shard_free(ids_shard *shard);

typedef struct ids_call {
    const idp_request *request; /* within the wire's limits; the caller has
                                 * checked them, the shard asserts them */
    uint64_t hash;              /* config.hash of its namespace and key */
    uint64_t now_ms;
    ids_asker asker; /* matters only where wait_ms > 0 */
    uint32_t by;     /* acquire: who would have the claim */
} ids_call;

typedef enum ids_verdict {
    IDS_ANSWERED, /* answer is set; it borrows until the next call */
    IDS_PARKED,   /* acquire: on_wake will say, exactly once, unless the asker
                   * is forgotten first */
    IDS_REFUSED   /* error is set: nothing changed. NO_MEMORY (acquire only),
                   * LIMIT (too many waiters, a namespace's rate), BAD_REQUEST
                   * (a namespace's ttl); see ids_shard_limited */
} ids_verdict;

/* Carries out acquire, complete, release, renew, peek or resolve; erase of this
 * one key (deleted, with its state, or unknown). on_wake may be called, for
 * other askers, before it returns. */
ids_verdict ids_shard_call(ids_shard *shard, const ids_call *call,
                           idp_answer *answer, idp_error *error);

/* Which limit of its namespace the refused acquire is over; NONE: no such. Of
 * the last one, also from within on_wake. */
typedef enum ids_limit {
    IDS_LIMIT_NONE,
    IDS_LIMIT_RECORDS, /* NO_MEMORY */
    IDS_LIMIT_MEMORY,  /* NO_MEMORY */
    IDS_LIMIT_RATE,    /* LIMIT */
    IDS_LIMIT_TTL      /* BAD_REQUEST */
} ids_limit;

typedef struct ids_limited {
    ids_limit limit;
    uint32_t retry_ms; /* RATE: sooner there is none; > 0 */
    idp_slice ns;      /* borrows until the next call, or on_wake returns */
} ids_limited;

ids_limited ids_shard_limited(const ids_shard *shard);

/* Within on_wake: how long that acquire has waited. */
uint64_t ids_shard_waited_ms(const ids_shard *shard);

/* Two hints for a batch of calls: first for all of them, then the second for
 * all of them, then the calls. They change nothing. */
void ids_shard_prefetch_bucket(const ids_shard *shard, uint64_t hash);
void ids_shard_prefetch_record(const ids_shard *shard, uint64_t hash);

/* The asker is gone: its parked acquires are dropped, unanswered. Where they
 * are many, none is answered from now on, and the later ones leave the books
 * with the next ticks. */
void ids_shard_forget(ids_shard *shard, ids_asker asker);

/* Answers parked acquires with this error (SHUTTING_DOWN), at most so many.
 * True: there are no more. */
bool ids_shard_drain(ids_shard *shard, idp_error error, uint32_t max);

/* When ids_shard_tick next has something to do; UINT64_MAX: never. A time
 * that is not after now means that there is work left to do now. */
uint64_t ids_shard_next_ms(const ids_shard *shard);

/* So many waiters, and one more queue, are looked at by one call or tick, for
 * what time has made due besides. */
#define IDS_TIMERS_A_CALL 256

/* Does what time has made due: waits and leases that waiters hang on, as many
 * as a call does; when none is left, the reclaiming of ended records, at most
 * steps_max of them, so that a turn stays short. Whatever of it is late, a
 * call finds its own key as if all had come in time. */
void ids_shard_tick(ids_shard *shard, uint64_t now_ms, uint32_t steps_max);

/* Walks the records in chunks while calls go on, for a snapshot or a full
 * copy: each record that is there from the walk's start to its end is seen at
 * least once, others perhaps. Together with the changes since the start the
 * copy is whole. Begin a walk with *cursor = 0 and call until it returns
 * false; then, or to give up, call ids_shard_walk_end, once for each walk
 * whose first step was taken. Walks don't know of each other; the table does
 * not shrink as long as there is any. seen's change has number 0.
 *
 * A step goes through a part of at most so many buckets, and ends behind the
 * record with which it has seen IDS_WALK_BYTES. */
#define IDS_WALK_BYTES (64u << 10)
bool ids_shard_walk(ids_shard *shard, uint64_t now_ms, uint64_t *cursor,
                    uint32_t buckets_max,
                    void (*seen)(void *ctx, const ids_change *change),
                    void *ctx);
void ids_shard_walk_end(ids_shard *shard);

/* One key's record as of now, or that there is none (state ABSENT): seen is
 * called once, with number 0. The slices of ns and key are this call's. */
void ids_shard_see(ids_shard *shard, uint64_t now_ms, idp_slice ns,
                   idp_slice key,
                   void (*seen)(void *ctx, const ids_change *change),
                   void *ctx);
bool ids_shard_is_walked(const ids_shard *shard);

/* So many records are about to be put into a shard that has none: a hint. */
void ids_shard_reserve(ids_shard *shard, uint64_t records);

/* Makes the key's record be what the change says, its remaining times counted
 * from now. Not a change of this shard's: it has no number, reaches no hook
 * and wakes nobody. false: no memory, not even over the limit (see ids_pool);
 * the key is as it was. The change is
 * trusted to be within the wire's limits: whoever reads it from a file or a
 * peer has checked it with ids_change_is_sound. */
bool ids_shard_put(ids_shard *shard, uint64_t hash, const ids_change *change,
                   uint64_t now_ms);
bool ids_change_is_sound(const ids_change *change, size_t result_bytes_max);

/* The shard holds another node's records from now on: they come by
 * ids_shard_put, nobody calls, and no claim in progress ends, whatever the
 * time. It has no waiters (see ids_shard_drain). */
void ids_shard_follow(ids_shard *shard);

/* And from now on it decides by itself: its tokens are of this epoch, after
 * this sequence, and every claim in progress has its full lease and retention
 * ahead of it. Takes no time that grows with the records. */
void ids_shard_lead(ids_shard *shard, uint64_t epoch, uint64_t sequence,
                    uint64_t now_ms);

/* Those that carry a token: complete, release, renew, counted from complete. */
#define IDS_TOKEN_METHODS 3

typedef struct ids_shard_stats {
    uint64_t records; /* includes those ended and not yet reclaimed */
    uint64_t waiters;
    uint64_t memory_bytes; /* held from config.mem */
    uint64_t memory_bytes_max;
    uint64_t memory_shared_bytes; /* leased by all that share the limit */
    uint64_t changes;             /* the last change's number */
    uint64_t expired; /* records reclaimed at their retention's end */
    uint64_t results_dropped;
    uint64_t outcomes[IDP_OUTCOME_COUNT]; /* answers given, per outcome */
    /* Of these, by method: what complete, release and renew share. */
    uint64_t stale[IDS_TOKEN_METHODS], unknown[IDS_TOKEN_METHODS];
    uint64_t refused_no_memory;
    uint64_t refused_limit;
} ids_shard_stats;

/* Namespaces. What one has in this shard: ended records that are not yet
 * reclaimed are among them, and each counts with all its parts and 48 bytes.
 * A limit refuses acquires and nothing else: over the records or the bytes
 * those that would make a record, over the rate those that would be granted,
 * over the retention all that ask for more. complete drops the result and
 * shortens the retention that can't be kept, and says so. */
typedef struct ids_ns_counts {
    uint64_t records;
    uint64_t in_progress; /* of them: claims that nobody ended, orphaned, too */
    uint64_t bytes;
    uint64_t refused_full; /* since it has a number: ledger.h */
    uint64_t refused_rate;
    uint64_t results_dropped;
} ids_ns_counts;

/* These limits hold from now on; both outlive the shard, or the next call of
 * this. Named ones have their numbers already (ids_ledger_name), sorted by
 * their bytes. What is there and is not counted, or is counted among the
 * others and has a name of its own now, is counted anew with the next ticks.
 * The ledger is the first one, ever. False: no memory, nothing changed. */
bool ids_shard_set_limits(ids_shard *shard, const ids_ns_limits_table *limits,
                          ids_ledger *ledger, uint64_t now_ms);

/* Whether it still counts what was there. */
bool ids_shard_is_counting(const ids_shard *shard);

/* Tells each namespace that has something or is named; number: IDS_NS_OTHER
 * has no name. The slice borrows until seen returns. */
void ids_shard_namespaces(const ids_shard *shard,
                          void (*seen)(void *ctx, uint32_t number, idp_slice ns,
                                       const ids_ns_counts *counts),
                          void *ctx);

/* Another on_change from now on, for the same change_ctx; NULL: none. */
void ids_shard_set_hook(ids_shard *shard,
                        void (*on_change)(void *ctx, const ids_change *change));

/* What it leases its memory from; NULL: it has its own. */
ids_pool *ids_shard_pool(const ids_shard *shard);

void ids_shard_stats_get(const ids_shard *shard, ids_shard_stats *stats);

#endif
