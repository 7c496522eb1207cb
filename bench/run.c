/* SPDX-License-Identifier: Apache-2.0 */
/* run.c -- A B C, A B C ...: each target gets a server of its own for each of
 * its rounds, so that none works beside another's garbage. */
#include "bench/load.h"

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
    if (sample.hist && sample.seconds > 0)
        idb_load_add(t->result, &sample);
    idb_sample_fini(&sample);
    return failed;
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
    report->text = "Server and client us/op are CPU time per operation; in "
                   "brackets the server's\nrange over the rounds. Client busy "
                   "1.00 is one core of the load generator.";
    for (uint32_t i = 0; i < options->spec_count; i++)
        report->has_files |= idb_spec_has_files(&options->specs[i]);
    for (uint32_t round = 0; round < options->rounds; round++)
        for (uint32_t i = 0; i < options->spec_count; i++) {
            const idb_spec *spec = &options->specs[i];
            turn t = {.options = options, .spread = &spread, .round = round};
            t.result = idb_report_row(report, spec->label);
            idb_progress_target(spec->label, round + 1, options->rounds);
            if (!t.result || idb_with_server(options, spec, turn_run, &t))
                return 1;
        }
    idb_report_finish(report);
    return 0;
}
