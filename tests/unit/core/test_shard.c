/* SPDX-License-Identifier: Apache-2.0 */
/* test_shard.c -- what the stories in tests/conformance cannot see from
 * outside: memory, the change buffer, reclaiming in small turns, drained
 * waiters. */
#include "server/core/shard.h"
#include "server/core/wheel.h"
#include "tests/unit/core/world.h"

#include <criterion/criterion.h>

#define MIB (1024u * 1024)

static idt_mem mem;
static ids_shard *shard;
static ids_change seen;      /* the last change */
static uint32_t woken;       /* parked acquires answered */
static idp_error woken_with; /* the last one's error */

static void on_wake(void *ctx, ids_asker asker, uint32_t msgid, idp_error error,
                    const idp_answer *answer) {
    (void)ctx, (void)asker, (void)msgid, (void)answer;
    woken++;
    woken_with = error;
}

static void on_change(void *ctx, const ids_change *change) {
    (void)ctx;
    seen = *change;
}

static void open_shard(size_t bytes_max) {
    const ids_shard_config config = {.memory_bytes_max = bytes_max,
                                     .result_bytes_max = MIB,
                                     .waiters_per_key_max = 8,
                                     .waiters_max = 64,
                                     .on_wake = on_wake,
                                     .on_change = on_change};
    shard = world_shard(&mem, config);
}

static void close_shard(void) {
    world_shard_free(shard, &mem);
}

static ids_verdict call(uint64_t now_ms, idp_request *request,
                        idp_answer *answer, idp_error *error) {
    ids_call c = {.request = request,
                  .hash = world_key_hash(NULL, request->ns, request->key),
                  .now_ms = now_ms,
                  .asker = 1};
    return ids_shard_call(shard, &c, answer, error);
}

static idp_request acquire_of(uint64_t number) {
    return (idp_request){.method = IDP_ACQUIRE,
                         .ns = text(""),
                         .key = world_key(number),
                         .lease_ms = 500,
                         .ttl_ms = 7000};
}

static ids_shard_stats stats(void) {
    ids_shard_stats s;
    ids_shard_stats_get(shard, &s);
    return s;
}

Test(shard, at_the_memory_limit_claims_are_refused_and_completes_are_not) {
    uint64_t number = 0, granted;
    static idp_token tokens[100000];
    static uint8_t large[4000];
    idp_answer answer;
    idp_error error;
    open_shard(2 * MIB);
    for (;; number++) {
        idp_request request = acquire_of(number);
        if (call(0, &request, &answer, &error) != IDS_ANSWERED)
            break;
        tokens[number] = answer.token;
    }
    cr_assert_eq(error, IDP_E_NO_MEMORY);
    cr_assert_gt(number, 5000);
    granted = number;
    while (number-- > 0) {
        idp_request request = acquire_of(number);
        request.method = IDP_COMPLETE;
        request.token = tokens[number];
        request.result = (idp_slice){large, sizeof large};
        cr_assert_eq(call(1, &request, &answer, &error), IDS_ANSWERED);
        cr_assert_eq(answer.outcome, IDP_OUTCOME_COMPLETED);
    }
    cr_assert_gt(stats().results_dropped, 0);
    cr_assert_eq(stats().records, granted, "nobody was evicted");
    cr_assert_leq(stats().memory_bytes, stats().memory_bytes_max);
    close_shard();
}

Test(shard, ended_records_are_reclaimed_without_traffic_in_short_turns) {
    enum { COUNT = 50000 };
    uint64_t number, now_ms = 0, empty_bytes;
    idp_answer answer;
    idp_error error;
    open_shard(64 * MIB);
    empty_bytes = stats().memory_bytes;
    for (number = 0; number < COUNT; number++) {
        idp_request request = acquire_of(number);
        cr_assert_eq(call(0, &request, &answer, &error), IDS_ANSWERED);
    }
    while (stats().records > 0) {
        uint64_t next_ms = ids_shard_next_ms(shard), before;
        cr_assert_neq(next_ms, UINT64_MAX);
        now_ms = next_ms > now_ms ? next_ms : now_ms;
        before = stats().records;
        ids_shard_tick(shard, now_ms, 100);
        cr_assert_geq(stats().records + 100, before);
    }
    cr_assert_leq(now_ms, 7000 + 128);
    cr_assert_eq(stats().memory_bytes, empty_bytes);
    cr_assert_eq(stats().expired, COUNT);
    cr_assert_eq(ids_shard_next_ms(shard), UINT64_MAX);
    close_shard();
}

