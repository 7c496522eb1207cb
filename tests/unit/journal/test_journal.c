/* SPDX-License-Identifier: Apache-2.0 */
/* test_journal.c -- when replies may leave, per policy; and back-pressure. */
#include "server/journal/journal.h"

#include <criterion/criterion.h>

typedef struct worker {
    ids_journal *journal;
    uint64_t number;
} worker;

static worker open_worker(ids_fsync fsync) {
    const ids_journal_config config = {.fsync = fsync,
                                       .backlog_bytes_max = 1000,
                                       .mark_ms = 10000,
                                       .now_ms = 0,
                                       .free_bytes = UINT64_MAX};
    return (worker){.journal = ids_journal_new(&config)};
}

static void change(worker *d) {
    const ids_change c = {.number = ++d->number,
                          .key = {(const uint8_t *)"key", 3}};
    ids_journal_take(d->journal, &c);
}

static void done(worker *d, const ids_batch *batch, uint64_t durable) {
    const ids_batch_done is = {
        .written = batch->last, .durable = durable, .free_bytes = UINT64_MAX};
    ids_journal_done(d->journal, &is);
}

Test(journal, always_waits_for_the_medium_and_takes_all_at_once) {
    worker d = open_worker(IDS_FSYNC_ALWAYS);
    change(&d);
    const ids_batch *batch = ids_journal_hand_over(d.journal, 1);
    cr_assert(batch && batch->sync);
    cr_assert_eq(batch->last, 1);
    change(&d);
    change(&d);
    cr_assert_null(ids_journal_hand_over(d.journal, 2), "one at a time");
    cr_assert_eq(ids_journal_watermark(d.journal, 3), 0);
    done(&d, batch, 1);
    cr_assert_eq(ids_journal_watermark(d.journal, 3), 1);
    batch = ids_journal_hand_over(d.journal, 3);
    cr_assert_eq(batch->last, 3, "both that came meanwhile");
    done(&d, batch, 3);
    cr_assert_eq(ids_journal_watermark(d.journal, 4), 3);
    cr_assert_null(ids_journal_hand_over(d.journal, 4));
    ids_journal_free(d.journal);
}

Test(journal, everysec_lets_go_at_once_and_syncs_each_second) {
    worker d = open_worker(IDS_FSYNC_EVERYSEC);
    change(&d);
    cr_assert_eq(ids_journal_watermark(d.journal, 100), 1);
    cr_assert_null(ids_journal_hand_over(d.journal, 100), "more may come");
    cr_assert_eq(ids_journal_next_ms(d.journal), 100 + IDS_LINGER_MS);
    const ids_batch *batch =
        ids_journal_hand_over(d.journal, 100 + IDS_LINGER_MS);
    cr_assert(batch && !batch->sync && !batch->sync_behind);
    done(&d, batch, 0);
    cr_assert_eq(ids_journal_next_ms(d.journal), 1000);
    batch = ids_journal_hand_over(d.journal, 1000);
    cr_assert(batch && batch->sync_behind && !batch->sync);
    cr_assert_eq(batch->len, 0);
    done(&d, batch, 1);
    cr_assert_null(ids_journal_hand_over(d.journal, 2000), "nothing to sync");
    ids_journal_free(d.journal);
}

Test(journal, a_sync_under_way_keeps_no_batch_waiting) {
    worker d = open_worker(IDS_FSYNC_EVERYSEC);
    change(&d);
    const ids_batch *batch = ids_journal_hand_over(d.journal, 1000);
    cr_assert(batch->sync_behind);
    done(&d, batch, 0); /* written, and its sync takes 5 s */
    for (uint64_t ms = 1100; ms < 6000; ms += 100) {
        change(&d);
        ids_journal_hand_over(d.journal, ms);
        batch = ids_journal_hand_over(d.journal, ms + IDS_LINGER_MS);
        cr_assert(batch && !batch->sync && !batch->sync_behind);
        cr_assert_eq(batch->since_ms, ms);
        done(&d, batch, 0);
    }
    ids_journal_synced(d.journal, 1);
    batch = ids_journal_hand_over(d.journal, 6000);
    cr_assert(batch && batch->sync_behind);
    ids_journal_free(d.journal);
}

Test(journal, everysec_waits_for_a_disk_that_does_not_keep_up) {
    worker d = open_worker(IDS_FSYNC_EVERYSEC);
    change(&d);
    const ids_batch *batch = ids_journal_hand_over(d.journal, 1000);
    cr_assert(batch->sync_behind);
    done(&d, batch, 0);
    change(&d);
    ids_journal_hand_over(d.journal, 1500);
    batch = ids_journal_hand_over(d.journal, 1600);
    done(&d, batch, 0);
    cr_assert_eq(ids_journal_watermark(d.journal, 2999), 2);
    change(&d);
    cr_assert_eq(ids_journal_watermark(d.journal, 3000), 2, "2 s are over");
    ids_journal_synced(d.journal, 1);
    cr_assert_eq(ids_journal_watermark(d.journal, 3000), 3);
    cr_assert_eq(ids_journal_watermark(d.journal, 3499), 3);
    change(&d);
    cr_assert_eq(ids_journal_watermark(d.journal, 3500), 3,
                 "change 2 waits since 1500");
    ids_journal_free(d.journal);
}

