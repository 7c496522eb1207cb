/* SPDX-License-Identifier: Apache-2.0 */
/* test_spelled.c -- records whose token and attempt have no short form: where
 * there are more prefixes than numbers, and more attempts than fit in a byte.
 */
#include "server/core/prefix.h"
#include "tests/unit/core/world.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define MIB        (1024u * 1024)
#define ATTEMPTS   600
#define EPOCHS     (IDS_PREFIXES + 50)
#define WIDE_STEP  ((uint64_t)1 << IDS_PREFIX_SEQUENCE_BITS)
#define TTL_MS     7000
#define RESULT_LEN 3000

static idt_mem mem;
static ids_shard *shard;

static void open_shard(void) {
    const ids_shard_config config = {.memory_bytes_max = 16 * MIB,
                                     .result_bytes_max = MIB,
                                     .waiters_per_key_max = 8,
                                     .waiters_max = 64};
    shard = world_shard(&mem, config);
}

static idp_answer ask(uint64_t now_ms, idp_request request) {
    idp_answer answer = {0};
    idp_error error;
    ids_call c = {.request = &request,
                  .hash = world_key_hash(NULL, request.ns, request.key),
                  .now_ms = now_ms,
                  .asker = 1};
    cr_assert_eq(ids_shard_call(shard, &c, &answer, &error), IDS_ANSWERED);
    return answer;
}

static idp_answer acquire(uint64_t now_ms, uint64_t number, const char *nonce) {
    return ask(now_ms, (idp_request){.method = IDP_ACQUIRE,
                                     .ns = text("shop"),
                                     .key = world_key(number),
                                     .fingerprint = text("f"),
                                     .nonce = text(nonce),
                                     .lease_ms = 500,
                                     .ttl_ms = TTL_MS});
}

static idp_answer with_token(idp_method method, uint64_t number,
                             idp_token token, idp_slice result) {
    return ask(0, (idp_request){.method = method,
                                .ns = text("shop"),
                                .key = world_key(number),
                                .token = token,
                                .lease_ms = 500,
                                .result = result});
}

static bool same(idp_token a, idp_token b) {
    return a.epoch == b.epoch && a.sequence == b.sequence;
}

/* Ends it with a result of so many bytes, and looks whether all is replayed. */
static void complete_and_replay(uint64_t number, idp_token token, size_t len) {
    static uint8_t result[RESULT_LEN];
    idp_answer answer;
    for (size_t i = 0; i < len; i++)
        result[i] = (uint8_t)(number + i);
    answer = with_token(IDP_COMPLETE, number, token, (idp_slice){result, len});
    cr_assert_eq(answer.outcome, IDP_OUTCOME_COMPLETED);
    cr_assert(answer.kept);
    /* Its first reply was lost. */
    answer = with_token(IDP_COMPLETE, number, token, (idp_slice){result, len});
    cr_assert_eq(answer.outcome, IDP_OUTCOME_COMPLETED);
    answer = acquire(0, number, "n");
    cr_assert_eq(answer.outcome, IDP_OUTCOME_REPLAY);
    cr_assert(answer.result.len == len &&
              memcmp(answer.result.ptr, result, len) == 0);
}

Test(spelled, attempts_go_on_being_counted_beyond_a_byte) {
    idp_token last = {0};
    open_shard();
    for (uint32_t attempt = 1; attempt <= ATTEMPTS; attempt++) {
        idp_answer answer = acquire(0, 1, attempt % 2 ? "odd" : "of even");
        cr_assert_eq(answer.outcome, IDP_OUTCOME_ACQUIRED);
        cr_assert_eq(answer.attempt, attempt);
        cr_assert(answer.token.sequence > last.sequence);
        last = answer.token;
        /* Asked again with its nonce, it is the same claim. */
        answer = acquire(0, 1, attempt % 2 ? "odd" : "of even");
        cr_assert_eq(answer.attempt, attempt);
        cr_assert(same(answer.token, last));
        answer = with_token(IDP_RENEW, 1, last, (idp_slice){0});
        cr_assert_eq(answer.outcome, IDP_OUTCOME_RENEWED);
        if (attempt == ATTEMPTS)
            break;
        answer = with_token(IDP_RELEASE, 1, last, (idp_slice){0});
        cr_assert_eq(answer.outcome, IDP_OUTCOME_RELEASED);
    }
    cr_assert_eq(with_token(IDP_PEEK, 1, last, (idp_slice){0}).attempt,
                 ATTEMPTS);
    complete_and_replay(1, last, RESULT_LEN);
    world_shard_free(shard, &mem);
}

