/* SPDX-License-Identifier: Apache-2.0 */
/* test_quota.c -- limits by namespace where several shards share them: what
 * they hold together, what they give back, what is never refused. */
#include "tests/unit/core/quota_node.h"

#include <criterion/criterion.h>

/* --- records ---------------------------------------------------------------
 */

Test(quota, a_hundred_records_on_eight_shards_are_a_hundred) {
    node n;
    uint64_t granted = 0, refused = 0;
    node_open(&n, of_records(100), ids_ns_limits_none());
    for (uint64_t key = 0; key < 10000; key++) {
        ids_shard *shard = n.shards[key % SHARDS];
        idp_error error = claim(shard, "shop", key, n.now_ms, NULL);
        granted += error == IDP_OK;
        if (error == IDP_OK)
            continue;
        refused++;
        cr_assert_eq(error, IDP_E_NO_MEMORY);
        cr_assert_eq(ids_shard_limited(shard).limit, IDS_LIMIT_RECORDS);
        cr_assert_eq(ids_shard_limited(shard).ns.len, 4);
    }
    cr_assert_eq(granted, 100);
    cr_assert_eq(refused, 9900);
    node_close(&n);
}

/* Whatever came and went: at most 1/64 of the limit lies about unused. */
Test(quota, what_shards_hold_unused_is_a_64th_at_most) {
    enum { MAX = 10000, KEYS = 16000 };
    static idp_token tokens[KEYS];
    static bool has[KEYS];
    node n;
    uint64_t records = 0, most = 0;
    memset(has, 0, sizeof has);
    node_open(&n, of_records(MAX), ids_ns_limits_none());
    for (uint32_t i = 0; i < 400000; i++) {
        uint64_t key = world_hash(i) % KEYS;
        ids_shard *shard = n.shards[world_hash(key) % SHARDS];
        if (has[key] && world_hash(i) >> 60 < 5) {
            drop(shard, "shop", key, n.now_ms, tokens[key]);
            has[key] = false;
            records--;
        } else if (!has[key]) {
            idp_error error = claim(shard, "shop", key, n.now_ms, &tokens[key]);
            has[key] = error == IDP_OK;
            records += has[key];
            cr_assert(has[key] || records >= MAX - MAX / 64);
        }
        cr_assert_leq(records, MAX);
        most = records > most ? records : most;
    }
    cr_assert_geq(most, MAX - MAX / 64);
    node_close(&n);
}

Test(quota, a_second_claim_of_a_record_makes_none) {
    node n;
    idp_answer answer;
    idp_token token;
    node_open(&n, of_records(1), of_records(0));
    cr_assert_eq(claim(n.shards[0], "shop", 1, n.now_ms, &token), IDP_OK);
    idp_request q = {.method = IDP_RELEASE,
                     .ns = text("shop"),
                     .key = world_key(1),
                     .token = token};
    cr_assert_eq(call(n.shards[0], &q, n.now_ms, &answer), IDP_OK);
    cr_assert_eq(claim(n.shards[0], "shop", 1, n.now_ms, &token), IDP_OK);
    cr_assert_eq(claim(n.shards[0], "shop", 2, n.now_ms, NULL),
                 IDP_E_NO_MEMORY);
    cr_assert_eq(claim(n.shards[0], "toys", 2, n.now_ms, NULL),
                 IDP_E_NO_MEMORY);
    drop(n.shards[0], "shop", 1, n.now_ms, token);
    cr_assert_eq(claim(n.shards[1], "shop", 2, n.now_ms, NULL), IDP_OK);
    node_close(&n);
}

/* --- complete is never refused ---------------------------------------------
 */

Test(quota, a_complete_at_full_limits_completes) {
    ids_ns_limits shop = of_records(1);
    node n;
    idp_answer answer;
    idp_token token;
    static const uint8_t result[500];
    shop.bytes_max = 200;
    shop.rate = 1;
    shop.burst = 1;
    shop.ttl_ms_max = 20000;
    node_open(&n, shop, ids_ns_limits_none());
    cr_assert_eq(claim(n.shards[0], "shop", 1, n.now_ms, &token), IDP_OK);
    idp_request q = {.method = IDP_COMPLETE,
                     .ns = text("shop"),
                     .key = world_key(1),
                     .token = token,
                     .ttl_ms = 30000,
                     .result = {result, sizeof result}};
    for (int i = 0; i < 2; i++) { /* and the same when asked again */
        q.key = world_key(1);
        cr_assert_eq(call(n.shards[0], &q, n.now_ms, &answer), IDP_OK);
        cr_assert_eq(answer.outcome, IDP_OUTCOME_COMPLETED);
        cr_assert(!answer.kept);
        cr_assert_eq(answer.ttl_ms, 20000);
    }
    cr_assert_eq(look(n.shards[0], "shop").counts.results_dropped, 1);
    node_close(&n);
}

