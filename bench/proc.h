/* SPDX-License-Identifier: Apache-2.0 */
/* proc.h -- what the system knows of a process: its CPU time and memory.
 *
 * Reads /proc only. */
#ifndef IDB_PROC_H
#define IDB_PROC_H

#include <stdint.h>
#include <sys/types.h>

/* CPU time of all threads, in ns: the scheduler's own sum where it is kept
 * (/proc/PID/task/T/schedstat), else clock ticks. 0 for pid 0 or a process
 * that is gone. A thread that has ended takes its time with it. */
uint64_t idb_proc_cpu_ns(pid_t pid);

/* The same with the threads that have ended; for a process that is there. */
uint64_t idb_proc_cpu_all_ns(pid_t pid);

/* How long its threads were ready to run and had to wait for a CPU, in ns, in
 * all; 0 where the scheduler does not say. */
uint64_t idb_proc_waited_ns(pid_t pid);

/* Time of all cores, ever, in which they had work and a hypervisor did not let
 * them run; 0 where there is none, or it does not tell. */
uint64_t idb_proc_stolen_ns(void);

/* Resident memory in bytes; 0 when unknown. */
uint64_t idb_proc_rss_bytes(pid_t pid);

#endif
