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
    BASE_P99,
    DURING_P99,
    TIMES,
    BASE_WORST,
    TURN_WORST,
    BASE_SLOW,
    SLOW,
    LOAD_S,
    COLUMNS
};

static const idb_column columns[COLUMNS] = {
    [RECORDS] = {"records", "records", 0},
    [IDLE_S] = {"idle_s", "idle: s", 2},
    [IDLE_RATE] = {"records_per_s", "records/s", 0},
    [PRIMARY_CPU] = {"primary_us_per_record", "primary us/record", 3},
    [REPLICA_CPU] = {"replica_us_per_record", "replica us/record", 3},
    [BASE_P99] = {"base_p99_us", "p99 before us", 1},
    [DURING_P99] = {"during_p99_us", "p99 during us", 1},
    [TIMES] = {"p99_times", "p99 times", 2},
    [BASE_WORST] = {"base_turn_ms", "turn before ms", 2},
    [TURN_WORST] = {"turn_ms", "turn ms", 2},
    [BASE_SLOW] = {"base_slow_permille", "10 ms before o/oo", 2},
    [SLOW] = {"slow_permille", "10 ms o/oo", 2},
    [LOAD_S] = {"load_s", "under load: s", 2},
};

typedef struct copying {
    idb_server server;
    uint64_t records;
    double *values;
    pthread_t thread; /* that starts the replica under load */
    bool has_thread;
    atomic_bool is_done;
    const char *failed;
    char why[512];
} copying;

/* Starts the replica and waits until it has everything. */
static const char *copy(copying *c) {
    idb_server *s = &c->server;
    const char *failed = idb_node_start(s, &s->replica, c->why, sizeof c->why);
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
    v[REPLICA_CPU] = (double)idb_proc_cpu_all_ns(c->server.replica.at.pid) /
                     (double)c->records / 1e3;
    return failed;
}

static void *copy_main(void *arg) {
    copying *c = arg;
    c->failed = copy(c);
    atomic_store(&c->is_done, true);
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
    idb_seen before, during;
    double *v = c->values;
    const idb_event event = {copy_begin, copy_is_over, c};
    const char *failed = idb_under(plan, STEADY_OPS, 1, NULL, &before);
    if (failed)
        return failed;
    failed = idb_under(plan, STEADY_OPS, 2, &event, &during);
    if (c->has_thread)
        pthread_join(c->thread, NULL);
    if (failed || c->failed)
        return c->failed ? c->failed : failed;
    v[BASE_P99] = before.p99_us;
    v[DURING_P99] = during.p99_us;
    v[TIMES] = during.p99_us / before.p99_us;
    v[BASE_WORST] = before.worst_ms;
    v[TURN_WORST] = during.worst_ms;
    v[BASE_SLOW] = before.slow_permille;
    v[SLOW] = during.slow_permille;
    v[LOAD_S] = during.seconds;
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

static int tell(const idb_options *options, idb_report *report,
                const idb_spec *own, uint64_t records) {
    idb_spec spec = *own;
    copying c = {.records = records};
    char label[96], count[24];
    if (spec.replication <= IDB_REPLICATION_NONE)
        spec.replication = IDB_REPLICATION_SYNC;
    snprintf(label, sizeof label, "%s %s", spec.label,
             idb_count_text(records, count, sizeof count));
    c.values = idb_result_round(idb_report_row(report, label));
    const char *failed = "no room in the report";
    if (c.values) {
        c.values[RECORDS] = (double)records;
        failed = half(&c, options, &spec, false);
    }
    if (!failed)
        failed = half(&c, options, &spec, true);
    idb_progress_clear();
    if (failed)
        fprintf(stderr, "idembench: %s: %s\n", spec.label, failed);
    return failed ? 1 : 0;
}

int idb_scenario_fullsync(const idb_options *options, idb_report *report) {
    static const uint64_t own[] = {5000000};
    uint64_t records[4];
    uint32_t count = idb_records(options, own, 1, records, 4);
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
    for (uint32_t round = 0; round < options->rounds; round++)
        for (uint32_t n = 0; n < count; n++)
            for (uint32_t i = 0; i < options->spec_count; i++) {
                idb_progress_target(options->specs[i].label, round + 1,
                                    options->rounds);
                if (tell(options, report, &options->specs[i], records[n]))
                    return 1;
            }
    return 0;
}
