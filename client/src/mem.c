/* SPDX-License-Identifier: Apache-2.0 */
/* mem.c -- the allocator and its hook. Nothing else in the library calls
 * malloc. */
#include "client/src/mem.h"

#include <sodium.h>
#include <stdlib.h>

bool (*idem__mem_refuse)(void);

static bool is_refused_memory(void) {
    return idem__mem_refuse != NULL && idem__mem_refuse();
}

void *idem__alloc(size_t bytes) {
    return is_refused_memory() ? NULL : malloc(bytes);
}

void *idem__calloc(size_t bytes) {
    return is_refused_memory() ? NULL : calloc(1, bytes);
}

void *idem__realloc(void *block, size_t bytes) {
    return is_refused_memory() ? NULL : realloc(block, bytes);
}

void idem__free(void *block) {
    free(block);
}

void idem__wipe(void *secret, size_t bytes) {
    sodium_memzero(secret, bytes);
}
