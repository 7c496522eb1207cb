/* SPDX-License-Identifier: Apache-2.0 */
/* pages.c -- a worker's memory, straight from the kernel.
 *
 * A region is 2 MiB at an address that is a multiple of 2 MiB, given out in
 * runs of pages. Two bits say of each page whether it is in use, and whether it
 * is backed by memory; one that is backed and not in use is idle. Regions stand
 * in lists by their longest free run, to a power of two, and in a hash table by
 * address, so that a block finds its region when it is freed. What is larger
 * than a region has a mapping of its own. */
#include "server/memory/pages.h"

#include "server/memory/page_bits.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#define REGION_BYTES   IDS_REGION_BYTES
#define PAGE_BYTES     ((size_t)4096)
#define PAGES          IDS_PAGE_BITS
#define RUN_CLASSES    10 /* 1, 2, 4, ... 512 pages */
#define BUCKETS_MIN    64
#define BLOCK_ALIGN    64
#define MALLOC_HEAD    16
/* Idle pages that are kept for the next block: some, and a part of what is in
 * use. Of those beyond, what nobody came for in so long goes back to the
 * kernel, no more than so many pages at a time, which takes less than a
 * millisecond. */
#define IDLE_PAGES     ((size_t)128)
#define IDLE_SHARE     64
#define IDLE_MS        250
#define AGED_PAGES     ((size_t)4096)
#define AGE_MS         50
/* Whoever has fewer does not need to be ready for more. */
#define REGIONS_BEFORE 4
/* Pages of a run for which a region is taken that is ready. */
#define AHEAD_RUN_MAX  64
/* Regions that are looked at for a run which theirs may be too short for. */
#define LOOKED_AT      4

static_assert(PAGES == REGION_BYTES / PAGE_BYTES, "a bit per page");

typedef struct region {
    uint8_t *base;
    uint64_t used[PAGES / 64];   /* a bit per page */
    uint64_t backed[PAGES / 64]; /* by memory */
    uint64_t ahead[PAGES / 64];  /* backed, and not used yet: not idle */
    uint32_t used_pages, idle_pages;
    int run_class; /* of the list that it is in; -1: it has no free page */
    struct region *next_in_bucket;
    struct region *prev, *next;           /* in that list */
    struct region *idle_prev, *idle_next; /* of those with idle pages */
    uint64_t idle_ms;                     /* when it got one last */
} region;

struct ids_pages {
    region *by_run[RUN_CLASSES];
    region *idle_first, *idle_last; /* the one that got one last comes first */
    region **buckets;
    size_t bucket_count, region_count;
    size_t used_pages, idle_pages;
    size_t mapped_bytes;
    ids_pages_config config;
    uint64_t now_ms, aged_ms; /* as ids_pages_age was told */
    region *frontier;         /* the one with pages ahead; NULL: none */
};

static size_t rounded(size_t bytes, size_t to) {
    return (bytes + to - 1) & ~(to - 1);
}

/* --- lists of regions ------------------------------------------------------
 */

static void unlist(ids_pages *pages, region *r) {
    if (r->run_class < 0)
        return;
    if (r->prev)
        r->prev->next = r->next;
    else
        pages->by_run[r->run_class] = r->next;
    if (r->next)
        r->next->prev = r->prev;
    r->run_class = -1;
}

/* To the list of its longest run, at its head. */
static void list_pages(ids_pages *pages, region *r) {
    uint32_t longest;
    find_run(r->used, PAGES, &longest);
    unlist(pages, r);
    if (!longest)
        return;
    r->run_class = floor_log2(longest);
    r->prev = NULL;
    r->next = pages->by_run[r->run_class];
    if (r->next)
        r->next->prev = r;
    pages->by_run[r->run_class] = r;
}

static void idle_unlist(ids_pages *pages, region *r) {
    if (r->idle_prev)
        r->idle_prev->idle_next = r->idle_next;
    else if (pages->idle_first == r)
        pages->idle_first = r->idle_next;
    if (r->idle_next)
        r->idle_next->idle_prev = r->idle_prev;
    else if (pages->idle_last == r)
        pages->idle_last = r->idle_prev;
    r->idle_prev = r->idle_next = NULL;
}

static void idle_list(ids_pages *pages, region *r) {
    idle_unlist(pages, r);
    r->idle_next = pages->idle_first;
    if (r->idle_next)
        r->idle_next->idle_prev = r;
    else
        pages->idle_last = r;
    pages->idle_first = r;
    r->idle_ms = pages->now_ms;
}

static void count_idle(ids_pages *pages, region *r, int32_t more) {
    r->idle_pages += (uint32_t)more;
    pages->idle_pages += (size_t)(ptrdiff_t)more;
    if (!r->idle_pages)
        idle_unlist(pages, r);
    else if (more > 0)
        idle_list(pages, r);
}

/* --- regions by address -----------------------------------------------------
 */

static size_t bucket_number(const ids_pages *pages, const void *base) {
    return (uintptr_t)base / REGION_BYTES % pages->bucket_count;
}

static region **region_bucket_of(ids_pages *pages, const void *base) {
    return &pages->buckets[bucket_number(pages, base)];
}

