/* SPDX-License-Identifier: Apache-2.0 */
/* slow_log.c -- whoever reads the daemon's log stands still, or there is too
 * much to log: nobody waits for it.
 *
 *   slow_log IDEMSTORED */
#include "proto/commands.h"
#include "tests/e2e/harness.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ORDERS 4000u

static const char *program;
static char folder[64];

static void start(daemon_t *daemon, const char *stderr_to, bool keeps) {
    char prefix[128];
    snprintf(prefix, sizeof prefix, "exec 2>%s;", stderr_to);
    daemon_start(daemon,
                 &(daemon_spec){.program = program,
                                .prefix = prefix,
                                .flags = {"--threads", "2", "--log-level",
                                          keeps ? "info" : "debug",
                                          keeps ? "--data-dir" : NULL,
                                          keeps ? folder : NULL}});
}

/* A stranger's bytes: one line at debug. */
static void make_lines(const daemon_t *daemon, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        wire w;
        char text[256];
        CHECK(wire_open(&w, daemon->port), "can't connect");
        wire_send(&w, "\x91\x00\n", 3);
        wire_text(&w, text, sizeof text);
        wire_close(&w);
    }
}

static void lose_lines(const daemon_t *daemon) {
    for (int i = 0; daemon_stat(daemon, "log_lines_lost_total") == 0; i++) {
        CHECK(i < 1000, "it never lost a line");
        make_lines(daemon, 100);
    }
}

static void is_as_it_was(const daemon_t *daemon) {
    char path[64], line[128];
    unsigned flags = 0;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/2", (int)daemon->child.pid);
    FILE *file = fopen(path, "re");
    CHECK(file != NULL, "no %s", path);
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "flags:", 6) == 0)
            flags = (unsigned)strtoul(line + 6, NULL, 8);
    fclose(file);
    CHECK(!(flags & O_NONBLOCK), "what it shares with others is O_NONBLOCK");
}

/* Reads on until this was said. */
static bool pipe_says(int fd, const char *what) {
    static char text[1 << 21];
    size_t len = 0;
    for (int i = 0; i < 6000 && len < sizeof text - 1; i++) {
        ssize_t got = read(fd, text + len, sizeof text - 1 - len);
        if (got > 0)
            len += (size_t)got;
        else
            e2e_sleep_ms(10);
        text[len] = '\0';
        if (strstr(text, what))
            return true;
    }
    return false;
}

static void stops(daemon_t *daemon) {
    kill(daemon->child.pid, SIGTERM);
    int code = daemon_exit(daemon, 60);
    CHECK(code == 0, "it ends with %d", code);
    unlink(daemon->child.log_path);
}

static void a_reader_that_stands_still(void) {
    char path[96];
    daemon_t daemon;
    snprintf(path, sizeof path, "%s-pipe", folder);
    CHECK(mkfifo(path, 0600) == 0, "no pipe");
    int reader = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    CHECK(reader >= 0, "can't open the pipe");
    start(&daemon, path, false);
    bystander *by = bystander_start(daemon.port);
    lose_lines(&daemon);
    bystander_is_well(by, "log lines that nobody reads");
    is_as_it_was(&daemon);
    CHECK(pipe_says(reader, "msg=\"log lines lost\""),
          "nobody is told that lines were lost");
    lose_lines(&daemon);
    bystander_stop(by);
    stops(&daemon); /* nobody reads again */
    close(reader);
    unlink(path);
    puts("  a log reader that stands still holds nobody up");
}

static void a_log_on_a_full_disk(void) {
    daemon_t daemon;
    wire w;
    start(&daemon, "/dev/full", false);
    make_lines(&daemon, 20);
    CHECK(wire_open(&w, daemon.port), "can't connect");
    e2e_do_once(&w, "key", "done");
    wire_close(&w);
    for (int i = 0; daemon_stat(&daemon, "log_lines_lost_total") == 0; i++) {
        CHECK(i < 3000, "lines that can't be written are not counted");
        e2e_sleep_ms(10);
    }
    stops(&daemon);
    puts("  a log on a full disk: lines are counted, all else goes on");
}

/* Each is refused while one is under way, and each used to be two lines. */
static void commands_fill_no_log(void) {
    char path[96], command[320];
    daemon_t daemon;
    struct stat about;
    wire w;
    snprintf(path, sizeof path, "%s-log", folder);
    start(&daemon, path, true);
    CHECK(wire_open(&w, daemon.port), "can't connect");
    uint64_t from_ms = e2e_now_ms();
    unsigned taken = 0;
    for (unsigned i = 0; i < ORDERS; i++) {
        idp_request ask = {.method = IDP_SNAPSHOT};
        CHECK(wire_send_request(&w, &ask), "it is gone");
    }
    for (unsigned i = 0; i < ORDERS; i++) {
        idp_reply reply;
        idp_command_answer answer;
        CHECK(wire_reply(&w, &reply), "order %u is not answered", i);
        taken += !reply.is_error &&
                 idp_command_read(IDP_SNAPSHOT, reply.result, &answer) &&
                 answer.outcome == IDP_COMMAND_SNAPSHOT;
    }
    uint64_t s = (e2e_now_ms() - from_ms) / 1000 + 1;
    CHECK(stat(path, &about) == 0, "no log");
    CHECK((uint64_t)about.st_size < 65536 + s * 8192,
          "%u orders made %ld bytes of log in %llu s", ORDERS,
          (long)about.st_size, (unsigned long long)s);
    CHECK(taken > 0 && taken <= s + 1, "%u snapshots in %llu s", taken,
          (unsigned long long)s);
    CHECK(daemon_stat(&daemon, "log_lines_held_back_total") > 0,
          "none was held back");
    wire_close(&w);
    stops(&daemon);
    snprintf(command, sizeof command,
             "grep -q 'log lines held back' %s && rm -r %s %s", path, path,
             folder);
    CHECK(system(command) == 0, "%s does not tell of them", path);
    puts("  commands by the thousand: few lines, a snapshot a second");
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: slow_log IDEMSTORED");
    program = argv[1];
    snprintf(folder, sizeof folder, "/tmp/idemstore-slow-log-XXXXXX");
    CHECK(mkdtemp(folder) != NULL, "no folder");
    a_reader_that_stands_still();
    a_log_on_a_full_disk();
    commands_fill_no_log();
    return 0;
}
