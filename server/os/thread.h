/* SPDX-License-Identifier: Apache-2.0 */
/* thread.h -- what a thread of the daemon is called; several for one job. */
#ifndef IDS_THREAD_H
#define IDS_THREAD_H

#include <pthread.h>
#include <stdint.h>

/* What top -H and gdb call it: "loop-1", "disk-0". The main thread, which is
 * loop 0, keeps the program's name. */
void ids_name_thread(pthread_t thread, const char *what, uint32_t index);

/* Calls work on so many threads at once (64 at most), of which this is one, and
 * returns when all have returned. Where no more can be started they are fewer:
 * this one works with none besides. */
void ids_work_together(uint32_t threads, void (*work)(void *ctx), void *ctx);

#endif
