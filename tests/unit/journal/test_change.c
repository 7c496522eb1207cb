/* SPDX-License-Identifier: Apache-2.0 */
/* test_change.c -- a change's bytes: what goes in comes out, and nothing else
 * is taken for one. */
#include "server/journal/change.h"
#include "tests/lib/rng.h"

#include <criterion/criterion.h>
#include <string.h>

static uint8_t payload[4096];

static idp_slice some(idt_rng *rng, uint32_t min, uint32_t max) {
    return (idp_slice){payload + idt_rng_below(rng, 256),
                       idt_rng_between(rng, min, max)};
}

static void times(idt_rng *rng, ids_change *c) {
    c->ttl_ms = 1 + idt_rng_next(rng) % IDP_TTL_MS_MAX;
    c->ttl_left_ms = idt_rng_next(rng) % (c->ttl_ms + 1);
    c->age_ms = idt_rng_next(rng) >> idt_rng_between(rng, 20, 63);
    if (c->state != IDP_STATE_IN_PROGRESS && c->state != IDP_STATE_ORPHANED)
        return;
    c->lease_ms = 1 + idt_rng_below(rng, c->ttl_ms < IDP_LEASE_MS_MAX
                                             ? (uint32_t)c->ttl_ms
                                             : IDP_LEASE_MS_MAX);
    if (c->state == IDP_STATE_IN_PROGRESS)
        c->lease_left_ms = 1 + idt_rng_below(rng, c->lease_ms);
}

static ids_change any_change(idt_rng *rng) {
    ids_change c = {.ns = some(rng, 0, IDP_NS_BYTES_MAX),
                    .key = some(rng, 1, IDP_KEY_BYTES_MAX),
                    .state = (idp_state)idt_rng_below(rng, IDP_STATE_COUNT)};
    if (c.state == IDP_STATE_ABSENT)
        return c;
    c.fingerprint = some(rng, 0, IDP_FINGERPRINT_BYTES_MAX);
    c.nonce = some(rng, 0, IDP_NONCE_BYTES_MAX);
    c.token = (idp_token){idt_rng_next(rng) >> idt_rng_below(rng, 64),
                          idt_rng_next(rng) >> idt_rng_below(rng, 64)};
    c.class = (idp_class)idt_rng_below(rng, 2);
    c.previous = (idp_previous)idt_rng_below(rng, 3);
    c.attempt = 1 + idt_rng_below(rng, UINT32_MAX);
    times(rng, &c);
    if ((c.state == IDP_STATE_IN_PROGRESS || c.state == IDP_STATE_ORPHANED) &&
        idt_rng_chance(rng, 50))
        c.by_name = some(rng, 1, IDP_USER_BYTES_MAX);
    if (c.state == IDP_STATE_COMPLETED && idt_rng_chance(rng, 80)) {
        c.has_result = true;
        c.result = some(rng, 0, 2000);
    }
    return c;
}

/* Moves its slices one behind the other, as a record has them; now and then
 * with a hole. */
static void pack(idt_rng *rng, ids_change *c) {
    idp_slice *slices[] = {&c->ns, &c->key, &c->fingerprint, &c->nonce,
                           &c->result};
    const uint8_t *at = payload;
    for (size_t i = 0; i < sizeof slices / sizeof *slices; i++) {
        at += idt_rng_chance(rng, 10);
        slices[i]->ptr = at;
        at += slices[i]->len;
    }
}

static bool same(idp_slice a, idp_slice b) {
    return a.len == b.len && (a.len == 0 || !memcmp(a.ptr, b.ptr, a.len));
}

static bool is_same(const ids_change *a, const ids_change *b) {
    return same(a->ns, b->ns) && same(a->key, b->key) &&
           same(a->fingerprint, b->fingerprint) && same(a->nonce, b->nonce) &&
           same(a->by_name, b->by_name) && same(a->result, b->result) &&
           a->has_result == b->has_result && a->state == b->state &&
           a->class == b->class && a->previous == b->previous &&
           a->attempt == b->attempt && a->token.epoch == b->token.epoch &&
           a->token.sequence == b->token.sequence &&
           a->lease_ms == b->lease_ms && a->lease_left_ms == b->lease_left_ms &&
           a->ttl_ms == b->ttl_ms && a->ttl_left_ms == b->ttl_left_ms &&
           a->age_ms == b->age_ms;
}

