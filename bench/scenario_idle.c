/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_idle.c -- what a server costs that only holds records. */
#include "bench/proc.h"
#include "bench/scenario.h"

enum { RECORDS, CPU, COLUMNS };

static const idb_column columns[COLUMNS] = {
    [RECORDS] = {"records", "records", 0},
    [CPU] = {"cpu_us_per_s", "CPU us per s", 1},
};

static const char *rest(void *ctx, idb_plan *plan) {
    const idb_turn *turn = ctx;
    idb_keep_long(plan);
    const char *failed =
        idb_fill(plan, IDB_FRESH, IDB_SPACE_FILL, turn->records);
    if (failed)
        return failed;
    idb_sleep_until_ns(idb_now_ns() + 2 * IDB_NS_PER_S);
    uint64_t cpu_ns = idb_proc_cpu_ns(plan->server.pid);
    uint64_t start_ns = idb_now_ns();
    idb_sleep_until_ns(start_ns + plan->duration_ns);
    double seconds = (double)(idb_now_ns() - start_ns) / 1e9;
    cpu_ns = idb_proc_cpu_ns(plan->server.pid) - cpu_ns;
    double *v = idb_turn_values(turn, "");
    if (!v)
        return "no room in the report";
    v[RECORDS] = (double)turn->records;
    v[CPU] = (double)cpu_ns / 1e3 / seconds;
    return NULL;
}

static int run_idle(const idb_turn *turn) {
    idb_turn own = *turn;
    return idb_with_server(turn->options, turn->spec, rest, &own);
}

int idb_scenario_idle(const idb_options *options, idb_report *report) {
    static const uint64_t own[] = {1000000};
    report->columns = columns;
    report->column_count = COLUMNS;
    report->text = "CPU time of a server with these records and no "
                   "connection; 10 000 us per s is one percent of a core.";
    return idb_turns(options, report, own, 1, run_idle);
}