Test(shard, the_change_buffer_is_handed_the_whole_record_after_each_change) {
    idp_request request;
    idp_answer answer;
    idp_error error;
    open_shard(4 * MIB);
    request = acquire_of(1);
    request.fingerprint = text("print");
    request.nonce = text("once");
    call(1000, &request, &answer, &error);
    cr_assert_eq(seen.number, 1);
    cr_assert_eq(seen.state, IDP_STATE_IN_PROGRESS);
    cr_assert_eq(seen.lease_left_ms, 500);
    cr_assert_eq(seen.ttl_left_ms, 7000);
    cr_assert_eq(seen.token.epoch, 9);
    request.method = IDP_COMPLETE;
    request.token = answer.token;
    request.result = text("done");
    request.ttl_ms = 60000;
    call(1200, &request, &answer, &error);
    cr_assert_eq(seen.number, 2);
    cr_assert_eq(seen.state, IDP_STATE_COMPLETED);
    cr_assert_eq(seen.ttl_left_ms, 60000);
    cr_assert_eq(seen.nonce.len, 0);
    request.token.sequence++;
    call(1300, &request, &answer, &error);
    cr_assert_eq(answer.outcome, IDP_OUTCOME_STALE);
    cr_assert_eq(seen.number, 2, "a refused call is no change");
    close_shard();
}

Test(shard, a_drain_answers_everyone_who_waits) {
    idp_request request;
    idp_answer answer;
    idp_error error;
    uint32_t i;
    open_shard(4 * MIB);
    request = acquire_of(1);
    call(0, &request, &answer, &error);
    request.wait_ms = 1000;
    for (i = 0; i < 8; i++)
        cr_assert_eq(call(0, &request, &answer, &error), IDS_PARKED);
    cr_assert_eq(call(0, &request, &answer, &error), IDS_REFUSED);
    cr_assert_eq(error, IDP_E_LIMIT);
    ids_shard_drain(shard, IDP_E_SHUTTING_DOWN, UINT32_MAX);
    cr_assert_eq(woken, 8);
    cr_assert_eq(woken_with, IDP_E_SHUTTING_DOWN);
    cr_assert_eq(stats().waiters, 0);
    close_shard();
}

/* A second shard that is fed what a walk of the first one shows. */
static ids_shard *copy;

static void put_in_copy(void *ctx, const ids_change *change) {
    const uint64_t *now_ms = ctx;
    cr_assert(ids_change_is_sound(change, MIB));
    cr_assert(ids_shard_put(copy, world_key_hash(NULL, change->ns, change->key),
                            change, *now_ms));
}

static void put_later_change(void *ctx, const ids_change *change) {
    (void)ctx;
    if (copy != NULL)
        cr_assert(ids_shard_put(
            copy, world_key_hash(NULL, change->ns, change->key), change, 1000));
}

static ids_shard *open_copy(idt_mem *its_mem) {
    ids_shard_config config = {.epoch = 10,
                               .memory_bytes_max = 64 * (size_t)MIB,
                               .result_bytes_max = MIB,
                               .hash = world_key_hash,
                               .on_wake = on_wake,
                               .mem = idt_mem_of(its_mem)};
    return ids_shard_new(&config);
}

static void peek_both(uint64_t number, uint64_t now_ms, idp_answer *a,
                      idp_answer *b) {
    idp_request request = acquire_of(number);
    ids_call c = {.request = &request,
                  .hash = world_key_hash(NULL, request.ns, request.key),
                  .now_ms = now_ms};
    idp_error error;
    request.method = IDP_PEEK;
    ids_shard_call(shard, &c, a, &error);
    ids_shard_call(copy, &c, b, &error);
}

typedef struct late_ones {
    uint64_t from; /* a token's sequence */
    uint32_t count;
} late_ones;

static void count_late(void *ctx, const ids_change *change) {
    late_ones *late = ctx;
    late->count += change->token.sequence >= late->from;
}

