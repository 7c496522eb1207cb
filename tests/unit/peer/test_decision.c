/* SPDX-License-Identifier: Apache-2.0 */
/* test_decision.c -- who may become what. */
#include "server/peer/decision.h"
#include "server/peer/epoch.h"

#include <criterion/criterion.h>

static const ids_member self = {2, 22};

/* A replica that was told, in epoch 7, that it is in sync. */
static ids_decision in_sync(void) {
    ids_decision d = {.version = 3, .epoch = 7, .self = self}, next;
    ids_decide_admitted(&d, 7, 40, (ids_origin){.epoch = 5}, &next);
    return next;
}

Test(decision, a_first_start_leads_from_the_clock_and_a_second_above_it) {
    ids_decision d = {0}, next;
    uint64_t clock = ids_epoch_of(1700000000000);
    ids_decide_start(&d, self, true, clock, &next);
    cr_assert_eq(next.role, IDS_ROLE_PRIMARY);
    cr_assert_eq(next.epoch, clock + 2, "its name is below");
    cr_assert_eq(next.led_epoch, clock + 2);
    d = next;
    ids_decide_start(&d, self, true, clock / 2, &next);
    cr_assert_eq(next.epoch, clock + 1024 + 2, "whatever the clock says");
}

Test(decision, who_ever_had_a_replica_does_not_lead_by_itself) {
    ids_decision d = {.role = IDS_ROLE_PRIMARY, .epoch = 7}, with, next;
    ids_decide_admit(&d, 0, (ids_member){1, 11}, &with);
    cr_assert_eq(with.replica[0].incarnation, 11);
    ids_decide_start(&with, self, true, 1700000000, &next);
    cr_assert_eq(next.role, IDS_ROLE_REPLICA);
    cr_assert_eq(next.epoch, 7);
}

Test(decision, a_member_with_its_memory_may_be_promoted) {
    ids_decision d = in_sync(), next;
    cr_assert_eq(ids_decide_promote(&d, 8, 7, false, &next), IDS_DECIDING_OK);
    cr_assert_eq(next.epoch, 8);
    cr_assert_eq(next.role, IDS_ROLE_PRIMARY);
    cr_assert_eq(next.version, d.version + 1);
}

Test(decision, nobody_else_may_unless_loss_is_accepted) {
    ids_decision d = in_sync(), again, next;
    cr_assert_eq(ids_decide_promote(&d, 7, 7, true, &next),
                 IDS_DECIDING_EPOCH_TOO_LOW);
    cr_assert_eq(ids_decide_promote(&d, 8, 6, false, &next),
                 IDS_DECIDING_NOT_IN_SYNC, "its copy is of another epoch");
    ids_decide_start(&d, (ids_member){2, 23}, false, 1, &again);
    cr_assert_eq(ids_decide_promote(&again, 8, 7, false, &next),
                 IDS_DECIDING_NOT_IN_SYNC, "its memory is another");
    cr_assert_eq(ids_decide_promote(&again, 8, 7, true, &next),
                 IDS_DECIDING_OK);
    ids_decide_follow(&d, 9, &again);
    cr_assert_eq(ids_decide_promote(&again, 10, 7, false, &next),
                 IDS_DECIDING_NOT_IN_SYNC, "there is a newer primary");
}

/* R5: what a memory that outlives its process is good for. */
Test(decision, a_kept_memory_may_be_promoted_if_nobody_else_could_be) {
    ids_decision d = {.role = IDS_ROLE_PRIMARY,
                      .epoch = 7,
                      .self = self,
                      .had_replica = true},
                 with, next, again;
    cr_assert_eq(ids_decision_kept_epoch(&d, self), 7);
    cr_assert_eq(ids_decision_kept_epoch(&d, (ids_member){2, 23}), 0);
    ids_decide_start(&d, self, true, 1, &again);
    cr_assert_eq(again.role, IDS_ROLE_REPLICA, "never by itself");
    cr_assert_eq(ids_decide_promote(&again, 8, 7, false, &next),
                 IDS_DECIDING_OK);
    ids_decide_start(&d, (ids_member){2, 23}, true, 1, &again);
    cr_assert_eq(ids_decide_promote(&again, 8, 7, false, &next),
                 IDS_DECIDING_NOT_IN_SYNC, "a new memory");
    ids_decide_admit(&d, 0, (ids_member){1, 11}, &with);
    ids_decide_start(&with, self, true, 1, &again);
    cr_assert_eq(ids_decide_promote(&again, 8, 7, false, &next),
                 IDS_DECIDING_NOT_IN_SYNC, "its replica may have gone on");
}

