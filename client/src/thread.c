/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c -- see thread.h. */
#include "client/src/thread.h"

#include <signal.h>

#include "client/include/idemclient.h"

void idem__cond_init(pthread_cond_t *cond) {
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
#ifndef __APPLE__ /* there it waits by what is left */
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
#endif
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

int idem__cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock,
                    uint64_t until_ms) {
    if (until_ms == UINT64_MAX)
        return pthread_cond_wait(cond, lock);
#ifdef __APPLE__
    uint64_t now_ms = idem_now_ms();
    struct timespec left =
        idem__timespec(until_ms > now_ms ? until_ms - now_ms : 0);
    return pthread_cond_timedwait_relative_np(cond, lock, &left);
#else
    struct timespec until = idem__timespec(until_ms);
    return pthread_cond_timedwait(cond, lock, &until);
#endif
}

bool idem__thread_start(pthread_t *thread, void *(*run)(void *), void *arg) {
    pthread_t own;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread != NULL ? thread : &own, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0 && thread == NULL)
        pthread_detach(own);
    return error == 0;
}
