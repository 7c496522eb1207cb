/* SPDX-License-Identifier: Apache-2.0 */
/* slab.c -- room for records: size classes in chunks. See slab.h. Pure. */
#include "server/core/slab.h"

#include <assert.h>
#include <string.h>

#define GRANULE         8u
#define CHUNK_BYTES_MIN (16u * 1024)
#define CHUNK_BYTES_MAX (256u * 1024)
#define FINE_BYTES_MAX  512u /* up to here a class every granule */
#define FINE_CLASSES    (FINE_BYTES_MAX / GRANULE)
#define LARGE           UINT16_MAX
#define NO_SLOT         UINT16_MAX

_Static_assert(CHUNK_BYTES_MAX / GRANULE <= 1u << IDS_SLAB_GRANULE_BITS,
               "a granule number fits its bits");

/* A thousand chunks fill the budget, so that classes which hold little do
 * not tie up much of it. */
static uint32_t chunk_bytes_for(size_t budget_bytes) {
    uint32_t bytes = CHUNK_BYTES_MIN;
    while (bytes < CHUNK_BYTES_MAX && bytes < budget_bytes / 1024)
        bytes *= 2;
    return bytes;
}

bool ids_slab_init(ids_slab *slab, ids_budget *budget) {
    size_t count;
    memset(slab, 0, sizeof *slab);
    slab->budget = budget;
    slab->chunk_bytes = chunk_bytes_for(budget->bytes_max);
    /* The smallest chunk is a large record's, of an eighth of a chunk. */
    count = budget->bytes_max / (slab->chunk_bytes / 8) + 2;
    if (count > IDS_SLAB_CHUNKS_MAX)
        count = IDS_SLAB_CHUNKS_MAX;
    slab->chunks_max = (uint32_t)count;
    slab->chunks = ids_budget_alloc(budget, count * sizeof *slab->chunks);
    slab->chunks_used = 1;
    return slab->chunks != NULL;
}

static size_t chunk_size(const ids_slab *slab, const ids_chunk *chunk) {
    return chunk->class == LARGE ? chunk->slot_bytes : slab->chunk_bytes;
}

void ids_slab_fini(ids_slab *slab) {
    uint32_t i;
    for (i = 1; i < slab->chunks_used; i++) {
        ids_chunk *chunk = &slab->chunks[i];
        if (chunk->base != NULL)
            ids_budget_free(slab->budget, chunk->base, chunk_size(slab, chunk));
    }
    ids_budget_free(slab->budget, slab->chunks,
                    slab->chunks_max * sizeof *slab->chunks);
    slab->chunks = NULL;
}

/* The class of a size above FINE_BYTES_MAX: 16 steps to a doubling. */
static uint32_t coarse_class(uint32_t bytes, uint32_t *slot_bytes) {
    uint32_t top = 31 - (uint32_t)__builtin_clz(bytes - 1);
    uint32_t step = 1u << (top - 4);
    uint32_t nth = (bytes - (1u << top) + step - 1) / step; /* 1..16 */
    *slot_bytes = (1u << top) + nth * step;
    return FINE_CLASSES + (top - 9) * 16 + nth;
}

static uint32_t class_of(uint32_t bytes, uint32_t *slot_bytes) {
    uint32_t granules = (bytes + GRANULE - 1) / GRANULE;
    if (bytes > FINE_BYTES_MAX)
        return coarse_class(bytes, slot_bytes);
    *slot_bytes = granules * GRANULE;
    return granules;
}

static void room_push(ids_slab *slab, uint32_t number) {
    ids_chunk *chunk = &slab->chunks[number];
    uint32_t head = slab->with_room[chunk->class];
    chunk->prev = 0;
    chunk->next = head;
    if (head != 0)
        slab->chunks[head].prev = number;
    slab->with_room[chunk->class] = number;
}

static void room_remove(ids_slab *slab, uint32_t number) {
    ids_chunk *chunk = &slab->chunks[number];
    if (chunk->prev != 0)
        slab->chunks[chunk->prev].next = chunk->next;
    else
        slab->with_room[chunk->class] = chunk->next;
    if (chunk->next != 0)
        slab->chunks[chunk->next].prev = chunk->prev;
}

/* A number for a chunk; 0 when all are taken. */
static uint32_t number_take(ids_slab *slab) {
    uint32_t number = slab->unused;
    if (number != 0) {
        slab->unused = slab->chunks[number].next;
        return number;
    }
    if (slab->chunks_used == slab->chunks_max)
        return 0;
    return slab->chunks_used++;
}

static void number_give(ids_slab *slab, uint32_t number) {
    slab->chunks[number].base = NULL;
    slab->chunks[number].next = slab->unused;
    slab->unused = number;
}

