/* SPDX-License-Identifier: Apache-2.0 */
/* recorder_test.c -- each promise broken once, as a story that --verify hears;
 * and the same stories told right. One key, so that every ask is for it. What
 * else the judge finds is in tests/nemesis/stories.txt. */
#include "bench/recorder.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static const idb_work work = {.seed = 1,
                              .key_bytes = 36,
                              .fingerprint_bytes = 32,
                              .result_bytes = 64,
                              .lease_ms = 1000,
                              .ttl_ms = 60000};

static idb_recorder *recorder;
static uint64_t now_ns;
static uint8_t result[64];

static void setup(void) {
    now_ns = IDB_NS_PER_S;
    recorder = idb_recorder_new(&work, 1, 1, now_ns);
}

static void teardown(void) {
    idb_recorder_free(recorder);
}

/* An ask of the right body, or one of another. */
static idb_ask ask(bool other_body) {
    static uint32_t askers;
    idb_ask a = {.sent_ns = now_ns += IDB_NS_PER_MS,
                 .number = IDB_SPACE_NEW,
                 .asker = ++askers,
                 .method = IDP_ACQUIRE,
                 .other_body = other_body};
    idb_recorder_sent(recorder, &a);
    return a;
}

static void hear(const idb_ask *a, idp_answer answer) {
    cr_assert(idb_recorder_hear(recorder, now_ns += IDB_NS_PER_MS, a, &answer));
}

static void granted(const idb_ask *a, uint32_t attempt, uint64_t token,
                    idp_previous previous) {
    hear(a, (idp_answer){.outcome = IDP_OUTCOME_ACQUIRED,
                         .attempt = attempt,
                         .previous = previous,
                         .token = {1, token}});
}

static idb_ask completes(const idb_ask *a, uint32_t attempt) {
    idb_ask c = *a;
    c.method = IDP_COMPLETE;
    c.attempt = attempt;
    c.token = (idp_token){1, attempt};
    c.sent_ns = now_ns;
    idb_recorder_sent(recorder, &c);
    idb_recorder_result(recorder, &c, result);
    return c;
}

static void completed(const idb_ask *c) {
    hear(c, (idp_answer){.outcome = IDP_OUTCOME_COMPLETED, .kept = true});
}

static const idp_answer replay = {.outcome = IDP_OUTCOME_REPLAY,
                                  .has_result = true,
                                  .ttl_left_ms = 60000,
                                  .result = {result, sizeof result}};

/* It is found at the end, and told with what was heard. */
static void says(const char *words) {
    char *text;
    size_t len;
    cr_assert_not(idb_recorder_end(recorder));
    FILE *to = open_memstream(&text, &len);
    idb_recorder_tell(recorder, to);
    fclose(to);
    cr_assert(strstr(text, words), "wanted \"%s\" in: %s", words, text);
    cr_assert(strstr(text, "-> "), "no history in: %s", text);
    free(text);
}

#define NO_ORDER "L: no order of the calls explains all answers"

TestSuite(recorder, .init = setup, .fini = teardown);

Test(recorder, the_whole_story_told_right_is_taken) {
    idb_ask a = ask(false), b = ask(false);
    granted(&a, 1, 1, IDP_PREVIOUS_NONE);
    hear(&b, (idp_answer){.outcome = IDP_OUTCOME_IN_PROGRESS,
                          .attempt = 1,
                          .lease_left_ms = 1000});
    idb_ask other = ask(true);
    hear(&other, (idp_answer){.outcome = IDP_OUTCOME_MISMATCH,
                              .state = IDP_STATE_IN_PROGRESS});
    now_ns += 2 * IDB_NS_PER_S;
    idb_ask late = ask(false);
    granted(&late, 2, 2, IDP_PREVIOUS_ORPHANED);
    idb_ask c = completes(&late, 2);
    completed(&c);
    idb_ask d = ask(false);
    hear(&d, replay);
    ask(false); /* and is never answered */
    cr_assert(idb_recorder_end(recorder));
    cr_assert_eq(idb_recorder_tally(recorder)->takeovers, 1);
    cr_assert_eq(idb_recorder_tally(recorder)->undecided, 0);
}

Test(recorder, two_winners_of_one_attempt_are_caught) {
    idb_ask a = ask(false), b = ask(false);
    granted(&a, 1, 1, IDP_PREVIOUS_NONE);
    granted(&b, 1, 1, IDP_PREVIOUS_NONE);
    says("I5: two askers have one token");
}

Test(recorder, a_grant_after_the_complete_is_caught) {
    idb_ask a = ask(false);
    granted(&a, 1, 1, IDP_PREVIOUS_NONE);
    idb_ask c = completes(&a, 1);
    completed(&c);
    idb_ask b = ask(false);
    granted(&b, 2, 2, IDP_PREVIOUS_NONE);
    says("I2: completed, and granted again");
}

Test(recorder, a_stale_complete_that_counts_is_caught) {
    idb_ask a = ask(false);
    granted(&a, 1, 1, IDP_PREVIOUS_NONE);
    now_ns += 2 * IDB_NS_PER_S;
    idb_ask b = ask(false);
    granted(&b, 2, 2, IDP_PREVIOUS_ORPHANED);
    now_ns += IDB_NS_PER_MS;
    idb_ask c = completes(&a, 1);
    completed(&c);
    says("I4: a stale token was taken");
}

