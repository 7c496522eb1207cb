/* SPDX-License-Identifier: Apache-2.0 */
/* closed_streams.c -- started with descriptors 0, 1 or 2 closed, no program
 * writes what is meant for a person into a file or to a server.
 *
 *   closed_streams IDEMSTORED IDEMCTL IDEMBENCH POINTS_MINIMAL */
#include "idemclient.h"
#include "tests/e2e/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAYS 8u

static const char *server, *ctl, *bench, *points;
static char folder[64];

/* Bit n: descriptor n is closed. As a shell says it. */
static const char *closes(unsigned way) {
    static char text[64];
    snprintf(text, sizeof text, "%s %s %s", way & 1 ? "<&-" : "",
             way & 2 ? ">&-" : "", way & 4 ? "2>&-" : "");
    return text;
}

static int shell(const char *line) {
    fflush(NULL);
    /* A shell is what closes descriptors for people. NOLINTNEXTLINE */
    int status = system(line);
    CHECK(WIFEXITED(status), "%s: ended by a signal", line);
    return WEXITSTATUS(status);
}

static bool opens_nothing(pid_t pid, int fd) {
    char path[64], to[64] = "";
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    return readlink(path, to, sizeof to - 1) > 0 && !strcmp(to, "/dev/null");
}

static off_t size_of(const char *name) {
    char path[128];
    struct stat about;
    snprintf(path, sizeof path, "%s/data/%s", folder, name);
    CHECK(stat(path, &about) == 0, "no %s", path);
    return about.st_size;
}

/* Its file is there a moment before anybody listens. */
static void await_socket(wire *w, const char *path) {
    for (int i = 0; !wire_try_unix(w, path); i++) {
        CHECK(i < 3000, "it does not listen");
        e2e_sleep_ms(10);
    }
}

/* Log lines used to be found in the folder's lock. */
static void daemon_keeps_files_apart(unsigned way) {
    char data[128], sock[128], listen_at[160], prefix[160];
    daemon_t daemon;
    wire w;
    snprintf(data, sizeof data, "%s/data", folder);
    snprintf(sock, sizeof sock, "%s/sock", folder);
    snprintf(listen_at, sizeof listen_at, "unix:%s", sock);
    snprintf(prefix, sizeof prefix, "exec %s;", closes(way));
    unlink(sock);
    daemon_start(
        &daemon,
        &(daemon_spec){.program = server,
                       .prefix = prefix,
                       .own_listen = true,
                       .flags = {"--listen", listen_at, "--data-dir", data,
                                 "--log-level", "debug", "--fsync", "no"}});
    await_socket(&w, sock);
    e2e_do_once(&w, "once", "done");
    for (int fd = 0; fd < 3; fd++)
        CHECK(!(way & 1u << fd) || opens_nothing(daemon.child.pid, fd),
              "descriptor %d was closed, and is something else now", fd);
    wire_close(&w);
    daemon_stop(&daemon);
    /* A process id, and no log line. */
    CHECK(size_of("LOCK") < 48, "the lock has %ld bytes of something",
          (long)size_of("LOCK"));
    snprintf(prefix, sizeof prefix, "rm -r %s", data);
    CHECK(shell(prefix) == 0, "can't remove %s", data);
}

/* A stranger's bytes on a connection would be counted. */
static void heard_only_requests(const daemon_t *daemon, const char *who) {
    CHECK(daemon_stat(daemon, "error_PROTOCOL_total") == 0,
          "%s wrote its words to the server", who);
}

#define UNWRITTEN 74 /* what idemctl ends with when nobody gets its answer */

static void idemctl_answers_nobody(const daemon_t *daemon, unsigned way) {
    char line[512];
    snprintf(line, sizeof line,
             "%s --server 127.0.0.1:%u acquire key-%u %s; test $? = %d && "
             "%s --server 127.0.0.1:%u nonsense %s; test $? = 64",
             ctl, daemon->port, way, closes(way), way & 2 ? UNWRITTEN : 0, ctl,
             daemon->port, closes(way));
    CHECK(shell(line) == 0, "idemctl with %s does not work", closes(way));
    heard_only_requests(daemon, "idemctl");
}

static void example_answers_nobody(const daemon_t *daemon, unsigned way) {
    char line[512];
    snprintf(line, sizeof line,
             "IDEMSTORE_URL=idem://127.0.0.1:%u %s once-%u %s", daemon->port,
             points, way, closes(way));
    CHECK(shell(line) == 0, "the example with %s does not work", closes(way));
    heard_only_requests(daemon, "the example");
}

static void idembench_measures(const daemon_t *daemon, unsigned way) {
    char line[512];
    snprintf(line, sizeof line,
             "%s --target idem/at=127.0.0.1:%u --duration 1 --rounds 1 "
             "--warmup 0 --connections 2 --prefault-mib 0 %s",
             bench, daemon->port, closes(way));
    CHECK(shell(line) == 0, "idembench with %s does not work", closes(way));
    heard_only_requests(daemon, "idembench");
}

/* A program of somebody else's that links the library. */
static void library_leaves_them_alone(const daemon_t *daemon) {
    idem_error err = {.size = sizeof err};
    idem_answer answer = {.size = sizeof answer};
    idem_client *client;
    char uri[64];
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u", daemon->port);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(0), close(1), close(2);
        if (idem_client_open(uri, &client, &err) != 0 ||
            idem_ping(client, NULL, &answer, &err) != 0)
            _exit(2);
        for (int fd = 0; fd < 3; fd++)
            if (fcntl(fd, F_GETFD) >= 0)
                _exit(3);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "no child");
    CHECK(WEXITSTATUS(status) == 0,
          "a socket of the library's took the place "
          "of a stream (%d)",
          WEXITSTATUS(status));
}

int main(int argc, char **argv) {
    CHECK(argc == 5, "usage: closed_streams IDEMSTORED IDEMCTL IDEMBENCH "
                     "POINTS_MINIMAL");
    server = argv[1], ctl = argv[2], bench = argv[3], points = argv[4];
    snprintf(folder, sizeof folder, "/tmp/idemstore-streams-XXXXXX");
    CHECK(mkdtemp(folder) != NULL, "no folder");
    for (unsigned way = 1; way < WAYS; way++)
        daemon_keeps_files_apart(way);
    puts("  the daemon's log is in no file of its folder");
    daemon_t daemon;
    daemon_start(&daemon, &(daemon_spec){.program = server});
    for (unsigned way = 1; way < WAYS; way++) {
        idemctl_answers_nobody(&daemon, way);
        example_answers_nobody(&daemon, way);
    }
    idembench_measures(&daemon, WAYS - 1);
    library_leaves_them_alone(&daemon);
    daemon_stop(&daemon);
    rmdir(folder);
    puts("  idemctl, idembench, the example, the library: no stray word");
    return 0;
}
