/* SPDX-License-Identifier: Apache-2.0 */
/* run.c -- A B C, A B C ...: each target gets a server of its own for each of
 * its rounds, so that none works beside another's garbage. */
#include "bench/interrupt.h"
#include "bench/load.h"

#define COLUMNS_TEXT                                                     \
    "Server and client us/op are CPU time per operation; in brackets "   \
    "the server's\nrange over the rounds. Client busy 1.00 is one core " \
    "of the load generator."
#define CLOSED_TEXT                                                          \
    "\nClosed loop: while a server stalls, nothing more is asked of it. So " \
    "few requests meet\na stall, and the high percentiles look better than " \
    "they are (coordinated omission).\nWhere they count, plan the jobs: "    \
    "--rate OPS."

typedef struct turn {
    const idb_options *options;
    const idb_spread *spread;
    idb_result *result;
    uint32_t round;
} turn;

static const char *turn_run(void *ctx, idb_plan *plan) {
    turn *t = ctx;
    idb_sample sample;
    plan->spread = t->spread;
    plan->first_number += (uint64_t)(t->round + 1) << 46;
    const char *failed = idb_fill_pools(t->options, plan);
    if (failed)
        return failed;
    failed = idb_engine_run(plan, &sample);
    if (sample.hist && sample.seconds > 0 && !idb_interrupted())
        idb_load_add(t->result, &sample);
    idb_sample_fini(&sample);
    return failed;
}

/* False: something failed, or the user has had enough. */
static bool round_run(const idb_options *options, const idb_spread *spread,
                      uint32_t round, idb_report *report) {
    for (uint32_t i = 0; i < options->spec_count; i++) {
        const idb_spec *spec = &options->specs[i];
        turn t = {.options = options, .spread = spread, .round = round};
        t.result = idb_report_row(report, spec->label);
        idb_progress_target(spec->label, round + 1, options->rounds);
        if (!t.result || idb_with_server(options, spec, turn_run, &t) ||
            idb_interrupted())
            return false;
    }
    return true;
}

static bool has_replica(const idb_options *options) {
    for (uint32_t i = 0; i < options->spec_count; i++)
        if (options->specs[i].replication > IDB_REPLICATION_NONE)
            return true;
    return false;
}

int idb_run(const idb_options *options, idb_report *report) {
    idb_spread spread;
    idb_spread_init(&spread, options->pool, options->zipf);
    report->columns = idb_load_columns;
    report->column_count =
        has_replica(options) ? IDB_LOAD_COUNT : IDB_LOAD_COUNT - 1;
    report->ratio_column = IDB_LOAD_server_cpu_us;
    report->text = options->rate > 0 ? COLUMNS_TEXT : COLUMNS_TEXT CLOSED_TEXT;
    for (uint32_t i = 0; i < options->spec_count; i++)
        report->has_files |= idb_spec_has_files(&options->specs[i]);
    uint32_t round = 0;
    while (round < options->rounds &&
           round_run(options, &spread, round, report))
        round++;
    if (idb_interrupted() && round == 0)
        fputs("idembench: interrupted before a round was whole\n", stderr);
    if (round < options->rounds && (!idb_interrupted() || round == 0))
        return 1;
    if (round < options->rounds)
        fprintf(stderr,
                "idembench: interrupted; what follows is of the first "
                "%u of %u rounds\n",
                round, options->rounds);
    idb_report_finish(report);
    return 0;
}
