/* SPDX-License-Identifier: Apache-2.0 */
/* test_table.c -- from hash to record, through growth and shrinking. */
#include "server/core/mix.h"
#include "tests/lib/rng.h"
#include "tests/unit/core/world.h"

#include <criterion/criterion.h>

#define MIB   (1024u * 1024)
#define NAMES 60000u

typedef struct tabled {
    world w;
    ids_table table;
    ids_ref refs[NAMES]; /* by number; 0: not in the table */
} tabled;

static tabled t;

static uint64_t hash_plain(uint64_t number) {
    return world_hash(number);
}

/* A thousand names to a tag: chains, not buckets, must carry them. */
static uint64_t hash_clashing(uint64_t number) {
    return world_hash(number / 1000);
}

static void start(void) {
    memset(&t, 0, sizeof t);
    world_init(&t.w, 256 * (size_t)MIB);
    cr_assert(ids_table_init(&t.table, &t.w.budget, &t.w.slab));
}

static bool is_found(uint64_t hash, uint64_t number) {
    ids_place place;
    const ids_record *record =
        ids_table_find(&t.table, hash, text(""), world_key(number), &place);
    if (record == NULL)
        return false;
    cr_assert_eq(ids_place_ref(place), t.refs[number]);
    return true;
}

static void add(uint64_t hash, uint64_t number) {
    t.refs[number] = world_record(&t.w, number, 1);
    cr_assert(ids_table_insert(&t.table, hash, t.refs[number]));
}

static void take(uint64_t hash, uint64_t number) {
    ids_table_remove(&t.table, hash, t.refs[number]);
    ids_slab_free(&t.w.slab, t.refs[number]);
    t.refs[number] = 0;
}

static void check_all(uint64_t (*hash)(uint64_t), uint32_t step) {
    uint64_t number;
    for (number = 0; number < NAMES; number += step)
        cr_assert_eq(is_found(hash(number), number), t.refs[number] != 0,
                     "number %lu", number);
}

static void grow_and_shrink(uint64_t (*hash)(uint64_t), uint32_t names) {
    uint64_t number;
    size_t empty_bytes;
    start();
    empty_bytes = t.w.budget.used_bytes;
    for (number = 0; number < names; number++)
        add(hash(number), number);
    check_all(hash, 1);
    cr_assert_eq(t.table.records, names);
    cr_assert_geq(t.table.buckets * 6ull + 6, names);
    for (number = 0; number < names; number++) {
        take(hash(number), number);
        if (number % 5000 == 0)
            check_all(hash, 7);
    }
    cr_assert_eq(t.table.buckets, 256);
    cr_assert_eq(t.w.budget.used_bytes, empty_bytes);
    ids_table_fini(&t.table);
    world_fini(&t.w);
}

Test(table, grows_and_shrinks_a_bucket_at_a_time_and_loses_nobody) {
    grow_and_shrink(hash_plain, NAMES);
}

Test(table, splits_nothing_when_it_knew_how_many_would_come) {
    uint64_t number;
    start();
    size_t empty_bytes = t.w.budget.used_bytes;
    ids_table_reserve(&t.table, NAMES);
    uint32_t buckets = t.table.buckets;
    cr_assert_geq(buckets * 6ull, NAMES);
    for (number = 0; number < NAMES; number++)
        add(hash_plain(number), number);
    cr_assert_eq(t.table.buckets, buckets);
    ids_table_reserve(&t.table, 10ull * NAMES);
    cr_assert_eq(t.table.buckets, buckets, "it is not empty");
    check_all(hash_plain, 1);
    for (number = 0; number < NAMES; number++)
        take(hash_plain(number), number);
    cr_assert_eq(t.w.budget.used_bytes, empty_bytes);
    ids_table_fini(&t.table);
    world_fini(&t.w);
}

