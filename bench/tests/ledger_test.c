/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_test.c -- each promise broken once, as a story; and the same stories
 * told right. One key, so that every ask is for it. */
#include "bench/ledger.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const idb_work work = {.seed = 1,
                              .key_bytes = 36,
                              .fingerprint_bytes = 32,
                              .result_bytes = 64,
                              .lease_ms = 1000,
                              .ttl_ms = 60000};

static idb_ledger *ledger;
static uint64_t now_ns;
static uint8_t result[64];

static void setup(void) {
    now_ns = IDB_NS_PER_S;
    ledger = idb_ledger_new(&work, 1, 1, now_ns);
}

static void teardown(void) {
    idb_ledger_free(ledger);
}

/* An ask of the right body, and one of another. */
static idb_ask ask(bool other_body) {
    idb_ask a = {.asker = 1};
    do {
        idb_ledger_ask(ledger, now_ns += IDB_NS_PER_MS, &a);
    } while (a.other_body != other_body);
    return a;
}

static bool hear(const idb_ask *a, idp_answer answer) {
    return idb_ledger_hear(ledger, now_ns += IDB_NS_PER_MS, a, &answer);
}

static bool granted(const idb_ask *a, uint32_t attempt, idp_previous previous) {
    return hear(a, (idp_answer){.outcome = IDP_OUTCOME_ACQUIRED,
                                .attempt = attempt,
                                .previous = previous,
                                .token = {1, attempt}});
}

static idb_ask completes(const idb_ask *a, uint32_t attempt) {
    idb_ask c = *a;
    c.method = IDP_COMPLETE;
    c.attempt = attempt;
    c.sent_ns = now_ns;
    idb_ledger_sent(ledger, &c);
    idb_ledger_result(ledger, &c, result);
    return c;
}

static bool completed(const idb_ask *c) {
    return hear(c,
                (idp_answer){.outcome = IDP_OUTCOME_COMPLETED, .kept = true});
}

static bool replayed(const idb_ask *a) {
    return hear(a, (idp_answer){.outcome = IDP_OUTCOME_REPLAY,
                                .has_result = true,
                                .result = {result, sizeof result}});
}

static void says(const char *words) {
    char *text;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    idb_ledger_tell(ledger, to);
    fclose(to);
    cr_assert(strstr(text, words), "wanted \"%s\" in: %s", words, text);
    cr_assert(strstr(text, "-> "), "no history in: %s", text);
    free(text);
}

TestSuite(ledger, .init = setup, .fini = teardown);

Test(ledger, the_whole_story_told_right_is_taken) {
    idb_ask a = ask(false), b = ask(false);
    cr_assert(granted(&a, 1, IDP_PREVIOUS_NONE));
    cr_assert(hear(
        &b, (idp_answer){.outcome = IDP_OUTCOME_IN_PROGRESS, .attempt = 1}));
    idb_ask other = ask(true);
    cr_assert(hear(&other, (idp_answer){.outcome = IDP_OUTCOME_MISMATCH}));
    now_ns += 2 * IDB_NS_PER_S;
    idb_ask late = ask(false);
    cr_assert(granted(&late, 2, IDP_PREVIOUS_ORPHANED));
    idb_ask c = completes(&late, 2);
    cr_assert(completed(&c));
    idb_ask d = ask(false);
    cr_assert(replayed(&d));
    cr_assert_eq(idb_ledger_tally(ledger)->takeovers, 1);
}

Test(ledger, two_winners_of_one_attempt_are_caught) {
    idb_ask a = ask(false), b = ask(false);
    cr_assert(granted(&a, 1, IDP_PREVIOUS_NONE));
    cr_assert_not(granted(&b, 1, IDP_PREVIOUS_NONE));
    says("attempt 1 was granted twice");
}

Test(ledger, a_grant_after_the_complete_is_caught) {
    idb_ask a = ask(false), b = ask(false);
    cr_assert(granted(&a, 1, IDP_PREVIOUS_NONE));
    idb_ask c = completes(&a, 1);
    cr_assert(completed(&c));
    cr_assert_not(granted(&b, 2, IDP_PREVIOUS_NONE));
    says("granted though attempt 1 completed");
}

Test(ledger, a_stale_complete_that_counts_is_caught) {
    idb_ask a = ask(false);
    cr_assert(granted(&a, 1, IDP_PREVIOUS_NONE));
    now_ns += 2 * IDB_NS_PER_S;
    idb_ask b = ask(false);
    cr_assert(granted(&b, 2, IDP_PREVIOUS_ORPHANED));
    idb_ask c = completes(&a, 1);
    cr_assert_not(completed(&c));
    says("attempt 1 completed though attempt 2 was granted");
}

Test(ledger, a_replay_with_one_bit_flipped_is_caught) {
    idb_ask a = ask(false);
    cr_assert(granted(&a, 1, IDP_PREVIOUS_NONE));
    idb_ask c = completes(&a, 1);
    cr_assert(completed(&c));
    result[40] ^= 1;
    idb_ask b = ask(false);
    cr_assert_not(replayed(&b));
    says("no result anyone completed with");
}

Test(ledger, a_replay_before_any_complete_is_caught) {
    idb_ask a = ask(false), b = ask(false);
    cr_assert(granted(&a, 1, IDP_PREVIOUS_NONE));
    cr_assert_not(replayed(&b));
}

Test(ledger, a_takeover_while_the_lease_runs_is_caught) {
    idb_ask a = ask(false), b = ask(false);
    cr_assert(granted(&a, 1, IDP_PREVIOUS_NONE));
    now_ns += 500 * IDB_NS_PER_MS;
    cr_assert_not(granted(&b, 2, IDP_PREVIOUS_ORPHANED));
    says("while attempt 1's lease ran");
}

Test(ledger, a_token_that_does_not_grow_is_caught) {
    idb_ask a = ask(false), b = ask(false);
    cr_assert(granted(&a, 1, IDP_PREVIOUS_NONE));
    cr_assert_not(hear(&b, (idp_answer){.outcome = IDP_OUTCOME_ACQUIRED,
                                        .attempt = 2,
                                        .previous = IDP_PREVIOUS_RELEASED,
                                        .token = {1, 1}}));
    says("token is out of order");
}

Test(ledger, another_body_that_wins_is_caught) {
    idb_ask a = ask(false);
    cr_assert(granted(&a, 1, IDP_PREVIOUS_NONE));
    idb_ask other = ask(true);
    cr_assert_not(granted(&other, 2, IDP_PREVIOUS_RELEASED));
    says("another body was granted the key");
}

Test(ledger, a_key_that_is_forgotten_is_caught) {
    idb_ask a = ask(false);
    cr_assert(granted(&a, 1, IDP_PREVIOUS_NONE));
    idb_ask c = completes(&a, 1);
    cr_assert_not(hear(&c, (idp_answer){.outcome = IDP_OUTCOME_UNKNOWN}));
    says("forgotten before its time");
}
