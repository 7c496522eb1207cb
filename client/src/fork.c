/* SPDX-License-Identifier: Apache-2.0 */
/* fork.c -- see fork.h. */
#include "client/src/fork.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/src/port.h"
#include "client/src/socket.h"

#if IDEM_LINUX && !defined(MADV_WIPEONFORK)
#define MADV_WIPEONFORK 18
#endif

idem__fork_page *idem__fork_page_of_process;
bool idem__fork_without_wipe;

static uint64_t last_generation; /* under the page's lock */

/* In a child, where no other thread is. */
static void wipe(void) {
    memset(idem__fork_page_of_process, 0, sizeof *idem__fork_page_of_process);
}

static void make_page(void) {
    size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return;
    bool wiped = false;
#if IDEM_LINUX
    wiped =
        !idem__fork_without_wipe && madvise(page, bytes, MADV_WIPEONFORK) == 0;
#endif
    if (!wiped && pthread_atfork(NULL, NULL, wipe) != 0) {
        munmap(page, bytes);
        return;
    }
    idem__fork_page_of_process = page;
}

bool idem__fork_watch(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_page);
    return idem__fork_page_of_process != NULL;
}

void idem__fork_lock(void) {
    pthread_mutex_lock(&idem__fork_page_of_process->lock);
}

void idem__fork_unlock(void) {
    pthread_mutex_unlock(&idem__fork_page_of_process->lock);
}

static uint64_t notice_fork(void) {
    idem__fork_page *page = idem__fork_page_of_process;
    idem__fork_lock();
    uint64_t generation = atomic_load(&page->generation);
    if (generation == 0) {
        if (last_generation != 0)
            idem__sockets_leave();
        generation = ++last_generation;
        atomic_store(&page->generation, generation);
    }
    idem__fork_unlock();
    return generation;
}

uint64_t idem__fork_here(void) {
    uint64_t generation = atomic_load(&idem__fork_page_of_process->generation);
    return generation != 0 ? generation : notice_fork();
}
