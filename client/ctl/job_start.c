/* SPDX-License-Identifier: Apache-2.0 */
/* job_start.c -- a command becomes a process, or it is known why not. */
#include "client/ctl/job_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_EXEC_FAILED 127

bool job_has_terminal(void) {
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

/* From here on only what is safe between fork and exec. */
static _Noreturn void become(const job_spec *spec, const job_start *start,
                             pid_t parent) {
    if (start->own_group)
        setpgid(0, 0);
    /* Killed as it may be, idemctl takes the command along: nobody would renew
     * its lease, and the next one to ask would run beside it. */
    if (!spec->keep_running) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            _exit(EXIT_EXEC_FAILED);
    }
    if (spec->no_stdin) {
        int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (none >= 0)
            dup2(none, STDIN_FILENO);
    }
    dup2(start->out[1], STDOUT_FILENO);
    dup2(start->err[1], STDERR_FILENO);
    signal(SIGPIPE, SIG_DFL); /* these two are idemctl's own */
    signal(SIGXFSZ, SIG_DFL);
    sigprocmask(SIG_SETMASK, spec->mask, NULL);
    execvpe(spec->words[0], spec->words, spec->env);
    int why = errno;
    ssize_t told = write(start->fault[1], &why, sizeof why);
    (void)told;
    _exit(EXIT_EXEC_FAILED);
}

static void close_one(int *fd) {
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_both(int ends[2]) {
    close_one(&ends[0]);
    close_one(&ends[1]);
}

/* errno of the exec, or 0: the pipe was closed by it. */
static int read_fault(int fd) {
    int why = 0;
    ssize_t got;
    do {
        got = read(fd, &why, sizeof why);
    } while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof why ? why : 0;
}

static int wait_for_exec(job_start *start) {
    close_one(&start->fault[1]);
    close_one(&start->out[1]);
    close_one(&start->err[1]);
    int why = read_fault(start->fault[0]);
    close_one(&start->fault[0]);
    if (why != 0)
        while (waitpid(start->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    return why;
}

static int start_process(const job_spec *spec, job_start *start) {
    if (pipe2(start->out, O_CLOEXEC) != 0 ||
        pipe2(start->err, O_CLOEXEC) != 0 || pipe2(start->fault, O_CLOEXEC))
        return errno;
    pid_t parent = getpid();
    start->own_group = !job_has_terminal();
    start->pid = fork();
    if (start->pid < 0)
        return errno;
    if (start->pid == 0)
        become(spec, start, parent);
    if (start->own_group)
        setpgid(start->pid, start->pid); /* whoever of the two comes first */
    return wait_for_exec(start);
}

int job_start_process(const job_spec *spec, job_start *start) {
    *start = (job_start){
        .pid = -1, .out = {-1, -1}, .err = {-1, -1}, .fault = {-1, -1}};
    int why = start_process(spec, start);
    if (why != 0) {
        close_both(start->out);
        close_both(start->err);
        close_both(start->fault);
    }
    return why;
}
