/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c -- settings that are read again while the daemon serves: who wins
 * stays the same, what is bad changes nothing, what needs a restart is named,
 * and no call fails for it.
 *
 *   reload IDEMSTORED */
#include "tests/e2e/harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *program;
static char folder[] = "/tmp/idemstore-reload-XXXXXX";
static char path[64];

__attribute__((format(printf, 1, 2))) static void file_says(const char *format,
                                                            ...) {
    char next[80];
    va_list args;
    snprintf(next, sizeof next, "%s.next", path);
    FILE *to = fopen(next, "we");
    CHECK(to != NULL, "can't write %s", next);
    va_start(args, format);
    vfprintf(to, format, args);
    va_end(args);
    CHECK(fclose(to) == 0 && chmod(next, 0640) == 0 && rename(next, path) == 0,
          "can't write %s", path);
}

static void reload(const daemon_t *daemon) {
    CHECK(kill(daemon->child.pid, SIGHUP) == 0, "it is gone");
}

static void waits_for(const daemon_t *daemon, const char *line) {
    bool said = daemon_said(daemon, line);
    if (!said)
        child_print_log(&daemon->child);
    CHECK(said, "it does not say %s", line);
}

static void has(const daemon_t *daemon, const char *stat, uint64_t value) {
    uint64_t is = daemon_stat(daemon, stat);
    CHECK(is == value, "%s is %llu, not %llu", stat, (unsigned long long)is,
          (unsigned long long)value);
}

static void start(daemon_t *daemon, const char *prefix, const char *flag,
                  const char *value) {
    daemon_start(daemon, &(daemon_spec){.program = program,
                                        .prefix = prefix,
                                        .flags = {"-c", path, "--threads", "2",
                                                  flag, value}});
}

