/* SPDX-License-Identifier: Apache-2.0 */
/* report_table.c -- the table on stdout, and the notes under it. */
#include "bench/report.h"

#include <math.h>

#define WIDTH_MIN 9

const char *idb_figure_text(double value, int digits, char *to, size_t cap) {
    if (isnan(value)) {
        snprintf(to, cap, "-");
        return to;
    }
    char plain[48];
    int len = snprintf(plain, sizeof plain, "%.*f", digits, value);
    const char *dot = strchr(plain, '.');
    int whole = dot ? (int)(dot - plain) : len;
    size_t at = 0;
    for (int i = 0; i < len && at + 2 < cap; i++) {
        bool gap =
            i > 0 && i < whole && (whole - i) % 3 == 0 && plain[i - 1] != '-';
        if (gap)
            to[at++] = ' ';
        to[at++] = plain[i];
    }
    to[at] = '\0';
    return to;
}

static int width_of(const idb_report *report, uint32_t column) {
    char text[48];
    int width = (int)strlen(report->columns[column].title);
    for (uint32_t i = 0; i < report->count; i++) {
        idb_figure_text(report->results[i].figures[column].median,
                        report->columns[column].digits, text, sizeof text);
        if ((int)strlen(text) > width)
            width = (int)strlen(text);
    }
    return width > WIDTH_MIN ? width : WIDTH_MIN;
}

static int label_width(const idb_report *report) {
    int width = 8;
    for (uint32_t i = 0; i < report->count; i++)
        if ((int)strlen(report->results[i].label) > width)
            width = (int)strlen(report->results[i].label);
    return width;
}

static void ratio_cells(FILE *to, const idb_report *report, uint32_t i) {
    char text[32], low[32], high[32];
    if (report->ratio_column < 0)
        return;
    const idb_column *column = &report->columns[report->ratio_column];
    const idb_figure *f = &report->results[i].figures[report->ratio_column];
    fprintf(to, "  %8s",
            idb_figure_text(idb_report_ratio(report, i), 2, text, sizeof text));
    if (!isnan(f->min))
        fprintf(to, "  (%s - %s)",
                idb_figure_text(f->min, column->digits, low, sizeof low),
                idb_figure_text(f->max, column->digits, high, sizeof high));
}

void idb_report_table(FILE *to, const idb_report *report) {
    char text[48], disk[1600];
    int label = label_width(report);
    fprintf(to, "%-*s", label, "target");
    for (uint32_t c = 0; c < report->column_count; c++)
        fprintf(to, "  %*s", width_of(report, c), report->columns[c].title);
    if (report->ratio_column >= 0)
        fprintf(to, "  to first");
    fputc('\n', to);
    for (uint32_t i = 0; i < report->count; i++) {
        const idb_result *result = &report->results[i];
        fprintf(to, "%-*s", label, result->label);
        for (uint32_t c = 0; c < report->column_count; c++)
            fprintf(to, "  %*s", width_of(report, c),
                    idb_figure_text(result->figures[c].median,
                                    report->columns[c].digits, text,
                                    sizeof text));
        ratio_cells(to, report, i);
        fputc('\n', to);
    }
    const bool compared = report->ratio_column >= 0;
    const uint32_t rounds = idb_report_rounds(report);
    if (rounds > 1)
        fprintf(to, "Medians of %u rounds.%c", rounds, compared ? ' ' : '\n');
    if (compared)
        fprintf(to, "\"to first\" compares %s.\n",
                report->columns[report->ratio_column].title);
    fprintf(to, "%s\n", report->text ? report->text : "");
    idb_report_disk(report, disk, sizeof disk);
    if (disk[0])
        fprintf(to, "What servers kept was on %s.\n", disk);
    for (uint32_t i = 0; i < report->count; i++)
        if (report->results[i].note[0])
            fprintf(to, "%s: %s\n", report->results[i].label,
                    report->results[i].note);
}