Test(decision, a_member_that_kept_its_memory_is_still_one) {
    ids_decision d = in_sync(), again, next;
    ids_decide_start(&d, self, false, 1, &again);
    cr_assert_eq(ids_decision_kept_epoch(&again, self), 7);
    cr_assert_eq(ids_decide_promote(&again, 8, 7, false, &next),
                 IDS_DECIDING_OK);
    ids_decide_disowned(&again, &next);
    cr_assert_eq(ids_decision_kept_epoch(&next, self), 0);
    cr_assert_not(ids_decision_is_in_sync(&next, 7));
}

Test(decision, a_node_without_history_is_in_sync_with_nobody) {
    ids_decision d = {.self = self}, next;
    cr_assert_not(ids_decision_is_in_sync(&d, 0));
    ids_decide_admitted(&d, 0, 0, (ids_origin){0}, &next);
    cr_assert_not(ids_decision_is_in_sync(&next, 0));
}

Test(decision, detaching_is_refused_where_it_would_lose_too_much) {
    ids_decision d = {.role = IDS_ROLE_PRIMARY, .epoch = 7}, with, next;
    cr_assert_eq(ids_decide_detach(&d, 0, 1, &next), IDS_DECIDING_NO_REPLICA);
    ids_decide_admit(&d, 0, (ids_member){1, 11}, &with);
    cr_assert_eq(ids_decide_detach(&with, 0, 2, &next),
                 IDS_DECIDING_MIN_IN_SYNC);
    cr_assert_eq(ids_decide_detach(&with, 0, 1, &next), IDS_DECIDING_OK);
    cr_assert_eq(next.replica[0].node, 0);
    with.role = IDS_ROLE_REPLICA;
    cr_assert_eq(ids_decide_detach(&with, 0, 1, &next),
                 IDS_DECIDING_NOT_PRIMARY);
}

/* R11, R6: what led in an epoch is remembered, for this name. */
Test(decision, a_node_of_another_name_has_not_led) {
    ids_decision d = in_sync(), led, next;
    cr_assert_eq(ids_decide_promote(&d, 8, 7, false, &led), IDS_DECIDING_OK);
    cr_assert_eq(led.led_epoch, 8);
    ids_decide_follow(&led, 9, &next);
    cr_assert_eq(next.led_epoch, 8);
    ids_decide_start(&next, self, false, 1, &led);
    cr_assert_eq(led.led_epoch, 8);
    ids_decide_start(&next, (ids_member){3, 22}, false, 1, &led);
    cr_assert_eq(led.led_epoch, 0);
}

Test(decision, what_was_restored_neither_leads_nor_is_in_sync) {
    const ids_decision was = {.version = 7,
                              .epoch = 40,
                              .role = IDS_ROLE_PRIMARY,
                              .self = {1, 9},
                              .admitted_epoch = 40,
                              .admitted = {1, 9}};
    ids_decision now, next;
    ids_decide_restored(&was, &now);
    ids_decide_start(&now, (ids_member){1, 9}, true, 50, &next);
    cr_assert_eq(next.role, IDS_ROLE_REPLICA);
    cr_assert_eq(next.epoch, 40);
    cr_assert_not(ids_decision_is_in_sync(&next, 40));
    cr_assert_eq(ids_decide_promote(&next, 60, 40, false, &now),
                 IDS_DECIDING_NOT_IN_SYNC);
    cr_assert_eq(ids_decide_promote(&next, 60, 40, true, &now),
                 IDS_DECIDING_OK);
    const ids_decision none = {0};
    ids_decide_restored(&none, &now);
    cr_assert_not(now.had_replica, "nothing was on record");
}

Test(decision, an_origin_is_the_first_primarys_and_is_handed_on) {
    ids_decision fresh = {0}, d = in_sync(), next;
    ids_decide_start(&fresh, self, true, 1700000000, &next);
    cr_assert_eq(next.origin.epoch, next.epoch, "it began by itself");
    cr_assert(!next.origin.by_word);
    cr_assert_eq(ids_decide_promote(&d, 8, 7, false, &next), IDS_DECIDING_OK);
    cr_assert_eq(next.origin.epoch, 5, "of the primary that admitted it");
    cr_assert_eq(ids_decide_promote(&fresh, 8, 0, true, &next),
                 IDS_DECIDING_OK);
    cr_assert_eq(next.origin.epoch, 8);
    cr_assert(next.origin.by_word, "an operator began it");
}
