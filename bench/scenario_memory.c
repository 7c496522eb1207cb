/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_memory.c -- what a record weighs: growth of the server's resident
 * memory over what it had when it started, per record stored. */
#include "bench/proc.h"
#include "bench/scenario.h"

#include <unistd.h>

enum { RECORDS, BYTES, PAYLOAD, FILL_S, COLUMNS };

static const idb_column columns[COLUMNS] = {
    [RECORDS] = {"records", "records", 0},
    [BYTES] = {"bytes_per_record", "bytes/record", 1},
    [PAYLOAD] = {"payload_bytes", "payload", 0},
    [FILL_S] = {"fill_s", "fill s", 2},
};

typedef struct weighing {
    const idb_turn *turn;
    idb_job job;
} weighing;

static const char *weigh(void *ctx, idb_plan *plan) {
    const weighing *w = ctx;
    const uint64_t records = w->turn->records;
    idb_keep_long(plan);
    usleep(200000);
    uint64_t before = idb_proc_rss_bytes(plan->server.pid);
    uint64_t start_ns = idb_now_ns();
    const char *failed = idb_fill(plan, w->job, IDB_SPACE_FILL, records);
    uint64_t end_ns = idb_now_ns();
    usleep(500000);
    uint64_t after = idb_proc_rss_bytes(plan->server.pid);
    if (failed)
        return failed;
    double *v = idb_turn_values(w->turn, w->job == IDB_CLAIM ? "in flight"
                                                             : "completed");
    if (!v)
        return "no room in the report";
    const idb_work *work = &plan->work;
    v[RECORDS] = (double)records;
    v[BYTES] = ((double)after - (double)before) / (double)records;
    v[PAYLOAD] = work->key_bytes + work->fingerprint_bytes +
                 (w->job == IDB_CLAIM ? 0 : work->result_bytes);
    v[FILL_S] = (double)(end_ns - start_ns) / 1e9;
    return NULL;
}

static int run_scenario_memory(const idb_turn *turn) {
    weighing claims = {turn, IDB_CLAIM}, jobs = {turn, IDB_FRESH};
    int failed = idb_with_server(turn->options, turn->spec, weigh, &claims);
    return failed ? failed
                  : idb_with_server(turn->options, turn->spec, weigh, &jobs);
}

int idb_scenario_memory(const idb_options *options, idb_report *report) {
    static const uint64_t own[] = {1000000, 5000000};
    report->columns = columns;
    report->column_count = COLUMNS;
    report->text = "Growth of resident memory per record. In flight: key and "
                   "fingerprint; completed: these and the result.";
    return idb_turns(options, report, own, 2, run_scenario_memory);
}
