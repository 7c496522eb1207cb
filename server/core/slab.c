/* SPDX-License-Identifier: Apache-2.0 */
/* slab.c -- room for records: size classes in chunks. See slab.h. Pure. */
#include "server/core/slab.h"

#include <assert.h>
#include <string.h>

#define GRANULE         8u
#define PAGE_BYTES      4096u
#define SMALL_CHUNK_MAX (256u * 1024)
#define CHUNK_MAX       (1024u * 1024)
#define SMALL_SLOT_MAX  (16u * 1024)
#define SLOT_MAX        (128u * 1024) /* over it, a chunk of its own */
#define FINE_BYTES_MAX  512u          /* up to here a class every granule */
#define FINE_CLASSES    (FINE_BYTES_MAX / GRANULE)
#define SEGMENT_CHUNKS  (1u << IDS_SLAB_SEGMENT_BITS)
#define SEGMENT_BYTES   (SEGMENT_CHUNKS * sizeof(ids_chunk))
#define SEGMENTS_MIN    8u
#define SEGMENTS_MAX    (IDS_SLAB_CHUNKS_MAX / SEGMENT_CHUNKS)
#define NO_SLOT         UINT16_MAX

_Static_assert(CHUNK_MAX / PAGE_BYTES < IDS_SLAB_SLOTS_MAX, "slots fit");
_Static_assert((uint64_t)IDS_SLAB_CHUNKS_MAX *SLOT_MAX >= 1ull << 40,
               "1 TiB in chunks of their own, and so in any others");

bool ids_slab_init(ids_slab *slab, ids_budget *budget) {
    memset(slab, 0, sizeof *slab);
    slab->budget = budget;
    slab->segments_max = SEGMENTS_MIN;
    slab->segments =
        ids_budget_alloc(budget, SEGMENTS_MIN * sizeof *slab->segments);
    slab->chunks_used = 1;
    if (slab->segments != NULL)
        memset(slab->segments, 0, SEGMENTS_MIN * sizeof *slab->segments);
    return slab->segments != NULL;
}

/* No chunk is left: their list begins anew. */
static void numbers_forget(ids_slab *slab) {
    uint32_t i;
    for (i = 0; i < slab->segments_max && slab->segments[i] != NULL; i++) {
        ids_budget_free(slab->budget, slab->segments[i], SEGMENT_BYTES);
        slab->segments[i] = NULL;
    }
    slab->chunks_used = 1;
    slab->unused = 0;
}

void ids_slab_fini(ids_slab *slab) {
    uint32_t i;
    for (i = 1; i < slab->chunks_used; i++) {
        ids_chunk *chunk = ids_slab_chunk(slab, i);
        if (chunk->base != NULL)
            ids_budget_free(slab->budget, chunk->base, chunk->bytes);
    }
    numbers_forget(slab);
    ids_budget_free(slab->budget, slab->segments,
                    slab->segments_max * sizeof *slab->segments);
    slab->segments = NULL;
}

/* --- classes -------------------------------------------------------------- */

/* The class of a size above FINE_BYTES_MAX: 16 steps to a doubling. */
static uint32_t coarse_class(uint32_t bytes, uint32_t *slot_bytes) {
    uint32_t top = 31 - (uint32_t)__builtin_clz(bytes - 1);
    uint32_t step = 1u << (top - 4);
    uint32_t nth = (bytes - (1u << top) + step - 1) / step; /* 1..16 */
    *slot_bytes = (1u << top) + nth * step;
    assert(nth >= 1 && nth <= 16);
    assert(*slot_bytes >= bytes && *slot_bytes - bytes < step);
    return FINE_CLASSES + (top - 9) * 16 + nth;
}

static uint32_t class_of(uint32_t bytes, uint32_t *slot_bytes) {
    uint32_t granules = (bytes + GRANULE - 1) / GRANULE;
    if (bytes > FINE_BYTES_MAX)
        return coarse_class(bytes, slot_bytes);
    *slot_bytes = granules * GRANULE;
    return granules;
}

