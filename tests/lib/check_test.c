/* SPDX-License-Identifier: Apache-2.0 */
/* check_test.c -- the checker can fail: for each invariant a short history
 * that breaks it, beside one that does not. */
#include "tests/lib/check.h"

#include <criterion/criterion.h>
#include <string.h>

static idt_check check;

static void start(void) {
    idt_check_init(&check);
}

TestSuite(check, .init = start);

static idp_slice text(const char *s) {
    return (idp_slice){(const uint8_t *)s, strlen(s)};
}

static const char *acquire(uint64_t now, const char *fp, const char *nonce,
                           uint64_t token, uint32_t attempt) {
    idp_request q = {.method = IDP_ACQUIRE,
                     .fingerprint = text(fp),
                     .nonce = text(nonce),
                     .lease_ms = 50,
                     .ttl_ms = 100};
    idp_answer a = {.outcome = IDP_OUTCOME_ACQUIRED,
                    .token = {1, token},
                    .attempt = attempt,
                    .lease_ms = 50};
    return idt_check_answer(&check, 0, now, &q, &a);
}

static const char *replay(uint64_t now, const char *fp, const char *result) {
    idp_request q = {.method = IDP_ACQUIRE, .fingerprint = text(fp)};
    idp_answer a = {.outcome = IDP_OUTCOME_REPLAY,
                    .has_result = true,
                    .result = text(result)};
    return idt_check_answer(&check, 0, now, &q, &a);
}

static const char *change(uint64_t now, idp_method method, uint64_t token,
                          idp_outcome said) {
    idp_request q = {.method = method,
                     .token = {1, token},
                     .lease_ms = 50,
                     .result = text("done")};
    idp_answer a = {.outcome = said, .kept = true, .lease_ms = 50};
    return idt_check_answer(&check, 0, now, &q, &a);
}

static const char *complete(uint64_t now, uint64_t token) {
    return change(now, IDP_COMPLETE, token, IDP_OUTCOME_COMPLETED);
}

static void expect(const char *invariant, const char *broken) {
    cr_assert(broken && strncmp(broken, invariant, strlen(invariant)) == 0,
              "%s should be broken, the checker says: %s", invariant,
              broken ? broken : "nothing");
}

Test(check, an_honest_history_breaks_nothing) {
    cr_assert_null(acquire(0, "aa", "n1", 1, 1));
    cr_assert_null(acquire(10, "aa", "n1", 1, 1)); /* its own retry */
    cr_assert_null(acquire(60, "aa", "n2", 2, 2)); /* taken over */
    cr_assert_null(change(60, IDP_COMPLETE, 1, IDP_OUTCOME_STALE));
    cr_assert_null(complete(70, 2));
    cr_assert_null(complete(75, 2));
    cr_assert_null(replay(80, "aa", "done"));
    cr_assert_null(acquire(170, "bb", "", 3, 1)); /* retention over */
    cr_assert_null(change(171, IDP_RELEASE, 3, IDP_OUTCOME_RELEASED));
    cr_assert_null(acquire(172, "bb", "", 4, 2));
}

Test(check, I1_two_holders_at_a_time) {
    acquire(0, "", "n1", 1, 1);
    expect("I1", acquire(49, "", "n2", 2, 2));
}

Test(check, I1_two_grants_complete) {
    acquire(0, "", "", 1, 1);
    acquire(50, "", "", 2, 2);
    cr_assert_null(complete(55, 2));
    expect("I1", complete(60, 1));
}

Test(check, I2_granted_again_after_complete) {
    acquire(0, "", "", 1, 1);
    complete(10, 1);
    expect("I2", acquire(109, "", "", 2, 1));
    start();
    acquire(0, "", "", 1, 1);
    complete(10, 1);
    cr_assert_null(acquire(110, "", "", 2, 1));
}

Test(check, I2_forgotten) {
    acquire(0, "", "", 1, 1);
    expect("I2", change(99, IDP_RENEW, 1, IDP_OUTCOME_UNKNOWN));
}

Test(check, I3_replay_of_something_else) {
    acquire(0, "", "", 1, 1);
    complete(10, 1);
    cr_assert_null(replay(20, "", "done"));
    expect("I3", replay(20, "", "dons"));
}

Test(check, I3_replay_before_the_complete) {
    acquire(0, "", "", 1, 1);
    expect("I3", replay(20, "", "done"));
}

Test(check, I3_replay_after_the_retention) {
    acquire(0, "", "", 1, 1);
    complete(10, 1);
    expect("I3", replay(110, "", "done"));
}

Test(check, I4_a_token_that_does_not_grow) {
    acquire(0, "", "", 7, 1);
    expect("I4", acquire(60, "", "", 7, 2));
    start();
    acquire(0, "", "", 7, 1);
    expect("I4", acquire(200, "", "", 6, 1)); /* the key was forgotten */
}

Test(check, I4_a_stale_token_changes_something) {
    static const struct {
        idp_method method;
        idp_outcome said;
    } calls[] = {{IDP_COMPLETE, IDP_OUTCOME_COMPLETED},
                 {IDP_RELEASE, IDP_OUTCOME_RELEASED},
                 {IDP_RENEW, IDP_OUTCOME_RENEWED}};
    for (size_t i = 0; i < 3; i++) {
        start();
        acquire(0, "", "", 1, 1);
        acquire(50, "", "", 2, 2);
        expect("I4", change(55, calls[i].method, 1, calls[i].said));
    }
}

Test(check, I4_the_current_token_is_refused) {
    acquire(0, "", "", 1, 1);
    expect("I4", change(55, IDP_COMPLETE, 1, IDP_OUTCOME_STALE));
}

Test(check, I5_the_same_nonce_another_token) {
    acquire(0, "", "n1", 1, 1);
    expect("I5", acquire(60, "", "n1", 2, 2));
}

Test(check, I6_a_grant_in_spite_of_a_mismatch) {
    acquire(0, "aa", "", 1, 1);
    expect("I6", acquire(60, "bb", "", 2, 2));
}

Test(check, I6_a_replay_in_spite_of_a_mismatch) {
    acquire(0, "aa", "", 1, 1);
    complete(10, 1);
    expect("I6", replay(20, "bb", "done"));
}

Test(check, I15_limits) {
    ids_shard_config config = {.memory_bytes_max = 100, .waiters_max = 2};
    ids_shard_stats stats = {.memory_bytes = 100, .waiters = 2};
    idt_mem mem = {.bytes = 100};
    cr_assert_null(idt_check_limits(&config, &stats, &mem));
    stats.waiters = 3;
    expect("I15", idt_check_limits(&config, &stats, &mem));
    stats.waiters = 0;
    mem.bytes = 99;
    expect("I15", idt_check_limits(&config, &stats, &mem));
    mem.bytes = stats.memory_bytes = 101;
    expect("I15", idt_check_limits(&config, &stats, &mem));
}
