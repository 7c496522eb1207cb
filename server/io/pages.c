/* SPDX-License-Identifier: Apache-2.0 */
/* pages.c -- a shard's memory, straight from the kernel.
 *
 * A region is 2 MiB at an address that is a multiple of 2 MiB, cut into
 * units of 64 KiB; its free units are the bits of a word. Regions with a free
 * unit stand in a list; all of them in a hash table by address, so that a
 * block finds its region when it is freed. What is larger than a region has a
 * mapping of its own. */
#include "server/io/pages.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#define REGION_BYTES ((size_t)2 << 20)
#define UNIT_BYTES   ((size_t)64 << 10)
#define UNITS        (REGION_BYTES / UNIT_BYTES)
#define BUCKETS      1024
#define BLOCK_ALIGN  64

static_assert(UNITS == 32, "a region's units are the bits of a word");

typedef struct region {
    uint8_t *base;
    uint32_t used; /* a bit per unit */
    bool listed;
    struct region *next_in_bucket;
    struct region *prev, *next; /* of those with a free unit */
} region;

struct ids_pages {
    region *open; /* regions with a free unit */
    size_t mapped_bytes;
    bool huge;
    region *buckets[BUCKETS];
};

static region **bucket_of(ids_pages *pages, const void *base) {
    return &pages->buckets[(uintptr_t)base / REGION_BYTES % BUCKETS];
}

static size_t rounded(size_t bytes, size_t to) {
    return (bytes + to - 1) & ~(to - 1);
}

/* Maps bytes at a multiple of a region's size. */
static uint8_t *map_aligned(ids_pages *pages, size_t bytes) {
    size_t span = bytes + REGION_BYTES;
    uint8_t *got = mmap(NULL, span, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED)
        return NULL;
    size_t before = -(uintptr_t)got & (REGION_BYTES - 1);
    size_t behind = span - before - bytes;
    if (before)
        munmap(got, before);
    if (behind)
        munmap(got + before + bytes, behind);
    if (pages->huge)
        madvise(got + before, bytes, MADV_HUGEPAGE);
    pages->mapped_bytes += bytes;
    return got + before;
}

static void unmap(ids_pages *pages, void *base, size_t bytes) {
    int failed = munmap(base, bytes);
    assert(!failed);
    (void)failed;
    pages->mapped_bytes -= bytes;
}

static void list_region(ids_pages *pages, region *r) {
    r->listed = true;
    r->prev = NULL;
    r->next = pages->open;
    if (r->next)
        r->next->prev = r;
    pages->open = r;
}

static void unlist_region(ids_pages *pages, region *r) {
    r->listed = false;
    if (r->prev)
        r->prev->next = r->next;
    else
        pages->open = r->next;
    if (r->next)
        r->next->prev = r->prev;
}

static region *open_region(ids_pages *pages) {
    region *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->base = map_aligned(pages, REGION_BYTES);
    if (!r->base) {
        free(r);
        return NULL;
    }
    region **bucket = bucket_of(pages, r->base);
    r->next_in_bucket = *bucket;
    *bucket = r;
    list_region(pages, r);
    return r;
}

static void close_region(ids_pages *pages, region *r) {
    region **at = bucket_of(pages, r->base);
    while (*at != r)
        at = &(*at)->next_in_bucket;
    *at = r->next_in_bucket;
    if (r->listed)
        unlist_region(pages, r);
    unmap(pages, r->base, REGION_BYTES);
    free(r);
}

static uint32_t units_mask(size_t units, unsigned at) {
    return (uint32_t)(((1ull << units) - 1) << at);
}

/* The first run of free units; UNITS: none. */
static unsigned find_run(const region *r, size_t units) {
    for (unsigned at = 0; at + units <= UNITS; at++)
        if (!(r->used & units_mask(units, at)))
            return at;
    return UNITS;
}

/* One call for all its pages in place of a fault for each: a unit is used up
 * soon. Kernels before 5.14 refuse; then they fault. */
static void *populated(uint8_t *block, size_t bytes) {
    madvise(block, bytes, MADV_POPULATE_WRITE);
    return block;
}

static void *take_units(ids_pages *pages, size_t units) {
    unsigned at = UNITS;
    region *r = pages->open;
    for (; r; r = r->next) {
        at = find_run(r, units);
        if (at < UNITS)
            break;
    }
    if (!r) {
        r = open_region(pages);
        at = 0;
    }
    if (!r)
        return NULL;
    r->used |= units_mask(units, at);
    if (r->used == UINT32_MAX)
        unlist_region(pages, r);
    return populated(r->base + at * UNIT_BYTES, units * UNIT_BYTES);
}

static void give_units(ids_pages *pages, void *block, size_t units) {
    uint8_t *base = (uint8_t *)((uintptr_t)block & ~(REGION_BYTES - 1));
    region *r = *bucket_of(pages, base);
    while (r && r->base != base)
        r = r->next_in_bucket;
    assert(r);
    unsigned at = (unsigned)((size_t)((uint8_t *)block - base) / UNIT_BYTES);
    uint32_t mask = units_mask(units, at);
    assert((r->used & mask) == mask);
    r->used &= ~mask;
    if (!r->used)
        close_region(pages, r);
    else if (!r->listed)
        list_region(pages, r);
}

static void *pages_alloc(void *ctx, size_t bytes) {
    ids_pages *pages = ctx;
    if (bytes < UNIT_BYTES)
        return aligned_alloc(BLOCK_ALIGN, rounded(bytes, BLOCK_ALIGN));
    if (bytes > SIZE_MAX / 2)
        return NULL;
    if (bytes > REGION_BYTES)
        return map_aligned(pages, rounded(bytes, UNIT_BYTES));
    return take_units(pages, rounded(bytes, UNIT_BYTES) / UNIT_BYTES);
}

static void pages_free(void *ctx, void *block, size_t bytes) {
    ids_pages *pages = ctx;
    if (!block)
        return;
    if (bytes < UNIT_BYTES)
        free(block);
    else if (bytes > REGION_BYTES)
        unmap(pages, block, rounded(bytes, UNIT_BYTES));
    else
        give_units(pages, block, rounded(bytes, UNIT_BYTES) / UNIT_BYTES);
}

ids_pages *ids_pages_new(bool huge) {
    ids_pages *pages = calloc(1, sizeof *pages);
    if (pages)
        pages->huge = huge;
    return pages;
}

void ids_pages_free(ids_pages *pages) {
    if (!pages)
        return;
    assert(pages->mapped_bytes == 0);
    free(pages);
}

ids_mem ids_pages_mem(ids_pages *pages) {
    return (ids_mem){.ctx = pages, .alloc = pages_alloc, .free = pages_free};
}

size_t ids_pages_mapped_bytes(const ids_pages *pages) {
    return pages->mapped_bytes;
}
