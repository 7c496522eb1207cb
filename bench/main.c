/* SPDX-License-Identifier: Apache-2.0 */
/* main.c -- idembench: one table of things to do. */
#include "bench/compare.h"
#include "bench/echo_server.h"
#include "bench/interrupt.h"
#include "bench/prefault.h"
#include "bench/scenario.h"
#include "bench/verify.h"

#include <signal.h>

/* Of a report: targets, or a scenario's steps for each. */
#define ROWS_MAX 256

static int measure_all(const idb_options *options) {
    idb_report report;
    int failed = 1;
    if (!idb_options_fit(options))
        return IDB_EXIT_USAGE;
    if (!idb_report_files_are_writable(options))
        return 1;
    idb_interrupt_catch();
    const char *unbacked = idb_prefault(options->prefault_mib);
    if (unbacked) {
        fprintf(stderr, "idembench: %s\n", unbacked);
        return 1;
    }
    if (idb_report_init(&report, options, ROWS_MAX))
        failed = options->scenario ? idb_scenario(options, &report)
                                   : idb_run(options, &report);
    if (!failed)
        failed = idb_report_all(&report);
    if (idb_interrupted())
        failed = 128 + SIGINT;
    idb_report_fini(&report);
    return failed;
}

int main(int argc, char **argv) {
    idb_options options;
    int failed = idb_options_parse(&options, argc, argv);
    if (failed)
        return failed;
    if (options.help) {
        idb_options_help(stdout);
        return 0;
    }
    if (options.version) {
        puts("idembench " IDEM_VERSION);
        return 0;
    }
    idb_files_allow();
    signal(SIGPIPE, SIG_IGN);
    if (options.serve_echo)
        return idb_echo_serve((uint16_t)options.port);
    if (options.compare[0])
        return idb_compare(stdout, options.compare[0], options.compare[1]);
    if (options.verify)
        return idb_verify(&options);
    return measure_all(&options);
}
