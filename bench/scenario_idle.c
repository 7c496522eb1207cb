/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_idle.c -- what a server costs that only holds records. */
#include "bench/proc.h"
#include "bench/scenario.h"

enum { RECORDS, CPU, COLUMNS };

static const idb_column columns[COLUMNS] = {
    [RECORDS] = {"records", "records", 0},
    [CPU] = {"cpu_us_per_s", "CPU us per s", 1},
};

typedef struct resting {
    const idb_options *options;
    idb_report *report;
    const idb_spec *spec;
    uint64_t records;
} resting;

static const char *rest(void *ctx, idb_plan *plan) {
    const resting *r = ctx;
    char label[96], count[24];
    idb_keep_long(plan);
    const char *failed = idb_fill(plan, IDB_FRESH, IDB_SPACE_FILL, r->records);
    if (failed)
        return failed;
    idb_sleep_until_ns(idb_now_ns() + 2 * IDB_NS_PER_S);
    uint64_t cpu_ns = idb_proc_cpu_ns(plan->server.pid);
    uint64_t start_ns = idb_now_ns();
    idb_sleep_until_ns(start_ns + plan->duration_ns);
    double seconds = (double)(idb_now_ns() - start_ns) / 1e9;
    cpu_ns = idb_proc_cpu_ns(plan->server.pid) - cpu_ns;
    snprintf(label, sizeof label, "%s %s", r->spec->label,
             idb_count_text(r->records, count, sizeof count));
    double *v = idb_result_round(idb_report_row(r->report, label));
    if (!v)
        return "no room in the report";
    v[RECORDS] = (double)r->records;
    v[CPU] = (double)cpu_ns / 1e3 / seconds;
    return NULL;
}

int idb_scenario_idle(const idb_options *options, idb_report *report) {
    static const uint64_t own[] = {1000000};
    uint64_t records[4];
    uint32_t count = idb_records(options, own, 1, records, 4);
    report->columns = columns;
    report->column_count = COLUMNS;
    report->text = "CPU time of a server with these records and no "
                   "connection; 10 000 us per s is one percent of a core.";
    for (uint32_t round = 0; round < options->rounds; round++)
        for (uint32_t n = 0; n < count; n++)
            for (uint32_t i = 0; i < options->spec_count; i++) {
                resting r = {options, report, &options->specs[i], records[n]};
                idb_progress_target(r.spec->label, round + 1, options->rounds);
                if (idb_with_server(options, r.spec, rest, &r) != 0)
                    return 1;
            }
    return 0;
}
