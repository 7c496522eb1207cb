/* SPDX-License-Identifier: Apache-2.0 */
/* mem.c -- see mem.h. Each block is malloc's own, so that AddressSanitizer
 * sees every step over its end. */
#include "tests/lib/mem.h"

#include <stdlib.h>
#include <string.h>

enum { HEAD = 64 }; /* keeps the block behind it aligned to 64 */

static void *mem_alloc(void *ctx, size_t bytes) {
    idt_mem *mem = ctx;
    mem->asked++;
    if (mem->fail_from && mem->asked >= mem->fail_from &&
        mem->asked <= mem->fail_until) {
        mem->refused++;
        return NULL;
    }
    uint8_t *base = NULL;
    if (posix_memalign((void **)&base, HEAD, bytes + HEAD) != 0) {
        return NULL;
    }
    memcpy(base, &bytes, sizeof bytes);
    /* What was never written must not look like zeros. */
    memset(base + HEAD, 0xa5, bytes < 4096 ? bytes : 4096);
    mem->blocks++;
    mem->bytes += bytes;
    return base + HEAD;
}

static void mem_free(void *ctx, void *block, size_t bytes) {
    idt_mem *mem = ctx;
    if (!block) {
        return;
    }
    uint8_t *base = (uint8_t *)block - HEAD;
    size_t asked;
    memcpy(&asked, base, sizeof asked);
    if (asked != bytes) {
        mem->wrong++;
    }
    mem->blocks--;
    mem->bytes -= asked;
    free(base);
}

void idt_mem_init(idt_mem *mem) {
    memset(mem, 0, sizeof *mem);
}

void idt_mem_fail_once(idt_mem *mem, uint64_t nth) {
    mem->fail_from = mem->asked + nth;
    mem->fail_until = mem->fail_from;
}

void idt_mem_fail_from(idt_mem *mem, uint64_t nth) {
    mem->fail_from = mem->asked + nth;
    mem->fail_until = UINT64_MAX;
}

void idt_mem_heal(idt_mem *mem) {
    mem->fail_from = 0;
}

ids_mem idt_mem_of(idt_mem *mem) {
    return (ids_mem){.ctx = mem, .alloc = mem_alloc, .free = mem_free};
}
