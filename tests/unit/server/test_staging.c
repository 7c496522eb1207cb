/* SPDX-License-Identifier: Apache-2.0 */
/* test_staging.c -- workers that follow: another node's records come in, at
 * once or by way of the loop that owns the key, and a full copy as a whole. */
#include "server/worker/commit_gate.h"
#include "server/worker/take_role.h"
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define HEARS(c, text) cr_assert_str_eq(caller_hear(c), text)
#define EPOCH          9

static harness t;
static caller a;
static ids_role_state role_state;

static void serve_all(void) {
    for (uint32_t i = 0; i < t.server.loops; i++)
        ids_worker_set_role(t.workers[i], &role_state);
    harness_run(&t);
}

static void lead(void) {
    for (uint32_t i = 0; i < t.server.loops; i++)
        ids_worker_lead(t.workers[i], EPOCH + 1, IDS_CLOCK_START_MS);
    role_state.role = IDS_LEADS;
    role_state.epoch = role_state.lead_epoch = EPOCH + 1;
    serve_all();
}

static void open_two(void) {
    harness_plan(&t, 2);
    t.is_replicated = true;
    t.session = 1;
    harness_open(&t);
    caller_open(&a, &t, 0);
    role_state = (ids_role_state){.role = IDS_FOLLOWS, .epoch = EPOCH};
    serve_all();
}

static void close_all(void) {
    caller_close(&a);
    harness_close(&t);
}

TestSuite(copy, .init = open_two, .fini = close_all);

static ids_change claim(const char *key) {
    return (ids_change){.ns = {(const uint8_t *)"t", 1},
                        .key = {(const uint8_t *)key, strlen(key)},
                        .token = {EPOCH, 5},
                        .state = IDP_STATE_IN_PROGRESS,
                        .attempt = 1,
                        .lease_ms = 1000,
                        .lease_left_ms = 1000,
                        .ttl_ms = 60000,
                        .ttl_left_ms = 60000};
}

static void put_at(uint32_t loop, const ids_batch_tag *tag, const char *key) {
    const ids_change change = claim(key);
    cr_assert(ids_staging_route(t.workers[loop], tag, &change, 1));
}

static uint64_t records(uint32_t loop) {
    ids_shard_stats stats;
    ids_shard_stats_get(t.workers[loop]->shard, &stats);
    return stats.records;
}

static uint32_t applied_at(uint32_t loop, uint64_t batch) {
    ids_applied applied;
    uint32_t count = 0;
    while (ids_staging_next_applied(t.workers[loop], UINT64_MAX, &applied))
        count += applied.tag.batch == batch ? applied.count : 0;
    return count;
}

Test(copy, a_record_of_ones_own_is_in_at_once) {
    const ids_batch_tag tag = {.session = 1, .epoch = EPOCH, .batch = 3};
    put_at(0, &tag, key_of(&t, 0, 0));
    put_at(0, &tag, key_of(&t, 0, 1));
    cr_assert_eq(records(0), 2);
    cr_assert_eq(applied_at(0, 3), 2);
    cr_assert_eq(applied_at(0, 3), 0, "each is told once");
}

Test(copy, is_told_of_once_it_is_kept) {
    const ids_batch_tag tag = {.session = 1, .epoch = EPOCH, .batch = 3};
    ids_applied applied;
    t.workers[0]->gate.changes = 7; /* as with a journal */
    put_at(0, &tag, key_of(&t, 0, 0));
    uint64_t number = t.workers[0]->gate.changes;
    cr_assert_not(ids_staging_next_applied(t.workers[0], number - 1, &applied));
    cr_assert(ids_staging_next_applied(t.workers[0], number, &applied));
    cr_assert_eq(applied.count, 1);
}

Test(copy, a_record_of_another_loops_comes_back_as_applied) {
    const ids_batch_tag tag = {.session = 1, .epoch = EPOCH, .batch = 3};
    const ids_batch_tag next = {.session = 1, .epoch = EPOCH, .batch = 4};
    for (uint32_t i = 0; i < 5; i++)
        put_at(0, &tag, key_of(&t, 1, i));
    put_at(0, &next, key_of(&t, 1, 5));
    cr_assert_eq(applied_at(0, 3), 0, "it is not in yet");
    harness_run(&t);
    cr_assert_eq(records(1), 6);
    cr_assert_eq(t.asked, 1, "once per batch");
    cr_assert_eq(applied_at(0, 3), 5);
}

Test(copy, what_is_not_current_any_more_is_not_put) {
    const ids_batch_tag tag = {.session = 1, .epoch = EPOCH, .batch = 3};
    put_at(0, &tag, key_of(&t, 1, 0));
    t.session = 2;
    harness_run(&t);
    cr_assert_eq(records(1), 0);
    cr_assert_eq(applied_at(0, 3), 0);
}

Test(copy, records_on_their_way_to_one_who_leads_by_now_are_not_put) {
    const ids_batch_tag tag = {.session = 1, .epoch = EPOCH, .batch = 3};
    put_at(0, &tag, key_of(&t, 1, 0));
    lead();
    cr_assert_eq(records(1), 0);
    cr_assert_eq(applied_at(0, 3), 0);
}

Test(copy, a_worker_that_has_not_heard_yet_that_it_follows_puts_them) {
    const ids_batch_tag tag = {.session = 1, .epoch = EPOCH + 2, .batch = 3};
    lead();
    ask_acquire(&a, 1, key_of(&t, 1, 0), 0);
    ask_acquire(&a, 2, key_of(&t, 1, 0), 5000);
    HEARS(&a, "1 acquired");
    role_state.role = IDS_FOLLOWS;
    ids_worker_set_role(t.workers[0], &role_state);
    t.role_state = &role_state;
    put_at(0, &tag, key_of(&t, 1, 1));
    harness_run(&t);
    HEARS(&a, "2 NOT_PRIMARY");
    cr_assert_eq(records(1), 2);
    cr_assert_eq(applied_at(0, 3), 1);
}

