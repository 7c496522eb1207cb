/* SPDX-License-Identifier: Apache-2.0 */
/* soak.c -- full load while clients are killed, and then silence.
 *
 *   soak IDEMSTORED [SECONDS]      (IDEM_SOAK_SECONDS overrides it)
 *
 * Processes of clients work as fast as they can; every half second one of them
 * is killed in the middle of whatever it does and replaced. How large their
 * results are changes every 30 s, or six times where it is shorter. Once all
 * are gone and the keys have ended, the daemon's records, memory and
 * descriptors are back where they were. */
#include "tests/e2e/harness.h"
#include "tests/lib/rng.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CLIENTS           6u
#define CONNECTIONS       8u
#define PIPELINE          16u
#define TTL_MS            2000u
#define RSS_GROWTH_KB_MAX (48u * 1024)
#define ERA_S             30u
#define RESULT_BYTES_MAX  600000u

static const unsigned result_bytes_max[] = {2000, 70000, 200, 600000, 20, 9000};
#define ERAS (sizeof result_bytes_max / sizeof result_bytes_max[0])

/* One client: duplicates, waiters and completes on several connections. */
static _Noreturn void client(uint16_t port, unsigned number,
                             unsigned bytes_max) {
    wire w[CONNECTIONS];
    idt_rng rng;
    static char result[RESULT_BYTES_MAX + 1];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    idt_rng_seed(&rng, number);
    memset(result, 'r', sizeof result - 1);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        CHECK(wire_open(&w[i], port), "can't connect");
    for (;;) {
        wire *to = &w[idt_rng_below(&rng, CONNECTIONS)];
        char key[PIPELINE][32];
        for (unsigned i = 0; i < PIPELINE; i++) {
            snprintf(key[i], sizeof key[i], "soak-%u",
                     idt_rng_below(&rng, 50000));
            idp_request ask = ask_acquire(key[i], 500, TTL_MS);
            ask.wait_ms = idt_rng_chance(&rng, 5) ? 20 : 0;
            CHECK(wire_send_request(to, &ask), "cut off");
        }
        idp_answer got[PIPELINE] = {{0}};
        uint32_t first = to->msgid - PIPELINE;
        for (unsigned i = 0; i < PIPELINE; i++) {
            idp_reply reply;
            CHECK(wire_reply(to, &reply), "cut off");
            CHECK(!reply.is_error, "%.*s", (int)reply.text.len,
                  (const char *)reply.text.ptr);
            CHECK(idp_answer_read(IDP_ACQUIRE, reply.result,
                                  &got[(reply.msgid - first) % PIPELINE]),
                  "no answer");
        }
        for (unsigned i = 0; i < PIPELINE; i++) {
            idp_answer answer;
            if (got[i].outcome != IDP_OUTCOME_ACQUIRED ||
                idt_rng_chance(&rng, 5))
                continue;
            idp_request ask =
                ask_complete(key[i], got[i].token,
                             result + sizeof result - 1 -
                                 idt_rng_below(&rng, bytes_max + 1));
            CHECK(wire_call(to, &ask, &answer) == 0, "complete failed");
        }
    }
}

static pid_t start_client(uint16_t port, unsigned number, unsigned bytes_max) {
    pid_t pid = fork();
    if (pid == 0)
        client(port, number, bytes_max);
    CHECK(pid > 0, "no fork");
    return pid;
}

static void end_client(pid_t pid) {
    int status = 0;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    CHECK(WIFSIGNALED(status), "a client had failed before it was killed");
}

static void wait_until_empty(const daemon_t *daemon) {
    for (int i = 0; daemon_stat(daemon, "records") != 0; i++) {
        CHECK(i < 3000, "%llu records stay",
              (unsigned long long)daemon_stat(daemon, "records"));
        e2e_sleep_ms(10);
    }
    CHECK(daemon_stat(daemon, "waiters") == 0, "waiters stay");
}

typedef struct load {
    const daemon_t *daemon;
    pid_t pids[CLIENTS];
    unsigned started;
    size_t peak_kb;
} load;