static void bucket_put(ids_pages *pages, region *r) {
    region **bucket = region_bucket_of(pages, r->base);
    r->next_in_bucket = *bucket;
    *bucket = r;
}

/* Twice as many buckets. Without memory the chains are longer. */
static void buckets_grow(ids_pages *pages) {
    size_t had = pages->bucket_count;
    region **before = pages->buckets;
    region **buckets = calloc(had * 2, sizeof(region *));
    if (!buckets)
        return;
    pages->buckets = buckets;
    pages->bucket_count = had * 2;
    for (size_t i = 0; i < had; i++)
        for (region *r = before[i], *next; r; r = next) {
            next = r->next_in_bucket;
            bucket_put(pages, r);
        }
    free(before);
}

static region *region_of(ids_pages *pages, const void *block) {
    void *base = (void *)((uintptr_t)block & ~(REGION_BYTES - 1));
    region *r = *region_bucket_of(pages, base);
    while (r && r->base != base)
        r = r->next_in_bucket;
    assert(r);
    return r;
}

/* --- mapping ---------------------------------------------------------------
 */

static uint8_t *take_mapping(ids_pages *pages, size_t bytes) {
    uint8_t *got = ids_prefault_map(bytes, pages->config.huge);
    if (got)
        pages->mapped_bytes += bytes;
    return got;
}

static void unmap(ids_pages *pages, void *base, size_t bytes) {
    int failed = munmap(base, bytes);
    assert(!failed);
    (void)failed;
    pages->mapped_bytes -= bytes;
}

/* Gives the region's pages that are backed and not in use back to the kernel.
 */
static void release_idle(ids_pages *pages, region *r) {
    uint32_t at = 0;
    while ((at = next_bit(r->backed, at, true)) < PAGES) {
        uint32_t end = next_bit(r->backed, at, false);
        uint32_t from = next_bit(r->used, at, false);
        if (from >= end) {
            at = end;
            continue;
        }
        uint32_t to = next_bit(r->used, from, true);
        to = to < end ? to : end;
        madvise(r->base + from * PAGE_BYTES, (to - from) * PAGE_BYTES,
                MADV_DONTNEED);
        put_bits(r->backed, from, to - from, false);
        put_bits(r->ahead, from, to - from, false);
        at = to;
    }
    count_idle(pages, r, -(int32_t)r->idle_pages);
}

/* One that was backed ahead, for runs like this one that use it up; NULL: there
 * is none. */
static uint8_t *take_ready(ids_pages *pages, uint32_t count) {
    uint8_t *got = NULL;
    if (pages->config.prefault && pages->region_count >= REGIONS_BEFORE &&
        count <= AHEAD_RUN_MAX)
        got = ids_prefault_take(pages->config.prefault, pages->config.worker);
    if (got)
        pages->mapped_bytes += REGION_BYTES;
    return got;
}

static region *open_region(ids_pages *pages, uint32_t count) {
    region *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->base = take_ready(pages, count);
    if (r->base) {
        put_bits(r->backed, 0, PAGES, true);
        put_bits(r->ahead, 0, PAGES, true);
    } else {
        r->base = take_mapping(pages, REGION_BYTES);
    }
    if (!r->base) {
        free(r);
        return NULL;
    }
    r->run_class = -1;
    if (pages->region_count++ >= pages->bucket_count * 2)
        buckets_grow(pages);
    bucket_put(pages, r);
    list_pages(pages, r);
    /* What the one before has left of its own is too short for what comes. */
    if (pages->frontier)
        release_idle(pages, pages->frontier);
    pages->frontier = r;
    return r;
}

static void close_region(ids_pages *pages, region *r) {
    region **at = region_bucket_of(pages, r->base);
    while (*at != r)
        at = &(*at)->next_in_bucket;
    *at = r->next_in_bucket;
    pages->region_count--;
    if (pages->frontier == r)
        pages->frontier = NULL;
    pages->idle_pages -= r->idle_pages;
    idle_unlist(pages, r);
    unlist(pages, r);
    unmap(pages, r->base, REGION_BYTES);
    free(r);
}

/* --- runs of pages -----------------------------------------------------------
 */

/* A region with a run of so many free pages. */
static region *region_with(ids_pages *pages, uint32_t count) {
    int run_class = floor_log2(count);
    region *r = pages->by_run[run_class];
    uint32_t longest;
    for (int i = 0; r && i < LOOKED_AT; i++, r = r->next)
        if (find_run(r->used, count, &longest) < PAGES)
            return r;
    while (++run_class < RUN_CLASSES)
        if (pages->by_run[run_class])
            return pages->by_run[run_class];
    return open_region(pages, count);
}

/* Of these pages those that are not backed yet are. */
static void back_run(ids_pages *pages, region *r, uint32_t at, uint32_t end) {
    int32_t idle = (int32_t)(end - at - count_bits(r->ahead, at, end));
    put_bits(r->ahead, at, end - at, false);
    while ((at = next_bit(r->backed, at, false)) < end) {
        uint32_t to = next_bit(r->backed, at, true);
        to = to < end ? to : end;
        ids_prefault_back(r->base + at * PAGE_BYTES, (to - at) * PAGE_BYTES);
        put_bits(r->backed, at, to - at, true);
        idle -= (int32_t)(to - at);
        at = to;
    }
    count_idle(pages, r, -idle);
}