Test(shard, a_walk_misses_nothing_when_another_one_ends) {
    enum { COUNT = 20000, KEPT = 2000 };
    static idp_token tokens[COUNT];
    uint64_t cursor = 0, other = 0;
    late_ones seen_late = {0}, ignored = {0};
    idp_answer answer;
    idp_error error;
    open_shard(64 * MIB);
    for (uint64_t number = 0; number < COUNT; number++) {
        idp_request request = acquire_of(number);
        call(1000, &request, &answer, &error);
        tokens[number] = answer.token;
    }
    seen_late.from = tokens[COUNT - KEPT].sequence;
    for (int i = 0; i < 40; i++)
        ids_shard_walk(shard, 1000, &cursor, 7, count_late, &seen_late);
    ids_shard_walk(shard, 1000, &other, 7, count_late, &ignored);
    ids_shard_walk_end(shard);
    for (uint64_t number = 0; number < COUNT - KEPT; number++) {
        idp_request request = acquire_of(number);
        request.method = IDP_RELEASE;
        request.token = tokens[number];
        request.unbind = true;
        call(1000, &request, &answer, &error);
    }
    while (ids_shard_walk(shard, 1000, &cursor, 7, count_late, &seen_late))
        ;
    ids_shard_walk_end(shard);
    cr_assert_eq(seen_late.count, KEPT);
    ids_shard_free(shard);
}

typedef struct step_seen {
    uint64_t bytes, records;
} step_seen;

static void measure(void *ctx, const ids_change *change) {
    step_seen *step = ctx;
    uint64_t bytes = change->key.len + change->result.len + 64;
    step->bytes += bytes;
    step->records++;
}

/* A secret that nobody has: all keys in one bucket. */
static uint64_t all_alike(void *ctx, idp_slice ns, idp_slice key) {
    (void)ctx, (void)ns, (void)key;
    return 12345;
}

Test(shard, a_step_of_a_walk_is_short_even_where_one_bucket_has_everything) {
    enum { COUNT = 3000 };
    uint64_t cursor = 0, total = 0;
    idp_answer answer;
    idp_error error;
    step_seen step;
    bool more = true;
    open_shard(64 * MIB);
    for (uint64_t number = 0; number < COUNT; number++) {
        idp_request request = acquire_of(number);
        ids_call alike = {.request = &request,
                          .hash = all_alike(NULL, request.ns, request.key),
                          .now_ms = 1000};
        cr_assert_eq(ids_shard_call(shard, &alike, &answer, &error),
                     IDS_ANSWERED);
    }
    while (more) {
        step = (step_seen){0};
        more = ids_shard_walk(shard, 1000, &cursor, 1, measure, &step);
        total += step.records;
        cr_assert_leq(step.records, 64);
        cr_assert_leq(step.bytes, IDS_WALK_BYTES + 2048);
    }
    ids_shard_walk_end(shard);
    cr_assert_eq(total, COUNT);
    ids_shard_free(shard);
}

Test(shard, a_walk_and_the_changes_since_make_a_whole_copy) {
    enum { COUNT = 20000 };
    static idt_mem copy_mem;
    uint64_t number, cursor = 0, now_ms = 1000, fresh = COUNT;
    idp_answer answer, a, b;
    idp_error error;
    open_shard(64 * MIB);
    for (number = 0; number < COUNT; number++) {
        idp_request request = acquire_of(number);
        call(now_ms, &request, &answer, &error);
        if (number % 3 == 0)
            continue;
        request.method = number % 3 == 1 ? IDP_COMPLETE : IDP_RELEASE;
        request.token = answer.token;
        request.result = text("the answer");
        call(now_ms, &request, &answer, &error);
    }
    idt_mem_init(&copy_mem);
    copy = open_copy(&copy_mem);
    /* The change buffer feeds the copy too, while the table grows and loses. */
    while (ids_shard_walk(shard, now_ms, &cursor, 7, put_in_copy, &now_ms)) {
        idp_request request = acquire_of(fresh++);
        call(now_ms, &request, &answer, &error);
        put_later_change(NULL, &seen);
        request.method = IDP_RELEASE;
        request.token = answer.token;
        request.unbind = fresh % 2;
        call(now_ms, &request, &answer, &error);
        put_later_change(NULL, &seen);
    }
    ids_shard_walk_end(shard);
    for (number = 0; number < fresh; number++) {
        peek_both(number, now_ms, &a, &b);
        cr_assert_eq(a.state, b.state, "key %lu", number);
        cr_assert(a.state == IDP_STATE_ABSENT || a.attempt == b.attempt);
        cr_assert(a.state == IDP_STATE_ABSENT ||
                  a.ttl_left_ms == b.ttl_left_ms);
        cr_assert(a.state != IDP_STATE_IN_PROGRESS ||
                  a.lease_left_ms == b.lease_left_ms);
        cr_assert(a.state != IDP_STATE_COMPLETED ||
                  a.result_bytes == b.result_bytes);
    }
    ids_shard_free(copy);
    cr_assert_eq(copy_mem.blocks, 0);
    copy = NULL;
    close_shard();
}

