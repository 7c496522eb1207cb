/* SPDX-License-Identifier: Apache-2.0 */
/* hostile.c -- all hostile acts at once, in an order of chance: those at the
 * doors by two threads, those against the loops by a third, on a daemon whose
 * log nobody reads and that has few descriptors.
 *
 *   hostile IDEMSTORED [SECONDS [SEED]]
 *
 * Another client pings all the while and must be answered. How long it waited
 * at most is printed; only a quiet machine makes that figure mean something.
 * The daemon must end in order, with all that is kept. */
#include "tests/e2e/door_acts.h"
#include "tests/e2e/flood.h"
#include "tests/e2e/pinger.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOOR_THREADS 2
#define ACTS_MAX     64u

static daemon_t daemon_;
static atomic_bool over;
static char folder[64], log_pipe[96];

/* The acts ------------------------------------------------------------------
 */

typedef struct actor {
    pthread_t thread;
    idt_rng random;
    uint64_t acts;
} actor;

static void *act_at_doors(void *ctx) {
    actor *a = ctx;
    for (; !atomic_load(&over); a->acts++)
        door_acts[idt_rng_below(&a->random, door_acts_count)].perform(
            &daemon_, &a->random);
    return NULL;
}

/* Each once: their keys are held afterwards. */
static uint64_t act_at_loops(idt_rng *random, uint64_t until_ms) {
    unsigned order[ACTS_MAX] = {0};
    uint64_t done = 0;
    CHECK(acts_count <= ACTS_MAX, "more acts than room");
    for (unsigned i = 0; i < acts_count; i++) {
        unsigned at = idt_rng_below(random, i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    for (; done < acts_count && e2e_now_ms() < until_ms; done++)
        acts[order[done]].perform(daemon_.port);
    return done;
}

/* A round -------------------------------------------------------------------
 */

static void start(const char *program) {
    char prefix[192];
    snprintf(prefix, sizeof prefix, "ulimit -n 2048; exec 2>%s;", log_pipe);
    daemon_start(&daemon_, &(daemon_spec){
                               .program = program,
                               .prefix = prefix,
                               .flags = {"--threads", "2", "--data-dir", folder,
                                         "--fsync", "no", "--max-memory", "2g",
                                         "--max-buffers", "1g"}});
}

static void play(const char *program, uint64_t seed, uint64_t until_ms) {
    pinger p;
    actor actors[DOOR_THREADS] = {0};
    idt_rng random;
    start(program);
    atomic_store(&over, false);
    pinger_start(&p, daemon_.port);
    for (unsigned i = 0; i < DOOR_THREADS; i++) {
        idt_rng_seed(&actors[i].random, seed + 1 + i);
        CHECK(pthread_create(&actors[i].thread, NULL, act_at_doors,
                             &actors[i]) == 0,
              "no thread");
    }
    idt_rng_seed(&random, seed);
    uint64_t acts_done = act_at_loops(&random, until_ms);
    atomic_store(&over, true);
    for (unsigned i = 0; i < DOOR_THREADS; i++) {
        pthread_join(actors[i].thread, NULL);
        acts_done += actors[i].acts;
    }
    pinger_stop(&p);
    kill(daemon_.child.pid, SIGTERM);
    int code = daemon_exit(&daemon_, 120);
    CHECK(code == 0, "it ends with %d", code);
    unlink(daemon_.child.log_path);
    printf("  seed %llu: %llu acts, %llu pings, the longest %.1f ms\n",
           (unsigned long long)seed, (unsigned long long)acts_done,
           (unsigned long long)p.pings, (double)p.longest_us / 1000);
    fflush(stdout);
}

int main(int argc, char **argv) {
    CHECK(argc >= 2, "usage: hostile IDEMSTORED [SECONDS [SEED]]");
    uint64_t seconds = argc > 2 ? strtoull(argv[2], NULL, 10) : 10;
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : e2e_now_ms();
    uint64_t until_ms = e2e_now_ms() + seconds * 1000;
    char command[192];
    snprintf(folder, sizeof folder, "/tmp/idemstore-hostile-XXXXXX");
    CHECK(mkdtemp(folder) != NULL, "no folder");
    snprintf(log_pipe, sizeof log_pipe, "%s-log", folder);
    CHECK(mkfifo(log_pipe, 0600) == 0, "no pipe");
    int reader = open(log_pipe, O_RDWR | O_CLOEXEC);
    do {
        play(argv[1], seed++, until_ms);
        snprintf(command, sizeof command, "rm -rf %s/*", folder);
        CHECK(system(command) == 0, "%s stays behind", folder);
    } while (e2e_now_ms() < until_ms);
    close(reader);
    unlink(log_pipe);
    rmdir(folder);
    return 0;
}
