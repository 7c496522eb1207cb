/* SPDX-License-Identifier: Apache-2.0 */
/* thread.h -- waiting by the monotonic clock, and threads of the library's
 * own. */
#ifndef IDEM_THREAD_H
#define IDEM_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

static inline struct timespec idem__timespec(uint64_t ms) {
    return (struct timespec){.tv_sec = (time_t)(ms / 1000),
                             .tv_nsec = (long)(ms % 1000) * 1000000};
}

/* Its waits end by the clock of idem_now_ms. */
void idem__cond_init(pthread_cond_t *cond);
/* Until it is signalled or it is until_ms (UINT64_MAX: for ever); may return
 * early. 0 or ETIMEDOUT. */
int idem__cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock,
                    uint64_t until_ms);

/* The host's signals are none of that thread's. thread NULL: nobody will join
 * it. False when there is none to be had. */
bool idem__thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

#endif
