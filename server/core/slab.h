/* SPDX-License-Identifier: Apache-2.0 */
/* slab.h -- room for records: size classes in chunks, named by refs.
 *
 * A ref has 39 bits: the chunk's number and the slot's in it; 0 is none. So
 * many chunks can have a number that no shard runs out of them before it has
 * 1 TiB: a chunk grows with what its class holds already, from a page to
 * 256 KiB (1 MiB for slots of over 16 KiB), and a slot of over 128 KiB has a
 * chunk of its own.
 *
 * Classes are 8 bytes apart up to 512, then 16 to a doubling. A chunk that
 * empties goes back to the memory source at once. One that is nearly empty
 * while others of its class have room is emptied: ids_slab_victim names it,
 * and the owner of what lies in it moves that elsewhere, slot by slot. Pure. */
#ifndef IDS_SLAB_H
#define IDS_SLAB_H

#include "server/core/budget.h"

typedef uint64_t ids_ref;

#define IDS_REF_BITS          39
#define IDS_REF_MASK          (((ids_ref)1 << IDS_REF_BITS) - 1)
#define IDS_SLAB_SLOT_BITS    13
#define IDS_SLAB_SLOTS_MAX    ((1u << IDS_SLAB_SLOT_BITS) - 1)
#define IDS_SLAB_CHUNKS_MAX   (1u << (IDS_REF_BITS - IDS_SLAB_SLOT_BITS))
#define IDS_SLAB_SEGMENT_BITS 8 /* chunks to a segment of the chunk list */
#define IDS_SLAB_BANDS        4
#define IDS_SLAB_SPARSE_BYTES (64u << 10)
/* 0: buckets; 1..: records, by size; the last: a slot to a chunk. */
#define IDS_SLAB_CLASSES      194
#define IDS_SLAB_OWN_CLASS    (IDS_SLAB_CLASSES - 1)
#define IDS_SLAB_BUCKET_CLASS 0

typedef struct ids_chunk {
    _Alignas(64) uint8_t
        *base; /* NULL: the number is unused, next is the next such one */
    uint32_t bytes;
    uint32_t slot_bytes;
    uint16_t slots;
    uint16_t live;       /* slots in use */
    uint16_t quarter;    /* of slots, rounded up */
    uint16_t band_from;  /* with fewer in use it belongs in another list */
    uint16_t bump;       /* the first slot never used */
    uint16_t free_head;  /* the slot freed last, and so on; NO_SLOT: none */
    uint32_t next, prev; /* in its class's list of chunks with room */
    uint8_t class;
    uint8_t band;    /* of these lists; IDS_SLAB_BANDS: in none (full, open,
                      * or a victim) */
    uint8_t rescans; /* the wheel's from here on; see wheel.h */
    bool hung;
    uint32_t wheel_next;
    uint32_t wheel_prev;
    uint32_t wheel_slot;
    uint64_t due_ms; /* nothing in it ends before; UINT64_MAX: unknown */
} ids_chunk;

_Static_assert(sizeof(ids_chunk) == 64, "a chunk's entry is one cache line");

typedef struct ids_slab {
    ids_budget *budget;
    ids_chunk **segments; /* [segments_max] of chunks */
    uint32_t segments_max;
    uint32_t chunks_live;
    uint32_t chunks_used; /* numbers ever used; number 0 is nobody's */
    uint32_t unused;      /* head of the list of given-back numbers */
    /* Where the next record of a class goes; 0: it is to be looked for. */
    uint32_t open[IDS_SLAB_CLASSES];
    /* Per class and band: how full a chunk is, in quarters. */
    uint32_t with_room[IDS_SLAB_CLASSES][IDS_SLAB_BANDS];
    uint64_t class_bytes[IDS_SLAB_CLASSES];
    uint64_t class_slots[IDS_SLAB_CLASSES];
    uint64_t class_live[IDS_SLAB_CLASSES];
    uint32_t victim; /* the chunk that is being emptied; 0: none */
    uint32_t victim_slot;
    uint64_t freed_bytes; /* since no victim was found */
    void (*on_release)(void *ctx, uint32_t chunk); /* before a chunk goes */
    void *release_ctx;
} ids_slab;

/* false: no memory for the chunk list. */
bool ids_slab_init(ids_slab *slab, ids_budget *budget);

/* Gives back the chunk list; every chunk with it, whatever is in there. */
void ids_slab_fini(ids_slab *slab);

/* 0 when there is no memory. The slot is not cleared. Its first 8 bytes may
 * be anything that ids_slab_is_live takes for in use from the caller's next
 * call on: not 0 in their lower 39 bits (buckets) or 3 (records). */
ids_ref ids_slab_alloc(ids_slab *slab, size_t bytes);
/* In a chunk of larger slots that has room; for who finds no other. */
ids_ref ids_slab_alloc_larger(ids_slab *slab, size_t bytes);
ids_ref ids_slab_alloc_bucket(ids_slab *slab, size_t bytes);
void ids_slab_free(ids_slab *slab, ids_ref ref);

/* How many bytes the slot behind ref has: at least those asked for. */
size_t ids_slab_slot_bytes(const ids_slab *slab, ids_ref ref);

/* The next slot in use of a chunk that is worth emptying; 0: there is none.
 * eager: one that frees little for what is moved is too. Move what is there
 * to another slot, or call ids_slab_spare_victim. */
ids_ref ids_slab_victim(ids_slab *slab, bool eager);
void ids_slab_spare_victim(ids_slab *slab);

/* Whether it is worth looking for a victim. */
static inline bool ids_slab_is_sparse(const ids_slab *slab) {
    return slab->victim != 0 || slab->freed_bytes >= IDS_SLAB_SPARSE_BYTES;
}

static inline ids_chunk *ids_slab_chunk(const ids_slab *slab, uint32_t chunk) {
    return &slab->segments[chunk >> IDS_SLAB_SEGMENT_BITS]
                          [chunk & ((1u << IDS_SLAB_SEGMENT_BITS) - 1)];
}

static inline uint32_t ids_ref_chunk(ids_ref ref) {
    return (uint32_t)(ref >> IDS_SLAB_SLOT_BITS);
}

static inline uint32_t ids_ref_slot(ids_ref ref) {
    return (uint32_t)ref & IDS_SLAB_SLOTS_MAX;
}

static inline ids_ref ids_ref_of(uint32_t chunk, uint32_t slot) {
    return (ids_ref)chunk << IDS_SLAB_SLOT_BITS | slot;
}

static inline void *ids_slab_slot_at(const ids_chunk *chunk, uint32_t slot) {
    return chunk->base + (size_t)slot * chunk->slot_bytes;
}

static inline void *ids_slab_at(const ids_slab *slab, ids_ref ref) {
    return ids_slab_slot_at(ids_slab_chunk(slab, ids_ref_chunk(ref)),
                            ids_ref_slot(ref));
}

/* Whether a slot below bump is in use: a freed one holds the number of the
 * next in the upper 16 bits of its first 8 bytes, and zeros else. */
static inline bool ids_slab_is_live(const ids_chunk *chunk, uint32_t slot) {
    const uint64_t *word = ids_slab_slot_at(chunk, slot);
    return (*word & (chunk->class == 0 ? IDS_REF_MASK : 7)) != 0;
}

#endif
