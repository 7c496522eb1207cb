/* SPDX-License-Identifier: Apache-2.0 */
/* health.c -- one worker of three stands still: /healthz says so, asked at the
 * others, and says that all is well once it goes on.
 *
 *   health IDEMSTORED */
#include "tests/e2e/http_conn.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#define CONNS 9
#define ASKED "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

static daemon_t store;
static http_conn conns[CONNS];
static bool asked[CONNS]; /* and has no answer yet */

/* The thread with this name. */
static pid_t find_thread(const char *name) {
    char path[64], comm[64];
    pid_t found = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)store.child.pid);
    DIR *threads = opendir(path);
    CHECK(threads != NULL, "%s: %s", path, strerror(errno));
    for (const struct dirent *one; !found && (one = readdir(threads));) {
        pid_t tid = atoi(one->d_name);
        snprintf(path, sizeof path, "/proc/%d/task/%d/comm",
                 (int)store.child.pid, (int)tid);
        FILE *file = tid ? fopen(path, "re") : NULL;
        if (file && fgets(comm, sizeof comm, file) &&
            strcspn(comm, "\n") == strlen(name) &&
            strncmp(comm, name, strlen(name)) == 0)
            found = tid;
        if (file)
            fclose(file);
    }
    closedir(threads);
    CHECK(found != 0, "there is no thread %s", name);
    return found;
}

/* False: this machine allows no ptrace. */
static bool stop_thread(pid_t tid) {
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0) {
        CHECK(errno == EPERM || errno == ENOSYS, "%s", strerror(errno));
        return false;
    }
    CHECK(ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) == 0 &&
              waitpid(tid, NULL, __WALL) == tid,
          "%s", strerror(errno));
    return true;
}

static void ask_all(void) {
    for (int i = 0; i < CONNS; i++) {
        if (!asked[i])
            http_send(&conns[i], ASKED, strlen(ASKED));
        asked[i] = true;
    }
}

/* Whoever has an answer: how many say this status, with these words. */
static int heard(int status, const char *words) {
    struct pollfd ready[CONNS];
    int count = 0;
    for (int i = 0; i < CONNS; i++)
        ready[i] = (struct pollfd){.fd = conns[i].fd, .events = POLLIN};
    CHECK(poll(ready, CONNS, 100) >= 0, "%s", strerror(errno));
    for (int i = 0; i < CONNS; i++) {
        if (!ready[i].revents)
            continue;
        http_response r = http_read(&conns[i]);
        CHECK(r.status == 200 || r.status == 503, "status %d", r.status);
        asked[i] = false;
        count += r.status == status && strstr(r.body, words) != NULL;
    }
    return count;
}

static void until_heard(int status, const char *words, int least) {
    uint64_t begun_ms = e2e_now_ms();
    for (int count = 0; count < least;) {
        CHECK(e2e_now_ms() - begun_ms < 60000, "nobody says %d: %s", status,
              words);
        ask_all();
        count = heard(status, words);
    }
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: health IDEMSTORED");
    daemon_start(&store, &(daemon_spec){.program = argv[1],
                                        .flags = {"--http", "127.0.0.1:0",
                                                  "--threads", "3"}});
    uint16_t port = http_port_of(&store);
    for (int i = 0; i < CONNS; i++)
        http_open(&conns[i], port);
    until_heard(200, "All 3 workers answer.", 1);
    pid_t tid = find_thread("loop-2");
    if (!stop_thread(tid)) {
        puts("  skipped: no ptrace here");
        daemon_stop(&store);
        return 77;
    }
    until_heard(503, "1 of 3 workers did not answer for over 2 s; worker 2", 1);
    puts("  a worker that stands still is told by the others");
    CHECK(ptrace(PTRACE_DETACH, tid, NULL, NULL) == 0, "%s", strerror(errno));
    until_heard(200, "All 3 workers answer.", 1);
    puts("  and it is well again once it goes on");
    for (int i = 0; i < CONNS; i++)
        http_close(&conns[i]);
    daemon_stop(&store);
    return 0;
}