Test(change, what_is_written_is_read_and_no_byte_less) {
    static uint8_t bytes[8192];
    uint64_t seed = 11;
    idt_rng rng;
    idt_rng_seed(&rng, seed);
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)idt_rng_next(&rng);
    for (int i = 0; i < 20000; i++) {
        ids_change c = any_change(&rng), again;
        if (idt_rng_chance(&rng, 50))
            pack(&rng, &c);
        size_t len = ids_change_write(bytes, &c);
        cr_assert_leq(len, ids_change_write_bound(&c));
        cr_assert_eq(ids_change_read(bytes, len, &again), len, "seed %lu, %d",
                     seed, i);
        cr_assert(is_same(&c, &again), "seed %lu, %d", seed, i);
        size_t less = idt_rng_below(&rng, (uint32_t)len);
        cr_assert_eq(ids_change_read(bytes, less, &again), 0);
    }
}

/* What was read, or written before, is not encoded again: its bytes are taken
 * as they are, whatever the fields say. */
Test(change, one_that_is_encoded_is_copied) {
    static uint8_t bytes[8192], copy[8192];
    idt_rng rng;
    idt_rng_seed(&rng, 12);
    for (int i = 0; i < 1000; i++) {
        ids_change c = any_change(&rng), again;
        size_t len = ids_change_write(bytes, &c);
        cr_assert_eq(ids_change_read(bytes, len, &again), len);
        cr_assert_eq(again.encoded.ptr, bytes);
        cr_assert_eq(again.encoded.len, len);
        again.age_ms++;
        cr_assert_eq(ids_change_write_bound(&again), len);
        cr_assert_eq(ids_change_write(copy, &again), len);
        cr_assert_eq(memcmp(bytes, copy, len), 0);
    }
}

Test(change, a_usual_record_takes_at_most_47_bytes_besides_its_payload) {
    uint8_t bytes[1024];
    ids_change c = {.ns = {payload, 8},
                    .key = {payload, 36},
                    .fingerprint = {payload, 32},
                    .nonce = {payload, 16},
                    .result = {payload, 200},
                    .has_result = true,
                    .state = IDP_STATE_COMPLETED,
                    .token = {1800000000, 127ull << 48 | 1ull << 34},
                    .attempt = 1,
                    .ttl_ms = 86400000,
                    .ttl_left_ms = 1,
                    .age_ms = 86399999};
    cr_assert_leq(ids_change_write(bytes, &c) - 292, 47);
    c.state = IDP_STATE_IN_PROGRESS;
    c.has_result = false;
    c.result.len = 0;
    c.lease_ms = IDP_LEASE_MS_MAX;
    c.lease_left_ms = 1;
    cr_assert_leq(ids_change_write(bytes, &c) - 92, 47);
}

Test(change, nonsense_is_refused) {
    ids_change c;
    /* no state 5; flags of an absent one; a surplus bit; no key */
    cr_assert_eq(ids_change_read((const uint8_t *)"\5\0\1k", 4, &c), 0);
    cr_assert_eq(ids_change_read((const uint8_t *)"\x40\0\1k", 4, &c), 0);
    cr_assert_eq(ids_change_read((const uint8_t *)"\x80\0\1k", 4, &c), 0);
    cr_assert_eq(ids_change_read((const uint8_t *)"\0\0\0", 3, &c), 0);
    /* a key's length that goes on for ever */
    cr_assert_eq(ids_change_read((const uint8_t *)"\0\0\xff\xff\xff\xff\xff"
                                                  "\xff\xff\xff\xff\x01k",
                                 13, &c),
                 0);
    cr_assert_eq(ids_change_read((const uint8_t *)"\0\0\1k", 4, &c), 4);
}