/* One is killed, and another one comes; its results are so large. */
static void replace_one(load *l, unsigned bytes_max) {
    pid_t *one = &l->pids[l->started % CLIENTS];
    if (*one != 0)
        end_client(*one);
    *one = start_client(l->daemon->port, l->started++, bytes_max);
    size_t now_kb = daemon_rss_kb(l->daemon);
    l->peak_kb = now_kb > l->peak_kb ? now_kb : l->peak_kb;
}

static void work_on(load *l, unsigned seconds) {
    unsigned era_s = seconds < ERAS * ERA_S ? seconds / ERAS + 1 : ERA_S;
    for (unsigned i = 0; i < seconds * 2; i++) {
        unsigned era = i / 2 / era_s;
        e2e_sleep_ms(500);
        replace_one(l, result_bytes_max[era % ERAS]);
        if ((i + 1) % (era_s * 2) == 0) {
            printf("  results of up to %6u bytes: at most %zu KiB\n",
                   result_bytes_max[era % ERAS], l->peak_kb);
            l->peak_kb = 0;
        }
    }
}

/* What nobody needs goes back in parts: once it is no less for two seconds,
 * that was all. */
static size_t memory_after(const daemon_t *daemon) {
    size_t least_kb = daemon_rss_kb(daemon);
    for (int still = 0; still < 20 && !e2e_sanitized(); still++) {
        e2e_sleep_ms(100);
        size_t now_kb = daemon_rss_kb(daemon);
        if (now_kb < least_kb) {
            least_kb = now_kb;
            still = 0;
        }
    }
    return least_kb;
}

/* The load, then until nothing of it is left. Returns the memory after it. */
static size_t round_of_load(const daemon_t *daemon, unsigned seconds,
                            size_t descriptors) {
    load l = {.daemon = daemon};
    for (unsigned i = 0; i < CLIENTS; i++)
        replace_one(&l, result_bytes_max[0]);
    work_on(&l, seconds);
    for (unsigned i = 0; i < CLIENTS; i++)
        end_client(l.pids[i]);
    wait_until_empty(daemon);
    for (int i = 0; daemon_descriptors(daemon) > descriptors; i++) {
        CHECK(i < 1000, "%zu descriptors, %zu before",
              daemon_descriptors(daemon), descriptors);
        e2e_sleep_ms(10);
    }
    size_t after_kb = memory_after(daemon);
    printf("soak: %u s, %u clients killed, %zu KiB after it\n", seconds,
           l.started, after_kb);
    return after_kb;
}

int main(int argc, char **argv) {
    const char *asked = getenv("IDEM_SOAK_SECONDS");
    if (asked == NULL)
        asked = argc > 2 ? argv[2] : "20";
    unsigned seconds = (unsigned)strtoul(asked, NULL, 10);
    CHECK(argc > 1 && seconds > 0, "usage: soak IDEMSTORED [SECONDS]");
    daemon_t daemon;
    daemon_start(&daemon, &(daemon_spec){.program = argv[1],
                                         .flags = {"--threads", "2"}});
    size_t descriptors = daemon_descriptors(&daemon);
    size_t fresh_kb = daemon_rss_kb(&daemon);
    /* What is kept for good goes by the most that there ever was: a second
     * round of the same load must not need more than that. */
    unsigned half = seconds / 2 + seconds % 2;
    size_t warm_kb = round_of_load(&daemon, half, descriptors);
    size_t end_kb = round_of_load(&daemon, half, descriptors);
    printf("soak: %zu KiB fresh, %zu warm, %zu at the end\n", fresh_kb, warm_kb,
           end_kb);
    CHECK(e2e_sanitized() || end_kb < warm_kb + 16 * 1024,
          "memory grew from %zu to %zu KiB", warm_kb, end_kb);
    CHECK(e2e_sanitized() || end_kb < fresh_kb + RSS_GROWTH_KB_MAX,
          "memory did not come back: %zu to %zu KiB", fresh_kb, end_kb);
    daemon_stop(&daemon);
    return 0;
}
