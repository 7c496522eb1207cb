/* SPDX-License-Identifier: Apache-2.0 */
/* mem.h -- memory for a shard under test: malloc, counted, and refused where
 * the test says so.
 *
 * It checks what a shard owes its allocator: every block is given back, with
 * the size that it was asked for with. */
#ifndef IDT_MEM_H
#define IDT_MEM_H

#include "server/core/shard.h"

typedef struct idt_mem {
    uint64_t asked;      /* calls of alloc so far, refused ones included */
    uint64_t fail_from;  /* the first call that is refused; 0: none is */
    uint64_t fail_until; /* the last one; UINT64_MAX: never again */
    uint64_t refused;
    uint64_t blocks; /* held now */
    uint64_t bytes;  /* held now */
    uint64_t wrong;  /* frees with another size than the alloc's */
} idt_mem;

void idt_mem_init(idt_mem *mem);

/* Refuses the n-th allocation from now on (1: the next). */
void idt_mem_fail_once(idt_mem *mem, uint64_t nth);

/* Refuses the n-th allocation from now on and every one after it. */
void idt_mem_fail_from(idt_mem *mem, uint64_t nth);

void idt_mem_heal(idt_mem *mem);

/* The callbacks for ids_shard_config; mem must outlive the shard. */
ids_mem idt_mem_of(idt_mem *mem);

#endif
