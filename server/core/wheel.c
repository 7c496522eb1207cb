/* SPDX-License-Identifier: Apache-2.0 */
/* wheel.c -- the retention wheel. See wheel.h. Pure. */
#include "server/core/wheel.h"

#include <assert.h>

#define LEVEL_BITS 6
#define SLOT_MASK  (IDS_WHEEL_SLOTS - 1)
#define TICKS_MAX  ((1ull << (IDS_WHEEL_LEVELS * LEVEL_BITS)) - 1)

_Static_assert(IDP_TTL_MS_MAX / IDS_WHEEL_TICK_MS < TICKS_MAX,
               "the longest retention fits the widest level");

/* A list's first record points back to its slot. */
static ids_ref slot_mark(uint32_t level, uint32_t slot) {
    return IDS_REF_MARK | (level * IDS_WHEEL_SLOTS + slot);
}

static ids_record *record_at(const ids_wheel *wheel, ids_ref ref) {
    return ids_slab_at(wheel->slab, ref);
}

void ids_wheel_init(ids_wheel *wheel, ids_slab *slab) {
    memset(wheel, 0, sizeof *wheel);
    wheel->slab = slab;
}

/* The first tick at whose start a record with this end is over. */
static uint64_t tick_for(uint64_t end_ms) {
    return (end_ms + IDS_WHEEL_TICK_MS - 1) / IDS_WHEEL_TICK_MS;
}

static uint32_t level_for(uint64_t ticks_ahead) {
    uint32_t level = 0;
    while (ticks_ahead >> ((level + 1) * LEVEL_BITS) != 0)
        level++;
    return level;
}

void ids_wheel_add(ids_wheel *wheel, ids_ref ref) {
    ids_record *record = record_at(wheel, ref);
    uint64_t tick = tick_for(ids_record_ttl_end_ms(record));
    uint32_t level, slot;
    if (tick < wheel->tick)
        tick = wheel->tick;
    if (tick - wheel->tick > TICKS_MAX) /* nobody turned it for years */
        tick = wheel->tick + TICKS_MAX;
    level = level_for(tick - wheel->tick);
    assert(level < IDS_WHEEL_LEVELS);
    slot = (uint32_t)(tick >> (level * LEVEL_BITS)) & SLOT_MASK;
    record->wheel_next = wheel->slots[level][slot];
    record->wheel_prev = slot_mark(level, slot);
    if (record->wheel_next != 0)
        record_at(wheel, record->wheel_next)->wheel_prev = ref;
    wheel->slots[level][slot] = ref;
    wheel->used[level] |= 1ull << slot;
}

/* Lets what came before the record point to `to` instead. */
static void relink_before(ids_wheel *wheel, const ids_record *record,
                          ids_ref to) {
    uint32_t mark = record->wheel_prev - IDS_REF_MARK;
    uint32_t level = mark / IDS_WHEEL_SLOTS, slot = mark % IDS_WHEEL_SLOTS;
    if (record->wheel_prev < IDS_REF_MARK) {
        record_at(wheel, record->wheel_prev)->wheel_next = to;
        return;
    }
    wheel->slots[level][slot] = to;
    if (to == 0)
        wheel->used[level] &= ~(1ull << slot);
}

void ids_wheel_remove(ids_wheel *wheel, ids_ref ref) {
    const ids_record *record = record_at(wheel, ref);
    relink_before(wheel, record, record->wheel_next);
    if (record->wheel_next != 0)
        record_at(wheel, record->wheel_next)->wheel_prev = record->wheel_prev;
}

void ids_wheel_moved(ids_wheel *wheel, ids_ref to) {
    const ids_record *record = record_at(wheel, to);
    relink_before(wheel, record, to);
    if (record->wheel_next != 0)
        record_at(wheel, record->wheel_next)->wheel_prev = to;
}

static bool level_turns(const ids_wheel *wheel, uint32_t level) {
    return (wheel->tick & ((1ull << (level * LEVEL_BITS)) - 1)) == 0;
}

/* The tick at which the level has a slot to work off. The slot the wheel
 * stands on is due when the level has just turned to it; otherwise what is
 * in it comes a whole round later. */
static uint64_t level_next_tick(const ids_wheel *wheel, uint32_t level) {
    uint64_t at = wheel->tick >> (level * LEVEL_BITS);
    uint32_t here = (uint32_t)at & SLOT_MASK;
    uint64_t ahead;
    if (wheel->used[level] == 0)
        return UINT64_MAX;
    ahead = wheel->used[level] >> here;
    if (here != 0)
        ahead |= wheel->used[level] << (IDS_WHEEL_SLOTS - here);
    if ((ahead & 1) != 0 && level_turns(wheel, level))
        return wheel->tick;
    ahead &= ~1ull;
    at += ahead == 0 ? IDS_WHEEL_SLOTS : (uint32_t)__builtin_ctzll(ahead);
    return at << (level * LEVEL_BITS);
}

static uint64_t next_tick(const ids_wheel *wheel) {
    uint64_t next = UINT64_MAX;
    uint32_t level;
    for (level = 0; level < IDS_WHEEL_LEVELS; level++) {
        uint64_t tick = level_next_tick(wheel, level);
        if (tick < next)
            next = tick;
    }
    return next;
}

uint64_t ids_wheel_next_ms(const ids_wheel *wheel) {
    uint64_t tick = next_tick(wheel);
    return tick == UINT64_MAX ? tick : tick * IDS_WHEEL_TICK_MS;
}

/* A record of the widest slot that the wheel turns to at its tick; 0: there
 * is none. */
static ids_ref head_here(const ids_wheel *wheel, uint32_t *level) {
    uint32_t l = IDS_WHEEL_LEVELS;
    while (l-- > 0) {
        uint32_t slot = (uint32_t)(wheel->tick >> (l * LEVEL_BITS)) & SLOT_MASK;
        if (level_turns(wheel, l) && wheel->slots[l][slot] != 0) {
            *level = l;
            return wheel->slots[l][slot];
        }
    }
    return 0;
}

/* Whoever hung behind it is looked at next, and lies anywhere. */
static void prefetch_next(const ids_wheel *wheel, ids_ref ref) {
    ids_ref next = record_at(wheel, ref)->wheel_next;
    if (next != 0)
        __builtin_prefetch(record_at(wheel, next));
}

ids_ref ids_wheel_due(ids_wheel *wheel, uint64_t now_ms, uint32_t *steps) {
    uint64_t now_tick = now_ms / IDS_WHEEL_TICK_MS;
    while (*steps > 0) {
        uint64_t tick = next_tick(wheel);
        uint32_t level = 0;
        ids_ref ref;
        if (tick > now_tick) {
            /* Nothing hangs before it, so the wheel may stand at now. */
            if (wheel->tick < now_tick)
                wheel->tick = now_tick;
            return 0;
        }
        wheel->tick = tick;
        ref = head_here(wheel, &level);
        assert(ref != 0);
        --*steps;
        ids_wheel_remove(wheel, ref);
        prefetch_next(wheel, ref);
        if (ids_record_ttl_end_ms(record_at(wheel, ref)) <= now_ms)
            return ref;
        ids_wheel_add(wheel, ref);
    }
    return 0;
}
