/* SPDX-License-Identifier: Apache-2.0 */
/* test_wheel.c -- nobody's end comes early, and nobody is left behind. */
#include "server/core/wheel.h"
#include "tests/lib/rng.h"
#include "tests/unit/core/world.h"

#include <criterion/criterion.h>

#define MIB (1024u * 1024)

typedef struct hung {
    ids_ref ref;
    uint64_t end_ms;
} hung;

static const uint64_t spans_ms[] = {
    1,    127,    128,     129,      8191,      8192,
    8193, 524288, 3600000, 86400000, 864000000, IDP_TTL_MS_MAX};
#define SPANS (sizeof spans_ms / sizeof spans_ms[0])

static uint64_t end_of(world *w, ids_ref ref) {
    return ids_record_ttl_end_ms(ids_slab_at(&w->slab, ref));
}

static ids_ref hang(world *w, ids_wheel *wheel, uint64_t end_ms) {
    ids_ref ref = world_record(w, 1, 0);
    ids_record *record = ids_slab_at(&w->slab, ref);
    record->ttl_ms = end_ms % IDP_TTL_MS_MAX & ((1ull << 35) - 1);
    record->restart_ms = (end_ms - record->ttl_ms) & ((1ull << 42) - 1);
    ids_wheel_add(wheel, ref);
    return ref;
}

/* Takes off whatever is over; returns how many that were. */
static uint32_t reap(world *w, ids_wheel *wheel, uint64_t now_ms) {
    uint32_t steps = UINT32_MAX, count = 0;
    ids_ref ref;
    while ((ref = ids_wheel_due(wheel, now_ms, &steps)) != 0) {
        cr_assert_leq(end_of(w, ref), now_ms);
        ids_slab_free(&w->slab, ref);
        count++;
    }
    return count;
}

Test(wheel, one_record_ends_within_a_tick_of_its_end_from_any_start) {
    uint64_t seed = 3;
    idt_rng rng;
    uint32_t i;
    world w;
    ids_wheel wheel;
    uint64_t now_ms = 0;
    idt_rng_seed(&rng, seed);
    world_init(&w, 64 * MIB);
    ids_wheel_init(&wheel, &w.slab);
    for (i = 0; i < 1000; i++) {
        uint64_t span = spans_ms[idt_rng_below(&rng, SPANS)];
        uint64_t end_ms = now_ms + 1 + idt_rng_next(&rng) % span;
        hang(&w, &wheel, end_ms);
        if (i % 2 == 0)
            cr_assert_eq(reap(&w, &wheel, end_ms - 1), 0, "seed %lu", seed);
        while (reap(&w, &wheel, now_ms) == 0) {
            uint64_t next_ms = ids_wheel_next_ms(&wheel);
            cr_assert_gt(next_ms, now_ms, "it would spin");
            cr_assert_lt(next_ms, end_ms + IDS_WHEEL_TICK_MS);
            now_ms = next_ms;
        }
        cr_assert_geq(now_ms, end_ms);
        cr_assert_eq(ids_wheel_next_ms(&wheel), UINT64_MAX);
        now_ms += idt_rng_next(&rng) % 100000;
    }
    world_fini(&w);
}

/* Many at once, some put off or taken away while they hang. */
Test(wheel, many_end_in_time_while_others_are_put_off) {
    enum { COUNT = 3000 };
    static hung all[COUNT];
    uint64_t seed = 11, now_ms = 0;
    uint32_t i, left = COUNT, reaped = 0;
    idt_rng rng;
    world w;
    ids_wheel wheel;
    idt_rng_seed(&rng, seed);
    world_init(&w, 64 * MIB);
    ids_wheel_init(&wheel, &w.slab);
    for (i = 0; i < COUNT; i++) {
        all[i].end_ms =
            1 + idt_rng_next(&rng) % spans_ms[idt_rng_below(&rng, 9)];
        all[i].ref = hang(&w, &wheel, all[i].end_ms);
    }
    while (left > 0) {
        uint64_t due = 0;
        now_ms += 1 + idt_rng_next(&rng) % 20000;
        for (i = 0; i < COUNT; i++) {
            if (all[i].ref == 0)
                continue;
            if (all[i].end_ms > now_ms && idt_rng_chance(&rng, 1)) {
                ids_record *r = ids_slab_at(&w.slab, all[i].ref);
                all[i].end_ms += 5000; /* put off, left where it hangs */
                r->ttl_ms += 5000;
            }
            if (all[i].end_ms + IDS_WHEEL_TICK_MS <= now_ms) {
                all[i].ref = 0;
                left--;
                due++;
            }
        }
        reaped += reap(&w, &wheel, now_ms);
        /* A sixteenth of a chunk may be late, and there are few chunks. */
        cr_assert_geq(reaped + COUNT / 8, COUNT - left, "seed %lu: late", seed);
    }
    reap(&w, &wheel, now_ms + IDS_WHEEL_TICK_MS);
    cr_assert_eq(ids_wheel_next_ms(&wheel), UINT64_MAX);
    world_fini(&w);
}

Test(wheel, work_is_left_off_where_the_steps_end) {
    enum { COUNT = 1000 };
    uint32_t i, reaped = 0, turns = 0;
    world w;
    ids_wheel wheel;
    world_init(&w, 64 * MIB);
    ids_wheel_init(&wheel, &w.slab);
    for (i = 0; i < COUNT; i++)
        hang(&w, &wheel, 600000);
    while (reaped < COUNT) {
        uint32_t steps = 10;
        ids_ref ref;
        cr_assert_leq(ids_wheel_next_ms(&wheel), 700000);
        while ((ref = ids_wheel_due(&wheel, 700000, &steps)) != 0) {
            ids_slab_free(&w.slab, ref);
            reaped++;
        }
        turns++;
    }
    cr_assert_geq(turns, COUNT / 10);
    cr_assert_leq(turns, 5 * COUNT / 10);
    world_fini(&w);
}