Test(shard, a_change_that_breaks_a_limit_is_not_sound) {
    ids_change good = {.key = text("k"),
                       .state = IDP_STATE_IN_PROGRESS,
                       .attempt = 1,
                       .lease_ms = 500,
                       .lease_left_ms = 200,
                       .ttl_ms = 7000,
                       .ttl_left_ms = 6700};
    ids_change bad = good;
    cr_assert(ids_change_is_sound(&good, MIB));
    bad.key.len = IDP_KEY_BYTES_MAX + 1;
    cr_assert_not(ids_change_is_sound(&bad, MIB));
    bad = good;
    bad.ttl_left_ms = 7001;
    cr_assert_not(ids_change_is_sound(&bad, MIB));
    bad = good;
    bad.lease_left_ms = 501;
    cr_assert_not(ids_change_is_sound(&bad, MIB));
    bad = good;
    bad.state = IDP_STATE_COUNT;
    cr_assert_not(ids_change_is_sound(&bad, MIB));
    bad = good;
    bad.has_result = true;
    cr_assert_not(ids_change_is_sound(&bad, MIB));
}

/* A replica's shard: claims in progress outlive every deadline, what is
 * completed does not, and who takes over grants larger tokens. */
Test(shard, a_follower_lets_no_claim_end_and_leads_with_full_leases) {
    const uint64_t start_ms = IDS_CLOCK_START_MS;
    idp_request request;
    idp_answer answer;
    idp_error error;
    ids_change claim = {.ns = text(""),
                        .state = IDP_STATE_IN_PROGRESS,
                        .token = {9, 77},
                        .attempt = 1,
                        .lease_ms = 500,
                        .lease_left_ms = 200,
                        .ttl_ms = 7000,
                        .ttl_left_ms = 6700};
    ids_change done = claim;
    uint64_t promoted_ms = start_ms + 100000;
    open_shard(4 * MIB);
    ids_shard_tick(shard, start_ms, 8);
    ids_shard_follow(shard);
    done.state = IDP_STATE_COMPLETED;
    done.lease_ms = 0;
    done.lease_left_ms = 0;
    claim.key = world_key(1);
    cr_assert(ids_shard_put(shard, world_key_hash(NULL, claim.ns, claim.key),
                            &claim, start_ms));
    done.key = world_key(2);
    cr_assert(ids_shard_put(shard, world_key_hash(NULL, done.ns, done.key),
                            &done, start_ms));
    ids_shard_tick(shard, promoted_ms, 100);
    cr_assert_eq(stats().records, 1);
    ids_shard_lead(shard, 10, 0, promoted_ms);
    request = acquire_of(1);
    call(promoted_ms + 499, &request, &answer, &error);
    cr_assert_eq(answer.outcome, IDP_OUTCOME_IN_PROGRESS);
    cr_assert_eq(answer.lease_left_ms, 1);
    call(promoted_ms + 500, &request, &answer, &error);
    cr_assert_eq(answer.outcome, IDP_OUTCOME_ACQUIRED);
    cr_assert_eq(answer.attempt, 2);
    cr_assert_eq(answer.token.epoch, 10);
    close_shard();
}

Test(shard, a_claim_that_nobody_ended_is_told_when_it_goes) {
    idp_request request;
    idp_answer answer;
    idp_error error;
    open_shard(4 * MIB);
    request = acquire_of(1);
    call(0, &request, &answer, &error);
    ids_shard_tick(shard, 7000 + IDS_WHEEL_TICK_MS, 8);
    cr_assert_eq(stats().records, 0);
    cr_assert_eq(seen.number, 2);
    cr_assert_eq(seen.state, IDP_STATE_ABSENT);
    close_shard();
}
