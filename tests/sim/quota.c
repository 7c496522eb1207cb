/* SPDX-License-Identifier: Apache-2.0 */
/* quota.c -- see quota.h. */
#include "tests/sim/compare.h"

#include <stdlib.h>
#include <string.h>

static uint32_t index_of(idp_slice ns) {
    return ns.len < WORLD_NAMED ? (uint32_t)ns.len : WORLD_NAMED;
}

const ids_ns_limits *world_limits_of(void *ctx, idp_slice ns) {
    const world *w = ctx;
    return w->quota.on ? &w->quota.said.of[index_of(ns)] : NULL;
}

/* --- limits ----------------------------------------------------------------
 */

/* What the shard is told: the model's, or one that is wrong. */
static ids_ns_limits told(const world *w, ids_ns_limits limits) {
    bool has_rate = limits.rate > 0;
    if (limits.records_max != IDS_UNLIMITED) {
        limits.records_max += w->config.mutant == MUTANT_ONE_TOO_MANY;
    }
    if (limits.result_bytes_max != IDS_UNLIMITED) {
        limits.result_bytes_max += w->config.mutant == MUTANT_RESULT_TOO_LARGE;
    }
    limits.burst += has_rate && w->config.mutant == MUTANT_RATE_TOO_HIGH;
    ids_ns_limits_share(&limits, 1);
    return limits;
}

/* By name for the two first ones of the world's keys. */
static ids_ns_limits_table *new_limits(const world *w,
                                       const world_limits *said) {
    size_t bytes =
        sizeof(ids_ns_limits_table) + WORLD_NAMED * sizeof(ids_named_limits);
    ids_ns_limits_table *limits = calloc(1, bytes);
    limits->count = WORLD_NAMED;
    limits->others = told(w, said->of[WORLD_NAMED]);
    for (uint32_t key = 0; key < WORLD_KEYS_MAX; key++) {
        uint32_t at = index_of(w->keys[key].ns);
        if (at < WORLD_NAMED) {
            ids_named_limits *named = &limits->named[at];
            named->ns_len = w->keys[key].ns.len;
            memcpy(named->ns, w->keys[key].ns.ptr, named->ns_len);
        }
    }
    for (uint32_t at = 0; at < WORLD_NAMED; at++) {
        limits->named[at].limits = told(w, said->of[at]);
    }
    return limits;
}

static void unlimit(world_limits *limits) {
    for (int i = 0; i < WORLD_NAMESPACES; i++) {
        limits->of[i] = ids_ns_limits_none();
    }
}

bool world_quota_open(world *w, const world_limits *limits) {
    world_quota *quota = &w->quota;
    ids_ledger_config config = {.shards = 1};
    unlimit(&quota->said);
    idt_mem_init(&quota->mem);
    config.mem = idt_mem_of(&quota->mem);
    quota->ledger = ids_ledger_new(&config);
    if (!limits) {
        return true;
    }
    quota->said = *limits;
    quota->limits = new_limits(w, limits);
    quota->on = true;
    w->shard_config.limits = quota->limits;
    w->shard_config.ledger = quota->ledger;
    return ids_ledger_name(quota->ledger, quota->limits, w->now_ms);
}

/* What shards have taken they have given back. */
static bool ledger_is_clear(const ids_ledger *ledger) {
    for (uint32_t number = IDS_NS_OTHER; number < ledger->used; number++) {
        const ids_ledger_place *place = ids_ledger_at(ledger, number);
        if (place->pins > 0 || place->records != 0 || place->bytes != 0) {
            return false;
        }
    }
    return true;
}

void world_quota_close(world *w) {
    world_quota *quota = &w->quota;
    if (quota->ledger && !ledger_is_clear(quota->ledger)) {
        world_fail(w, "the ledger has something left of a namespace");
    }
    ids_ledger_free(quota->ledger);
    free(quota->limits);
    quota->ledger = NULL;
    quota->limits = NULL;
    if (quota->mem.bytes != 0 || quota->mem.wrong != 0) {
        world_fail(w, "the ledger kept memory");
    }
}

bool world_limit(world *w, const world_limits *limits) {
    world_quota *quota = &w->quota;
    if (w->failed) {
        return false;
    }
    ids_ns_limits_table *next = new_limits(w, limits);
    world_trace(w, "at %llu other limits hold", (unsigned long long)w->now_ms);
    if (!ids_ledger_name(quota->ledger, next, w->now_ms)) {
        free(next);
        return world_fail(w, "named namespaces have no place");
    }
    if (!ids_shard_set_limits(w->shard, next, quota->ledger, w->now_ms)) {
        free(next);
        return w->config.memory_short ||
               world_fail(w, "no memory to count namespaces");
    }
    free(quota->limits);
    quota->limits = next;
    quota->said = *limits;
    quota->on = true;
    quota->counted = false;
    w->shard_config.limits = next;
    w->shard_config.ledger = quota->ledger;
    return true;
}

