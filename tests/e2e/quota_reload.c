/* SPDX-License-Identifier: Apache-2.0 */
/* quota_reload.c -- namespaces' limits that change while the daemon serves:
 * raised, lowered, there and gone; counts stay what they are, and what is under
 * way is completed.
 *
 *   quota_reload IDEMSTORED */
#include "tests/e2e/harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEYS_MAX = 2000 };

static const char *program;
static char folder[] = "/tmp/idem-quota-reload-XXXXXX";
static char path[64];

static void file_says(const char *text) {
    char next[80];
    snprintf(next, sizeof next, "%s.next", path);
    FILE *to = fopen(next, "we");
    CHECK(to && fputs(text, to) >= 0 && fclose(to) == 0, "%s", next);
    CHECK(rename(next, path) == 0, "%s", path);
}

static void start(daemon_t *daemon) {
    daemon_start(daemon,
                 &(daemon_spec){.program = program,
                                .flags = {"-c", path, "--threads", "4"}});
}

/* Memory grows with each version: so it is told that it holds. Lines of the log
 * are held back where there are many. */
static void reload(const daemon_t *daemon, const char *text) {
    static uint64_t mib = 256;
    char all[512];
    snprintf(all, sizeof all, "max_memory = %um\n%s", (unsigned)++mib, text);
    file_says(all);
    CHECK(kill(daemon->child.pid, SIGHUP) == 0, "it is gone");
    while (daemon_stat(daemon, "memory_bytes_max") != mib << 20)
        e2e_sleep_ms(10);
}

/* Each loop has heard of it, and has counted what was there: a question to each
 * comes behind the message. Exactly so many are there. */
static void has(const daemon_t *daemon, uint64_t records,
                uint64_t in_progress) {
    idp_ns_row row = daemon_namespace(daemon, "shop");
    CHECK(row.records == records && row.in_progress == in_progress,
          "%llu records and %llu in progress, not %llu and %llu",
          (unsigned long long)row.records, (unsigned long long)row.in_progress,
          (unsigned long long)records, (unsigned long long)in_progress);
}

static int ask(wire *w, const char *key, idp_request q, idp_answer *answer) {
    q.ns = text_slice("shop");
    q.key = text_slice(key);
    return wire_call(w, &q, answer);
}

static idp_token tokens[KEYS_MAX];

/* Of keys from..from+count: how many are granted. */
static uint32_t claim(wire *w, uint32_t from, uint32_t count) {
    uint32_t granted = 0;
    char key[32];
    for (uint32_t i = from; i < from + count; i++) {
        idp_answer answer;
        snprintf(key, sizeof key, "order-%u", i);
        int code = ask(w, key, ask_acquire(key, 600000, 600000), &answer);
        CHECK(code == 0 || code == IDP_E_NO_MEMORY, "%s: code %d", key, code);
        if (code == 0)
            tokens[i] = answer.token;
        granted += code == 0;
    }
    return granted;
}

/* All of them that were granted, whatever the limit is by now. */
static uint32_t complete(wire *w, uint32_t from, uint32_t count,
                         uint64_t ttl_ms) {
    uint32_t completed = 0;
    char key[32];
    for (uint32_t i = from; i < from + count; i++) {
        idp_answer answer;
        snprintf(key, sizeof key, "order-%u", i);
        if (!tokens[i].epoch)
            continue;
        idp_request q = ask_complete(key, tokens[i], "paid");
        q.ttl_ms = ttl_ms;
        int code = ask(w, key, q, &answer);
        CHECK(code == 0 && answer.outcome == IDP_OUTCOME_COMPLETED,
              "%s: code %d", key, code);
        completed++;
    }
    return completed;
}

static void is_about(uint32_t is, uint32_t wanted) {
    CHECK(is >= wanted && is <= wanted + 2, "%u, not %u", is, wanted);
}

static void raised_and_lowered(void) {
    daemon_t daemon;
    wire w;
    file_says("max_memory = 200m\nnamespace \"shop\" { max_records = 100 "
              "}\n");
    start(&daemon);
    CHECK(wire_open(&w, daemon.port), "no connection");
    uint32_t there = claim(&w, 0, 500);
    is_about(there, 100);
    has(&daemon, there, there);
    reload(&daemon, "namespace \"shop\" { max_records = 50 max_ttl = 10m }\n");
    has(&daemon, there, there);
    CHECK(claim(&w, 500, 100) == 0, "over the lowered limit");
    CHECK(complete(&w, 0, 500, 3600000) == there, "one is missing");
    has(&daemon, there, 0);
    reload(&daemon, "namespace \"shop\" { max_records = 300 }\n");
    has(&daemon, there, 0);
    uint32_t more = claim(&w, 600, 700);
    is_about(there + more, 300);
    has(&daemon, there + more, more);
    reload(&daemon, "namespace \"shop\" { max_ttl = 1d }\n");
    has(&daemon, there + more, more);
    CHECK(claim(&w, 1300, 200) == 200, "a limit that is gone refuses");
    has(&daemon, there + more + 200, more + 200);
    wire_close(&w);
    daemon_stop(&daemon);
    puts("  lowered, raised, gone: what is there counts, and is completed");
}

/* Nobody has counted until then. And a section that goes leaves its records
 * among the others, from which they come back. */
