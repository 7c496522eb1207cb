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
    idb_report *report;
    const idb_spec *spec;
    idb_job job;
    uint64_t records;
} weighing;

static const char *weigh(void *ctx, idb_plan *plan) {
    const weighing *w = ctx;
    char label[96], count[24];
    idb_keep_long(plan);
    usleep(200000);
    uint64_t before = idb_proc_rss_bytes(plan->server.pid);
    uint64_t start_ns = idb_now_ns();
    const char *failed = idb_fill(plan, w->job, IDB_SPACE_FILL, w->records);
    uint64_t end_ns = idb_now_ns();
    usleep(500000);
    uint64_t after = idb_proc_rss_bytes(plan->server.pid);
    if (failed)
        return failed;
    snprintf(label, sizeof label, "%s %s %s", w->spec->label,
             idb_count_text(w->records, count, sizeof count),
             w->job == IDB_CLAIM ? "in flight" : "completed");
    double *v = idb_result_round(idb_report_row(w->report, label));
    if (!v)
        return "no room in the report";
    const idb_work *work = &plan->work;
    v[RECORDS] = (double)w->records;
    v[BYTES] = ((double)after - (double)before) / (double)w->records;
    v[PAYLOAD] = work->key_bytes + work->fingerprint_bytes +
                 (w->job == IDB_CLAIM ? 0 : work->result_bytes);
    v[FILL_S] = (double)(end_ns - start_ns) / 1e9;
    return NULL;
}

int idb_scenario_memory(const idb_options *options, idb_report *report) {
    static const uint64_t own[] = {1000000, 5000000};
    static const idb_job jobs[] = {IDB_CLAIM, IDB_FRESH};
    uint64_t records[8];
    uint32_t count = idb_records(options, own, 2, records, 8);
    report->columns = columns;
    report->column_count = COLUMNS;
    report->text = "Growth of resident memory per record. In flight: key and "
                   "fingerprint; completed: these and the result.";
    for (uint32_t round = 0; round < options->rounds; round++)
        for (uint32_t j = 0; j < 2; j++)
            for (uint32_t n = 0; n < count; n++)
                for (uint32_t i = 0; i < options->spec_count; i++) {
                    const idb_spec *spec = &options->specs[i];
                    weighing w = {report, spec, jobs[j], records[n]};
                    idb_progress_target(spec->label, round + 1,
                                        options->rounds);
                    if (idb_with_server(options, spec, weigh, &w) != 0)
                        return 1;
                }
    return 0;
}
