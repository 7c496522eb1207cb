/* SPDX-License-Identifier: Apache-2.0 */
/* long_turns.c -- whatever clients do, no turn of a loop does more than its
 * bound, and another client is left in peace.
 *
 *   long_turns IDEMSTORED [ms]
 *
 * What is judged is the work of the longest turn, as stats tells it: a count,
 * which no slow machine changes. With "ms" it judges nothing and prints, for
 * each act, how long a ping waited at most. */
#include "tests/e2e/flood.h"
#include "tests/e2e/pinger.h"

#include <stdio.h>
#include <string.h>

/* 5 kinds with 4,096 each; one step more: a result, or all who wait for a key.
 */
#define WORK_MAX (5 * 4096 + 4096)

static void perform(const daemon_spec *spec, const act *one, bool in_ms) {
    daemon_t daemon;
    pinger p;
    daemon_start(&daemon, spec);
    pinger_start(&p, daemon.port);
    one->perform(daemon.port);
    pinger_stop(&p);
    uint64_t work = daemon_stat(&daemon, "turn_work_max");
    uint64_t locks = daemon_stat(&daemon, "node_locks_total");
    uint64_t closed = daemon_stat(&daemon, "connections_closed_by_limit_total");
    if (in_ms)
        printf("| %s | %.1f | %llu |\n", one->name, (double)p.longest_us / 1000,
               (unsigned long long)work);
    else
        printf("  %s: %llu units of work in the longest turn\n", one->name,
               (unsigned long long)work);
    fflush(stdout);
    CHECK(in_ms || work <= WORK_MAX, "%s: %llu in one turn", one->name,
          (unsigned long long)work);
    CHECK(locks == 0, "%s: %llu locks without a peer", one->name,
          (unsigned long long)locks);
    CHECK(closed == 0, "%s: %llu connections closed", one->name,
          (unsigned long long)closed);
    daemon_stop(&daemon);
}

int main(int argc, char **argv) {
    const daemon_spec spec = {.program = argv[1],
                              .flags = {"--threads", "2", "--max-buffers", "4m",
                                        "--max-memory", "512m", "--log-level",
                                        "error", NULL}};
    bool in_ms = argc > 2 && strcmp(argv[2], "ms") == 0;
    CHECK(argc > 1, "long_turns IDEMSTORED [ms]");
    if (in_ms)
        puts("| act | longest ping, ms | work of the longest turn |\n"
             "|---|---|---|");
    for (unsigned i = 0; i < acts_count; i++)
        perform(&spec, &acts[i], in_ms);
    return 0;
}
