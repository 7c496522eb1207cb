/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c -- see thread.h. */
#include "server/os/thread.h"

#include "server/base/thread_start.h"

#include <stdio.h>

#define TOGETHER_MAX 64u

void ids_name_thread(pthread_t thread, const char *what, uint32_t index) {
    char name[16]; /* as many as Linux takes */
    snprintf(name, sizeof name, "%s-%u", what, (unsigned)index);
    pthread_setname_np(thread, name);
}

typedef struct job {
    void (*work)(void *ctx);
    void *ctx;
} job;

static void *run_thread(void *ctx) {
    const job *j = ctx;
    j->work(j->ctx);
    return NULL;
}

void ids_work_together(uint32_t threads, void (*work)(void *ctx), void *ctx) {
    job j = {.work = work, .ctx = ctx};
    pthread_t others[TOGETHER_MAX - 1];
    uint32_t started = 0;
    while (started + 1 < threads && started + 1 < TOGETHER_MAX &&
           ids_thread_start(&others[started], run_thread, &j) == 0)
        started++;
    work(ctx);
    while (started-- > 0)
        pthread_join(others[started], NULL);
}
