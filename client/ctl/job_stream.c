/* SPDX-License-Identifier: Apache-2.0 */
/* job_stream.c -- what a command writes, on its way to our own descriptor: at
 * most one piece waits, so that a reader who takes his time slows the command
 * down as if it wrote to him itself. */
#include "client/ctl/job_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES       (64 * 1024)
#define PIPE_BYTES_LEAST 4096

/* A file never blocks for long; a pipe or a terminal takes this much when poll
 * says that it takes something. */
static size_t write_max(int to) {
    struct stat st;
    bool is_file = fstat(to, &st) == 0 && S_ISREG(st.st_mode);
    return is_file ? READ_BYTES : PIPE_BUF;
}

void job_stream_open(job_stream *s, int from, int to) {
    *s = (job_stream){.from = from, .to = to, .write_max = write_max(to)};
    fcntl(from, F_SETFL, O_NONBLOCK);
}

static void close_from(job_stream *s) {
    close(s->from);
    s->from = -1;
}

static uint8_t *reserve_stream(job_stream *s, size_t more) {
    if (s->waiting_cap - s->waiting_len >= more)
        return s->waiting + s->waiting_len;
    uint8_t *moved = realloc(s->waiting, s->waiting_len + more);
    if (moved == NULL)
        return NULL;
    s->waiting = moved;
    s->waiting_cap = s->waiting_len + more;
    return moved + s->waiting_len;
}

/* True: there may be more. */
static bool read_piece(job_stream *s, record *into) {
    static uint8_t spare[READ_BYTES]; /* out of memory it is kept, not shown */
    uint8_t *to = s->is_gone ? NULL : reserve_stream(s, READ_BYTES);
    uint8_t *at = to != NULL ? to : spare;
    ssize_t got = read(s->from, at, READ_BYTES);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        close_from(s);
        return false;
    }
    record_add(into, s->to, at, (size_t)got);
    if (to != NULL)
        s->waiting_len += (size_t)got;
    return true;
}

void job_stream_read(job_stream *s, record *into) {
    if (s->from >= 0 && s->waiting_len == 0)
        read_piece(s, into);
}

void job_stream_drain(job_stream *s, record *into) {
    int pipe_bytes = s->from >= 0 ? fcntl(s->from, F_GETPIPE_SZ) : 0;
    uint64_t end = into->whole_bytes +
                   (pipe_bytes > 0 ? (uint64_t)pipe_bytes : PIPE_BYTES_LEAST);
    while (s->from >= 0 && into->whole_bytes <= end && read_piece(s, into)) {
    }
}

void job_stream_write(job_stream *s) {
    size_t len = s->waiting_len < s->write_max ? s->waiting_len : s->write_max;
    if (len == 0)
        return;
    ssize_t sent = write(s->to, s->waiting, len);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (sent < 0) {
        s->is_gone = true;
        s->waiting_len = 0;
        return;
    }
    s->waiting_len -= (size_t)sent;
    memmove(s->waiting, s->waiting + sent, s->waiting_len);
}
