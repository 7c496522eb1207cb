/* SPDX-License-Identifier: Apache-2.0 */
/* budget.c -- what --max-memory promises of a whole daemon: the process takes
 * what it says that it takes, whatever the sizes; nothing is refused before it
 * is taken, whichever thread needs it; and what has ended is given back.
 *
 *   budget IDEMSTORED */
#include "proto/owner.h"
#include "tests/e2e/harness.h"
#include "tests/lib/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB          (1024u * 1024)
#define RESULT_MAX   (1200u * 1024)
#define SLACK_BYTES  (4.0 * MIB)
#define SLACK_SHARE  0.05
#define KEYS_MAX     2000000u
#define RETENTION_MS 3600000u

static uint8_t result[RESULT_MAX];
static uint64_t seed = 20261129;

typedef struct sizes {
    const char *name;
    uint32_t least, most; /* bytes of a result; equal: all alike */
} sizes;

static const sizes all_sizes[] = {
    {"nothing", 0, 0},
    {"100 bytes", 100, 100},
    {"a page less a bit", 4000, 4000},
    {"12 KiB", 12288, 12288},
    {"33 kB", 33000, 33000},
    {"64 KiB", 65536, 65536},
    {"65,600 bytes", 65600, 65600},
    {"128 KiB and its head", 131072, 131072},
    {"200 kB", 200000, 200000},
    {"1 MiB", MIB, MIB},
    {"any size up to 1 kB", 0, 1000},
    {"any size up to 100 kB", 0, 100000},
    {"any size up to the limit", 0, RESULT_MAX},
};

static void start(daemon_t *daemon, const char *program, const char *threads,
                  const char *memory) {
    daemon_start(daemon,
                 &(daemon_spec){.program = program,
                                .flags = {"--threads", threads, "--max-memory",
                                          memory, "--max-result", "2m"}});
}

static uint32_t draw(idt_rng *rng, const sizes *s) {
    if (s->least == s->most)
        return s->most;
    /* As often small as large. */
    uint32_t most = s->most >> idt_rng_below(rng, 8);
    return idt_rng_below(rng, most + 1);
}

/* Claims the key and completes it. 0; or NO_MEMORY, or -1: it was completed
 * without its result. */
static int store(wire *w, const char *key, uint32_t bytes, uint32_t ttl_ms) {
    idp_answer answer;
    idp_request acquire = ask_acquire(key, 60000, ttl_ms);
    acquire.lease_ms = ttl_ms < 60000 ? ttl_ms : 60000;
    int code = wire_call(w, &acquire, &answer);
    if (code == IDP_E_NO_MEMORY)
        return code;
    CHECK(code == 0 && answer.outcome == IDP_OUTCOME_ACQUIRED, "code %d", code);
    idp_request complete = ask_complete(key, answer.token, "");
    complete.result = (idp_slice){result, bytes};
    code = wire_call(w, &complete, &answer);
    CHECK(code == 0 && answer.outcome == IDP_OUTCOME_COMPLETED, "code %d",
          code);
    return answer.kept ? 0 : -1;
}

/* A result on its way to another worker is in a buffer of theirs, which
 * --max-buffers counts: one for each worker but the first. */
static void expect_rss(const daemon_t *daemon, size_t before_kb,
                       const char *name, uint32_t threads) {
    double slack = SLACK_BYTES + (threads - 1) * (double)RESULT_MAX;
    double counted = (double)daemon_stat(daemon, "memory_bytes");
    double taken = ((double)daemon_rss_kb(daemon) - (double)before_kb) * 1024;
    printf("  %-26s counted %6.1f MiB, taken %6.1f\n", name, counted / MIB,
           taken / MIB);
    CHECK(taken <= counted * (1 + SLACK_SHARE) + slack,
          "%s: more is taken than is counted (seed %llu)", name,
          (unsigned long long)seed);
    CHECK(taken >= counted * (1 - SLACK_SHARE) - SLACK_BYTES,
          "%s: less is taken than is counted", name);
}

/* Until memory is refused to a claim or a result, or so many are stored.
 * Returns how many. */
static uint32_t fill(wire *w, idt_rng *rng, const sizes *s, uint32_t ttl_ms,
                     uint32_t most) {
    char key[64];
    for (uint32_t n = 0; n < most; n++) {
        snprintf(key, sizeof key, "%s-%u", s->name, n);
        if (store(w, key, draw(rng, s), ttl_ms))
            return n;
    }
    return most;
}

