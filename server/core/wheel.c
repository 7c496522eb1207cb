/* SPDX-License-Identifier: Apache-2.0 */
/* wheel.c -- the retention wheel. See wheel.h. Pure. */
#include "server/core/wheel.h"

#include <assert.h>

#define LEVEL_BITS 6
#define SLOT_MASK  (IDS_WHEEL_SLOTS - 1)
#define TICKS_MAX  ((1ull << (IDS_WHEEL_LEVELS * LEVEL_BITS)) - 1)

_Static_assert(IDP_TTL_MS_MAX / IDS_WHEEL_TICK_MS < TICKS_MAX,
               "the longest retention fits the widest level");

#define NOT_OVER_A_STEP 16 /* records looked at for one step */

static ids_chunk *chunk_at(const ids_wheel *wheel, uint32_t number) {
    return ids_slab_chunk(wheel->slab, number);
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

static void hang(ids_wheel *wheel, uint32_t number) {
    ids_chunk *chunk = chunk_at(wheel, number);
    uint64_t tick = tick_for(chunk->due_ms);
    uint32_t level, slot;
    assert(number > 0);
    assert(!chunk->hung);
    assert(chunk->due_ms != UINT64_MAX);
    if (tick < wheel->tick)
        tick = wheel->tick;
    if (tick - wheel->tick > TICKS_MAX) /* nobody turned it for years */
        tick = wheel->tick + TICKS_MAX;
    level = level_for(tick - wheel->tick);
    assert(level < IDS_WHEEL_LEVELS);
    slot = (uint32_t)(tick >> (level * LEVEL_BITS)) & SLOT_MASK;
    chunk->wheel_next = wheel->slots[level][slot];
    chunk->wheel_prev = 0;
    chunk->wheel_slot = level * IDS_WHEEL_SLOTS + slot;
    if (chunk->wheel_next != 0)
        chunk_at(wheel, chunk->wheel_next)->wheel_prev = number;
    wheel->slots[level][slot] = number;
    wheel->used[level] |= 1ull << slot;
    chunk->hung = true;
}

static void take_off(ids_wheel *wheel, uint32_t number) {
    ids_chunk *chunk = chunk_at(wheel, number);
    uint32_t level = chunk->wheel_slot / IDS_WHEEL_SLOTS;
    uint32_t slot = chunk->wheel_slot % IDS_WHEEL_SLOTS;
    if (!chunk->hung)
        return;
    assert(level < IDS_WHEEL_LEVELS);
    chunk->hung = false;
    if (chunk->wheel_next != 0)
        chunk_at(wheel, chunk->wheel_next)->wheel_prev = chunk->wheel_prev;
    if (chunk->wheel_prev != 0) {
        chunk_at(wheel, chunk->wheel_prev)->wheel_next = chunk->wheel_next;
        return;
    }
    assert(wheel->slots[level][slot] == number);
    wheel->slots[level][slot] = chunk->wheel_next;
    if (chunk->wheel_next == 0)
        wheel->used[level] &= ~(1ull << slot);
}

static void on_release(void *ctx, uint32_t number) {
    ids_wheel *wheel = ctx;
    take_off(wheel, number);
    if (wheel->look.chunk == number)
        wheel->look.chunk = 0;
}

void ids_wheel_init(ids_wheel *wheel, ids_slab *slab) {
    assert(slab->on_release == NULL);
    assert(slab->chunks_live == 0);
    memset(wheel, 0, sizeof *wheel);
    wheel->slab = slab;
    slab->on_release = on_release;
    slab->release_ctx = wheel;
}

/* The chunk's first end is known to be this one now. Rare, and kept out of the
 * way of all other adds. */
__attribute__((noinline)) static void
come_nearer(ids_wheel *wheel, uint32_t number, uint64_t end_ms) {
    chunk_at(wheel, number)->due_ms = end_ms;
    if (wheel->look.chunk == number)
        return;
    take_off(wheel, number);
    hang(wheel, number);
}

void ids_wheel_add(ids_wheel *wheel, ids_ref ref) {
    uint32_t number = ids_ref_chunk(ref);
    ids_chunk *chunk = chunk_at(wheel, number);
    uint64_t end_ms =
        ids_record_ttl_end_ms(ids_slab_slot_at(chunk, ids_ref_slot(ref)));
    if (chunk->rescans > 0 && end_ms > wheel->now_ms)
        end_ms += (end_ms - wheel->now_ms) / 16; /* others end by then */
    if (end_ms < chunk->due_ms)
        come_nearer(wheel, number, end_ms);
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
    assert(at << (level * LEVEL_BITS) > wheel->tick);
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
    assert(next >= wheel->tick);
    return next;
}

uint64_t ids_wheel_next_ms(const ids_wheel *wheel) {
    uint64_t tick = next_tick(wheel);
    if (wheel->look.chunk != 0)
        return wheel->now_ms;
    return tick == UINT64_MAX ? tick : tick * IDS_WHEEL_TICK_MS;
}

/* A chunk of the widest slot that the wheel turns to at its tick; 0: there
 * is none. */
static uint32_t head_here(const ids_wheel *wheel) {
    uint32_t l = IDS_WHEEL_LEVELS;
    while (l-- > 0) {
        uint32_t slot = (uint32_t)(wheel->tick >> (l * LEVEL_BITS)) & SLOT_MASK;
        if (level_turns(wheel, l) && wheel->slots[l][slot] != 0)
            return wheel->slots[l][slot];
    }
    return 0;
}

static void look_begin(ids_wheel *wheel, uint32_t number) {
    assert(wheel->look.chunk == 0);
    assert(!chunk_at(wheel, number)->hung);
    chunk_at(wheel, number)->due_ms = UINT64_MAX;
    wheel->look = (ids_wheel_look){.chunk = number, .first_end_ms = UINT64_MAX};
}

static void look_note(ids_wheel_look *look, uint64_t end_ms, uint64_t now_ms) {
    assert(end_ms > now_ms);
    assert(end_ms - now_ms < 1ull << IDS_WHEEL_SPANS);
    look->spans[63 - __builtin_clzll(end_ms - now_ms)]++;
    look->left++;
    assert(look->left <= IDS_SLAB_SLOTS_MAX);
    if (end_ms < look->first_end_ms)
        look->first_end_ms = end_ms;
}

/* By when a sixteenth of those that are left is over, roughly. */
static uint64_t look_next_ms(const ids_wheel_look *look, uint64_t now_ms) {
    uint32_t counted = 0, span = 0;
    if (look->left == 0)
        return UINT64_MAX;
    for (; span < IDS_WHEEL_SPANS; span++) {
        counted += look->spans[span];
        if (counted > look->left / 16)
            break;
    }
    if (now_ms + (1ull << span) > look->first_end_ms)
        return now_ms + (1ull << span);
    return look->first_end_ms;
}

/* What was added meanwhile has its word too; but who has just been given is
 * not found again at the same moment. */
static void look_end(ids_wheel *wheel) {
    uint32_t number = wheel->look.chunk;
    ids_chunk *chunk = chunk_at(wheel, number);
    uint64_t due_ms = look_next_ms(&wheel->look, wheel->now_ms);
    assert(number > 0);
    assert(!chunk->hung);
    wheel->look.chunk = 0;
    if (chunk->rescans < UINT8_MAX)
        chunk->rescans++;
    if (due_ms < chunk->due_ms)
        chunk->due_ms = due_ms;
    if (chunk->due_ms <= wheel->now_ms)
        chunk->due_ms = wheel->now_ms + 1;
    assert(chunk->due_ms > wheel->now_ms);
    if (chunk->due_ms != UINT64_MAX)
        hang(wheel, number);
}

/* The next record of the chunk that is over; 0: the chunk is through, or the
 * steps are. */
static ids_ref look_on(ids_wheel *wheel, uint32_t *steps) {
    ids_wheel_look *look = &wheel->look;
    const ids_chunk *chunk = chunk_at(wheel, look->chunk);
    assert(look->slot <= chunk->bump);
    while (*steps > 0 && look->slot < chunk->bump) {
        uint32_t slot = look->slot++;
        const ids_record *record = ids_slab_slot_at(chunk, slot);
        uint64_t end_ms;
        if (look->slot % NOT_OVER_A_STEP == 0)
            --*steps;
        if (!ids_slab_is_live(chunk, slot))
            continue;
        end_ms = ids_record_ttl_end_ms(record);
        if (end_ms <= wheel->now_ms) {
            *steps -= *steps > 0;
            return ids_ref_of(look->chunk, slot);
        }
        look_note(look, end_ms, wheel->now_ms);
    }
    if (look->slot == chunk->bump)
        look_end(wheel);
    return 0;
}

/* The next chunk that is due; false: there is none. */
static bool look_for_chunk(ids_wheel *wheel) {
    uint64_t now_tick = wheel->now_ms / IDS_WHEEL_TICK_MS;
    uint64_t tick = next_tick(wheel);
    uint32_t number;
    if (tick > now_tick) {
        /* Nothing hangs before it, so the wheel may stand at now. */
        if (wheel->tick < now_tick)
            wheel->tick = now_tick;
        return false;
    }
    assert(tick >= wheel->tick);
    wheel->tick = tick;
    number = head_here(wheel);
    assert(number != 0);
    take_off(wheel, number);
    if (chunk_at(wheel, number)->due_ms <= wheel->now_ms)
        look_begin(wheel, number);
    else
        hang(wheel, number);
    return true;
}

ids_ref ids_wheel_due(ids_wheel *wheel, uint64_t now_ms, uint32_t *steps) {
    ids_ref ref = 0;
    wheel->now_ms = now_ms;
    while (ref == 0 && *steps > 0) {
        if (wheel->look.chunk != 0) {
            ref = look_on(wheel, steps);
            continue;
        }
        --*steps;
        if (!look_for_chunk(wheel))
            return 0;
    }
    assert(ref == 0 ||
           ids_record_ttl_end_ms(ids_slab_at(wheel->slab, ref)) <= now_ms);
    return ref;
}