Test(table, reserves_no_more_than_memory_allows) {
    start();
    ids_table_reserve(&t.table, UINT64_MAX);
    cr_assert_leq(t.w.budget.used_bytes, t.w.budget.own.bytes_max);
    ids_table_fini(&t.table);
    world_fini(&t.w);
}

Test(table, carries_names_that_clash) {
    grow_and_shrink(hash_clashing, 6000);
}

Test(table, keeps_whom_it_has_when_any_allocation_fails) {
    uint64_t seed = 7, number, added = 0;
    idt_rng rng;
    uint32_t i;
    idt_rng_seed(&rng, seed);
    start();
    for (i = 0; i < 120000; i++) {
        number = idt_rng_below(&rng, i < 60000 ? NAMES : NAMES / 20);
        if (t.refs[number] != 0) {
            take(hash_plain(number), number);
            added--;
            continue;
        }
        t.refs[number] = world_record(&t.w, number, 1);
        cr_assert_neq(t.refs[number], 0);
        if (idt_rng_chance(&rng, 30))
            idt_mem_fail_from(&t.w.mem, 1);
        if (ids_table_insert(&t.table, hash_plain(number), t.refs[number])) {
            added++;
        } else {
            ids_slab_free(&t.w.slab, t.refs[number]);
            t.refs[number] = 0;
        }
        idt_mem_heal(&t.w.mem);
    }
    cr_assert_eq(t.table.records, added, "seed %lu", seed);
    check_all(hash_plain, 1);
    ids_table_fini(&t.table);
    world_fini(&t.w);
}

/* What a client does that knows hash_key: keys whose hashes agree in the bits
 * that it believes to choose the bucket. */
static uint64_t same_upper_half(uint64_t number) {
    return 0xabcdef01ull << 32 | number;
}

static uint64_t same_lower_half(uint64_t number) {
    return number << 32 | 0xabcdef01;
}

static uint64_t same_ends(uint64_t number) {
    return number << 20 | 7;
}

static uint32_t longest_chain(void) {
    ids_ref refs[IDS_WALK_REFS];
    uint32_t longest = 0;
    for (uint32_t bucket = 0; bucket < t.table.buckets; bucket++) {
        uint32_t left = UINT32_MAX, count = 0;
        while (left > 0)
            count += ids_table_walk(&t.table, bucket, &left, refs);
        longest = count > longest ? count : longest;
    }
    return longest;
}

/* As many as 5 a bucket at random have about 25 in the longest chain. */
static void hash_is_of_no_use(uint64_t (*hash)(uint64_t), uint64_t seed) {
    idt_rng rng;
    ids_mix_key key;
    idt_rng_seed(&rng, seed);
    for (int i = 0; i < 2; i++)
        key.a[i] = idt_rng_next(&rng), key.b[i] = idt_rng_next(&rng);
    start();
    for (uint64_t number = 0; number < NAMES; number++)
        add(ids_mix_hash(&key, hash(number)), number);
    cr_assert_leq(longest_chain(), 200, "seed %lu: %u", seed, longest_chain());
    ids_table_fini(&t.table);
    world_fini(&t.w);
}

Test(table, keys_chosen_with_the_hash_key_do_not_fall_into_one_bucket) {
    for (uint64_t seed = 1; seed <= 4; seed++) {
        hash_is_of_no_use(same_upper_half, seed);
        hash_is_of_no_use(same_lower_half, seed);
        hash_is_of_no_use(same_ends, seed);
    }
}

Test(table, two_secrets_put_the_same_keys_into_other_buckets) {
    ids_mix_key a = {.a = {1, 2}, .b = {3, 4}}, b = {.a = {5, 6}, .b = {7, 8}};
    uint32_t alike = 0;
    for (uint64_t number = 0; number < 1000; number++)
        alike += (ids_mix(&a, world_hash(number)) & 0xff) ==
                 (ids_mix(&b, world_hash(number)) & 0xff);
    cr_assert_leq(alike, 30);
}
