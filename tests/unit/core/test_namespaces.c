/* SPDX-License-Identifier: Apache-2.0 */
/* test_namespaces.c -- who is counted by name; limits that come late; copies.
 */
#include "tests/unit/core/quota_node.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* --- names -----------------------------------------------------------------
 */

static const char *name_of(uint32_t i) {
    static char name[16];
    snprintf(name, sizeof name, "n%u", i);
    return name;
}

Test(quota, the_4097th_name_is_other_until_one_is_given_back) {
    node n;
    idp_token first;
    node_open(&n, ids_ns_limits_none(), ids_ns_limits_none());
    for (uint32_t i = 0; i < IDS_NS_OTHERS_MAX + 3; i++)
        cr_assert_eq(
            claim(n.shards[0], name_of(i), 1, n.now_ms, i == 0 ? &first : NULL),
            IDP_OK);
    cr_assert_eq(look(n.shards[0], "").others, 3);
    /* Named ones have a place in any case. */
    cr_assert_eq(claim(n.shards[0], "shop", 1, n.now_ms, NULL), IDP_OK);
    cr_assert_eq(look(n.shards[0], "shop").counts.records, 1);
    drop(n.shards[0], "n0", 1, n.now_ms, first);
    cr_assert_eq(claim(n.shards[1], "late", 1, n.now_ms, NULL), IDP_OK);
    cr_assert_eq(look(n.shards[1], "late").counts.records, 1);
    cr_assert_eq(claim(n.shards[1], "later", 1, n.now_ms, NULL), IDP_OK);
    cr_assert_eq(look(n.shards[1], "later").counts.records, 0);
    cr_assert_eq(look(n.shards[1], "").others, 1);
    node_close(&n);
}

static void count_on(ids_shard *shard, uint64_t *now_ms) {
    while (ids_shard_is_counting(shard)) {
        cr_assert_leq(ids_shard_next_ms(shard), *now_ms);
        ids_shard_tick(shard, *now_ms, 64);
    }
}

Test(quota, limits_that_come_late_count_what_is_there) {
    enum { RECORDS = 20000 };
    ids_shard *shard = world_shard(&mems[0], shard_config());
    ids_ledger *ledger = new_ledger();
    ids_ns_limits_table *limits =
        new_limits(of_records(RECORDS / 4), ids_ns_limits_none());
    uint64_t now_ms = IDS_CLOCK_START_MS;
    for (uint64_t key = 0; key < RECORDS; key++)
        claim(shard, key % 2 ? "shop" : name_of((uint32_t)key), key, now_ms,
              NULL);
    cr_assert(ids_ledger_name(ledger, limits, now_ms));
    cr_assert(ids_shard_set_limits(shard, limits, ledger, now_ms));
    cr_assert(ids_shard_is_counting(shard));
    /* Some come and go meanwhile. */
    cr_assert_eq(claim(shard, "shop", RECORDS + 1, now_ms, NULL), IDP_OK);
    count_on(shard, &now_ms);
    looked l = look(shard, "shop");
    cr_assert_eq(l.counts.records, RECORDS / 2 + 1);
    cr_assert_eq(l.counts.bytes, (RECORDS / 2 + 1) * (48 + 4 + 8));
    cr_assert_eq(l.others, RECORDS / 2 - IDS_NS_OTHERS_MAX);
    /* There are more than allowed: none is made, and none is lost. */
    cr_assert_eq(claim(shard, "shop", RECORDS + 3, now_ms, NULL),
                 IDP_E_NO_MEMORY);
    world_shard_free(shard, &mems[0]);
    ids_ledger_free(ledger);
    free(limits);
}

/* A name that was counted among the others gets limits of its own. */
Test(quota, what_is_named_leaves_the_others) {
    node n;
    node_open(&n, ids_ns_limits_none(), ids_ns_limits_none());
    for (uint32_t i = 0; i < IDS_NS_OTHERS_MAX + 10; i++)
        claim(n.shards[0], name_of(i), 1, n.now_ms, NULL);
    cr_assert_eq(look(n.shards[0], "").others, 10);
    ids_ns_limits_table *old = n.limits;
    n.limits = new_limits(of_records(1), ids_ns_limits_none());
    n.limits->named[0].ns_len = 5;
    memcpy(n.limits->named[0].ns, "n4100", 5);
    cr_assert(ids_ledger_name(n.ledger, n.limits, n.now_ms));
    for (int i = 0; i < SHARDS; i++)
        cr_assert(
            ids_shard_set_limits(n.shards[i], n.limits, n.ledger, n.now_ms));
    free(old);
    count_on(n.shards[0], &n.now_ms);
    cr_assert_eq(look(n.shards[0], "n4100").counts.records, 1);
    cr_assert_eq(look(n.shards[0], "").others, 9);
    cr_assert_eq(claim(n.shards[1], "n4100", 2, n.now_ms, NULL),
                 IDP_E_NO_MEMORY);
    node_close(&n);
}

/* --- copies ----------------------------------------------------------------
 */

static void carry(void *ctx, const ids_change *change) {
    ids_shard *to = ctx;
    uint64_t hash = world_key_hash(NULL, change->ns, change->key);
    cr_assert(ids_shard_put(to, hash, change, IDS_CLOCK_START_MS));
}

/* A copy counts the same and holds nothing of the limit until it leads, over
 * the limit if need be. */
Test(quota, a_copy_counts_the_same_and_leases_when_it_leads) {
    node n;
    uint64_t cursor = 0;
    node_open(&n, of_records(50), ids_ns_limits_none());
    ids_shard_config config = shard_config();
    config.limits = n.limits;
    config.ledger = n.ledger;
    ids_shard *copy = world_shard(&mems[SHARDS], config);
    ids_shard_follow(copy);
    for (uint64_t key = 0; key < 50; key++)
        cr_assert_eq(claim(n.shards[0], "shop", key, n.now_ms, NULL), IDP_OK);
    uint32_t number = ids_ledger_named(n.ledger, text("shop"));
    while (
        ids_shard_walk(n.shards[0], n.now_ms, &cursor, UINT32_MAX, carry, copy))
        ;
    ids_shard_walk_end(n.shards[0]);
    cr_assert_eq(look(copy, "shop").counts.records, 50);
    cr_assert_eq(look(copy, "shop").counts.bytes,
                 look(n.shards[0], "shop").counts.bytes);
    cr_assert_eq(ids_ledger_at(n.ledger, number)->records, 50);
    ids_shard_lead(copy, 10, 0, n.now_ms);
    cr_assert_eq(ids_ledger_at(n.ledger, number)->records, 100);
    cr_assert_eq(claim(copy, "shop", 51, n.now_ms, NULL), IDP_E_NO_MEMORY);
    world_shard_free(copy, &mems[SHARDS]);
    cr_assert_eq(ids_ledger_at(n.ledger, number)->records, 50);
    node_close(&n);
}
