/* SPDX-License-Identifier: Apache-2.0 */
/* mem.h -- where the library's memory comes from, so that a test can refuse
 * any one allocation. */
#ifndef IDEM_MEM_H
#define IDEM_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* Asked before each allocation; NULL outside tests. Set it before any thread
 * of the library's runs. */
extern bool (*idem__mem_refuse)(void);

void *idem__alloc(size_t bytes);  /* NULL when refused; not zeroed */
void *idem__calloc(size_t bytes); /* zeroed */
void *idem__realloc(void *block, size_t bytes);
void idem__free(void *block);
/* Zeroes a secret, whatever the compiler thinks of it. */
void idem__wipe(void *secret, size_t bytes);

#endif
