/* SPDX-License-Identifier: Apache-2.0 */
/* job_inner.h -- what the files of job.h share: job_start.c makes the process,
 * job_stream.c moves what it writes, job.c waits for what happens. */
#ifndef CTL_JOB_INNER_H
#define CTL_JOB_INNER_H

#include "client/ctl/job.h"

#include <sys/types.h>

typedef struct job_start {
    pid_t pid;
    bool own_group;
    int out[2]; /* our end, its end */
    int err[2];
    int fault[2]; /* errno of a failed exec comes this way */
} job_start;

bool job_has_terminal(void);

/* 0, or errno: then nothing has run. */
int job_start_process(const job_spec *spec, job_start *start);

void job_stream_open(job_stream *s, int from, int to);

/* Takes some of what the command wrote; at the end of it, from is -1. */
void job_stream_read(job_stream *s, record *into);

/* As much as the pipe can hold, after the command's end. */
void job_stream_drain(job_stream *s, record *into);

/* Writes some of what waits, without blocking where poll said so. */
void job_stream_write(job_stream *s);

#endif
