/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_fullsync.c -- how fast a new replica gets everything, and what it
 * does to the clients meanwhile.
 *
 * Fill a primary; start a replica beside it with no load, and time it until
 * it is in sync. Then the same with a new pair under a steady load, whose p99
 * is held against its own without a replica. */
#include "bench/proc.h"
#include "bench/scenario.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define STEADY_OPS 20000.0
#define LOOK_US    10000

enum {
    RECORDS,
    IDLE_S,
    IDLE_RATE,
    PRIMARY_CPU,
    REPLICA_CPU,
    IDB_SEEN_ROWS,
    LOAD_S,
    COLUMNS
};

static const idb_column columns[COLUMNS] = {
    [RECORDS] = {"records", "records", 0},
    [IDLE_S] = {"idle_s", "idle: s", 2},
    [IDLE_RATE] = {"records_per_s", "records/s", 0},
    [PRIMARY_CPU] = {"primary_us_per_record", "primary us/record", 3},
    [REPLICA_CPU] = {"replica_us_per_record", "replica us/record", 3},
    IDB_SEEN_COLUMNS,
    [LOAD_S] = {"load_s", "under load: s", 2},
};

typedef struct copying {
    idb_server server;
    uint64_t records;
    double *values;
    pthread_t thread; /* that starts the replica under load */
    bool has_thread;
    atomic_bool is_done;
    atomic_bool may_end;
    const char *failed;
    char why[512];
} copying;

/* Starts the replica and waits until it has everything. */
static const char *copy(copying *c) {
    idb_server *s = &c->server;
    const char *failed =
        idb_node_start(s, &s->replicas[0], c->why, sizeof c->why);
    uint64_t until_ns = idb_now_ns() + IDB_EVENT_NS;
    while (!failed && !idb_pair_is_in_sync(s)) {
        if (idb_now_ns() > until_ns)
            failed = "the replica does not come into sync";
        usleep(LOOK_US);
    }
    return failed;
}

static const char *copy_idle(copying *c) {
    double *v = c->values;
    pid_t pid = c->server.primary.at.pid;
    uint64_t cpu_ns = idb_proc_cpu_all_ns(pid), start_ns = idb_now_ns();
    const char *failed = copy(c);
    double seconds = (double)(idb_now_ns() - start_ns) / 1e9;
    cpu_ns = idb_proc_cpu_all_ns(pid) - cpu_ns;
    v[IDLE_S] = seconds;
    v[IDLE_RATE] = (double)c->records / seconds;
    v[PRIMARY_CPU] = (double)cpu_ns / (double)c->records / 1e3;
    v[REPLICA_CPU] = (double)idb_proc_cpu_all_ns(c->server.replicas[0].at.pid) /
                     (double)c->records / 1e3;
    return failed;
}

static void *copy_main(void *arg) {
    copying *c = arg;
    c->failed = copy(c);
    atomic_store(&c->is_done, true);
    /* The replica ends with the thread that started it. */
    while (!atomic_load(&c->may_end))
        usleep(LOOK_US);
    return NULL;
}

static void copy_begin(void *ctx) {
    copying *c = ctx;
    c->has_thread = pthread_create(&c->thread, NULL, copy_main, c) == 0;
    if (c->has_thread)
        return;
    c->failed = "cannot start a thread";
    atomic_store(&c->is_done, true);
}

static bool copy_is_over(void *ctx) {
    copying *c = ctx;
    return atomic_load(&c->is_done);
}

static const char *copy_loaded(copying *c, const idb_plan *plan) {
    double *v = c->values;
    const idb_event event = {copy_begin, copy_is_over, c};
    const char *failed =
        idb_under_twice(plan, STEADY_OPS, &event, &v[BASE_P99], &v[LOAD_S]);
    atomic_store(&c->may_end, true);
    if (c->has_thread)
        pthread_join(c->thread, NULL);
    if (failed || c->failed)
        return c->failed ? c->failed : failed;
    return NULL;
}

/* A primary of its own for each of the two, filled and never replicated. */
static const char *half(copying *c, const idb_options *options,
                        const idb_spec *spec, bool is_loaded) {
    const char *failed = idb_server_start_alone(&c->server, options, spec,
                                                c->why, sizeof c->why);
    if (!failed) {
        idb_plan plan = idb_plan_of(options, spec, &c->server.primary.at, NULL);
        idb_keep_long(&plan);
        failed = idb_fill(&plan, IDB_FRESH, IDB_SPACE_FILL, c->records);
        if (!failed)
            failed = is_loaded ? copy_loaded(c, &plan) : copy_idle(c);
    }
    idb_server_stop(&c->server);
    return failed;
}

static int tell_fullsync(const idb_turn *turn) {
    idb_spec spec = *turn->spec;
    copying c = {.records = turn->records};
    if (spec.replication <= IDB_REPLICATION_NONE)
        spec.replication = IDB_REPLICATION_SYNC;
    spec.replicas = 1;
    c.values = idb_turn_values(turn, "");
    const char *failed = "no room in the report";
    if (c.values) {
        c.values[RECORDS] = (double)turn->records;
        failed = half(&c, turn->options, &spec, false);
    }
    if (!failed)
        failed = half(&c, turn->options, &spec, true);
    return idb_round_end(&spec, failed);
}

int idb_scenario_fullsync(const idb_options *options, idb_report *report) {
    static const uint64_t own[] = {5000000};
    report->columns = columns;
    report->column_count = COLUMNS;
    report->has_files = true;
    report->text =
        "A new replica beside a full primary, from its start until it is in "
        "sync: first with no load, then under a steady open load.\n"
        "Turn: the slowest of a ping to each of the primary's loops every ms, "
        "and how many per thousand took 10 ms; before: with no replica.";
    if (!idb_is_own(options))
        return IDB_EXIT_USAGE;
    return idb_turns(options, report, own, 1, tell_fullsync);
}
