/* SPDX-License-Identifier: Apache-2.0 */
/* main.c -- idemconform: holds a server, a client or an HTTP service to what
 * is promised. A mode is a row here and a file of its own. */
#include "tests/conformance/report.h"

#include <signal.h>
#include <stdlib.h>

const conf_mode *const conf_modes[] = {&conf_server_mode, &conf_client_mode,
                                       &conf_http_mode, NULL};

static int report_all(const conf_options *o, const conf_cases *cases,
                      const conf_result *results) {
    conf_report report = {o, cases, results};
    conf_counts all = conf_count(&report, -1);
    conf_print(&report);
    bool written = conf_write_files(&report);
    return written && all.chosen > 0 && all.bad == 0 ? 0 : 1;
}

static int run_all(const conf_options *o, const conf_cases *cases) {
    conf_result *results = conf_choose(o, cases);
    if (!results) {
        return 64;
    }
    int code = 0;
    if (o->list || o->list_json) {
        conf_print_list(o, cases, results);
    } else if (o->mode->open && !o->mode->open()) {
        code = 1;
    } else {
        conf_run(o, cases, results);
        code = report_all(o, cases, results);
    }
    free(results);
    return code;
}

int main(int argc, char **argv) {
    conf_options options;
    conf_cases cases = {NULL, 0};
    signal(SIGPIPE, SIG_IGN);
    int code = conf_options_read(&options, argc, argv);
    if (code != 0) {
        return code - 1;
    }
    code = options.mode->fill(&cases) ? run_all(&options, &cases) : 1;
    free(cases.at);
    return code;
}
