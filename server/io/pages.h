/* pages.h -- a shard's memory, straight from the kernel.
 *
 * Large blocks are cut from regions of huge pages; a region that is wholly
 * free goes back to the kernel at once, so that what expires is really given
 * back. Small blocks are the C library's. One thread at a time. */
#ifndef IDS_PAGES_H
#define IDS_PAGES_H

#include "server/core/shard.h"

typedef struct ids_pages ids_pages;

/* NULL: out of memory. */
ids_pages *ids_pages_new(void);

/* Every block must have been freed. */
void ids_pages_free(ids_pages *pages);

/* The memory as the core takes it; it borrows pages. */
ids_mem ids_pages_mem(ids_pages *pages);

/* Bytes that are mapped for large blocks now. */
size_t ids_pages_mapped_bytes(const ids_pages *pages);

#endif