Test(copy, a_full_copy_takes_the_old_ones_place_as_a_whole) {
    const ids_batch_tag old = {.session = 1, .epoch = EPOCH, .batch = 1};
    ids_batch_tag tag = {
        .session = 2, .epoch = EPOCH, .batch = 2, .staged = true};
    put_at(0, &old, key_of(&t, 0, 0));
    put_at(0, &old, key_of(&t, 1, 0));
    harness_run(&t);
    t.session = 2;
    put_at(0, &tag, key_of(&t, 0, 1));
    put_at(0, &tag, key_of(&t, 0, 2));
    harness_run(&t);
    cr_assert_eq(records(0), 1, "the old copy stays until then");
    for (uint32_t i = 0; i < 2; i++)
        cr_assert(ids_staging_prepare(t.workers[i], 2));
    for (uint32_t i = 0; i < 2; i++)
        ids_staging_swap(t.workers[i]);
    cr_assert_eq(records(0), 2);
    cr_assert_eq(records(1), 0, "nothing of it came for this one");
    put_at(0, &tag, key_of(&t, 0, 3));
    cr_assert_eq(records(0), 3, "what comes late is for the new one");
    ids_staging_tidy(t.workers[0]);
    cr_assert_null(t.workers[0]->staging.retired[0]);
    lead();
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    ask_acquire(&a, 2, key_of(&t, 0, 1), 0);
    HEARS(&a, "1 acquired");
    HEARS(&a, "2 in_progress");
}

static void see(void *ctx, const ids_change *change) {
    (void)change;
    ++*(int *)ctx;
}

Test(copy, an_old_copy_stays_for_as_long_as_a_snapshot_walks_it) {
    const ids_batch_tag tag = {.session = 1, .epoch = EPOCH, .batch = 1};
    ids_worker *worker = t.workers[0];
    ids_shard *old = worker->shard;
    uint64_t cursor = 0;
    int seen = 0;
    put_at(0, &tag, key_of(&t, 0, 0));
    ids_shard_walk(old, worker->now_ms, &cursor, 1, see, &seen);
    for (uint64_t session = 2; session < 9; session++) {
        cr_assert(ids_staging_prepare(worker, session));
        ids_staging_swap(worker);
        ids_staging_tidy(worker);
    }
    cr_assert(ids_shard_is_walked(old));
    while (ids_shard_walk(old, worker->now_ms, &cursor, 64, see, &seen))
        ;
    ids_shard_walk_end(old);
    cr_assert_eq(seen, 1);
    ids_staging_tidy(worker);
    for (int i = 0; i < IDS_STAGING_RETIRED_MAX; i++)
        cr_assert_null(worker->staging.retired[i]);
}

Test(copy, a_full_copy_that_is_given_up_leaves_nothing_behind) {
    ids_batch_tag tag = {
        .session = 1, .epoch = EPOCH, .batch = 2, .staged = true};
    put_at(0, &tag, key_of(&t, 0, 0));
    ids_staging_drop(t.workers[0]);
    cr_assert_null(t.workers[0]->staging.staged);
    tag.session = t.session = 2;
    put_at(0, &tag, key_of(&t, 0, 1));
    tag.session = t.session = 3;
    put_at(0, &tag, key_of(&t, 0, 2));
    cr_assert(ids_staging_prepare(t.workers[0], 3));
    ids_staging_swap(t.workers[0]);
    cr_assert_eq(records(0), 1, "of the last session alone");
}

Test(copy, a_record_without_memory_is_never_reported) {
    const ids_batch_tag tag = {.session = 1, .epoch = EPOCH, .batch = 3};
    put_at(0, &tag, key_of(&t, 0, 0));
    idt_mem_fail_from(&t.mem, 1);
    bool good = true;
    for (uint32_t i = 1; good && i < 100000; i++) {
        char key[16];
        snprintf(key, sizeof key, "m%u", i);
        const ids_change change = claim(key);
        good = ids_staging_route(t.workers[0], &tag, &change, 1);
    }
    cr_assert_not(good);
    cr_assert(ids_staging_take_failure(t.workers[0]));
    cr_assert_not(ids_staging_take_failure(t.workers[0]), "told once");
    cr_assert_eq(applied_at(0, 3), records(0));
}

/* A replica that keeps what it holds --------------------------------------- */

TestSuite(kept_copy, .fini = close_all);

Test(kept_copy, a_journal_takes_what_is_put_and_what_is_changed_in_one_count) {
    const ids_batch_tag tag = {.session = 1, .epoch = EPOCH, .batch = 3};
    harness_plan(&t, 1);
    t.is_replicated = t.is_kept = true;
    harness_open(&t);
    caller_open(&a, &t, 0);
    role_state = (ids_role_state){.role = IDS_FOLLOWS, .epoch = EPOCH};
    serve_all();
    put_at(0, &tag, "one");
    put_at(0, &tag, "two");
    cr_assert_eq(ids_journal_taken(t.workers[0]->journal), 2);
    cr_assert(ids_staging_prepare(t.workers[0], 2));
    ids_staging_swap(t.workers[0]);
    put_at(0, &tag, "three");
    lead();
    ask_acquire(&a, 1, "four", 0);
    cr_assert_eq(ids_journal_taken(t.workers[0]->journal), 4);
    HEARS(&a, "nothing");
    cr_assert(harness_sync(&t, 0));
    harness_run(&t);
    HEARS(&a, "1 acquired");
}
