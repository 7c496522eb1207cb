/* SPDX-License-Identifier: Apache-2.0 */
/* child.c -- see the header. */
#include "tests/e2e/child.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define START_SECONDS_MAX 20u
#define STOP_SECONDS_MAX  10u
#define STEPS_PER_SECOND  100u

static void step(void) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000000 / STEPS_PER_SECOND},
              NULL);
}

static _Noreturn void become(const child *one, char *const argv[],
                             pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int log = open(one->log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int nothing = open("/dev/null", O_RDONLY);
    if (getppid() != parent || log < 0 || nothing < 0)
        _exit(127);
    dup2(nothing, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execvp(argv[0], argv);
    perror(argv[0]);
    _exit(127);
}

bool child_start(child *one, const char *name, const char *dir,
                 char *const argv[]) {
    snprintf(one->name, sizeof one->name, "%s", name);
    snprintf(one->log_path, sizeof one->log_path, "%s/%s.log", dir, name);
    pid_t parent = getpid();
    fflush(NULL);
    one->pid = fork();
    if (one->pid == 0)
        become(one, argv, parent);
    if (one->pid < 0)
        one->pid = 0;
    return one->pid != 0;
}

/* Its own exit is seen, not reaped: the caller still learns of it. */
static bool is_alive(const child *one) {
    siginfo_t info = {.si_pid = 0};
    return one->pid != 0 &&
           waitid(P_PID, (id_t)one->pid, &info, WEXITED | WNOHANG | WNOWAIT) ==
               0 &&
           info.si_pid == 0;
}

static uint16_t port_in_log(const char *path) {
    static const char mark[] = "listening on 127.0.0.1:";
    char line[1024];
    unsigned long port = 0;
    FILE *log = fopen(path, "re");
    while (log != NULL && port == 0 && fgets(line, sizeof line, log)) {
        const char *at = strstr(line, mark);
        /* The line is whole: half a port number would be another port. */
        if (at != NULL && strchr(at, '\n') != NULL)
            port = strtoul(at + sizeof mark - 1, NULL, 10);
    }
    if (log != NULL)
        fclose(log);
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

uint16_t child_port(const child *one) {
    for (unsigned i = 0; i < START_SECONDS_MAX * STEPS_PER_SECOND; i++) {
        uint16_t port = port_in_log(one->log_path);
        if (port != 0 || !is_alive(one))
            return port;
        step();
    }
    return 0;
}

static bool answers(uint16_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected =
        fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    if (fd >= 0)
        close(fd);
    return connected;
}

bool child_listens(child *one, uint16_t port) {
    for (unsigned i = 0; i < START_SECONDS_MAX * STEPS_PER_SECOND; i++) {
        if (!is_alive(one))
            return false;
        if (answers(port))
            return true;
        step();
    }
    return false;
}

bool child_ended(child *one, int *status) {
    if (one->pid == 0 || waitpid(one->pid, status, WNOHANG) != one->pid)
        return false;
    one->pid = 0;
    return true;
}

bool child_wait(child *one, int *status, unsigned seconds_max) {
    for (unsigned i = 0; i < seconds_max * STEPS_PER_SECOND; i++) {
        if (child_ended(one, status))
            return true;
        step();
    }
    return false;
}

void child_stop(child *one) {
    int status;
    if (one->pid == 0)
        return;
    kill(one->pid, SIGTERM);
    if (child_wait(one, &status, STOP_SECONDS_MAX))
        return;
    kill(one->pid, SIGKILL);
    waitpid(one->pid, &status, 0);
    one->pid = 0;
}

void child_print_log(const child *one) {
    char line[1024];
    FILE *log = fopen(one->log_path, "re");
    printf("---- %s said:\n", one->name);
    while (log != NULL && fgets(line, sizeof line, log))
        printf("     %s", line);
    if (log != NULL)
        fclose(log);
}