/* --- chunks with room ----------------------------------------------------- */

static uint8_t band_of(const ids_chunk *chunk) {
    if (chunk->live == chunk->slots)
        return IDS_SLAB_BANDS;
    if (chunk->live < 2 * chunk->quarter)
        return chunk->live >= chunk->quarter;
    return chunk->live < 3 * chunk->quarter ? 2 : 3;
}

static void room_remove(ids_slab *slab, ids_chunk *chunk) {
    if (chunk->band == IDS_SLAB_BANDS)
        return;
    if (chunk->prev != 0)
        ids_slab_chunk(slab, chunk->prev)->next = chunk->next;
    else
        slab->with_room[chunk->class][chunk->band] = chunk->next;
    if (chunk->next != 0)
        ids_slab_chunk(slab, chunk->next)->prev = chunk->prev;
    chunk->band = IDS_SLAB_BANDS;
    chunk->band_from = 0;
}

static void room_push(ids_slab *slab, uint32_t number, uint8_t band) {
    ids_chunk *chunk = ids_slab_chunk(slab, number);
    uint32_t *head = &slab->with_room[chunk->class][band];
    assert(chunk->band == IDS_SLAB_BANDS);
    assert(band < IDS_SLAB_BANDS && chunk->live < chunk->slots);
    assert(slab->open[chunk->class] != number);
    assert(chunk->live >= band * chunk->quarter);
    chunk->prev = 0;
    chunk->next = *head;
    if (*head != 0)
        ids_slab_chunk(slab, *head)->prev = number;
    *head = number;
    chunk->band = band;
    chunk->band_from = (uint16_t)(band * chunk->quarter);
}

/* To the list that it belongs in by now. */
static void room_adjust(ids_slab *slab, uint32_t number) {
    ids_chunk *chunk = ids_slab_chunk(slab, number);
    uint8_t band = band_of(chunk);
    room_remove(slab, chunk);
    if (band < IDS_SLAB_BANDS)
        room_push(slab, number, band);
    else
        chunk->band_from = chunk->slots;
}

/* --- chunks --------------------------------------------------------------- */

/* Twice the room for segments' addresses. */
static bool segments_grow(ids_slab *slab) {
    uint32_t count = slab->segments_max * 2;
    size_t had = slab->segments_max * sizeof *slab->segments;
    ids_chunk **segments;
    if (slab->segments_max >= SEGMENTS_MAX)
        return false;
    segments = ids_budget_alloc(slab->budget, count * sizeof *segments);
    if (segments == NULL)
        return false;
    memcpy(segments, slab->segments, had);
    memset(segments + slab->segments_max, 0, had);
    ids_budget_free(slab->budget, slab->segments, had);
    slab->segments = segments;
    slab->segments_max = count;
    return true;
}

/* A number for a chunk; 0 when there is no memory for one. */
static uint32_t number_take(ids_slab *slab) {
    uint32_t number = slab->unused, segment;
    if (number != 0) {
        assert(ids_slab_chunk(slab, number)->base == NULL);
        slab->unused = ids_slab_chunk(slab, number)->next;
        return number;
    }
    segment = slab->chunks_used >> IDS_SLAB_SEGMENT_BITS;
    if (segment == slab->segments_max && !segments_grow(slab))
        return 0;
    if (slab->segments[segment] == NULL) {
        slab->segments[segment] = ids_budget_alloc(slab->budget, SEGMENT_BYTES);
        if (slab->segments[segment] == NULL)
            return 0;
        memset(slab->segments[segment], 0, SEGMENT_BYTES);
    }
    assert(slab->chunks_used < IDS_SLAB_CHUNKS_MAX);
    return slab->chunks_used++;
}

