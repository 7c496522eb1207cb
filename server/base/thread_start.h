/* SPDX-License-Identifier: Apache-2.0 */
/* thread_start.h -- every thread of ours is begun here.
 *
 * Signals are the first thread's, which has a loop that reads them. Any other
 * takes none: a thread that sleeps on a semaphore does nothing with them, and
 * under ThreadSanitizer one that has just begun may lose them. What the thread
 * itself does wrong still ends the process, with a report. */
#ifndef IDS_THREAD_START_H
#define IDS_THREAD_START_H

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

/* 0, or an errno. */
static inline int ids_thread_start(pthread_t *thread, void *(*run)(void *ctx),
                                   void *ctx) {
    static const int own[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                              SIGABRT, SIGTRAP, SIGSYS};
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        sigdelset(&blocked, own[i]);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    int error = pthread_create(thread, NULL, run, ctx);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

#endif
