/* SPDX-License-Identifier: Apache-2.0 */
/* prefault.c -- regions that are backed ahead; see prefault.h. */
#include "server/memory/prefault.h"

#include "server/base/thread_start.h"
#include "server/os/thread.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

typedef struct place {
    _Atomic(void *) ready;
    atomic_bool wanted;
} place;

struct ids_prefault {
    pthread_t thread;
    sem_t wanted; /* posted for each place that is, and for the end */
    atomic_bool ends;
    bool huge;
    uint32_t workers;
    place places[];
};

static void *map(size_t bytes) {
    void *got = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return got == MAP_FAILED ? NULL : got;
}

/* One that was mapped behind another stands right by itself, and is one mapping
 * with it to the kernel, which has a limit of those; else what is too much is
 * cut off. */
static uint8_t *map_aligned(size_t bytes) {
    uint8_t *got = map(bytes);
    if (!got || !((uintptr_t)got & (IDS_REGION_BYTES - 1)))
        return got;
    munmap(got, bytes);
    size_t span = bytes + IDS_REGION_BYTES;
    got = map(span);
    if (!got)
        return NULL;
    size_t before = -(uintptr_t)got & (IDS_REGION_BYTES - 1);
    if (before)
        munmap(got, before);
    if (span - before - bytes)
        munmap(got + before + bytes, span - before - bytes);
    return got + before;
}

void *ids_prefault_map(size_t bytes, bool huge) {
    uint8_t *got = map_aligned(bytes);
    if (got && huge)
        madvise(got, bytes, MADV_HUGEPAGE);
    return got;
}

void ids_prefault_back(void *at, size_t bytes) {
    madvise(at, bytes, MADV_POPULATE_WRITE);
}

static void prepare_pages(ids_prefault *p, place *at) {
    void *region = ids_prefault_map(IDS_REGION_BYTES, p->huge);
    if (!region)
        return;
    ids_prefault_back(region, IDS_REGION_BYTES);
    atomic_store_explicit(&at->ready, region, memory_order_release);
}

static void *run_prefault(void *ctx) {
    ids_prefault *p = ctx;
    for (;;) {
        while (sem_wait(&p->wanted) != 0)
            ; /* interrupted */
        if (atomic_load(&p->ends))
            return NULL;
        for (uint32_t i = 0; i < p->workers; i++)
            if (atomic_exchange(&p->places[i].wanted, false))
                prepare_pages(p, &p->places[i]);
    }
}

ids_prefault *ids_prefault_new(uint32_t workers, bool huge) {
    ids_prefault *p = calloc(1, sizeof *p + workers * sizeof *p->places);
    if (!p)
        return NULL;
    p->workers = workers;
    p->huge = huge;
    sem_init(&p->wanted, 0, 0);
    if (ids_thread_start(&p->thread, run_prefault, p) != 0) {
        sem_destroy(&p->wanted);
        free(p);
        return NULL;
    }
    ids_name_thread(p->thread, "prefault", 0);
    return p;
}

void ids_prefault_free(ids_prefault *p) {
    if (!p)
        return;
    atomic_store(&p->ends, true);
    sem_post(&p->wanted);
    pthread_join(p->thread, NULL);
    for (uint32_t i = 0; i < p->workers; i++)
        if (p->places[i].ready)
            munmap(p->places[i].ready, IDS_REGION_BYTES);
    sem_destroy(&p->wanted);
    free(p);
}

void *ids_prefault_take(ids_prefault *p, uint32_t worker) {
    place *at = &p->places[worker];
    void *region =
        atomic_exchange_explicit(&at->ready, NULL, memory_order_acquire);
    if (!atomic_exchange(&at->wanted, true))
        sem_post(&p->wanted);
    return region;
}
