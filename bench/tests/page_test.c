/* SPDX-License-Identifier: Apache-2.0 */
/* page_test.c -- the page in a real browser, where there is one.
 *
 * page_test IDEMBENCH IDEMSTORED. Without chromium it says so and passes. */
#include "bench/load.h"
#include "bench/tests/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 1100000

static char folder[] = "/tmp/idembench-page-XXXXXX";

static const char *open_page(int *status, const char *name) {
    return shell(status,
                 "timeout 600 chromium --headless --no-sandbox --disable-gpu "
                 "--no-first-run --disable-background-networking "
                 "--disable-component-update --disable-sync "
                 "--window-size=1200,900 "
                 "--enable-logging=stderr --user-data-dir=%s/profile "
                 "--dump-dom file://%s/%s",
                 folder, folder, name);
}

/* Behind the page: what of its drawings is cut off, and where a column that
 * has to be seen ends. */
static const char looks[] =
    "<script>\n"
    "let cut = [];\n"
    "for (const svg of document.querySelectorAll('section div svg')) {\n"
    "  const box = svg.viewBox.baseVal;\n"
    "  for (const text of svg.querySelectorAll('text')) {\n"
    "    const b = text.getBBox();\n"
    "    if (b.x < box.x || b.x + b.width > box.x + box.width)\n"
    "      cut.push(text.textContent);\n"
    "  }\n"
    "}\n"
    "const ends = [...document.querySelectorAll('thead th')]\n"
    "  .filter(th => /to first|server us/.test(th.textContent))\n"
    "  .map(th => th.getBoundingClientRect().right);\n"
    "document.body.dataset.cut = cut.join('|') || 'nothing';\n"
    "document.body.dataset.seen = ends.length === 2 &&\n"
    "  ends.every(x => x < document.documentElement.clientWidth);\n"
    "</script>\n";

/* Latencies of up to a minute, so many that the last percentiles stand at the
 * right edge, and a million million of everything. */
static void make_wide(idb_report *report, const idb_options *options) {
    holds(idb_report_init(report, options, 2), "memory", "");
    report->columns = idb_load_columns;
    report->column_count = IDB_LOAD_COUNT;
    report->ratio_column = IDB_LOAD_server_cpu_us;
    for (uint32_t i = 0; i < 4; i++) {
        idb_result *result = idb_report_row(
            report, i % 2 ? "idem/threads=2/replication=sync/fsync=always"
                          : "redis/replication=sync/fsync=always/batch");
        double *row = idb_result_round(result);
        for (uint32_t c = 0; c < IDB_LOAD_COUNT; c++)
            row[c] = 123456789.123 * (i + 1);
        for (uint64_t ns = 1000; ns < 60 * IDB_NS_PER_S; ns *= 2)
            for (uint32_t n = 0; n < (ns < 2000 ? MANY : 1); n++)
                idb_hist_record(result->hist, ns);
    }
    idb_report_finish(report);
}

static void wide_figures_are_whole(void) {
    idb_options options = {.rounds = 2};
    idb_report report;
    char path[128];
    int status;
    make_wide(&report, &options);
    snprintf(path, sizeof path, "%s/wide.html", folder);
    FILE *to = fopen(path, "w");
    holds(to != NULL, "a file", path);
    idb_report_html(to, &report);
    fputs(looks, to);
    fclose(to);
    idb_report_fini(&report);
    const char *said = open_page(&status, "wide.html");
    holds(status == 0 && strstr(said, "data-cut=\"nothing\""),
          "no figure is cut off", said);
    holds(strstr(said, "data-seen=\"true\"") != NULL,
          "what rows are compared by is on a page of 1200 px", said);
}

int main(int argc, char **argv) {
    int status;
    if (argc != 3)
        return 64;
    if (!shell_has("chromium")) {
        puts("skipped: there is no chromium here");
        return 0;
    }
    holds(mkdtemp(folder) != NULL, "a folder", folder);
    const char *said =
        shell(&status,
              "%s --idemstored %s --spawn --target idem,echo --rounds 2 "
              "--duration 0.2 --warmup 0.1 --html %s/r.html",
              argv[1], argv[2], folder);
    holds(status == 0, "a report is made", said);
    said = open_page(&status, "r.html");
    holds(status == 0, "chromium opens it", said);
    holds(strstr(said, "<th scope=\"row\">idem</th>") != NULL, "the table",
          said);
    holds(strstr(said, "data-drawn=\"yes\"") != NULL,
          "the script ran to its "
          "end",
          said);
    holds(strstr(said, "<path d=\"M") != NULL, "the curves are drawn", said);
    holds(strstr(said, "<rect") != NULL, "the bars are drawn", said);
    holds(!strstr(said, "Uncaught") && !strstr(said, "CONSOLE"),
          "no script error", said);
    holds(!strstr(said, "NaN"), "no coordinate is NaN", said);
    holds(strstr(said, "coordinated omission") != NULL,
          "what a closed loop hides is told", said);
    wide_figures_are_whole();
    shell(&status, "rm -r %s", folder);
    puts("bench: the page stands in a browser");
    return 0;
}