Test(journal, no_never_waits_nor_syncs) {
    worker d = open_worker(IDS_FSYNC_NO);
    change(&d);
    cr_assert_eq(ids_journal_watermark(d.journal, 100), 1);
    cr_assert_null(ids_journal_hand_over(d.journal, 5000));
    const ids_batch *batch =
        ids_journal_hand_over(d.journal, 5000 + IDS_LINGER_MS);
    cr_assert_not(batch->sync || batch->sync_behind);
    done(&d, batch, 0);
    cr_assert_eq(ids_journal_watermark(d.journal, 100000), 1);
    ids_journal_sync(d.journal);
    batch = ids_journal_hand_over(d.journal, 5100);
    cr_assert(batch && batch->sync_behind, "but when it is asked to");
    done(&d, batch, 1);
    ids_journal_free(d.journal);
}

Test(journal, is_full_at_its_limit_and_takes_what_a_turn_has_begun) {
    worker d = open_worker(IDS_FSYNC_ALWAYS);
    while (!ids_journal_is_full(d.journal))
        change(&d);
    change(&d);
    const ids_batch *batch = ids_journal_hand_over(d.journal, 1);
    cr_assert_geq(batch->len, 1000);
    cr_assert_eq(batch->last, d.number);
    cr_assert_not(ids_journal_is_full(d.journal));
    ids_journal_free(d.journal);
}

Test(journal, says_what_time_it_is_when_nothing_happens) {
    worker d = open_worker(IDS_FSYNC_ALWAYS);
    cr_assert_eq(ids_journal_next_ms(d.journal), 10000);
    cr_assert_null(ids_journal_hand_over(d.journal, 9999));
    const ids_batch *batch = ids_journal_hand_over(d.journal, 10000);
    cr_assert(batch && !batch->sync);
    cr_assert_eq(batch->len, IDS_FRAME_MIN_BYTES);
    done(&d, batch, 0);
    cr_assert_eq(ids_journal_next_ms(d.journal), 20000);
    ids_journal_free(d.journal);
}

Test(journal, a_disk_nearly_full_refuses_claims_and_a_failed_one_all) {
    worker d = open_worker(IDS_FSYNC_ALWAYS);
    change(&d);
    ids_journal_hand_over(d.journal, 1);
    ids_batch_done is = {
        .written = 1, .durable = 1, .free_bytes = IDS_DISK_RESERVE_BYTES};
    ids_journal_done(d.journal, &is);
    cr_assert_not(ids_journal_refuses_claims(d.journal));
    change(&d);
    ids_journal_hand_over(d.journal, 2);
    is = (ids_batch_done){
        .written = 2, .durable = 2, .free_bytes = IDS_DISK_RESERVE_BYTES - 1};
    ids_journal_done(d.journal, &is);
    cr_assert(ids_journal_refuses_claims(d.journal));
    cr_assert_not(ids_journal_has_failed(d.journal));
    change(&d);
    ids_journal_hand_over(d.journal, 3);
    is.failed = true;
    ids_journal_done(d.journal, &is);
    cr_assert(ids_journal_has_failed(d.journal));
    cr_assert_eq(ids_journal_watermark(d.journal, 4), 2);
    cr_assert_null(ids_journal_hand_over(d.journal, 5));
    ids_journal_free(d.journal);
}

/* Somebody has made room, and nobody completes anything. */
Test(journal, a_disk_nearly_full_is_looked_at_again_by_itself) {
    worker d = open_worker(IDS_FSYNC_ALWAYS);
    ids_batch_done is = {
        .written = 1, .durable = 1, .free_bytes = IDS_DISK_RESERVE_BYTES - 1};
    change(&d);
    cr_assert_not_null(ids_journal_hand_over(d.journal, 100));
    ids_journal_done(d.journal, &is);
    cr_assert(ids_journal_refuses_claims(d.journal));
    cr_assert_eq(ids_journal_next_ms(d.journal), 100 + IDS_LOOK_MS);
    cr_assert_null(ids_journal_hand_over(d.journal, 100 + IDS_LOOK_MS - 1));
    const ids_batch *batch =
        ids_journal_hand_over(d.journal, 100 + IDS_LOOK_MS);
    cr_assert(batch && batch->len == 0 && !batch->sync && !batch->sync_behind);
    cr_assert_eq(batch->last, 1);
    cr_assert_eq(ids_journal_next_ms(d.journal), UINT64_MAX, "it is out");
    ids_journal_done(d.journal, &is);
    cr_assert_eq(ids_journal_next_ms(d.journal), 100 + 2 * IDS_LOOK_MS);
    batch = ids_journal_hand_over(d.journal, 100 + 2 * IDS_LOOK_MS);
    cr_assert_not_null(batch, "there was none yet");
    is.free_bytes = IDS_DISK_RESERVE_BYTES;
    ids_journal_done(d.journal, &is);
    cr_assert_not(ids_journal_refuses_claims(d.journal));
    cr_assert_eq(ids_journal_next_ms(d.journal), 10000 + 100, "the mark's");
    cr_assert_null(ids_journal_hand_over(d.journal, 5000));
    ids_journal_free(d.journal);
}
