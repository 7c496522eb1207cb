/* SPDX-License-Identifier: Apache-2.0 */
/* prefault.h -- regions of memory that are backed before anybody needs them.
 *
 * A page that is touched for the first time costs a fault, and where a
 * hypervisor takes free memory back up to 40 us: a worker that grows paid it
 * between two requests. A thread of its own keeps one region for each worker
 * that grows ready. No more than that is ahead. */
#ifndef IDS_PREFAULT_H
#define IDS_PREFAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IDS_REGION_BYTES ((size_t)2 << 20)

typedef struct ids_prefault ids_prefault;

/* huge: as in ids_pages_new. NULL: there is no memory or no thread for it;
 * then who grows faults. */
ids_prefault *ids_prefault_new(uint32_t workers, bool huge);

/* Ends its thread; regions that nobody took are given back. The workers'
 * threads are gone. */
void ids_prefault_free(ids_prefault *p);

/* A region that is ready for this worker, at a multiple of its size, backed;
 * NULL: none is. The next one is begun. Of the worker's own thread. */
void *ids_prefault_take(ids_prefault *p, uint32_t worker);

/* Maps bytes, a multiple of a page, at a multiple of a region's size. NULL:
 * no memory. Any thread. */
void *ids_prefault_map(size_t bytes, bool huge);

/* Backs pages in one call instead of a fault for each. Kernels before 5.14
 * refuse; then they fault. */
void ids_prefault_back(void *at, size_t bytes);

#endif
