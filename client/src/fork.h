/* SPDX-License-Identifier: Apache-2.0 */
/* fork.h -- noticing that this memory is a copy of another process's.
 *
 * A fork copies nonces, sockets and locks. One page of the library's is wiped
 * in the child by the kernel, so that each call sees it by a load and without a
 * system call; where the kernel can't, pthread_atfork wipes it. Whatever holds
 * something unique remembers the generation that it was made in. */
#ifndef IDEM_FORK_H
#define IDEM_FORK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct idem__fork_page {
    _Atomic uint64_t generation; /* 0: wiped, nobody has noticed yet */
    pthread_mutex_t lock;        /* wiped is unlocked, in glibc and musl */
} idem__fork_page;

/* NULL until the first handle is made. */
extern idem__fork_page *idem__fork_page_of_process;

/* Tests set it before the first handle is made: pthread_atfork alone. */
extern bool idem__fork_without_wipe;

/* Before a handle is made; false when there is no memory for the page. */
bool idem__fork_watch(void);

/* The generation of this process. The first call in a child also closes its
 * copies of the parent's sockets, and nothing else. */
uint64_t idem__fork_here(void);

/* Held while a handle is taken over in a child; free in every new one. */
void idem__fork_lock(void);
void idem__fork_unlock(void);

/* Whether what was made in that generation is another process's. */
static inline bool idem__fork_is_copy(uint64_t generation) {
    return atomic_load_explicit(&idem__fork_page_of_process->generation,
                                memory_order_relaxed) != generation;
}

#endif
