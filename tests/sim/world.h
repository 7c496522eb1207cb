/* SPDX-License-Identifier: Apache-2.0 */
/* world.h -- one shard and the naive model, in lock step on a virtual clock.
 *
 * Whatever is done here is done to both, and compared field by field: the
 * answer, those who are woken and in which order, the change record, the
 * time of the next deadline. The checker sees what the shard said, too. The
 * first difference stays in .failure, and from then on everything returns
 * false. */
#ifndef IDT_WORLD_H
#define IDT_WORLD_H

#include "tests/lib/check.h"
#include "tests/lib/model.h"
#include "tests/sim/mutant.h"
#include "tests/sim/quota.h"

enum {
    WORLD_KEYS_MAX = 16,
    WORLD_WAKES_MAX = 128,
    WORLD_RESULT_MAX = 4096,
    WORLD_TRACE_LINES = 48,
    WORLD_TRACE_COLUMNS = 320
};

typedef struct world_config {
    uint64_t epoch;
    size_t memory_bytes_max;
    size_t result_bytes_max; /* <= WORLD_RESULT_MAX */
    uint32_t waiters_per_key_max;
    uint32_t waiters_max;
    bool limited; /* namespaces are counted from the start, with these */
    world_limits limits;
    bool memory_short; /* NO_MEMORY is an answer; else it is a difference */
    uint64_t fail_nth; /* this allocation fails, counted from the first; 0:
                        * none does */
    bool fail_on;      /* and every one after it */
    mutant mutant;
} world_config;

/* A key of a world: slices that outlive it, and whatever hash a test wants
 * it to have. */
typedef struct world_key {
    idp_slice ns;
    idp_slice key;
    uint64_t hash;
} world_key;

/* Somebody who waited is answered. */
typedef struct world_wake {
    ids_asker asker;
    uint32_t msgid;
    idp_error error;
    ids_limit limit; /* that it is over */
    idp_answer answer;
    uint8_t result[WORLD_RESULT_MAX];
    bool matched;
} world_wake;

typedef struct world_wakes {
    world_wake at[WORLD_WAKES_MAX];
    uint32_t count;
} world_wakes;

/* The last change record of a key, deadlines made absolute. */
typedef struct world_shadow {
    idp_state state;
    idp_token token;
    idp_class class;
    idp_previous previous;
    uint32_t attempt;
    uint64_t since_ms, lease_end, ttl_ms, ttl_end;
    uint32_t lease_ms;
    bool has_result;
    uint8_t result[WORLD_RESULT_MAX];
    uint8_t fingerprint[IDP_FINGERPRINT_BYTES_MAX];
    uint8_t nonce[IDP_NONCE_BYTES_MAX];
    size_t result_len, fingerprint_len, nonce_len;
} world_shadow;

typedef struct world_parked {
    idp_request request; /* its bytes are the caller's constants */
    uint32_t key;
    ids_asker asker;
    bool used;
} world_parked;

struct world {
    world_config config;
    ids_shard_config shard_config;
    ids_shard *shard;
    idt_model *model;
    idt_check check;
    idt_mem mems[2]; /* the shard's, and that of the one it moves to */
    uint32_t moves;
    ids_shard_stats past; /* what the shards before this one counted */
    const world_key *keys;
    uint64_t now_ms;
    uint32_t msgid; /* of the last call */
    /* Tokens are the shard's own business: the model numbers its grants, and
     * here is what the shard called the n-th. */
    idp_token *tokens;
    size_t tokens_cap;
    uint64_t grants; /* how many the model has made */
    world_wakes shard_wakes, model_wakes;
    world_shadow shadows[WORLD_KEYS_MAX];
    uint64_t changes;
    world_parked parked[IDT_MODEL_WAITERS_MAX];
    /* what the shard said to the call in hand */
    ids_verdict verdict;
    idp_answer answer;
    idp_error error;
    ids_limited limited;
    bool draining;
    bool answered_before; /* it was asked before, and is told the same */
    world_quota quota;
    bool failed;
    char failure[1024];
    bool tracing;
    char trace[WORLD_TRACE_LINES][WORLD_TRACE_COLUMNS];
    uint64_t traced;
};

/* keys: WORLD_KEYS_MAX of them. False when the shard finds no memory even to
 * start. */
bool world_open(world *w, const world_config *config, const world_key *keys);

/* Frees both; false when the shard kept memory. */
bool world_close(world *w);

/* request.token is the model's: {epoch, n-th grant}; one of another epoch is
 * foreign to both. msgid, ns and key are filled in. */
bool world_call(world *w, uint32_t key, idp_request *request, ids_asker asker);

bool world_forget(world *w, ids_asker asker);
bool world_drain(world *w);

/* Time passes; every deadline on the way is a turn of its own. steps: how
 * many records a turn may reclaim. */
bool world_advance(world *w, uint64_t to_ms, uint32_t steps);

/* Time passes unnoticed: what was due is dealt with late, by the next call or
 * turn. */
void world_oversleep(world *w, uint64_t to_ms);

/* Carries every record over to a new shard, as a snapshot or a peer would,
 * and goes on with that one; waiters are drained first. buckets: how many the
 * walk shows at a time. */
bool world_move(world *w, uint32_t buckets);

/* Other limits hold from now on: a reload. */
bool world_limit(world *w, const world_limits *limits);

/* What all its shards have counted: outcomes, refusals, results dropped,
 * expired. */
void world_stats(const world *w, ids_shard_stats *sum);

/* The memory of the shard as it is now. */
idt_mem *world_mem(world *w);

/* Lets all that is left run out; nothing may be left then. */
bool world_run_out(world *w);

void world_print_trace(const world *w);

#endif