Test(recorder, a_replay_with_one_bit_flipped_is_caught) {
    idb_ask a = ask(false);
    granted(&a, 1, 1, IDP_PREVIOUS_NONE);
    idb_ask c = completes(&a, 1);
    completed(&c);
    result[40] ^= 1;
    idb_ask b = ask(false);
    hear(&b, replay);
    says("I3: a replay of what nobody completed");
}

Test(recorder, a_replay_before_any_complete_is_caught) {
    idb_ask a = ask(false), b = ask(false);
    granted(&a, 1, 1, IDP_PREVIOUS_NONE);
    hear(&b, replay);
    says("I3: a replay of what nobody completed");
}

Test(recorder, a_takeover_while_the_lease_runs_is_caught) {
    idb_ask a = ask(false), b = ask(false);
    granted(&a, 1, 1, IDP_PREVIOUS_NONE);
    now_ns += 500 * IDB_NS_PER_MS;
    granted(&b, 2, 2, IDP_PREVIOUS_ORPHANED);
    says(NO_ORDER);
}

Test(recorder, a_token_that_does_not_grow_is_caught) {
    idb_ask a = ask(false);
    granted(&a, 1, 7, IDP_PREVIOUS_NONE);
    now_ns += 2 * IDB_NS_PER_S;
    idb_ask b = ask(false);
    granted(&b, 2, 6, IDP_PREVIOUS_ORPHANED);
    says("I4: a token is not above an older one");
}

Test(recorder, another_body_that_wins_is_caught) {
    idb_ask a = ask(false);
    granted(&a, 1, 1, IDP_PREVIOUS_NONE);
    now_ns += 2 * IDB_NS_PER_S;
    idb_ask other = ask(true);
    granted(&other, 2, 2, IDP_PREVIOUS_ORPHANED);
    says("I6: another fingerprint, and no mismatch");
}

Test(recorder, a_key_that_is_forgotten_is_caught) {
    idb_ask a = ask(false);
    granted(&a, 1, 1, IDP_PREVIOUS_NONE);
    idb_ask c = completes(&a, 1);
    hear(&c, (idp_answer){.outcome = IDP_OUTCOME_UNKNOWN});
    says(NO_ORDER);
}

Test(recorder, an_error_is_no_answer) {
    idb_ask a = ask(false);
    granted(&a, 1, 1, IDP_PREVIOUS_NONE);
    idb_ask c = completes(&a, 1);
    cr_assert_not(idb_recorder_error(recorder, now_ns, &c, "NO_MEMORY full"));
    says("complete was refused: NO_MEMORY full");
}

/* Many hear the same: what is heard behind that counts as it always does. */
Test(recorder, a_lie_behind_a_thousand_equal_answers_is_caught) {
    idb_ask a = ask(false);
    granted(&a, 1, 1, IDP_PREVIOUS_NONE);
    for (int i = 0; i < 1000; i++) {
        now_ns -= 2 * IDB_NS_PER_MS; /* a thousand fit into the lease */
        idb_ask b = ask(false);
        hear(&b, (idp_answer){.outcome = IDP_OUTCOME_IN_PROGRESS,
                              .attempt = 1,
                              .lease_left_ms = 1000});
    }
    idb_ask c = completes(&a, 1);
    completed(&c);
    idb_ask late = ask(false);
    hear(&late, (idp_answer){.outcome = IDP_OUTCOME_IN_PROGRESS,
                             .attempt = 1,
                             .lease_left_ms = 1000});
    says(NO_ORDER);
}

static bool acquires(const idb_ask *a, uint32_t *grants) {
    idp_answer answer = replay;
    if (*grants == 0)
        answer = (idp_answer){.outcome = IDP_OUTCOME_ACQUIRED,
                              .attempt = ++*grants,
                              .token = {1, 1}};
    else if (a->other_body)
        answer = (idp_answer){.outcome = IDP_OUTCOME_MISMATCH,
                              .state = IDP_STATE_COMPLETED};
    hear(a, answer);
    if (answer.outcome == IDP_OUTCOME_ACQUIRED) {
        idb_ask c = completes(a, 1);
        completed(&c);
    }
    return idb_recorder_drop(recorder, a);
}

Test(recorder, a_retired_key_that_changes_its_result_is_caught) {
    uint32_t grants = 0;
    idb_ask a = {0};
    while (idb_recorder_tally(recorder)->keys == 1) {
        idb_recorder_ask(recorder, now_ns += IDB_NS_PER_MS, &a);
        cr_assert(acquires(&a, &grants));
    }
    do
        idb_recorder_ask(recorder, now_ns += IDB_NS_PER_MS, &a);
    while (a.key != IDB_KEY_OLD);
    hear(&a, replay);
    result[40] ^= 1;
    cr_assert_not(
        idb_recorder_hear(recorder, now_ns += IDB_NS_PER_MS, &a, &replay));
    says("I3: a replay of what nobody completed");
}
