/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_snapshot.c -- what a snapshot does to clients and to memory, what
 * it takes on the disk, and how soon a start has read it back.
 *
 * Fill; a steady load, first alone, then while a snapshot is ordered and
 * written; then two starts: after a kill -9, from snapshot and log, and after
 * a clean stop. */
#include "bench/admin.h"
#include "bench/proc.h"
#include "bench/scenario.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define TRIES      24 /* each of some seconds */
#define STEADY_OPS 20000.0

/* An automatic snapshot would be one more than was ordered. */
#define NO_OTHER_SNAPSHOT "--snapshot-log 1000000g"

enum {
    RECORDS,
    IDB_SEEN_ROWS,
    SECONDS,
    GROWTH,
    OVERHEAD,
    CRASH_S,
    CRASH_RATE,
    START_S,
    START_RATE,
    COLUMNS
};

static const idb_column columns[COLUMNS] = {
    [RECORDS] = {"records", "records", 0},
    IDB_SEEN_COLUMNS,
    [SECONDS] = {"snapshot_s", "snapshot s", 2},
    [GROWTH] = {"growth_percent", "memory +%", 2},
    [OVERHEAD] = {"disk_over_payload", "disk bytes over", 1},
    [CRASH_S] = {"crash_start_s", "start s, killed", 2},
    [CRASH_RATE] = {"crash_records_per_cpu_s", "per CPU s", 0},
    [START_S] = {"start_s", "start s, clean", 2},
    [START_RATE] = {"records_per_cpu_s", "per CPU s", 0},
};

typedef struct taking {
    idb_server server;
    uint64_t records;
    double *values;
    /* The snapshot that is under way. */
    pthread_t thread;
    atomic_bool is_done;
    uint64_t rss_before, rss_max, rss_base;
    idp_command_answer answer;
    const char *failed;
    char why[512];
} taking;

static void *order_main(void *arg) {
    taking *t = arg;
    t->failed = idb_admin(&t->server.primary.at, IDP_SNAPSHOT, 600, &t->answer,
                          t->why, sizeof t->why);
    atomic_store(&t->is_done, true);
    return NULL;
}

static void snapshot_begin(void *ctx) {
    taking *t = ctx;
    t->rss_before = t->rss_max = idb_proc_rss_bytes(t->server.primary.at.pid);
    if (pthread_create(&t->thread, NULL, order_main, t) == 0)
        return;
    t->thread = pthread_self();
    t->failed = "cannot start a thread";
    atomic_store(&t->is_done, true);
}

static bool snapshot_is_over(void *ctx) {
    taking *t = ctx;
    uint64_t rss = idb_proc_rss_bytes(t->server.primary.at.pid);
    if (rss > t->rss_max)
        t->rss_max = rss;
    return atomic_load(&t->is_done);
}

static double payload_of(const idb_work *work) {
    return (double)work->key_bytes + work->fingerprint_bytes +
           work->result_bytes;
}

static const char *take_snapshot(taking *t, const idb_plan *plan) {
    double *v = t->values;
    const idb_event event = {snapshot_begin, snapshot_is_over, t};
    const char *failed =
        idb_under_twice(plan, STEADY_OPS, &event, &v[BASE_P99], &v[SECONDS]);
    if (t->rss_before && !pthread_equal(t->thread, pthread_self()))
        pthread_join(t->thread, NULL);
    if (failed || t->failed)
        return t->failed ? t->failed : failed;
    uint64_t bytes = idb_folder_bytes(t->server.primary.folder, "snap-");
    v[GROWTH] = 100 * (double)(t->rss_max - t->rss_before) /
                (double)(t->rss_before - t->rss_base);
    v[OVERHEAD] =
        (double)bytes / (double)t->answer.records - payload_of(&plan->work);
    return NULL;
}

/* Ends the node and starts it again: how long it took until it answered, and
 * how many records it read per second of CPU time. */
static const char *start_again(taking *t, int signal, double *seconds,
                               double *rate) {
    idb_node *node = &t->server.primary;
    idb_node_end(node, signal);
    uint64_t start_ns = idb_now_ns();
    const char *failed =
        idb_node_start(&t->server, node, t->why, sizeof t->why);
    if (failed)
        return failed;
    uint64_t have = 0;
    for (int i = 0; i < TRIES && !have; i++) /* it listens before it answers */
        have = idb_admin_stat(&node->at, "records");
    uint64_t cpu_ns = idb_proc_cpu_all_ns(node->at.pid);
    *seconds = (double)(idb_now_ns() - start_ns) / 1e9;
    *rate = (double)have * 1e9 / (double)cpu_ns;
    snprintf(t->why, sizeof t->why, "only %llu of %llu records after a start",
             (unsigned long long)have, (unsigned long long)t->records);
    return have >= t->records ? NULL : t->why;
}

static const char *perform_snapshot(taking *t, const idb_turn *turn) {
    idb_plan plan =
        idb_plan_of(turn->options, t->server.spec, &t->server.primary.at, NULL);
    double *v = t->values = idb_turn_values(turn, "");
    if (!v)
        return "no room in the report";
    v[RECORDS] = (double)t->records;
    t->rss_base = idb_proc_rss_bytes(t->server.primary.at.pid);
    idb_keep_long(&plan);
    const char *failed = idb_fill(&plan, IDB_FRESH, IDB_SPACE_FILL, t->records);
    if (!failed)
        failed = take_snapshot(t, &plan);
    if (!failed)
        failed = start_again(t, SIGKILL, &v[CRASH_S], &v[CRASH_RATE]);
    return failed ? failed
                  : start_again(t, SIGTERM, &v[START_S], &v[START_RATE]);
}

static int tell_snapshot(const idb_turn *turn) {
    idb_spec spec = *turn->spec;
    taking t = {.records = turn->records};
    if (spec.fsync <= IDB_FSYNC_OFF)
        spec.fsync = IDB_FSYNC_EVERYSEC;
    if (spec.args_count < IDB_SPECS_MAX)
        spec.args[spec.args_count++] = NO_OTHER_SNAPSHOT;
    const char *failed = idb_server_start_alone(&t.server, turn->options, &spec,
                                                t.why, sizeof t.why);
    if (!failed)
        failed = perform_snapshot(&t, turn);
    idb_server_stop(&t.server);
    return idb_round_end(&spec, failed);
}

int idb_scenario_snapshot(const idb_options *options, idb_report *report) {
    static const uint64_t own[] = {5000000};
    report->columns = columns;
    report->column_count = COLUMNS;
    report->has_files = true;
    report->text =
        "A steady open load, before and while a snapshot is written. Turn: the "
        "slowest of a ping to each loop every ms, and how many per "
        "thousand took 10 ms.\n"
        "Memory: what it grew by meanwhile, of what the records take. Disk: "
        "bytes of the snapshot per record, less key, fingerprint and result.\n"
        "Starts: after kill -9 (snapshot and log) and after a clean stop; "
        "records per second of the server's CPU time.";
    if (!idb_is_own(options))
        return IDB_EXIT_USAGE;
    return idb_turns(options, report, own, 1, tell_snapshot);
}