Test(quota, a_retention_over_the_limit_refuses_acquires_alone) {
    ids_ns_limits shop = ids_ns_limits_none();
    node n;
    idp_answer answer;
    shop.ttl_ms_max = 9999;
    node_open(&n, shop, ids_ns_limits_none());
    cr_assert_eq(claim(n.shards[0], "shop", 1, n.now_ms, NULL),
                 IDP_E_BAD_REQUEST);
    cr_assert_eq(ids_shard_limited(n.shards[0]).limit, IDS_LIMIT_TTL);
    cr_assert_eq(claim(n.shards[0], "toys", 1, n.now_ms, NULL), IDP_OK);
    idp_request q = {.method = IDP_ACQUIRE,
                     .ns = text("shop"),
                     .key = world_key(1),
                     .lease_ms = 1000,
                     .ttl_ms = 9999};
    cr_assert_eq(call(n.shards[0], &q, n.now_ms, &answer), IDP_OK);
    cr_assert_eq(answer.outcome, IDP_OUTCOME_ACQUIRED);
    node_close(&n);
}

/* --- rates -----------------------------------------------------------------
 */

static ids_ns_limits of_rate(uint32_t rate, uint32_t burst) {
    ids_ns_limits limits = ids_ns_limits_none();
    limits.rate = rate;
    limits.burst = burst;
    return limits;
}

/* So many are granted in so long, on all shards or on one of them. */
static uint64_t granted_in(node *n, uint32_t shards, uint64_t ms,
                           uint64_t *key) {
    uint64_t granted = 0, end_ms = n->now_ms + ms;
    for (; n->now_ms < end_ms; n->now_ms++)
        for (uint32_t i = 0; i < 60; i++) {
            ids_shard *shard = n->shards[i % shards];
            idp_error error = claim(shard, "shop", ++*key, n->now_ms, NULL);
            granted += error == IDP_OK;
            if (error == IDP_OK)
                continue;
            cr_assert_eq(error, IDP_E_LIMIT);
            cr_assert_eq(ids_shard_limited(shard).limit, IDS_LIMIT_RATE);
            cr_assert_gt(ids_shard_limited(shard).retry_ms, 0);
        }
    return granted;
}

Test(quota, a_rate_holds_on_one_shard_and_on_eight) {
    node n;
    uint64_t key = 0;
    node_open(&n, of_rate(20000, 2000), ids_ns_limits_none());
    uint64_t granted = granted_in(&n, SHARDS, 2000, &key);
    cr_assert_geq(granted, 42000 - 42000 / 64);
    cr_assert_leq(granted, 42000 + 42000 / 64);
    granted = granted_in(&n, 1, 2000, &key); /* all of it goes to one */
    cr_assert_geq(granted, 40000 - 40000 / 64);
    cr_assert_leq(granted, 40000 + 40000 / 64);
    node_close(&n);
}

Test(quota, retry_ms_is_when_there_is_one) {
    node n;
    node_open(&n, of_rate(4, 2), ids_ns_limits_none());
    cr_assert_eq(claim(n.shards[0], "shop", 1, n.now_ms, NULL), IDP_OK);
    cr_assert_eq(claim(n.shards[1], "shop", 2, n.now_ms, NULL), IDP_OK);
    cr_assert_eq(claim(n.shards[2], "shop", 3, n.now_ms, NULL), IDP_E_LIMIT);
    cr_assert_eq(ids_shard_limited(n.shards[2]).retry_ms, 250);
    cr_assert_eq(claim(n.shards[2], "shop", 3, n.now_ms + 249, NULL),
                 IDP_E_LIMIT);
    cr_assert_eq(claim(n.shards[2], "shop", 3, n.now_ms + 250, NULL), IDP_OK);
    node_close(&n);
}

/* What has no records is forgotten, but not that it has just claimed. */
Test(quota, a_rate_outlives_its_records) {
    node n;
    idp_token token;
    node_open(&n, ids_ns_limits_none(), of_rate(1, 1));
    cr_assert_eq(claim(n.shards[0], "toys", 1, n.now_ms, &token), IDP_OK);
    drop(n.shards[0], "toys", 1, n.now_ms, token);
    cr_assert_eq(look(n.shards[0], "toys").namespaces, 2);
    cr_assert_eq(claim(n.shards[1], "toys", 1, n.now_ms + 999, NULL),
                 IDP_E_LIMIT);
    cr_assert_eq(claim(n.shards[1], "toys", 1, n.now_ms + 1000, NULL), IDP_OK);
    node_close(&n);
}
