/* SPDX-License-Identifier: Apache-2.0 */
/* report.c -- rounds become figures: medians with their ranges. */
#include "bench/report.h"
#include "bench/folder.h"

#include <math.h>
#include <stdlib.h>

bool idb_report_init(idb_report *report, const idb_options *options,
                     uint32_t max) {
    *report = (idb_report){.options = options, .name = "load", .max = max};
    report->results = calloc(max, sizeof *report->results);
    return report->results != NULL;
}

void idb_report_fini(idb_report *report) {
    for (uint32_t i = 0; i < report->count; i++) {
        idb_hist_free(report->results[i].hist);
        free(report->results[i].values);
    }
    free(report->results);
}

idb_result *idb_report_row(idb_report *report, const char *label) {
    for (uint32_t i = 0; i < report->count; i++)
        if (!strcmp(report->results[i].label, label))
            return &report->results[i];
    if (report->count == report->max)
        return NULL;
    idb_result *result = &report->results[report->count];
    uint32_t rounds = report->options->rounds;
    snprintf(result->label, sizeof result->label, "%s", label);
    result->rounds_max = rounds;
    result->hist = idb_hist_new();
    result->values =
        calloc((size_t)rounds * IDB_COLUMNS_MAX, sizeof *result->values);
    report->count++; /* fini frees what there is */
    return result->hist && result->values ? result : NULL;
}

double *idb_result_round(idb_result *result) {
    if (!result || result->rounds == result->rounds_max)
        return NULL;
    double *row = result->values + (size_t)result->rounds++ * IDB_COLUMNS_MAX;
    for (int i = 0; i < IDB_COLUMNS_MAX; i++)
        row[i] = NAN;
    return row;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static idb_figure figure_of(double *values, uint32_t count) {
    if (count == 0)
        return (idb_figure){NAN, NAN, NAN};
    qsort(values, count, sizeof *values, ascending);
    double middle = values[count / 2];
    if (count % 2 == 0)
        middle = (middle + values[count / 2 - 1]) / 2;
    return (idb_figure){middle, values[0], values[count - 1]};
}

static void result_finish(idb_result *result, uint32_t columns) {
    double *known = calloc(result->rounds + 1, sizeof *known);
    for (uint32_t c = 0; c < columns; c++) {
        uint32_t count = 0;
        for (uint32_t r = 0; known && r < result->rounds; r++) {
            double value = result->values[r * IDB_COLUMNS_MAX + c];
            if (!isnan(value))
                known[count++] = value;
        }
        result->figures[c] = figure_of(known, count);
    }
    free(known);
}

void idb_report_finish(idb_report *report) {
    for (uint32_t i = 0; i < report->count; i++)
        result_finish(&report->results[i], report->column_count);
}

uint32_t idb_report_rounds(const idb_report *report) {
    uint32_t least = report->count ? UINT32_MAX : 0;
    for (uint32_t i = 0; i < report->count; i++)
        if (report->results[i].rounds < least)
            least = report->results[i].rounds;
    return least;
}

double idb_report_ratio(const idb_report *report, uint32_t i) {
    int column = report->ratio_column;
    if (column < 0)
        return NAN;
    return report->results[i].figures[column].median /
           report->results[0].figures[column].median;
}

void idb_report_disk(const idb_report *report, char *to, size_t cap) {
    const char *in = report->options->data_in;
    to[0] = '\0';
    if (!report->has_files)
        return;
    idb_folder_disk(in, to, cap);
    size_t at = strlen(to);
    if (idb_folder_is_memory(in) && at < cap)
        snprintf(to + at, cap - at,
                 ": that is memory, no disk; a sync costs nothing there");
}
