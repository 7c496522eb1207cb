/* SPDX-License-Identifier: Apache-2.0 */
/* test_deadline.c -- a clock that is read in whole milliseconds may be one
 * behind: no deadline ends early for that (clock_cut_ms). */
#include "server/core/shard.h"
#include "tests/unit/core/world.h"

#include <criterion/criterion.h>

static idt_mem mem;
static ids_shard *shard;
static ids_change seen; /* the last change */
static uint32_t woken;  /* parked acquires answered */

static void on_wake(void *ctx, ids_asker asker, uint32_t msgid, idp_error error,
                    const idp_answer *answer) {
    (void)ctx, (void)asker, (void)msgid, (void)error, (void)answer;
    woken++;
}

static void on_change(void *ctx, const ids_change *change) {
    (void)ctx;
    seen = *change;
}

static void open_shard(void) {
    const ids_shard_config config = {.memory_bytes_max = 1u << 20,
                                     .result_bytes_max = 100,
                                     .waiters_per_key_max = 8,
                                     .waiters_max = 64,
                                     .clock_cut_ms = 1,
                                     .on_wake = on_wake,
                                     .on_change = on_change};
    shard = world_shard(&mem, config);
}

static void close_shard(void) {
    world_shard_free(shard, &mem);
}

/* Asks for it as somebody who would hold it for 9 ms. */
static idp_answer ask(uint64_t now_ms, const char *key, uint32_t lease_ms,
                      uint32_t wait_ms) {
    idp_request request = {.method = IDP_ACQUIRE,
                           .key = text(key),
                           .lease_ms = lease_ms,
                           .ttl_ms = 60,
                           .wait_ms = wait_ms};
    ids_call call = {&request, world_key_hash(NULL, text(""), text(key)),
                     now_ms, 1, 0};
    idp_answer answer = {.outcome = IDP_OUTCOME_COUNT};
    idp_error error;
    ids_shard_call(shard, &call, &answer, &error);
    return answer;
}

Test(deadline, a_millisecond_that_has_begun_counts_whole) {
    idp_answer answer;
    open_shard();
    cr_assert_eq(ask(100, "k", 50, 0).lease_ms, 50);
    cr_assert_eq(seen.lease_left_ms, 50); /* never more than the whole */
    cr_assert_eq(seen.ttl_left_ms, 60);
    cr_assert_eq(ask(100, "k", 9, 0).lease_left_ms, 50);
    answer = ask(150, "k", 9, 0);
    cr_assert_eq(answer.outcome, IDP_OUTCOME_IN_PROGRESS);
    cr_assert_eq(answer.lease_left_ms, 1);
    cr_assert_eq(ask(151, "k", 9, 0).outcome, IDP_OUTCOME_ACQUIRED);
    close_shard();
}

Test(deadline, a_wait_and_the_lease_that_is_waited_for) {
    open_shard();
    woken = 0;
    ask(100, "k", 50, 0);
    ask(100, "k", 9, 10);
    ask(100, "k", 9, 60);
    ids_shard_tick(shard, 110, 1);
    cr_assert_eq(woken, 0);
    ids_shard_tick(shard, 111, 1);
    cr_assert_eq(woken, 1); /* the wait is over */
    ids_shard_tick(shard, 150, 1);
    cr_assert_eq(woken, 1);
    ids_shard_tick(shard, 151, 1);
    cr_assert_eq(woken, 2); /* the lease is, and the second one has it */
    close_shard();
}

/* Puts a claim of "k" there, as another node or another life had it. */
static bool put_claim(uint64_t now_ms) {
    const ids_change change = {.state = IDP_STATE_IN_PROGRESS,
                               .key = text("k"),
                               .token = {9, 1},
                               .attempt = 1,
                               .lease_ms = 50,
                               .lease_left_ms = 20,
                               .ttl_ms = 60,
                               .ttl_left_ms = 30};
    return ids_shard_put(shard, world_key_hash(NULL, text(""), text("k")),
                         &change, now_ms);
}

Test(deadline, what_is_carried_over_ends_no_sooner) {
    open_shard();
    cr_assert(put_claim(100));
    cr_assert_eq(ask(120, "k", 9, 0).outcome, IDP_OUTCOME_IN_PROGRESS);
    cr_assert_eq(ask(121, "k", 9, 0).outcome, IDP_OUTCOME_ACQUIRED);
    close_shard();
}

/* A replica that walks its copy, long after it last heard anything: what is
 * in progress has its full lease, whatever the time. */
static void see(void *ctx, const ids_change *change) {
    *(ids_change *)ctx = *change;
}

Test(deadline, a_replica_lets_nothing_in_progress_end_in_a_walk) {
    ids_change walked = {0};
    uint64_t cursor = 0;
    open_shard();
    ids_shard_follow(shard);
    cr_assert(put_claim(100));
    while (ids_shard_walk(shard, 5000, &cursor, 64, see, &walked))
        ;
    ids_shard_walk_end(shard);
    cr_assert_eq(walked.state, IDP_STATE_IN_PROGRESS);
    cr_assert_eq(walked.lease_left_ms, 50);
    close_shard();
}