/* A node that has followed many primaries, one after the other: more than
 * there are numbers for their epochs. */
static void follow_many(uint64_t epoch_of_last) {
    ids_shard_follow(shard);
    for (uint64_t i = 0; i < EPOCHS; i++) {
        ids_change claim = {.ns = text("shop"),
                            .key = world_key(i),
                            .fingerprint = text("f"),
                            .nonce = text("n"),
                            .state = IDP_STATE_IN_PROGRESS,
                            .token = {epoch_of_last - EPOCHS + i + 1, 7 + i},
                            .attempt = 3,
                            .lease_ms = 500,
                            .lease_left_ms = 500,
                            .ttl_ms = TTL_MS,
                            .ttl_left_ms = TTL_MS};
        cr_assert(ids_shard_put(
            shard, world_key_hash(NULL, claim.ns, claim.key), &claim, 0));
    }
    ids_shard_lead(shard, epoch_of_last + 1, 0, 0);
}

Test(spelled, every_holder_of_more_epochs_than_have_numbers_is_known) {
    open_shard();
    follow_many(100000);
    for (uint64_t i = 0; i < EPOCHS; i++) {
        const idp_token held = {100000 - EPOCHS + i + 1, 7 + i};
        const idp_token other = {held.epoch + 1, held.sequence};
        idp_answer answer = acquire(0, i, "n");
        cr_assert_eq(answer.outcome, IDP_OUTCOME_ACQUIRED, "key %u",
                     (unsigned)i);
        cr_assert(same(answer.token, held), "key %u has another token",
                  (unsigned)i);
        cr_assert_eq(answer.attempt, 3);
        answer = with_token(IDP_COMPLETE, i, other, text("x"));
        cr_assert_eq(answer.outcome, IDP_OUTCOME_STALE);
        complete_and_replay(i, held, i % RESULT_LEN);
    }
    world_shard_free(shard, &mem);
}

/* What ends gives its number back: in the long run each has one again. */
Test(spelled, numbers_are_free_again_when_their_last_record_is_gone) {
    ids_shard_stats before, after;
    open_shard();
    follow_many(100000);
    ids_shard_tick(shard, 2 * TTL_MS, 100000);
    ids_shard_stats_get(shard, &before);
    cr_assert_eq(before.records, 0);
    /* Were they still taken, a record in flight would be 20 bytes larger. */
    for (uint64_t i = 0; i < 10000; i++)
        cr_assert_eq(acquire(2 * TTL_MS, i, "n").outcome, IDP_OUTCOME_ACQUIRED);
    ids_shard_stats_get(shard, &after);
    cr_assert_leq((after.memory_bytes - before.memory_bytes) / 10000, 80);
    world_shard_free(shard, &mem);
}

/* A sequence that goes on beyond what a number's low bits hold. */
Test(spelled, a_sequence_that_outgrows_its_low_bits_has_the_next_number) {
    open_shard();
    ids_shard_follow(shard);
    ids_shard_lead(shard, 50, WIDE_STEP - 3, 0);
    for (uint64_t i = 0; i < 6; i++) {
        idp_answer answer = acquire(0, i, "n");
        cr_assert_eq(answer.token.sequence, WIDE_STEP - 2 + i);
        cr_assert(same(acquire(0, i, "n").token, answer.token));
        complete_and_replay(i, answer.token, 40);
    }
    world_shard_free(shard, &mem);
}