static void there_and_gone(void) {
    daemon_t daemon;
    wire w;
    file_says("max_memory = 200m\n");
    start(&daemon);
    CHECK(wire_open(&w, daemon.port), "no connection");
    CHECK(claim(&w, 0, 1000) == 1000, "refused without a limit");
    reload(&daemon, "namespace \"shop\" { max_records = 1100 }\n");
    has(&daemon, 1000, 1000);
    uint32_t more = claim(&w, 1000, 500);
    is_about(1000 + more, 1100);
    reload(&daemon, "namespace \"toys\" { max_records = 1 }\n");
    idp_ns_row others = daemon_namespace(&daemon, NULL);
    CHECK(others.records == 1000 + more, "the others have %llu",
          (unsigned long long)others.records);
    CHECK(claim(&w, 1500, 100) == 100, "refused without a limit");
    CHECK(complete(&w, 0, 500, 0) == 500, "one is missing");
    reload(&daemon, "namespace \"shop\" { max_records = 2 }\n");
    has(&daemon, 1100 + more, 600 + more);
    CHECK(claim(&w, 1600, 50) == 0, "over the limit");
    wire_close(&w);
    daemon_stop(&daemon);
    puts("  there, gone and there again: all that is there counts");
}

/* --- under load */

enum { CALLERS = 4, JOBS = 1500 };

static uint16_t port;
static atomic_uint refused, granted, done;
static atomic_int callers_left;

/* Claims, and completes what it was granted: never refused, and never asked
 * twice. */
static void *call(void *number) {
    wire w;
    CHECK(wire_open(&w, port), "no connection");
    for (unsigned i = 0; i < JOBS; i++) {
        idp_answer answer;
        char key[48];
        snprintf(key, sizeof key, "job-%d-%u", *(int *)number, i);
        idp_request q = ask_acquire(key, 600000, 600000);
        int code = ask(&w, key, q, &answer);
        CHECK(code == 0 || code == IDP_E_NO_MEMORY || code == IDP_E_LIMIT,
              "%s: code %d", key, code);
        atomic_fetch_add(code ? &refused : &granted, 1);
        if (code)
            continue;
        q = ask_complete(key, answer.token, "a result of some bytes");
        q.ttl_ms = 3600000; /* over each max_ttl */
        code = ask(&w, key, q, &answer);
        CHECK(code == 0 && answer.outcome == IDP_OUTCOME_COMPLETED,
              "%s: completed with code %d", key, code);
        CHECK(answer.ttl_ms == 0 || answer.ttl_ms == 1200000, "ttl_ms %llu",
              (unsigned long long)answer.ttl_ms);
        atomic_fetch_add(&done, 1);
    }
    wire_close(&w);
    atomic_fetch_sub(&callers_left, 1);
    return NULL;
}

/* Full, with room, with a rate, without any limit, unnamed. */
static void under_load(void) {
    static const char *const versions[] = {
        "namespace \"shop\" { max_records = 1 max_ttl = 20m }\n",
        "namespace \"shop\" { max_records = 100000 max_ttl = 20m }\n",
        "namespace \"shop\" { rate = 500 max_memory = 1k }\n",
        "namespace \"shop\" { }\n",
        "namespace \"*\" { max_records = 500 max_ttl = 20m }\n",
        ("namespace \"toys\" { rate = 1 }\nnamespace \"shop\" { rate = 5000 "
         "max_ttl = 20m max_result = 3 }\n")};
    static int numbers[CALLERS];
    pthread_t callers[CALLERS];
    daemon_t daemon;
    unsigned reloads = 0;
    file_says("max_memory = 200m\n");
    start(&daemon);
    port = daemon.port;
    atomic_store(&callers_left, CALLERS);
    for (int i = 0; i < CALLERS; i++) {
        numbers[i] = i;
        CHECK(pthread_create(&callers[i], NULL, call, &numbers[i]) == 0,
              "no thread");
    }
    while (atomic_load(&callers_left) > 0) {
        char text[512];
        snprintf(text, sizeof text, "max_memory = 200m\n%s",
                 versions[reloads++ % (sizeof versions / sizeof *versions)]);
        file_says(text);
        CHECK(kill(daemon.child.pid, SIGHUP) == 0, "it is gone");
        e2e_sleep_ms(3);
    }
    for (int i = 0; i < CALLERS; i++)
        pthread_join(callers[i], NULL);
    CHECK(granted == done && granted + refused == CALLERS * JOBS,
          "%u granted, %u completed", granted, done);
    reload(&daemon, "namespace \"shop\" { max_records = 1 }\n");
    has(&daemon, granted, 0);
    daemon_stop(&daemon);
    printf("  %u reloads: %u granted and completed, %u refused\n", reloads,
           granted, refused);
}

int main(int argc, char **argv) {
    CHECK(argc > 1, "quota_reload IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    program = argv[1];
    CHECK(mkdtemp(folder) != NULL, "no folder");
    snprintf(path, sizeof path, "%s/f", folder);
    raised_and_lowered();
    there_and_gone();
    under_load();
    unlink(path);
    CHECK(rmdir(folder) == 0, "something is left in %s", folder);
    puts("quota_reload: good");
    return 0;
}
