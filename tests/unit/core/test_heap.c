/* SPDX-License-Identifier: Apache-2.0 */
/* test_heap.c -- deadlines come out in order, however they went in. */
#include "server/core/heap.h"
#include "tests/lib/rng.h"
#include "tests/unit/core/world.h"

#include <criterion/criterion.h>

Test(heap, fires_in_order_of_time_then_leases_then_age) {
    enum { COUNT = 2000 };
    static ids_timer timers[COUNT];
    uint64_t seed = 5;
    idt_rng rng;
    world w;
    ids_heap heap;
    ids_timer last = {0}, *first;
    uint32_t i, fired = 0;
    idt_rng_seed(&rng, seed);
    world_init(&w, 1024 * 1024);
    ids_heap_init(&heap, &w.budget);
    for (i = 0; i < COUNT; i++) {
        timers[i] = (ids_timer){.due_ms = idt_rng_below(&rng, 300),
                                .number = i,
                                .kind = idt_rng_below(&rng, 2)};
        cr_assert(ids_heap_reserve(&heap, 1));
        ids_heap_add(&heap, &timers[i]);
    }
    for (i = 0; i < COUNT; i += 3) {
        timers[i].due_ms = idt_rng_below(&rng, 300);
        ids_heap_moved(&heap, &timers[i]);
    }
    for (i = 1; i < COUNT; i += 3)
        ids_heap_remove(&heap, &timers[i]);
    while ((first = ids_heap_first(&heap)) != NULL) {
        bool ordered =
            last.due_ms < first->due_ms ||
            (last.due_ms == first->due_ms &&
             (last.kind < first->kind ||
              (last.kind == first->kind && last.number <= first->number)));
        cr_assert(ordered, "seed %lu", seed);
        last = *first;
        ids_heap_remove(&heap, first);
        fired++;
    }
    cr_assert_eq(fired, COUNT - (COUNT + 1) / 3);
    ids_heap_fini(&heap);
    world_fini(&w);
}

Test(heap, no_room_is_said_before_anything_is_added) {
    world w;
    ids_heap heap;
    world_init(&w, 1024 * 1024);
    ids_heap_init(&heap, &w.budget);
    idt_mem_fail_from(&w.mem, 1);
    cr_assert_not(ids_heap_reserve(&heap, 2));
    cr_assert_null(ids_heap_first(&heap));
    ids_heap_fini(&heap);
    world_fini(&w);
}

/* What a crowd that leaves together counts on: its last goes first. */
Test(heap, who_leaves_from_the_end_moves_nobody) {
    enum { COUNT = 500, STAY = 100 };
    static ids_timer timers[COUNT];
    uint32_t at[COUNT];
    world w;
    ids_heap heap;
    world_init(&w, 1024 * 1024);
    ids_heap_init(&heap, &w.budget);
    for (uint32_t i = 0; i < COUNT; i++) {
        timers[i] = (ids_timer){.due_ms = 1000 + i / 7, .number = i};
        cr_assert(ids_heap_reserve(&heap, 1));
        ids_heap_add(&heap, &timers[i]);
        at[i] = timers[i].at;
    }
    for (uint32_t i = COUNT; i-- > STAY;) {
        ids_heap_remove(&heap, &timers[i]);
        for (uint32_t k = 0; k < i; k++)
            cr_assert_eq(timers[k].at, at[k], "%u moved %u", i, k);
    }
    ids_heap_fini(&heap);
    world_fini(&w);
}
