/* SPDX-License-Identifier: Apache-2.0 */
/* pages.h -- a worker's memory, straight from the kernel.
 *
 * Blocks of a page and more are runs of pages. What is freed is kept for the
 * next block: 512 KiB and a sixty-fourth of what is in use for good, some more
 * for a while, so that what expires is really given back. What is over that
 * goes back to the kernel at once.
 * Small blocks are the C library's. One thread at a time. */
#ifndef IDS_PAGES_H
#define IDS_PAGES_H

#include "server/core/shard.h"
#include "server/memory/prefault.h"

typedef struct ids_pages ids_pages;

typedef struct ids_pages_config {
    bool huge;
    size_t idle_bytes_max;  /* what is kept for a while */
    ids_prefault *prefault; /* NULL: nothing is ready ahead */
    uint32_t worker;        /* to that */
} ids_pages_config;

/* huge: ask for huge pages. The first touch of memory then costs a quarter,
 * and looking up in large tables a tenth less; but on a virtual machine that
 * reports free memory to its hypervisor it was seen to cost five times as much,
 * because there whole huge pages come back from it one by one. NULL:
 * out of memory. */
ids_pages *ids_pages_new(const ids_pages_config *config);

/* Gives back some of what is kept for a while; and when that is to be done
 * next, UINT64_MAX: never. What nobody
 * came for in 250 ms, 16 MiB at a time. */
void ids_pages_age(ids_pages *pages, uint64_t now_ms);
uint64_t ids_pages_next_ms(const ids_pages *pages);

/* Every block must have been freed. */
void ids_pages_free(ids_pages *pages);

/* The memory as the core takes it; it borrows pages. */
ids_mem ids_pages_mem(ids_pages *pages);

/* Bytes that are mapped for blocks of a page and more now; and those of them
 * that take memory, blocks of over 2 MiB not counted. */
size_t ids_pages_mapped_bytes(const ids_pages *pages);
size_t ids_pages_backed_bytes(const ids_pages *pages);

#endif
