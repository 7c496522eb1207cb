/* SPDX-License-Identifier: Apache-2.0 */
/* test_crowds.c -- many who wait: what becomes due at once for all of them is
 * done a few at a time, and each key's answers are as if it were not. */
#include "server/core/shard.h"
#include "tests/unit/core/world.h"

#include <criterion/criterion.h>

#define MIB     (1024u * 1024)
#define KEYS    8192u
#define PER_KEY 8u
#define CROWD   (KEYS * PER_KEY)

static idt_mem mem;
static ids_shard *shard;
static uint32_t woken, granted;
static ids_asker last_woken;

static void on_wake(void *ctx, ids_asker asker, uint32_t msgid, idp_error error,
                    const idp_answer *answer) {
    (void)ctx, (void)msgid;
    woken++;
    granted += error == IDP_OK && answer->outcome == IDP_OUTCOME_ACQUIRED;
    last_woken = asker;
}

static idp_answer call(uint64_t now_ms, idp_request request, uint64_t number,
                       ids_asker asker) {
    idp_answer answer = {.outcome = IDP_OUTCOME_COUNT};
    idp_error error;
    request.ns = text("");
    request.key = world_key(number);
    const ids_call c = {.request = &request,
                        .hash = world_key_hash(NULL, request.ns, request.key),
                        .now_ms = now_ms,
                        .asker = asker};
    if (ids_shard_call(shard, &c, &answer, &error) == IDS_REFUSED)
        cr_assert_fail("refused: %d", (int)error);
    return answer;
}

static idp_request acquire(uint32_t lease_ms, uint32_t wait_ms) {
    return (idp_request){.method = IDP_ACQUIRE,
                         .lease_ms = lease_ms,
                         .ttl_ms = 60000,
                         .wait_ms = wait_ms};
}

/* Eight wait for each key, from time 0 on; asker n waits for key n / 8. */
static void gather(uint32_t lease_ms, uint32_t wait_ms) {
    const ids_shard_config config = {.memory_bytes_max = 256 * (size_t)MIB,
                                     .result_bytes_max = MIB,
                                     .waiters_per_key_max = PER_KEY,
                                     .waiters_max = CROWD,
                                     .on_wake = on_wake};
    woken = granted = 0;
    shard = world_shard(&mem, config);
    for (uint64_t key = 0; key < KEYS; key++)
        call(0, acquire(lease_ms, 0), key, 0);
    for (uint64_t asker = 0; asker < CROWD; asker++)
        call(0, acquire(lease_ms, wait_ms), asker / PER_KEY, asker + 1);
}

static uint64_t waiters(void) {
    ids_shard_stats stats;
    ids_shard_stats_get(shard, &stats);
    return stats.waiters;
}

static void part(void) {
    world_shard_free(shard, &mem);
}

/* Ticks until nothing is left to do now; the most that one of them woke. */
static uint32_t longest_turn(uint64_t now_ms) {
    uint32_t longest = 0, before;
    while (ids_shard_next_ms(shard) <= now_ms) {
        before = woken;
        ids_shard_tick(shard, now_ms, 100);
        longest = woken - before > longest ? woken - before : longest;
    }
    return longest;
}

Test(crowds, waits_that_end_in_one_millisecond_are_many_turns) {
    gather(50000, 1000);
    cr_assert_leq(longest_turn(1000), IDS_TIMERS_A_CALL);
    cr_assert_eq(woken, CROWD);
    part();
}

Test(crowds, leases_that_end_in_one_millisecond_are_many_turns) {
    gather(500, 1000);
    cr_assert_leq(longest_turn(500), IDS_TIMERS_A_CALL + PER_KEY);
    cr_assert_eq(granted, KEYS);
    cr_assert_eq(waiters(), CROWD - KEYS);
    part();
}

Test(crowds, a_call_finds_its_own_key_as_if_all_that_is_due_had_come) {
    uint64_t last = KEYS - 1;
    gather(500, 1000);
    idp_request look = {.method = IDP_PEEK};
    cr_assert_eq(call(700, look, last, 1).attempt, 2,
                 "the first who waits has it");
    cr_assert_leq(woken, IDS_TIMERS_A_CALL + 2 * PER_KEY);
    cr_assert_eq(last_woken, last * PER_KEY + 1);
    part();
}

/* At 700 both were due long since: the first wait ended before the lease. */
Test(crowds, a_wait_that_was_over_before_the_lease_is_granted_nothing) {
    uint64_t last = KEYS - 1;
    gather(500, 400);
    idp_request look = {.method = IDP_PEEK};
    idp_answer answer = call(700, look, last, 1);
    cr_assert_eq(answer.state, IDP_STATE_ORPHANED);
    cr_assert_eq(answer.attempt, 1);
    cr_assert_eq(granted, 0);
    part();
}

Test(crowds, an_asker_that_goes_is_forgotten_in_steps_and_never_woken) {
    gather(50000, 1000);
    for (uint64_t asker = 1; asker <= CROWD; asker++)
        ids_shard_forget(shard, asker);
    cr_assert_eq(waiters(), 0);
    part();
    gather(500, 1000);
    for (uint64_t key = 0; key < KEYS; key++)
        ids_shard_forget(shard, key * PER_KEY + 1);
    longest_turn(500);
    cr_assert_eq(granted, KEYS, "to the second in each queue");
    part();
}

Test(crowds, one_that_waits_for_thousands_of_keys_goes_in_one_short_step) {
    uint64_t before;
    gather(500, 1000);
    for (uint64_t asker = 0; asker < CROWD; asker++)
        ids_shard_forget(shard, asker + 1);
    for (uint64_t key = 0; key < KEYS; key++)
        call(1, acquire(500, 1000), key, 7);
    before = waiters();
    ids_shard_forget(shard, 7);
    cr_assert_eq(before, KEYS);
    cr_assert_eq(waiters(), KEYS - IDS_TIMERS_A_CALL);
    cr_assert_leq(ids_shard_next_ms(shard), 1, "there is more to do");
    woken = 0;
    longest_turn(2000);
    cr_assert_eq(waiters(), 0);
    cr_assert_eq(woken, 0, "nobody is there to be woken");
    part();
}
