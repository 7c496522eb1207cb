/* SPDX-License-Identifier: Apache-2.0 */
/* lost_tail.c -- kill -9 under load: how old is the oldest acknowledgement
 * that is lost, and how many changes were written late?
 *
 *   lost_tail IDEMSTORED everysec|no [ROUNDS]
 *
 * Prints a line a round, and a summary: this is where the README's figure
 * comes from. What is lost has to be a tail: all that was acknowledged more
 * than MUCH_MS before the kill has to be there, on any machine. */
#include "tests/e2e/harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS     4u
#define BATCH       32u
#define BATCHES_MAX 65536u
#define LOAD_MS     2500u
#define MUCH_MS     15000.0
#define ROUNDS_MAX  1000u

typedef struct loader {
    pthread_t thread;
    unsigned number, round;
    uint16_t port;
    unsigned batches; /* acknowledged whole */
    double *at_ms;    /* when, each */
} loader;

static atomic_bool stops;
static double oldest_ms[ROUNDS_MAX];

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static idp_request request_of(const loader *l, unsigned batch, unsigned i,
                              char name[48]) {
    snprintf(name, 48, "%u-%u-%u-%u", l->round, l->number, batch, i);
    return ask_acquire(name, 600000, 86400000);
}

/* A batch of claims at once; how many were answered so. */
static unsigned ask_batch(const loader *l, wire *w, unsigned batch,
                          idp_outcome outcome) {
    char name[48];
    unsigned good = 0;
    idp_reply reply;
    for (unsigned i = 0; i < BATCH; i++) {
        idp_request request = request_of(l, batch, i, name);
        if (!wire_send_request(w, &request))
            return good;
    }
    for (unsigned i = 0; i < BATCH && wire_reply(w, &reply); i++) {
        idp_answer answer;
        good += !reply.is_error &&
                idp_answer_read(IDP_ACQUIRE, reply.result, &answer) &&
                answer.outcome == outcome;
    }
    return good;
}

static void *load(void *ctx) {
    loader *l = ctx;
    wire w;
    CHECK(wire_open(&w, l->port), "it can't be reached");
    while (!atomic_load(&stops) && l->batches < BATCHES_MAX &&
           ask_batch(l, &w, l->batches, IDP_OUTCOME_ACQUIRED) == BATCH)
        l->at_ms[l->batches++] = now_ms();
    wire_close(&w);
    return NULL;
}

/* How long before the kill the oldest of its batches was acknowledged that is
 * not all there; 0: nothing is lost. */
static double oldest_lost(const loader *l, uint16_t port, double killed_ms) {
    double oldest = 0;
    wire w;
    CHECK(wire_open(&w, port), "it can't be reached");
    for (unsigned b = 0; b < l->batches && oldest == 0; b++)
        if (ask_batch(l, &w, b, IDP_OUTCOME_IN_PROGRESS) != BATCH)
            oldest = killed_ms - l->at_ms[b];
    wire_close(&w);
    return oldest;
}

static double one_round(daemon_t *daemon, const daemon_spec *spec,
                        unsigned round, uint64_t counted[2]) {
    static double at_ms[THREADS][BATCHES_MAX];
    loader loaders[THREADS];
    unsigned acked = 0;
    double oldest = 0;
    int status;
    atomic_store(&stops, false);
    for (unsigned i = 0; i < THREADS; i++) {
        loaders[i] = (loader){.number = i,
                              .round = round,
                              .port = daemon->port,
                              .at_ms = at_ms[i]};
        pthread_create(&loaders[i].thread, NULL, load, &loaders[i]);
    }
    e2e_sleep_ms(LOAD_MS + round % 10 * 100);
    counted[0] += daemon_stat(daemon, "changes_total");
    counted[1] += daemon_stat(daemon, "written_late_total");
    double killed_ms = now_ms();
    kill(daemon->child.pid, SIGKILL);
    atomic_store(&stops, true);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(loaders[i].thread, NULL);
    CHECK(child_wait(&daemon->child, &status, 30), "it does not die");
    unlink(daemon->child.log_path);
    daemon_start(daemon, spec);
    for (unsigned i = 0; i < THREADS; i++) {
        double lost = oldest_lost(&loaders[i], daemon->port, killed_ms);
        oldest = lost > oldest ? lost : oldest;
        acked += loaders[i].batches * BATCH;
    }
    printf("round %u: %u acknowledged, the oldest that is lost %.1f ms\n",
           round, acked, oldest);
    CHECK(oldest < MUCH_MS, "that is no tail");
    return oldest;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void remove_folder(const char *folder) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    CHECK(system(command) == 0, "can't clean up");
}

int main(int argc, char **argv) {
    unsigned rounds = argc > 3 ? (unsigned)atoi(argv[3]) : 1;
    char folder[] = "/tmp/idem-tail-XXXXXX";
    uint64_t counted[2] = {0, 0};
    daemon_t daemon;
    CHECK(argc >= 3 && rounds >= 1 && rounds <= ROUNDS_MAX,
          "usage: lost_tail IDEMSTORED everysec|no [ROUNDS]");
    CHECK(mkdtemp(folder) != NULL, "no folder");
    const daemon_spec spec = {.program = argv[1],
                              .flags = {"--threads", "2", "--data-dir", folder,
                                        "--fsync", argv[2], "--max-memory",
                                        "2G"}};
    daemon_start(&daemon, &spec);
    for (unsigned i = 0; i < rounds; i++)
        oldest_ms[i] = one_round(&daemon, &spec, i, counted);
    daemon_stop(&daemon);
    remove_folder(folder);
    qsort(oldest_ms, rounds, sizeof *oldest_ms, by_size);
    printf("--fsync %s, %u kills under load: the oldest acknowledgement lost "
           "%.1f ms old in the median, %.1f ms at most; %llu of %llu changes "
           "written after more than 50 ms\n",
           argv[2], rounds, oldest_ms[rounds / 2], oldest_ms[rounds - 1],
           (unsigned long long)counted[1], (unsigned long long)counted[0]);
    return 0;
}
