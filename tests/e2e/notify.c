/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c -- what a service manager hears of the daemon: ready only when it
 * serves, stopping when it drains, and nothing that keeps it from serving.
 *
 *   notify IDEMSTORED */
#include "tests/e2e/harness.h"

#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static const char *program;

/* A manager's socket under this name; '@' for an abstract one. */
static int manager(const char *name) {
    const struct timeval wait = {.tv_sec = 60};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socklen_t len =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    memcpy(at.sun_path, name, strlen(name));
    if (name[0] == '@')
        at.sun_path[0] = '\0';
    else
        unlink(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0, "no socket");
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    CHECK(bind(fd, (struct sockaddr *)&at, len) == 0, "can't bind %s", name);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void hears(int fd, const char *word) {
    char text[256];
    ssize_t got = recv(fd, text, sizeof text - 1, 0);
    CHECK(got > 0, "the manager heard nothing, not even %s", word);
    text[got] = '\0';
    CHECK(strncmp(text, word, strlen(word)) == 0, "it heard \"%s\", not %s",
          text, word);
}

static void from_start_to_end(const char *name) {
    daemon_t daemon;
    wire w;
    int fd = manager(name);
    daemon_start(&daemon, &(daemon_spec){.program = program});
    hears(fd, "READY=1\n");
    CHECK(wire_open(&w, daemon.port), "ready, and nothing listens");
    e2e_do_once(&w, "first", "done");
    wire_close(&w);
    kill(daemon.child.pid, SIGHUP);
    hears(fd, "RELOADING=1\nMONOTONIC_USEC=");
    hears(fd, "READY=1\n");
    kill(daemon.child.pid, SIGTERM);
    hears(fd, "STOPPING=1\n");
    CHECK(daemon_exit(&daemon, 60) == 0, "it does not end well");
    unlink(daemon.child.log_path);
    close(fd);
    if (name[0] != '@')
        unlink(name);
    printf("  ready, reloading, ready, then stopping: %s\n", name);
}

/* Nobody reads there, or it is no address at all: it serves all the same. */
static void serves_without(const char *name) {
    daemon_t daemon;
    wire w;
    setenv("NOTIFY_SOCKET", name, 1);
    daemon_start(&daemon, &(daemon_spec){.program = program});
    CHECK(daemon_said(&daemon, "the service manager can't be told"),
          "it does not say that %s is no use", name);
    CHECK(wire_open(&w, daemon.port), "can't connect");
    e2e_do_once(&w, "first", "done");
    wire_close(&w);
    daemon_stop(&daemon);
    printf("  no manager at %.40s: said, and served\n", name);
}

int main(int argc, char **argv) {
    char path[64], abstract[64], long_name[200];
    if (argc != 2)
        return 64;
    program = argv[1];
    snprintf(path, sizeof path, "/tmp/idemstore-notify-%d", (int)getpid());
    snprintf(abstract, sizeof abstract, "@idemstore-notify-%d", (int)getpid());
    memset(long_name, 'x', sizeof long_name);
    long_name[0] = '/';
    long_name[sizeof long_name - 1] = '\0';
    from_start_to_end(path);
    from_start_to_end(abstract);
    serves_without("/nowhere/at/all");
    serves_without("vsock:2:1234");
    serves_without(long_name);
    return 0;
}
