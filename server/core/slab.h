/* SPDX-License-Identifier: Apache-2.0 */
/* slab.h -- room for records: size classes in chunks, named by 32-bit refs.
 *
 * A ref is half a pointer, and a record holds three of them (its slot in the
 * table, two links in the wheel). It names a chunk (high 17 bits) and a
 * granule of 8 bytes in it (low 15 bits); ref 0 is none, and the refs of the
 * last chunk number are nobody's, so that others may use them as marks.
 *
 * Classes are 8 bytes apart up to 512, then 16 to a doubling; what is larger
 * than an eighth of a chunk has a chunk of its own. A chunk that empties goes
 * back to the memory source; one empty chunk per class is kept back until
 * ids_slab_trim. Pure. */
#ifndef IDS_SLAB_H
#define IDS_SLAB_H

#include "server/core/budget.h"

typedef uint32_t ids_ref;

#define IDS_SLAB_GRANULE_BITS 15
#define IDS_SLAB_CHUNKS_MAX   ((1u << 17) - 1)
#define IDS_REF_MARK          (IDS_SLAB_CHUNKS_MAX << IDS_SLAB_GRANULE_BITS)
#define IDS_SLAB_CLASSES      161

typedef struct ids_chunk {
    uint8_t *base;
    uint32_t slot_bytes; /* of its class; the whole size for a large one */
    uint32_t live;       /* slots in use */
    uint32_t next, prev; /* in its class's list of chunks with room; next
                          * also links unused chunk numbers */
    uint16_t free_head;  /* granule of the first freed slot; 0xffff: none */
    uint16_t class;
    uint32_t bump; /* the first granule never used */
} ids_chunk;

_Static_assert(sizeof(ids_chunk) == 32, "two chunks' entries to a cache line");

typedef struct ids_slab {
    ids_budget *budget;
    ids_chunk *chunks; /* [chunks_max], touched up to chunks_used */
    uint32_t chunks_max;
    uint32_t chunks_used; /* numbers ever used; number 0 is nobody's */
    uint32_t unused;      /* head of the list of given-back numbers */
    uint32_t chunk_bytes;
    uint32_t with_room[IDS_SLAB_CLASSES]; /* per class: chunk number or 0 */
} ids_slab;

/* false: no memory for the chunk list. chunk size follows the budget. */
bool ids_slab_init(ids_slab *slab, ids_budget *budget);

/* Gives back the chunk list; every chunk with it, whatever is in there. */
void ids_slab_fini(ids_slab *slab);

/* 0 when there is no memory. The slot is not cleared. */
ids_ref ids_slab_alloc(ids_slab *slab, size_t bytes);
void ids_slab_free(ids_slab *slab, ids_ref ref);

/* How many bytes the slot behind ref has: at least those asked for. */
size_t ids_slab_slot_bytes(const ids_slab *slab, ids_ref ref);

/* Gives the kept-back empty chunks to the memory source. */
void ids_slab_trim(ids_slab *slab);

static inline void *ids_slab_at(const ids_slab *slab, ids_ref ref) {
    return slab->chunks[ref >> IDS_SLAB_GRANULE_BITS].base +
           (size_t)(ref & ((1u << IDS_SLAB_GRANULE_BITS) - 1)) * 8;
}

#endif
