/* SPDX-License-Identifier: Apache-2.0 */
/* clock.c -- see clock.h.
 *
 * Who finds a gap counts it before it says that the clock was read, so that
 * nobody sees the one without the other. */
#include "server/os/clock.h"

#include "server/base/monotonic.h"
#include "server/core/shard.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint_least64_t offset_ms; /* from the machine's to ours */
static atomic_uint_least64_t floor_ms;  /* ours is never below this */
static atomic_uint_least64_t read_ms;   /* the machine's; 0: never was */
static atomic_bool is_watched;
static atomic_uint_least64_t gaps, gaps_ms;

/* The offset may be below zero: it wraps, and the sum wraps back. */
static uint64_t shown_at(uint64_t machine_ms) {
    uint64_t floor = atomic_load(&floor_ms);
    uint64_t now = machine_ms + atomic_load(&offset_ms);
    return (int64_t)(now - floor) < 0 ? floor : now;
}

static void begin_clock(uint64_t machine_ms, uint64_t now_ms) {
    atomic_store(&offset_ms, now_ms - machine_ms);
    atomic_store(&floor_ms, now_ms);
    atomic_store(&read_ms, machine_ms);
}

static void take_gap(uint64_t machine_ms) {
    pthread_mutex_lock(&lock);
    uint64_t last = atomic_load(&read_ms);
    uint64_t shown_ms = shown_at(last);
    if (last == 0) {
        begin_clock(machine_ms, IDS_CLOCK_START_MS);
    } else if (atomic_load(&is_watched) &&
               machine_ms > last + IDS_CLOCK_GAP_MS) {
        uint64_t gap = machine_ms - last;
        atomic_store(&floor_ms, shown_ms);
        atomic_fetch_sub(&offset_ms, gap + IDS_CLOCK_HOLD_MS);
        atomic_fetch_add(&gaps_ms, gap);
        atomic_fetch_add(&gaps, 1);
        atomic_store(&read_ms, machine_ms);
    } else if (machine_ms > last) {
        atomic_store(&read_ms, machine_ms);
    }
    assert(machine_ms < last || shown_at(machine_ms) >= shown_ms);
    pthread_mutex_unlock(&lock);
}

uint64_t ids_clock_at(uint64_t machine_ms) {
    uint64_t last = atomic_load(&read_ms);
    if (last == 0 || machine_ms > last + IDS_CLOCK_GAP_MS)
        take_gap(machine_ms);
    else
        while (machine_ms > last &&
               !atomic_compare_exchange_weak(&read_ms, &last, machine_ms))
            ;
    return shown_at(machine_ms);
}

uint64_t ids_loop_clock_ms(void) {
    return ids_clock_at(ids_monotonic_ms());
}

void ids_loop_clock_set(uint64_t now_ms) {
    begin_clock(ids_monotonic_ms(), now_ms);
}

void ids_loop_clock_watch(void) {
    ids_loop_clock_ms();
    atomic_store(&is_watched, true);
}

uint64_t ids_loop_clock_gaps(uint64_t *all_ms) {
    uint64_t count = atomic_load(&gaps);
    *all_ms = atomic_load(&gaps_ms);
    return count;
}