/* The file changes under each of them. */
static void who_wins(void) {
    static const struct {
        const char *prefix, *flag, *value;
        uint64_t mib; /* before, and after if it is not the file's */
        bool is_files;
    } cases[] = {
        {"", NULL, NULL, 64, true},
        {"export IDEMSTORED_MAX_MEMORY=96m;", NULL, NULL, 96, false},
        {"", "--max-memory", "80m", 80, false},
        {"export IDEMSTORED_MAX_MEMORY=96m;", "--max-memory", "80m", 80, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        daemon_t daemon;
        file_says("max_memory = 64m\n");
        start(&daemon, cases[i].prefix, cases[i].flag, cases[i].value);
        has(&daemon, "memory_bytes_max", cases[i].mib << 20);
        file_says("max_memory = 128m\nlog_level = debug\n");
        reload(&daemon);
        waits_for(&daemon, "msg=\"settings reloaded\"");
        has(&daemon, "memory_bytes_max",
            cases[i].is_files ? 128u << 20 : cases[i].mib << 20);
        waits_for(&daemon, "msg=\"a setting changed\" setting=log_level");
        has(&daemon, "reload_failed", 0);
        daemon_stop(&daemon);
    }
    puts("  flag, environment, file: the same one wins after a reload");
}

static void good_one(const daemon_t *daemon, unsigned mib) {
    char line[64];
    file_says("max_memory = %um\n", mib);
    reload(daemon);
    snprintf(line, sizeof line, "setting=max_memory value=\"%um\"", mib);
    waits_for(daemon, line);
    has(daemon, "memory_bytes_max", (uint64_t)mib << 20);
    has(daemon, "reload_failed", 0);
}

/* In front of what is bad stands what is good, and must not hold. */
static void bad_ones_change_nothing(void) {
    static const char *const cases[][2] = {
        {"max_memroy = 1g\n", ":2: max_memroy: no such key; did you mean"},
        {"threads = 0\n", ":2: threads 0: must be"},
        {"max_memory = 2g\n", ":2: max_memory: a second time"},
        {"fsync = ev", ":2: the file ends in the middle of this line"},
        {"node = \"a\n", ":2: the quote that begins here"},
        {"listen = {\"127.0.0.1:0\"\n", ":2: the list that begins here"},
        {"node = a//b\n", ":2: '//'"},
        {"secret_file = /no/where\n", ":2: secret_file /no/where: No such"},
        {"idle_timeout = 1\r\n", ":2: a carriage return"},
        {"min_in_sync = 2\n", ":2: min_in_sync 2: needs --replication sync"}};
    daemon_t daemon;
    unsigned mib = 64;
    file_says("max_memory = %um\n", mib);
    start(&daemon, "", NULL, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[192];
        file_says("max_memory = 1g\n%s", cases[i][0]);
        reload(&daemon);
        snprintf(line, sizeof line, "reason=\"%s%s", path, cases[i][1]);
        waits_for(&daemon, line);
        has(&daemon, "memory_bytes_max", (uint64_t)mib << 20);
        has(&daemon, "reload_failed", 1);
        if (i % 4 == 3)
            good_one(&daemon, ++mib);
    }
    CHECK(chmod(path, 0666) == 0, "chmod");
    reload(&daemon);
    waits_for(&daemon, "everybody may write it (mode 0666)");
    unlink(path);
    reload(&daemon);
    waits_for(&daemon, "No such file or directory");
    CHECK(mkdir(path, 0700) == 0, "mkdir");
    reload(&daemon);
    waits_for(&daemon, "is a folder, not a file");
    rmdir(path);
    has(&daemon, "memory_bytes_max", (uint64_t)mib << 20);
    good_one(&daemon, ++mib);
    daemon_stop(&daemon);
    puts(
        "  a bad file: the line is named, nothing changes, the next one holds");
}

static void a_restart_is_named(void) {
    daemon_t daemon;
    file_says("max_memory = 64m\nfsync = always\n");
    start(&daemon, "", NULL, NULL);
    file_says("max_memory = 65m\nfsync = no\nmax_pending = 7\n");
    reload(&daemon);
    waits_for(&daemon, "a setting waits for a restart\" setting=fsync");
    waits_for(&daemon, "a setting waits for a restart\" setting=max_pending");
    waits_for(&daemon, "setting=max_memory value=\"65m\"");
    has(&daemon, "memory_bytes_max", 65u << 20);
    file_says("max_memory = 32m\n");
    reload(&daemon);
    waits_for(&daemon, "a setting waits for a restart\" setting=max_memory "
                       "value=\"32m\"");
    has(&daemon, "memory_bytes_max", 65u << 20);
    has(&daemon, "reload_failed", 0);
    daemon_stop(&daemon);
    puts("  what needs a restart is named, the rest is applied");
}

/* A limit that each loop has by itself: a connection on either is closed. */
static void each_loop_takes_it(void) {
    daemon_t daemon;
    wire w[2];
    file_says("idle_timeout = 0\n");
    start(&daemon, "", NULL, NULL);
    for (int i = 0; i < 2; i++) {
        idp_hello hello;
        CHECK(wire_open(&w[i], daemon.port), "can't connect");
        CHECK(wire_hello(&w[i], i, NULL, &hello) == 0, "no hello");
    }
    file_says("idle_timeout = 1\n");
    reload(&daemon);
    waits_for(&daemon, "setting=idle_timeout value=\"1\"");
    for (int i = 0; i < 2; i++) {
        idp_reply reply;
        CHECK(!wire_reply(&w[i], &reply), "what does it say?");
        wire_close(&w[i]);
    }
    waits_for(&daemon, "connection closed");
    daemon_stop(&daemon);
    puts("  each loop takes the new limits");
}

static void places_change(void) {
    daemon_t daemon;
    wire first, second;
    file_says("max_connections = 100\n");
    start(&daemon, "", NULL, NULL);
    CHECK(wire_open(&first, daemon.port), "can't connect");
    e2e_do_once(&first, "first", "done");
    file_says("max_connections = 1\n");
    reload(&daemon);
    waits_for(&daemon, "setting=max_connections value=\"1\"");
    CHECK(wire_open(&second, daemon.port), "can't connect");
    idp_request claim = ask_acquire("second", 1000, 1000);
    idp_answer answer;
    int code = wire_call(&second, &claim, &answer);
    CHECK(code == IDP_E_LIMIT, "one over the limit hears %d", code);
    wire_close(&second);
    e2e_do_once(&first, "first-again", "done");
    file_says("max_connections = 50\n");
    reload(&daemon);
    waits_for(&daemon, "setting=max_connections value=\"50\"");
    CHECK(wire_open(&second, daemon.port), "can't connect");
    e2e_do_once(&second, "second", "done");
    wire_close(&first);
    wire_close(&second);
    daemon_stop(&daemon);
    puts("  places for connections: fewer, then more");
}

static void the_log_changes(void) {
    daemon_t daemon;
    file_says("log_format = logfmt\n");
    start(&daemon, "", NULL, NULL);
    file_says("log_format = json\n");
    reload(&daemon);
    waits_for(&daemon, "setting=log_format value=\"json\"");
    waits_for(&daemon, "\"level\":\"info\",\"msg\":\"settings reloaded\",");
    daemon_stop(&daemon);
    puts("  the log: from logfmt to JSON");
}

/* --- under load */

#define CALLERS 3
#define JOBS    10000 /* each an acquire and a complete: 20,000 calls */

static uint16_t port;
static atomic_uint jobs_left = JOBS;

static void *call(void *number) {
    wire w;
    unsigned left;
    CHECK(wire_open(&w, port), "can't connect");
    while ((left = atomic_load(&jobs_left)) > 0) {
        char key[32];
        if (!atomic_compare_exchange_weak(&jobs_left, &left, left - 1))
            continue;
        snprintf(key, sizeof key, "job-%u", left);
        e2e_do_once(&w, key, "done");
    }
    wire_close(&w);
    return number;
}

static void under_load(void) {
    pthread_t callers[CALLERS];
    daemon_t daemon;
    unsigned reloads = 0;
    file_says("max_memory = 64m\n");
    start(&daemon, "", NULL, NULL);
    port = daemon.port;
    for (size_t i = 0; i < CALLERS; i++)
        CHECK(pthread_create(&callers[i], NULL, call, NULL) == 0, "no thread");
    while (atomic_load(&jobs_left) > 0) {
        reloads++;
        file_says("max_memory = %um\nidle_timeout = %u\nmax_buffers = %um\n%s",
                  64 + reloads / 16, 100 + reloads, 16 + reloads % 7,
                  reloads % 3 ? "" : "threads = none\n");
        reload(&daemon);
        e2e_sleep_ms(5);
    }
    for (size_t i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    CHECK(daemon_stat(&daemon, "completed_total") == JOBS, "a job is missing");
    file_says("max_memory = 1g\n");
    reload(&daemon);
    /* Of so many lines of a kind some are held back: the figure tells. */
    while (daemon_stat(&daemon, "memory_bytes_max") != 1u << 30)
        e2e_sleep_ms(20);
    daemon_stop(&daemon);
    printf("  %u reloads beside %d calls, and none failed\n", reloads,
           2 * JOBS);
}

/* Nobody sends a signal. */
static void what_changes_is_seen(void) {
    daemon_t daemon;
    file_says("max_memory = 64m\n");
    start(&daemon, "", "--reload-every", "1");
    has(&daemon, "memory_bytes_max", 64u << 20);
    file_says("max_memory = 96m\n");
    waits_for(&daemon, "msg=\"a file of the settings has changed\"");
    waits_for(&daemon, "setting=max_memory value=\"96m\"");
    has(&daemon, "memory_bytes_max", 96u << 20);
    file_says("max_memory = none\n");
    waits_for(&daemon, "max_memory none: not a number");
    has(&daemon, "reload_failed", 1);
    file_says("max_memory = 128m\n");
    waits_for(&daemon, "setting=max_memory value=\"128m\"");
    has(&daemon, "reload_failed", 0);
    daemon_stop(&daemon);
    puts("  --reload-every sees by itself what has changed");
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: reload IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    program = argv[1];
    CHECK(mkdtemp(folder) != NULL, "no folder");
    snprintf(path, sizeof path, "%s/f", folder);
    who_wins();
    bad_ones_change_nothing();
    a_restart_is_named();
    each_loop_takes_it();
    places_change();
    the_log_changes();
    what_changes_is_seen();
    under_load();
    unlink(path);
    CHECK(rmdir(folder) == 0, "something is left in %s", folder);
    return 0;
}