static void *take_run(ids_pages *pages, uint32_t count) {
    region *r = region_with(pages, count);
    uint32_t longest;
    if (!r)
        return NULL;
    uint32_t at = find_run(r->used, count, &longest);
    assert(at < PAGES);
    put_bits(r->used, at, count, true);
    r->used_pages += count;
    pages->used_pages += count;
    back_run(pages, r, at, at + count);
    list_pages(pages, r);
    return r->base + at * PAGE_BYTES;
}

/* What is kept for good. */
static size_t idle_pages_min(const ids_pages *pages) {
    return IDLE_PAGES + pages->used_pages / IDLE_SHARE;
}

static void trim_pages(ids_pages *pages, size_t most) {
    while (pages->idle_pages > most) {
        region *r = pages->idle_last;
        if (r->used_pages)
            release_idle(pages, r);
        else
            close_region(pages, r);
    }
}

static void give_run(ids_pages *pages, void *block, uint32_t count) {
    region *r = region_of(pages, block);
    uint32_t at = (uint32_t)((size_t)((uint8_t *)block - r->base) / PAGE_BYTES);
    assert(next_bit(r->used, at, false) >= at + count);
    put_bits(r->used, at, count, false);
    r->used_pages -= count;
    pages->used_pages -= count;
    count_idle(pages, r, (int32_t)count);
    list_pages(pages, r);
    trim_pages(pages, idle_pages_min(pages) +
                          pages->config.idle_bytes_max / PAGE_BYTES);
}

/* --- the core's memory
 * -------------------------------------------------------- */

static void *pages_alloc(void *ctx, size_t bytes) {
    ids_pages *pages = ctx;
    if (bytes < PAGE_BYTES)
        return aligned_alloc(BLOCK_ALIGN, rounded(bytes, BLOCK_ALIGN));
    if (bytes > SIZE_MAX / 2)
        return NULL;
    bytes = rounded(bytes, PAGE_BYTES);
    if (bytes <= REGION_BYTES)
        return take_run(pages, (uint32_t)(bytes / PAGE_BYTES));
    uint8_t *block = take_mapping(pages, bytes);
    if (block)
        ids_prefault_back(block, bytes);
    return block;
}

static void pages_free(void *ctx, void *block, size_t bytes) {
    ids_pages *pages = ctx;
    if (!block)
        return;
    if (bytes < PAGE_BYTES) {
        free(block);
        return;
    }
    bytes = rounded(bytes, PAGE_BYTES);
    if (bytes <= REGION_BYTES)
        give_run(pages, block, (uint32_t)(bytes / PAGE_BYTES));
    else
        unmap(pages, block, bytes);
}

static size_t pages_take(size_t bytes) {
    if (bytes < PAGE_BYTES)
        return rounded(bytes + MALLOC_HEAD, BLOCK_ALIGN);
    return rounded(bytes, PAGE_BYTES);
}

uint64_t ids_pages_next_ms(const ids_pages *pages) {
    if (pages->idle_pages <= idle_pages_min(pages))
        return UINT64_MAX;
    return pages->aged_ms + AGE_MS;
}

void ids_pages_age(ids_pages *pages, uint64_t now_ms) {
    size_t least = idle_pages_min(pages), part = 0;
    pages->now_ms = now_ms;
    if (pages->idle_pages <= least || now_ms < pages->aged_ms + AGE_MS)
        return;
    pages->aged_ms = now_ms;
    while (pages->idle_pages > least && part < AGED_PAGES &&
           pages->idle_last->idle_ms + IDLE_MS <= now_ms) {
        part += pages->idle_last->idle_pages;
        trim_pages(pages, pages->idle_pages - 1);
    }
}

ids_pages *ids_pages_new(const ids_pages_config *config) {
    ids_pages *pages = calloc(1, sizeof *pages);
    if (!pages)
        return NULL;
    pages->config = *config;
    pages->bucket_count = BUCKETS_MIN;
    pages->buckets = calloc(BUCKETS_MIN, sizeof(region *));
    if (!pages->buckets) {
        free(pages);
        return NULL;
    }
    return pages;
}

void ids_pages_free(ids_pages *pages) {
    if (!pages)
        return;
    assert(pages->used_pages == 0);
    for (region *r = pages->idle_first, *next; r; r = next) {
        next = r->idle_next;
        close_region(pages, r);
    }
    assert(pages->mapped_bytes == 0);
    free(pages->buckets);
    free(pages);
}

ids_mem ids_pages_mem(ids_pages *pages) {
    return (ids_mem){.ctx = pages,
                     .alloc = pages_alloc,
                     .free = pages_free,
                     .takes = pages_take};
}

size_t ids_pages_mapped_bytes(const ids_pages *pages) {
    return pages->mapped_bytes;
}

size_t ids_pages_backed_bytes(const ids_pages *pages) {
    return (pages->used_pages + pages->idle_pages) * PAGE_BYTES;
}