static void what_is_counted_is_taken(const char *program, const char *threads) {
    idt_rng rng;
    idt_rng_seed(&rng, seed);
    for (size_t i = 0; i < sizeof all_sizes / sizeof *all_sizes; i++) {
        const sizes *s = &all_sizes[i];
        daemon_t daemon;
        wire w;
        if (strcmp(threads, "1") != 0 && i % 3 != 0)
            continue;
        start(&daemon, program, threads, s->most < 2000 ? "8m" : "48m");
        CHECK(wire_open(&w, daemon.port), "no connection");
        size_t before_kb = daemon_rss_kb(&daemon);
        uint32_t count = fill(&w, &rng, s, RETENTION_MS, KEYS_MAX);
        CHECK(count > 20 && count < KEYS_MAX, "%s: full after %u", s->name,
              count);
        expect_rss(&daemon, before_kb, s->name, (uint32_t)atoi(threads));
        uint64_t counted = daemon_stat(&daemon, "memory_bytes");
        uint64_t most = daemon_stat(&daemon, "memory_bytes_max");
        CHECK(counted <= most, "over the limit");
        CHECK(counted + s->most + MIB / 2 >= most - most / 50,
              "%s: refused at %llu of %llu", s->name,
              (unsigned long long)counted, (unsigned long long)most);
        wire_close(&w);
        daemon_stop(&daemon);
    }
}

/* Sizes that come one after the other, each ended before the next is at its
 * most: what one has left another takes. */
static void what_has_ended_is_given_back(const char *program) {
    static const sizes turns[] = {{"small", 100, 100},
                                  {"large", MIB, MIB},
                                  {"mixed", 0, RESULT_MAX},
                                  {"medium", 33000, 33000}};
    idt_rng rng;
    daemon_t daemon;
    wire w;
    idt_rng_seed(&rng, seed);
    start(&daemon, program, "2", "48m");
    CHECK(wire_open(&w, daemon.port), "no connection");
    size_t before_kb = daemon_rss_kb(&daemon);
    for (int i = 0; i < 4; i++) {
        uint32_t ttl_ms = e2e_sanitized() ? 20000 : 4000;
        fill(&w, &rng, &turns[i], ttl_ms, 10000);
        uint64_t end_ms = e2e_now_ms() + 60000;
        while (daemon_stat(&daemon, "records") > 0) {
            CHECK(e2e_now_ms() < end_ms, "records stay");
            e2e_sleep_ms(100);
        }
        /* Some of it is kept for a while, for who comes next. */
        while (!e2e_sanitized() &&
               daemon_rss_kb(&daemon) > before_kb + 4 * 1024) {
            CHECK(e2e_now_ms() < end_ms, "%s: memory stays, %zu KiB",
                  turns[i].name, daemon_rss_kb(&daemon) - before_kb);
            e2e_sleep_ms(100);
        }
        if (!e2e_sanitized())
            expect_rss(&daemon, before_kb, turns[i].name, 2);
        CHECK(daemon_stat(&daemon, "memory_bytes") < 4 * MIB,
              "%s: memory stays", turns[i].name);
    }
    wire_close(&w);
    daemon_stop(&daemon);
}

/* Every key of one thread: it gets what the others don't need. */
static void one_thread_may_have_all(const char *program) {
    daemon_t daemon;
    wire w;
    idp_hello hello;
    char key[64];
    uint32_t kept = 0;
    start(&daemon, program, "4", "64m");
    CHECK(wire_open(&w, daemon.port), "no connection");
    CHECK(wire_hello(&w, 0, NULL, &hello) == 0, "no hello");
    for (uint32_t n = 0; n < KEYS_MAX; n++) {
        snprintf(key, sizeof key, "of-one-%u", n);
        uint64_t hash =
            idp_owner_hash(hello.hash_key, text_slice(""), text_slice(key));
        if (idp_owner_shard(hash, 4) != 2)
            continue;
        if (store(&w, key, 20000, RETENTION_MS))
            break;
        kept++;
    }
    uint64_t counted = daemon_stat(&daemon, "memory_bytes");
    uint64_t most = daemon_stat(&daemon, "memory_bytes_max");
    printf("  one of four threads: %u results, %.1f of %.1f MiB\n", kept,
           (double)counted / MIB, (double)most / MIB);
    CHECK(most == 64u * MIB, "the limit is the process'");
    CHECK(counted >= most - most / 20, "refused at %llu of %llu",
          (unsigned long long)counted, (unsigned long long)most);
    wire_close(&w);
    daemon_stop(&daemon);
}

int main(int argc, char **argv) {
    CHECK(argc > 1, "usage: budget IDEMSTORED");
    for (size_t i = 0; i < sizeof result; i++)
        result[i] = (uint8_t)(i * 31 + i / 256);
    one_thread_may_have_all(argv[1]);
    what_has_ended_is_given_back(argv[1]);
    if (e2e_sanitized())
        return 0; /* memory figures mean nothing there */
    what_is_counted_is_taken(argv[1], "1");
    what_is_counted_is_taken(argv[1], "3");
    return 0;
}