static void number_give(ids_slab *slab, uint32_t number) {
    ids_chunk *chunk = ids_slab_chunk(slab, number);
    assert(number > 0 && number < slab->chunks_used);
    assert(chunk->live == 0);
    chunk->base = NULL;
    chunk->next = slab->unused;
    slab->unused = number;
}

/* How many slots a new chunk of this class is to have: an eighth of those
 * there are, so that a class which holds little ties up little. */
static uint32_t slots_for(const ids_slab *slab, uint32_t class,
                          uint32_t slot_bytes) {
    uint32_t most = slot_bytes > SMALL_SLOT_MAX ? CHUNK_MAX : SMALL_CHUNK_MAX;
    uint64_t bytes = slab->class_bytes[class] / 8;
    if (class == IDS_SLAB_OWN_CLASS)
        return 1;
    if (bytes > most)
        bytes = most;
    return bytes < slot_bytes ? 1 : (uint32_t)(bytes / slot_bytes);
}

/* Whole pages, and as many slots as go in. */
static void chunk_plan(ids_chunk *chunk, uint32_t slots, uint32_t slot_bytes) {
    uint32_t bytes = slots * slot_bytes;
    assert(slots > 0 && slot_bytes >= GRANULE);
    chunk->bytes = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    slots = chunk->bytes / slot_bytes;
    if (chunk->class == IDS_SLAB_OWN_CLASS)
        slots = 1;
    if (slots > IDS_SLAB_SLOTS_MAX)
        slots = IDS_SLAB_SLOTS_MAX;
    chunk->slots = (uint16_t)slots;
    chunk->quarter = (uint16_t)((slots + 3) / 4);
    chunk->slot_bytes = slot_bytes;
    assert(chunk->slots > 0);
    assert((uint64_t)chunk->slots * slot_bytes <= chunk->bytes);
}

static void class_count(ids_slab *slab, const ids_chunk *chunk, int sign) {
    slab->class_bytes[chunk->class] += (uint64_t)((int64_t)chunk->bytes * sign);
    slab->class_slots[chunk->class] += (uint64_t)((int64_t)chunk->slots * sign);
    assert(slab->class_live[chunk->class] <= slab->class_slots[chunk->class]);
}

/* A chunk of this class with nothing in it, in no list; 0 when there is no
 * memory, not even for a smaller one. */
static uint32_t chunk_new(ids_slab *slab, uint32_t class, uint32_t slot_bytes) {
    uint32_t slots = slots_for(slab, class, slot_bytes);
    uint32_t number = number_take(slab);
    ids_chunk *chunk;
    assert(class < IDS_SLAB_CLASSES);
    if (number == 0)
        return 0;
    chunk = ids_slab_chunk(slab, number);
    memset(chunk, 0, sizeof *chunk);
    chunk->class = (uint8_t) class;
    chunk->band = IDS_SLAB_BANDS;
    chunk->free_head = NO_SLOT;
    chunk->due_ms = UINT64_MAX;
    chunk_plan(chunk, slots, slot_bytes);
    chunk->base = ids_budget_alloc(slab->budget, chunk->bytes);
    while (chunk->base == NULL && slots > 1) {
        slots = slots / 4 + 1;
        chunk_plan(chunk, slots, slot_bytes);
        chunk->base = ids_budget_alloc(slab->budget, chunk->bytes);
    }
    if (chunk->base == NULL) {
        number_give(slab, number);
        return 0;
    }
    slab->chunks_live++;
    class_count(slab, chunk, 1);
    return number;
}

static void chunk_release(ids_slab *slab, uint32_t number) {
    ids_chunk *chunk = ids_slab_chunk(slab, number);
    assert(slab->chunks_live > 0 && chunk->base != NULL);
    assert(chunk->live == 0);
    if (slab->on_release != NULL)
        slab->on_release(slab->release_ctx, number);
    if (slab->victim == number)
        slab->victim = 0;
    if (slab->open[chunk->class] == number)
        slab->open[chunk->class] = 0;
    room_remove(slab, chunk);
    class_count(slab, chunk, -1);
    ids_budget_free(slab->budget, chunk->base, chunk->bytes);
    number_give(slab, number);
    if (--slab->chunks_live == 0)
        numbers_forget(slab);
}