/* A chunk of this class with nothing in it; 0 when there is no memory. */
static uint32_t chunk_new(ids_slab *slab, uint32_t class, uint32_t slot_bytes) {
    uint32_t number = number_take(slab);
    size_t bytes = class == LARGE ? slot_bytes : slab->chunk_bytes;
    ids_chunk *chunk;
    if (number == 0)
        return 0;
    chunk = &slab->chunks[number];
    chunk->base = ids_budget_alloc(slab->budget, bytes);
    if (chunk->base == NULL) {
        ids_slab_trim(slab);
        chunk->base = ids_budget_alloc(slab->budget, bytes);
    }
    if (chunk->base == NULL) {
        number_give(slab, number);
        return 0;
    }
    chunk->slot_bytes = slot_bytes;
    chunk->live = 0;
    chunk->free_head = NO_SLOT;
    chunk->class = (uint16_t) class;
    chunk->bump = 0;
    return number;
}

static void chunk_release(ids_slab *slab, uint32_t number) {
    ids_chunk *chunk = &slab->chunks[number];
    ids_budget_free(slab->budget, chunk->base, chunk_size(slab, chunk));
    number_give(slab, number);
}

static bool chunk_is_full(const ids_slab *slab, const ids_chunk *chunk) {
    return chunk->free_head == NO_SLOT &&
           (chunk->bump * GRANULE) + chunk->slot_bytes > slab->chunk_bytes;
}

/* The next slot of a chunk that has room: the last one freed (it is warm),
 * or the first never used. */
static uint32_t slot_take(ids_chunk *chunk) {
    uint32_t granule = chunk->free_head;
    if (granule != NO_SLOT) {
        memcpy(&chunk->free_head, chunk->base + (size_t)granule * GRANULE,
               sizeof chunk->free_head);
    } else {
        granule = chunk->bump;
        chunk->bump += chunk->slot_bytes / GRANULE;
    }
    chunk->live++;
    return granule;
}

static ids_ref large_alloc(ids_slab *slab, size_t bytes) {
    uint32_t number;
    if (bytes > UINT32_MAX / 2)
        return 0;
    number = chunk_new(slab, LARGE, (uint32_t)(bytes + 7) & ~7u);
    if (number == 0)
        return 0;
    slab->chunks[number].live = 1;
    return number << IDS_SLAB_GRANULE_BITS;
}

ids_ref ids_slab_alloc(ids_slab *slab, size_t bytes) {
    uint32_t slot_bytes, class, number, granule;
    assert(bytes > 0);
    if (bytes > slab->chunk_bytes / 8)
        return large_alloc(slab, bytes);
    class = class_of((uint32_t)bytes, &slot_bytes);
    assert(class < IDS_SLAB_CLASSES);
    number = slab->with_room[class];
    if (number == 0) {
        number = chunk_new(slab, class, slot_bytes);
        if (number == 0)
            return 0;
        room_push(slab, number);
    }
    granule = slot_take(&slab->chunks[number]);
    if (chunk_is_full(slab, &slab->chunks[number]))
        room_remove(slab, number);
    return number << IDS_SLAB_GRANULE_BITS | granule;
}

/* The class keeps one empty chunk only while no other has room, so that a
 * lone record that comes and goes does not map and unmap. */
static void drop_empty(ids_slab *slab, uint32_t number) {
    ids_chunk *chunk = &slab->chunks[number];
    if (chunk->live == 0 && (chunk->next != 0 || chunk->prev != 0)) {
        room_remove(slab, number);
        chunk_release(slab, number);
    }
}

void ids_slab_free(ids_slab *slab, ids_ref ref) {
    uint32_t number = ref >> IDS_SLAB_GRANULE_BITS;
    ids_chunk *chunk = &slab->chunks[number];
    bool was_full;
    assert(number > 0 && number < slab->chunks_used && chunk->live > 0);
    chunk->live--;
    if (chunk->class == LARGE) {
        chunk_release(slab, number);
        return;
    }
    was_full = chunk_is_full(slab, chunk);
    memcpy(ids_slab_at(slab, ref), &chunk->free_head, sizeof chunk->free_head);
    chunk->free_head = (uint16_t)(ref & ((1u << IDS_SLAB_GRANULE_BITS) - 1));
    if (was_full) {
        room_push(slab, number);
        if (chunk->next != 0)
            drop_empty(slab, chunk->next);
    }
    drop_empty(slab, number);
}

size_t ids_slab_slot_bytes(const ids_slab *slab, ids_ref ref) {
    return slab->chunks[ref >> IDS_SLAB_GRANULE_BITS].slot_bytes;
}

void ids_slab_trim(ids_slab *slab) {
    uint32_t class;
    for (class = 0; class < IDS_SLAB_CLASSES; class ++) {
        uint32_t number = slab->with_room[class];
        if (number != 0 && slab->chunks[number].live == 0) {
            room_remove(slab, number);
            chunk_release(slab, number);
        }
    }
}
