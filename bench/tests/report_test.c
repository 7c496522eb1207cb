/* SPDX-License-Identifier: Apache-2.0 */
/* report_test.c -- figures, files, and what counts as a change. */
#include "bench/compare.h"
#include "bench/json.h"
#include "bench/report.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static const idb_column columns[] = {{"ops_per_s", "ops/s", 0},
                                     {"server_cpu_us", "server us/op", 3}};

static void make(idb_report *report, const idb_options *options, double cpu) {
    cr_assert(idb_report_init(report, options, 2));
    report->columns = columns;
    report->column_count = 2;
    report->ratio_column = 1;
    for (uint32_t r = 0; r < options->rounds; r++) {
        double *a = idb_result_round(idb_report_row(report, "idem"));
        a[0] = 1000 + r;
        a[1] = cpu + 0.01 * r;
        double *b = idb_result_round(idb_report_row(report, "redis"));
        b[1] = 4 * cpu;
    }
    idb_report_finish(report);
}

static char *written(const idb_report *report,
                     void (*write)(FILE *, const idb_report *)) {
    char *text;
    size_t len;
    FILE *to = open_memstream(&text, &len);
    write(to, report);
    fclose(to);
    return text;
}

Test(report, figures_are_medians_with_ranges_and_ratios_to_the_first) {
    idb_options options = {.rounds = 3};
    idb_report report;
    make(&report, &options, 0.5);
    const idb_figure *f = report.results[0].figures;
    cr_assert_float_eq(f[0].median, 1001, 1e-9);
    cr_assert_float_eq(f[0].min, 1000, 1e-9);
    cr_assert_float_eq(f[0].max, 1002, 1e-9);
    cr_assert(isnan(report.results[1].figures[0].median));
    cr_assert_float_eq(idb_report_ratio(&report, 1), 2 / 0.51, 1e-9);
    idb_report_fini(&report);
}

Test(report, the_table_groups_digits_and_shows_what_is_not_known) {
    idb_options options = {.rounds = 3};
    idb_report report;
    make(&report, &options, 0.5);
    char *text = written(&report, idb_report_table);
    cr_assert(strstr(text, "1 001"), "%s", text);
    cr_assert(strstr(text, "0.510"), "%s", text);
    cr_assert(strstr(text, " -"), "%s", text);
    free(text);
    idb_report_fini(&report);
}

Test(report, the_rounds_told_are_those_behind_every_row) {
    idb_options options = {.rounds = 3};
    idb_report report;
    make(&report, &options, 0.5);
    report.results[1].rounds = 2;
    cr_assert_eq(idb_report_rounds(&report), 2);
    char *text = written(&report, idb_report_table);
    cr_assert(strstr(text, "\nMedians of 2 rounds. \"to first\" compares "
                           "server us/op.\n"),
              "%s", text);
    free(text);
    idb_report_fini(&report);
}

Test(report, csv_has_a_line_per_target_and_three_cells_per_figure) {
    idb_options options = {.rounds = 3};
    idb_report report;
    make(&report, &options, 0.5);
    char *text = written(&report, idb_report_csv);
    cr_assert_str_eq(text, "target,ops_per_s,ops_per_s_min,ops_per_s_max,"
                           "server_cpu_us,server_cpu_us_min,server_cpu_us_max,"
                           "ratio\n"
                           "idem,1001,1000,1002,0.51,0.5,0.52,1\n"
                           "redis,,,,2,2,2,3.92157\n");
    free(text);
    idb_report_fini(&report);
}

static void save(const idb_report *report, char *path) {
    memcpy(path, "/tmp/idembench-XXXXXX", sizeof "/tmp/idembench-XXXXXX");
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    FILE *to = fdopen(fd, "w");
    idb_report_json(to, report);
    fclose(to);
}

static char *compared(double cpu_before, double cpu_after) {
    idb_options options = {.rounds = 3};
    idb_report a, b;
    char before[32], after[32], *text;
    size_t len;
    make(&a, &options, cpu_before);
    make(&b, &options, cpu_after);
    save(&a, before);
    save(&b, after);
    FILE *to = open_memstream(&text, &len);
    cr_assert_eq(idb_compare(to, before, after), 0);
    fclose(to);
    unlink(before);
    unlink(after);
    idb_report_fini(&a);
    idb_report_fini(&b);
    return text;
}

Test(compare, ranges_that_touch_are_noise_and_others_a_change) {
    char *text = compared(0.5, 0.51);
    cr_assert(strstr(text, "idem             server_cpu_us            0.51 -> "
                           "0.52         within noise\n"),
              "%s", text);
    free(text);
    text = compared(0.5, 1.0);
    cr_assert(strstr(text, "+98.0 %"), "%s", text);
    cr_assert(strstr(text, "redis            server_cpu_us               2 -> "
                           "4            +100.0 %\n"),
              "%s", text);
    free(text);
}

Test(compare, files_that_are_none_are_refused, .init = cr_redirect_stderr) {
    static const char *const texts[] = {
        "",
        "{",
        "[1, 2",
        "{\"a\" 1}",
        "{\"results\": [}",
        "\"\\u12\"",
        "nope",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char path[32] = "/tmp/idembench-XXXXXX";
        int fd = mkstemp(path);
        cr_assert_eq(write(fd, texts[i], strlen(texts[i])),
                     (ssize_t)strlen(texts[i]));
        close(fd);
        cr_assert_eq(idb_compare(stdout, path, path), 1, "%s", texts[i]);
        unlink(path);
    }
    cr_assert_eq(idb_compare(stdout, "/nonexistent", "/nonexistent"), 1);
}

Test(report, the_page_holds_the_table_and_its_data_and_needs_nothing_else) {
    idb_options options = {.rounds = 3};
    idb_report report;
    make(&report, &options, 0.5);
    char *text = written(&report, idb_report_html);
    cr_assert(strstr(text, "<th scope=\"row\">idem</th>"));
    cr_assert(strstr(text, "{\"idembench\": 1"));
    cr_assert_null(strstr(text, "@TABLE@"));
    cr_assert_null(strstr(text, "@DATA@"));
    cr_assert_null(strstr(text, "http://"));
    cr_assert_null(strstr(text, "https://"));
    cr_assert_null(strstr(text, " src="));
    cr_assert(strstr(text, "</html>"));
    free(text);
    idb_report_fini(&report);
}
