/* SPDX-License-Identifier: Apache-2.0 */
/* job.c -- see the header: the loop that waits for what the command writes, for
 * signals, for its end, and for the loss of its lease. */
#include "client/ctl/job_inner.h"

#include "client/include/idemclient.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define TICK_MS      250
/* After a stop, or a silence of the server, the lease may look lost until the
 * next renewal is answered. */
#define LOST_FOR_MS  1000
/* What was started beside the command, >(tee log), may have a last word. */
#define LAST_WORD_MS 500

static const int passed_on[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
                                SIGUSR1, SIGUSR2, SIGWINCH};
#define PASSED_ON (sizeof passed_on / sizeof passed_on[0])

typedef struct job {
    const job_spec *spec;
    job_start start;
    job_end end;
    int signals; /* a signalfd */
    bool ended;
    uint64_t ended_ms;
    uint64_t lost_since_ms; /* 0: it is not lost */
    uint64_t kill_at_ms;    /* 0: never */
} job;

static void fill(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    for (size_t i = 0; i < PASSED_ON; i++)
        sigaddset(set, passed_on[i]);
}

void job_block_signals(sigset_t *was) {
    sigset_t set;
    fill(&set);
    pthread_sigmask(SIG_BLOCK, &set, was);
}

/* To the whole group where it is the command's own. */
static void tell_job(const job *j, int number) {
    if (!j->ended)
        kill(j->start.own_group ? -j->start.pid : j->start.pid, number);
}

/* What the terminal sends goes to its whole foreground group: the command has
 * it already. */
static void pass_on(const job *j, const struct signalfd_siginfo *info) {
    if (info->ssi_code == SI_KERNEL && !j->start.own_group)
        return;
    tell_job(j, (int)info->ssi_signo);
}

static void look_for_end(job *j) {
    int status;
    pid_t got = waitpid(j->start.pid, &status, WNOHANG);
    if (got != j->start.pid)
        return;
    j->ended = true;
    j->ended_ms = idem_now_ms();
    j->end.how = WIFEXITED(status) ? JOB_EXITED : JOB_KILLED;
    j->end.code = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
    /* What it wrote last may stand in the pipes still. */
    job_stream_drain(&j->end.streams[0], j->spec->record);
    job_stream_drain(&j->end.streams[1], j->spec->record);
}

static void take_signals(job *j) {
    struct signalfd_siginfo info;
    while (read(j->signals, &info, sizeof info) == (ssize_t)sizeof info)
        if (info.ssi_signo != SIGCHLD)
            pass_on(j, &info);
    if (!j->ended)
        look_for_end(j);
}

/* ---------------------------------------------------------------- the lease */

static void say_lost(const job *j) {
    fputs(j->spec->keep_running
              ? "idemctl: the lease is lost, and another may run the same; the "
                "command goes on (--keep-running)\n"
              : "idemctl: the lease is lost, and another may run the same: the "
                "command is asked to end (TERM)\n",
          stderr);
}

static void stop_it(job *j, uint64_t now_ms) {
    j->end.was_lost = true;
    say_lost(j);
    if (j->spec->keep_running)
        return;
    tell_job(j, SIGTERM);
    tell_job(j, SIGCONT); /* one that is stopped hears nothing else */
    if (j->spec->kill_after_ms > 0)
        j->kill_at_ms = now_ms + j->spec->kill_after_ms;
}

static void watch_lease(job *j) {
    uint64_t now_ms = idem_now_ms();
    if (j->ended)
        return;
    if (j->kill_at_ms != 0 && now_ms >= j->kill_at_ms) {
        j->kill_at_ms = 0;
        fputs("idemctl: the command has not ended: it is killed (KILL)\n",
              stderr);
        tell_job(j, SIGKILL);
    }
    if (j->end.was_lost || !j->spec->is_lost(j->spec->ctx))
        j->lost_since_ms = 0;
    else if (j->lost_since_ms == 0)
        j->lost_since_ms = now_ms;
    else if (now_ms - j->lost_since_ms >= LOST_FOR_MS)
        stop_it(j, now_ms);
}

/* ----------------------------------------------------------------- the loop */

static struct pollfd wanted(const job_stream *s) {
    if (s->waiting_len > 0)
        return (struct pollfd){.fd = s->to, .events = POLLOUT};
    return (struct pollfd){.fd = s->from, .events = POLLIN};
}

static void serve(job_stream *s, const struct pollfd *at, record *into) {
    if (at->revents == 0)
        return;
    if (s->waiting_len > 0)
        job_stream_write(s);
    else
        job_stream_read(s, into);
}

static void turn(job *j) {
    job_stream *streams = j->end.streams;
    struct pollfd fds[3] = {{.fd = j->signals, .events = POLLIN},
                            wanted(&streams[0]),
                            wanted(&streams[1])};
    if (poll(fds, 3, TICK_MS) < 0 && errno != EINTR)
        return;
    serve(&streams[0], &fds[1], j->spec->record);
    serve(&streams[1], &fds[2], j->spec->record);
    take_signals(j);
    watch_lease(j);
}

static bool is_over(const job *j) {
    const job_stream *streams = j->end.streams;
    if (!j->ended)
        return false;
    bool at_end = streams[0].from < 0 && streams[1].from < 0;
    return at_end || idem_now_ms() - j->ended_ms >= LAST_WORD_MS;
}

static void leave_pipes(job *j) {
    for (int i = 0; i < 2; i++) {
        job_stream *s = &j->end.streams[i];
        if (s->from < 0)
            continue;
        j->end.left_behind = true;
        close(s->from);
        s->from = -1;
    }
}

job_end job_run(const job_spec *spec) {
    sigset_t set;
    job j = {.spec = spec};
    fill(&set);
    signal(SIGCHLD, SIG_DFL); /* ignored, it would hide how the command ended */
    j.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    int why = j.signals < 0 ? errno : job_start_process(spec, &j.start);
    if (why != 0) {
        j.end.how = JOB_NOT_STARTED;
        j.end.code = why;
    } else {
        job_stream_open(&j.end.streams[0], j.start.out[0], STDOUT_FILENO);
        job_stream_open(&j.end.streams[1], j.start.err[0], STDERR_FILENO);
        while (!is_over(&j))
            turn(&j);
        leave_pipes(&j);
    }
    if (j.signals >= 0)
        close(j.signals);
    return j.end;
}

bool job_flush(job_end *end) {
    bool whole = true;
    for (int i = 0; i < 2; i++) {
        job_stream *s = &end->streams[i];
        s->write_max = s->waiting_len;
        while (s->waiting_len > 0) {
            struct pollfd at = wanted(s);
            poll(&at, 1, -1);
            job_stream_write(s);
        }
        whole = whole && !s->is_gone;
        free(s->waiting);
        s->waiting = NULL;
    }
    return whole;
}
