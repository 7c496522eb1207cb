/* SPDX-License-Identifier: Apache-2.0 */
/* report_csv.c -- the table for spreadsheets and scripts: one line a result,
 * each figure with its range. Also the HdrHistogram percentile text. */
#include "bench/report.h"

#include <math.h>

static void cell(FILE *to, double value) {
    if (isnan(value))
        fputs(",", to);
    else
        fprintf(to, ",%.6g", value);
}

void idb_report_csv(FILE *to, const idb_report *report) {
    fputs("target", to);
    for (uint32_t c = 0; c < report->column_count; c++) {
        const char *key = report->columns[c].key;
        fprintf(to, ",%s,%s_min,%s_max", key, key, key);
    }
    fputs(",ratio\n", to);
    for (uint32_t i = 0; i < report->count; i++) {
        const idb_result *result = &report->results[i];
        fputs(result->label, to); /* no label holds a comma or a quote */
        for (uint32_t c = 0; c < report->column_count; c++) {
            cell(to, result->figures[c].median);
            cell(to, result->figures[c].min);
            cell(to, result->figures[c].max);
        }
        cell(to, idb_report_ratio(report, i));
        fputc('\n', to);
    }
}

/* HdrHistogram's percentile distribution, in microseconds, with five ticks
 * per halving of what is left: what its plotters read. */
void idb_report_hgrm(FILE *to, const idb_hist *hist) {
    const int ticks = 5;
    fprintf(to, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
    uint64_t seen = 0;
    double next = 0;
    for (uint32_t i = 0; i < IDB_HIST_BUCKETS && seen < hist->total; i++) {
        seen += hist->counts[i];
        double part = (double)seen / (double)hist->total;
        if (hist->counts[i] == 0 || part < next)
            continue;
        uint64_t top = idb_hist_bucket_top(i);
        double us = (double)(top < hist->max_ns ? top : hist->max_ns) / 1e3;
        if (seen == hist->total)
            fprintf(to, "%12.3f %14.12f %10lu\n", us, 1.0, (unsigned long)seen);
        else
            fprintf(to, "%12.3f %14.12f %10lu %14.2f\n", us, part,
                    (unsigned long)seen, 1 / (1 - part));
        while (next <= part && part < 1) {
            double halvings = floor(log2(1 / (1 - next))) + 1;
            next += 1 / (ticks * pow(2, halvings));
        }
    }
    fprintf(to,
            "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n"
            "#[Max     = %12.3f, Total count    = %12lu]\n"
            "#[Buckets = %12u, SubBuckets     = %12u]\n",
            idb_hist_mean(hist) / 1e3, idb_hist_deviation(hist) / 1e3,
            (double)hist->max_ns / 1e3, (unsigned long)hist->total,
            IDB_HIST_VALUE_BITS - IDB_HIST_HALF_BITS, 2 * IDB_HIST_HALF);
}