/* --- slots ---------------------------------------------------------------- */

/* Opens the fullest chunk of this class that has room, so that the others may
 * empty. 0: there is none. */
static uint32_t open_fullest(ids_slab *slab, uint32_t class) {
    uint32_t band = IDS_SLAB_BANDS, number = 0;
    assert(slab->open[class] == 0);
    while (number == 0 && band-- > 0)
        number = slab->with_room[class][band];
    if (number != 0)
        room_remove(slab, ids_slab_chunk(slab, number));
    slab->open[class] = number;
    return number;
}

/* The next slot of an open chunk: the last one freed (it is warm), or the first
 * never used. */
static ids_ref slot_take(ids_slab *slab, uint32_t number) {
    ids_chunk *chunk = ids_slab_chunk(slab, number);
    uint32_t slot = chunk->free_head;
    assert(slab->open[chunk->class] == number);
    if (slot != NO_SLOT) {
        const uint64_t *word = ids_slab_slot_at(chunk, slot);
        chunk->free_head = (uint16_t)(*word >> 48);
        assert(slot < chunk->bump);
    } else {
        assert(chunk->bump < chunk->slots);
        slot = chunk->bump++;
    }
    slab->class_live[chunk->class]++;
    if (++chunk->live == chunk->slots) {
        chunk->band_from = chunk->slots;
        slab->open[chunk->class] = 0;
    }
    return ids_ref_of(number, slot);
}

/* No chunk of the class is open. */
static ids_ref alloc_anew(ids_slab *slab, uint32_t class, uint32_t slot_bytes) {
    uint32_t number = open_fullest(slab, class);
    if (number == 0)
        slab->open[class] = number = chunk_new(slab, class, slot_bytes);
    return number == 0 ? 0 : slot_take(slab, number);
}

static ids_ref alloc_in(ids_slab *slab, uint32_t class, uint32_t slot_bytes) {
    uint32_t number = slab->open[class];
    return number != 0 ? slot_take(slab, number)
                       : alloc_anew(slab, class, slot_bytes);
}

ids_ref ids_slab_alloc(ids_slab *slab, size_t bytes) {
    uint32_t slot_bytes, class;
    assert(bytes >= GRANULE);
    if (bytes > UINT32_MAX / 2)
        return 0;
    if (bytes > SLOT_MAX)
        return alloc_in(slab, IDS_SLAB_OWN_CLASS, (uint32_t)(bytes + 7) & ~7u);
    class = class_of((uint32_t)bytes, &slot_bytes);
    return alloc_in(slab, class, slot_bytes);
}

ids_ref ids_slab_alloc_larger(ids_slab *slab, size_t bytes) {
    uint32_t slot_bytes, class, number = 0;
    if (bytes > SLOT_MAX)
        return 0;
    class = class_of((uint32_t)bytes, &slot_bytes);
    while (number == 0 && ++class < IDS_SLAB_OWN_CLASS)
        number = slab->open[class] != 0 ? slab->open[class]
                                        : open_fullest(slab, class);
    assert(number == 0 || ids_slab_chunk(slab, number)->slot_bytes >= bytes);
    return number == 0 ? 0 : slot_take(slab, number);
}

ids_ref ids_slab_alloc_bucket(ids_slab *slab, size_t bytes) {
    return alloc_in(slab, IDS_SLAB_BUCKET_CLASS, (uint32_t)bytes);
}

