/* SPDX-License-Identifier: Apache-2.0 */
/* scenario_growth.c -- does an operation cost more in a large table, and does
 * any one operation pay for its growing?
 *
 * Fresh jobs all the way: fill to a size, measure while it grows on, fill to
 * the next. The last row asks for replays of the largest table, where nothing
 * grows: what is slow there as well is the machine's doing. */
#include "bench/scenario.h"

#include <math.h>

enum { RECORDS, OPS, CPU, P50, P99, P9999, MAX, OVER, COLUMNS };

static const idb_column columns[COLUMNS] = {
    [RECORDS] = {"records", "records", 0},
    [OPS] = {"ops_per_s", "ops/s", 0},
    [CPU] = {"server_cpu_us", "server us/op", 3},
    [P50] = {"p50_us", "p50 us", 1},
    [P99] = {"p99_us", "p99 us", 1},
    [P9999] = {"p9999_us", "p99.99 us", 1},
    [MAX] = {"max_us", "max us", 0},
    [OVER] = {"over_1ms_ppm", "over 1 ms, ppm", 2},
};

typedef struct growing {
    const idb_options *options;
    idb_report *report;
    const idb_spec *spec;
    uint64_t records[16];
    uint32_t count;
} growing;

static double over_ppm(const idb_hist *hist, uint64_t ns) {
    uint64_t over = 0;
    for (uint32_t i = idb_hist_bucket(ns) + 1; i < IDB_HIST_BUCKETS; i++)
        over += hist->counts[i];
    return hist->total ? 1e6 * (double)over / (double)hist->total : NAN;
}

static const char *row_add(const growing *g, uint64_t records, const char *what,
                           const idb_sample *s) {
    char label[96], count[24];
    snprintf(label, sizeof label, "%s %s%s", g->spec->label,
             idb_count_text(records, count, sizeof count), what);
    idb_result *result = idb_report_row(g->report, label);
    double *v = idb_result_round(result);
    if (!v)
        return "no room in the report";
    v[RECORDS] = (double)records;
    v[OPS] = (double)s->ops / s->seconds;
    v[CPU] = s->ops && s->server_cpu_ns
                 ? (double)s->server_cpu_ns / (double)s->ops / 1e3
                 : NAN;
    v[P50] = (double)idb_hist_at(s->hist, 0.5) / 1e3;
    v[P99] = (double)idb_hist_at(s->hist, 0.99) / 1e3;
    v[P9999] = (double)idb_hist_at(s->hist, 0.9999) / 1e3;
    v[MAX] = (double)s->hist->max_ns / 1e3;
    v[OVER] = over_ppm(s->hist, IDB_NS_PER_MS);
    idb_hist_add(result->hist, s->hist);
    return NULL;
}

static const char *step(const growing *g, idb_plan *plan, uint64_t *have,
                        uint32_t i) {
    idb_sample sample;
    const char *failed = NULL;
    if (g->records[i] > *have)
        failed = idb_fill(plan, IDB_FRESH, IDB_SPACE_DONE | *have,
                          g->records[i] - *have);
    if (failed)
        return failed;
    if (g->records[i] > *have)
        *have = g->records[i];
    plan->first_number = IDB_SPACE_NEW | (uint64_t)(i + 1) << 46;
    failed = idb_engine_run(plan, &sample);
    if (!failed)
        failed = row_add(g, g->records[i], " growing", &sample);
    *have += sample.keys_new;
    idb_sample_fini(&sample);
    return failed;
}

static const char *grow_load(void *ctx, idb_plan *plan) {
    growing *g = ctx;
    uint64_t have = 0;
    idb_sample sample;
    idb_spread spread;
    const char *failed = NULL;
    idb_keep_long(plan);
    memset(&plan->mix, 0, sizeof plan->mix);
    plan->mix.weight[IDB_FRESH] = 1;
    for (uint32_t i = 0; i < g->count && !failed; i++)
        failed = step(g, plan, &have, i);
    if (failed)
        return failed;
    /* The first fill's records are there for certain. */
    idb_spread_init(&spread, g->records[0], 0);
    plan->spread = &spread;
    memset(&plan->mix, 0, sizeof plan->mix);
    plan->mix.weight[IDB_REPLAY] = 1;
    failed = idb_engine_run(plan, &sample);
    if (!failed)
        failed = row_add(g, g->records[g->count - 1], " replays only", &sample);
    idb_sample_fini(&sample);
    return failed;
}

/* All numbers of records on one server, one after the other. */
static int run_growth(const idb_turn *turn) {
    static const uint64_t own[] = {1000000, 2000000, 5000000, 10000000,
                                   20000000};
    growing g = {
        .options = turn->options, .report = turn->report, .spec = turn->spec};
    g.count = idb_records(turn->options, own, 5, g.records, 16);
    return g.count == 0 ||
           idb_with_server(turn->options, turn->spec, grow_load, &g) != 0;
}

int idb_scenario_growth(const idb_options *options, idb_report *report) {
    report->columns = columns;
    report->column_count = COLUMNS;
    report->text = "Fresh jobs while the table grows from each size on; the "
                   "last row of each target is its control.";
    return idb_turns(options, report, NULL, 0, run_growth);
}
