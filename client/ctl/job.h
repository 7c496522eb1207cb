/* SPDX-License-Identifier: Apache-2.0 */
/* job.h -- a command as a process: started, its output shown and kept, signals
 * passed on, its end awaited. Knows no server: whether the lease is lost is
 * asked of a function.
 *
 * Where idemctl has a controlling terminal the command stays in its process
 * group, so that the terminal treats both alike; where it has none (cron, a
 * service) the command is a group of its own, and signals go to all of it. */
#ifndef CTL_JOB_H
#define CTL_JOB_H

#include "client/ctl/record.h"

#include <signal.h>

typedef struct job_spec {
    char *const *words; /* the command; NULL behind the last one */
    char *const *env;
    const sigset_t *mask; /* of signals, for the command */
    bool no_stdin;        /* it gets /dev/null */
    bool keep_running;    /* also without the lease, and without idemctl */
    uint64_t kill_after_ms;
    bool (*is_lost)(void *ctx); /* the lease */
    void *ctx;
    record *record; /* gets what it writes */
} job_spec;

typedef enum job_how { JOB_NOT_STARTED, JOB_EXITED, JOB_KILLED } job_how;

/* What the command wrote, on its way from its pipe to our own descriptor. */
typedef struct job_stream {
    int from; /* -1: at its end */
    int to;
    uint8_t *waiting; /* not written yet */
    size_t waiting_len;
    size_t waiting_cap;
    size_t write_max; /* so much at a time never blocks */
    bool is_gone;     /* nobody reads it any more */
} job_stream;

typedef struct job_end {
    job_how how;
    int code;      /* its exit code; the signal; errno of a start that failed */
    bool was_lost; /* the lease, while it ran */
    bool left_behind; /* something that it started holds its output */
    job_stream streams[2];
} job_end;

/* Blocks the signals that are passed on; was: those that were blocked. */
void job_block_signals(sigset_t *was);

/* Runs it to its end, with those signals blocked. What is still to be written
 * then is in the streams: job_flush. */
job_end job_run(const job_spec *spec);

/* Writes the rest, however long that takes, and frees it. False: not all could
 * be written. */
bool job_flush(job_end *end);

#endif
