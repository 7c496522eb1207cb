/* SPDX-License-Identifier: Apache-2.0 */
/* test_slab.c -- room for records: nothing overlaps, all comes back. */
#include "tests/lib/rng.h"
#include "tests/unit/core/world.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define MIB (1024u * 1024)

Test(slab, a_slot_has_at_least_the_room_that_was_asked_for) {
    world w;
    size_t bytes;
    world_init(&w, 512 * (size_t)MIB);
    for (bytes = 8; bytes < 140000; bytes = bytes * 9 / 8 + 1) {
        ids_ref ref = ids_slab_alloc(&w.slab, bytes);
        size_t room = ids_slab_slot_bytes(&w.slab, ref);
        cr_assert_neq(ref, 0);
        cr_assert_geq(room, bytes);
        cr_assert_leq(room, bytes + bytes / 16 + 8, "%zu in %zu", bytes, room);
        memset(ids_slab_at(&w.slab, ref), 0xee, room);
        ids_slab_free(&w.slab, ref);
    }
    world_fini(&w);
}

/* Fills each slot with its own number and looks whether it is still there. */
Test(slab, slots_never_overlap_whatever_comes_and_goes) {
    enum { SLOTS = 4000, STEPS = 200000 };
    static ids_ref refs[SLOTS];
    static uint32_t sizes[SLOTS];
    uint64_t seed = 20;
    idt_rng rng;
    world w;
    uint32_t i, k;
    idt_rng_seed(&rng, seed);
    world_init(&w, 256 * (size_t)MIB);
    for (i = 0; i < STEPS; i++) {
        uint32_t at = idt_rng_below(&rng, SLOTS);
        if (refs[at] != 0) {
            const uint8_t *bytes = ids_slab_at(&w.slab, refs[at]);
            for (k = 2; k < sizes[at]; k++)
                cr_assert_eq(bytes[k], (uint8_t)at, "seed %lu", seed);
            ids_slab_free(&w.slab, refs[at]);
            refs[at] = 0;
            continue;
        }
        sizes[at] = 56 + idt_rng_below(&rng, 1u << idt_rng_below(&rng, 14));
        refs[at] = ids_slab_alloc(&w.slab, sizes[at]);
        cr_assert_neq(refs[at], 0);
        memset(ids_slab_at(&w.slab, refs[at]), (int)(uint8_t)at, sizes[at]);
    }
    for (i = 0; i < SLOTS; i++)
        if (refs[i] != 0)
            ids_slab_free(&w.slab, refs[i]);
    cr_assert_eq(w.mem.blocks, 1, "only the chunk list is left");
    world_fini(&w);
}

Test(slab, at_the_limit_it_says_no_and_works_on_when_something_is_freed) {
    static ids_ref refs[20000];
    uint32_t count = 0;
    world w;
    world_init(&w, MIB);
    while ((refs[count] = ids_slab_alloc(&w.slab, 100)) != 0)
        count++;
    cr_assert_gt(count, 5000);
    cr_assert_leq(w.budget.used_bytes, MIB);
    ids_slab_free(&w.slab, refs[--count]);
    cr_assert_neq(refs[count] = ids_slab_alloc(&w.slab, 100), 0);
    count++;
    while (count > 0)
        ids_slab_free(&w.slab, refs[--count]);
    /* Freed room of one class serves another. */
    while (ids_slab_alloc(&w.slab, 500) != 0)
        count++;
    cr_assert_gt(count, 1000);
    world_fini(&w);
}

Test(slab, a_failing_source_changes_nothing) {
    world w;
    size_t before;
    world_init(&w, 64 * MIB);
    before = w.budget.used_bytes;
    idt_mem_fail_from(&w.mem, 1);
    cr_assert_eq(ids_slab_alloc(&w.slab, 100), 0);
    cr_assert_eq(ids_slab_alloc(&w.slab, 60000), 0);
    cr_assert_eq(w.budget.used_bytes, before);
    idt_mem_heal(&w.mem);
    cr_assert_neq(ids_slab_alloc(&w.slab, 100), 0);
    cr_assert_neq(ids_slab_alloc(&w.slab, 60000), 0);
    world_fini(&w);
}
