/* SPDX-License-Identifier: Apache-2.0 */
/* prefault.c -- keeps free memory from going back to a hypervisor. */
#include "bench/prefault.h"

#include <stddef.h>
#include <sys/mman.h>

#define BLOCK_BYTES ((uint64_t)2 << 20)
#define PAGE_BYTES  4096u

/* The pages that stay are held until the process ends. */
const char *idb_prefault(uint64_t mib) {
    uint64_t bytes = mib << 20, at;
    uint8_t *memory;
    if (!bytes)
        return NULL;
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return "no memory for --prefault-mib";
    madvise(memory, bytes, MADV_NOHUGEPAGE);
    for (at = 0; at < bytes; at += PAGE_BYTES)
        memory[at] = 1;
    for (at = 0; at + BLOCK_BYTES <= bytes; at += BLOCK_BYTES)
        madvise(memory + at + PAGE_BYTES, BLOCK_BYTES - PAGE_BYTES,
                MADV_DONTNEED);
    return NULL;
}