/* --- counts ----------------------------------------------------------------
 */

typedef struct counted {
    ids_ns_counts of[WORLD_NAMESPACES];
    uint64_t others;
    uint64_t records;
} counted;

static void see(void *ctx, uint32_t number, idp_slice ns,
                const ids_ns_counts *counts) {
    counted *c = ctx;
    c->records += counts->records;
    if (number == IDS_NS_OTHER) {
        c->others += counts->records;
    } else {
        c->of[index_of(ns)] = *counts;
    }
}

static void spoil_counts(const world *w, counted *c) {
    ids_shard_stats stats;
    if (w->config.mutant == MUTANT_EXPIRY_KEEPS_COUNT) {
        ids_shard_stats_get(w->shard, &stats);
        c->of[0].records += stats.expired;
        c->records += stats.expired;
    }
    if (w->config.mutant == MUTANT_COMPLETES_UNCOUNTED) {
        c->of[0].in_progress = c->of[0].records;
    }
    for (int key = 0;
         w->config.mutant == MUTANT_RESULTS_UNCOUNTED && key < WORLD_KEYS_MAX;
         key++) {
        c->of[index_of(w->keys[key].ns)].bytes -= w->shadows[key].result_len;
    }
}

static counted count(const world *w) {
    counted c = {0};
    ids_shard_namespaces(w->shard, see, &c);
    spoil_counts(w, &c);
    return c;
}

/* --- what it says ----------------------------------------------------------
 */

static size_t claim_bytes(const idp_request *q) {
    return 48 + q->ns.len + q->key.len + q->fingerprint.len + q->nonce.len;
}

/* The limit is reached, and not before. */
static bool refused_rightly(world *w, const idp_request *q) {
    const ids_ns_limits *limits = world_limits_of(w, q->ns);
    counted c = count(w);
    const ids_ns_counts *has = &c.of[index_of(q->ns)];
    ids_limited limited = ids_shard_limited(w->shard);
    w->quota.refusals[limited.limit]++;
    if (limited.limit == IDS_LIMIT_RATE) {
        w->quota.of[index_of(q->ns)].refused_rate++;
        w->quota.of[index_of(q->ns)].retry_ms = limited.retry_ms;
    }
    if (limited.limit == IDS_LIMIT_RECORDS &&
        has->records < limits->records_max) {
        return world_fail(w, "refused with %llu records of %llu",
                          (unsigned long long)has->records,
                          (unsigned long long)limits->records_max);
    }
    if (limited.limit == IDS_LIMIT_MEMORY &&
        has->bytes + claim_bytes(q) <= limits->bytes_max) {
        return world_fail(w, "refused with %llu bytes of %llu",
                          (unsigned long long)has->bytes,
                          (unsigned long long)limits->bytes_max);
    }
    return true;
}

/* A result that was dropped had no room, and one that had was kept. */
static bool dropped_rightly(world *w, const idp_request *q) {
    const ids_ns_limits *limits = world_limits_of(w, q->ns);
    counted c = count(w);
    bool full = limits->bytes_max != IDS_UNLIMITED &&
                c.of[index_of(q->ns)].bytes + q->result.len > limits->bytes_max;
    w->quota.dropped++;
    return full || q->result.len > limits->result_bytes_max ||
           q->result.len > w->config.result_bytes_max ||
           world_fail(w, "a result was dropped that had room");
}

static bool is_later(idp_token a, idp_token b) {
    return a.epoch != b.epoch ? a.epoch > b.epoch : a.sequence > b.sequence;
}

bool world_quota_said(world *w, const idp_request *q, idp_error error,
                      const idp_answer *a) {
    world_ns *ns = &w->quota.of[index_of(q->ns)];
    bool granted = error == IDP_OK && a->outcome == IDP_OUTCOME_ACQUIRED &&
                   is_later(a->token, w->quota.last);
    if (granted) {
        w->quota.last = a->token;
    }
    if (!w->quota.on) {
        return true;
    }
    if (error != IDP_OK) {
        return refused_rightly(w, q);
    }
    ns->first_claims += granted && a->attempt == 1;
    ns->next_claims += granted && a->attempt > 1;
    w->quota.shortened += a->outcome == IDP_OUTCOME_COMPLETED && a->ttl_ms > 0;
    return a->outcome != IDP_OUTCOME_COMPLETED || a->kept || !q->result.ptr ||
           q->result_too_large || w->config.memory_short ||
           w->answered_before || ids_shard_is_counting(w->shard) ||
           dropped_rightly(w, q);
}

/* --- after a step ----------------------------------------------------------
 */