void ids_slab_free(ids_slab *slab, ids_ref ref) {
    uint32_t number = ids_ref_chunk(ref), slot = ids_ref_slot(ref);
    ids_chunk *chunk;
    uint64_t *word;
    assert(number > 0 && number < slab->chunks_used);
    chunk = ids_slab_chunk(slab, number);
    assert(chunk->live > 0 && slot < chunk->bump);
    chunk->live--;
    slab->class_live[chunk->class]--;
    if (chunk->live == 0) {
        chunk_release(slab, number);
        return;
    }
    word = ids_slab_slot_at(chunk, slot);
    *word = (uint64_t)chunk->free_head << 48;
    assert(slot != chunk->free_head);
    chunk->free_head = (uint16_t)slot;
    slab->freed_bytes += chunk->slot_bytes;
    if (chunk->live < chunk->band_from)
        room_adjust(slab, number);
}

size_t ids_slab_slot_bytes(const ids_slab *slab, ids_ref ref) {
    return ids_slab_chunk(slab, ids_ref_chunk(ref))->slot_bytes;
}

/* --- emptying ------------------------------------------------------------- */

/* Whether the class's other chunks have room for what is in this one, and it
 * pays: an eighth of all is unused, or somebody needs memory. */
static bool may_empty(const ids_slab *slab, const ids_chunk *chunk,
                      bool eager) {
    uint64_t slots = slab->class_slots[chunk->class];
    uint64_t room = slots - slab->class_live[chunk->class];
    assert(slab->class_live[chunk->class] <= slots);
    return room >= chunk->slots && (eager || room >= slots / 8);
}

/* The chunk of the class that has least in it, as far as the bands say; 0: all
 * are too full to be emptied. */
static uint32_t emptiest(const ids_slab *slab, uint32_t class, bool eager) {
    uint32_t band, bands = eager ? IDS_SLAB_BANDS : 2;
    for (band = 0; band < bands; band++)
        if (slab->with_room[class][band] != 0)
            return slab->with_room[class][band];
    return 0;
}

/* The one that gives most bytes back for a slot that is moved. */
static uint32_t victim_find(const ids_slab *slab, bool eager) {
    uint32_t class, best = 0, best_bytes = 0;
    for (class = 0; class < IDS_SLAB_OWN_CLASS; class ++) {
        uint32_t number = emptiest(slab, class, eager);
        const ids_chunk *chunk;
        if (number == 0)
            continue;
        chunk = ids_slab_chunk(slab, number);
        assert(chunk->class == class && chunk->live > 0);
        if (chunk->bytes / chunk->live > best_bytes &&
            may_empty(slab, chunk, eager)) {
            best = number;
            best_bytes = chunk->bytes / chunk->live;
        }
    }
    return best;
}

void ids_slab_spare_victim(ids_slab *slab) {
    uint32_t number = slab->victim;
    assert(number == 0 || ids_slab_chunk(slab, number)->band == IDS_SLAB_BANDS);
    slab->victim = 0;
    slab->freed_bytes = 0;
    if (number != 0)
        room_adjust(slab, number);
}

static bool victim_choose(ids_slab *slab, bool eager) {
    assert(slab->victim == 0);
    if (!ids_slab_is_sparse(slab) && !eager)
        return false;
    slab->victim = victim_find(slab, eager);
    slab->victim_slot = 0;
    if (slab->victim == 0) {
        slab->freed_bytes = 0;
        return false;
    }
    room_remove(slab, ids_slab_chunk(slab, slab->victim));
    return true;
}

ids_ref ids_slab_victim(ids_slab *slab, bool eager) {
    const ids_chunk *chunk;
    if (slab->victim == 0 && !victim_choose(slab, eager))
        return 0;
    chunk = ids_slab_chunk(slab, slab->victim);
    assert(slab->victim_slot <= chunk->bump);
    assert(chunk->live > 0);
    while (slab->victim_slot < chunk->bump)
        if (ids_slab_is_live(chunk, slab->victim_slot++))
            return ids_ref_of(slab->victim, slab->victim_slot - 1);
    assert(!"a chunk with slots in use has one");
    return 0;
}