void world_quota_start(world *w) {
    for (int i = 0; i < WORLD_NAMESPACES; i++) {
        world_ns *ns = &w->quota.of[i];
        ns->first_claims = ns->next_claims = ns->refused_rate = 0;
    }
}

void world_quota_moved(world *w) {
    counted c = count(w);
    for (int i = 0; i < WORLD_NAMESPACES; i++) {
        w->quota.of[i].counts = c.of[i];
    }
}

/* A bucket of claims, told by when it is full again. */
static bool rate_holds(world *w, int at) {
    const ids_ns_limits *limits = &w->quota.said.of[at];
    world_ns *ns = &w->quota.of[at];
    uint64_t claims = ns->first_claims + ns->next_claims, has, from, cost;
    uint64_t now = w->now_ms * 8000000ull, full;
    if (limits->rate == 0) {
        return true;
    }
    cost = 8000000000ull / limits->rate;
    full = now + limits->burst * cost;
    from = ns->spent_units < now ? now : ns->spent_units;
    from = from < full ? from : full;
    has = (full - from) / cost;
    ns->spent_units = claims > 0 ? from + claims * cost : ns->spent_units;
    from += claims * cost;
    if (claims > has) {
        return world_fail(w, "%llu claims where the rate has %llu",
                          (unsigned long long)claims, (unsigned long long)has);
    }
    if (ns->refused_rate == 0) {
        return true;
    }
    if (claims < has) {
        return world_fail(w, "LIMIT where the rate has claims left");
    }
    uint64_t lacks = from + cost - full, said = ns->retry_ms * 8000000ull;
    return (lacks <= said && said < lacks + 8000000) ||
           world_fail(w, "retry_ms=%u, it lacks %llu / 8 ns", ns->retry_ms,
                      (unsigned long long)lacks);
}

/* Where there is more than allowed (limits were lowered, records moved here)
 * what a shard holds unused may be used again, and no more. */
static bool limits_hold(world *w, int at, const ids_ns_counts *now) {
    const ids_ns_limits *limits = &w->quota.said.of[at];
    const world_ns *ns = &w->quota.of[at];
    if (now->records > limits->records_max &&
        now->records > ns->counts.records + limits->records_max / 64) {
        return world_fail(w, "%llu records, and %llu are allowed",
                          (unsigned long long)now->records,
                          (unsigned long long)limits->records_max);
    }
    if (now->bytes > limits->bytes_max &&
        now->bytes > ns->counts.bytes + limits->bytes_max / 64 &&
        ns->next_claims == 0) {
        return world_fail(w, "%llu bytes, and %llu are allowed",
                          (unsigned long long)now->bytes,
                          (unsigned long long)limits->bytes_max);
    }
    return true;
}

/* Where all that the shard has is alive the model has just that. */
static bool same_counts(world *w, const counted *c) {
    for (uint32_t key = 0; key < WORLD_KEYS_MAX; key++) {
        idp_slice ns = w->keys[key].ns;
        const ids_ns_counts *has = &c->of[index_of(ns)];
        idt_model_counts its;
        if (key > 1 && key != 3) {
            continue; /* of the same namespaces */
        }
        idt_model_count(w->model, ns, w->now_ms, &its);
        if (its.records != has->records || its.bytes != has->bytes ||
            its.in_progress != has->in_progress) {
            return world_fail(
                w,
                "%llu records, %llu in progress, %llu bytes; the model has "
                "%llu, %llu, %llu",
                (unsigned long long)has->records,
                (unsigned long long)has->in_progress,
                (unsigned long long)has->bytes, (unsigned long long)its.records,
                (unsigned long long)its.in_progress,
                (unsigned long long)its.bytes);
        }
    }
    return true;
}

bool world_quota_holds(world *w) {
    ids_shard_stats stats;
    counted c;
    if (!w->quota.on) {
        return true;
    }
    bool counts = ids_shard_is_counting(w->shard);
    c = count(w);
    ids_shard_stats_get(w->shard, &stats);
    /* Receipts are no namespace's: one a key at most. */
    if (!counts && (c.records > stats.records ||
                    c.records + WORLD_KEYS_MAX < stats.records)) {
        return world_fail(w, "namespaces have %llu records, the shard %llu",
                          (unsigned long long)c.records,
                          (unsigned long long)stats.records);
    }
    for (int i = 0; i < WORLD_NAMESPACES; i++) {
        if (!rate_holds(w, i) ||
            (w->quota.counted && !limits_hold(w, i, &c.of[i]))) {
            return false;
        }
        w->quota.of[i].counts = c.of[i];
    }
    w->quota.counted = !counts;
    return counts || c.others > 0 ||
           idt_model_records(w->model, w->now_ms) != stats.records ||
           same_counts(w, &c);
}
