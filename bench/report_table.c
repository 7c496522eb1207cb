/* report_table.c -- the table on stdout, and the warnings under it. */
#include "bench/report.h"

#include <math.h>

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

double idb_report_ratio(const idb_report *report, uint32_t i,
                        idb_figure_name name) {
    double first = report->results[0].figures[name].median;
    return report->results[i].figures[name].median / first;
}

static void ratio_cell(FILE *to, const idb_report *report, uint32_t i) {
    char text[32];
    double ratio = idb_report_ratio(report, i, IDB_FIGURE_server_cpu_us);
    const char *of = "CPU";
    if (isnan(ratio)) {
        ratio = idb_report_ratio(report, i, IDB_FIGURE_ops_per_s);
        of = "ops";
    }
    fprintf(to, "  %7s %s", idb_figure_text(ratio, 2, text, sizeof text), of);
}

static void warnings(FILE *to, const idb_result *result,
                     const idb_options *options) {
    if (result->unexpected)
        fprintf(to, "! %s: %lu unexpected answers, the first: %s\n",
                result->label, (unsigned long)result->unexpected,
                result->first_unexpected);
    if (result->broken)
        fprintf(to, "! %s: %lu connections lost\n", result->label,
                (unsigned long)result->broken);
    if (options->rate > 0)
        fprintf(to,
                "  %s: planned %lu jobs, %lu (%.2f %%) left over 1 ms late, "
                "at most %.1f ms\n",
                result->label, (unsigned long)result->due,
                (unsigned long)result->missed,
                result->due
                    ? 100.0 * (double)result->missed / (double)result->due
                    : 0,
                (double)result->late_max_ns / 1e6);
}

static const int widths[IDB_FIGURE_COUNT] = {11, 11, 9,  9,  9, 9,
                                             9,  12, 12, 11, 9};

void idb_report_table(FILE *to, const idb_report *report) {
    char text[48], range[112];
    fprintf(to, "%-16s", "target");
    for (int f = 0; f < IDB_FIGURE_COUNT; f++)
        fprintf(to, "  %*s", widths[f], idb_figure_titles[f]);
    fprintf(to, "  to the first\n");
    for (uint32_t i = 0; i < report->count; i++) {
        const idb_result *result = &report->results[i];
        fprintf(to, "%-16s", result->label);
        for (int f = 0; f < IDB_FIGURE_COUNT; f++)
            fprintf(to, "  %*s", widths[f],
                    idb_figure_text(result->figures[f].median,
                                    idb_figure_digits[f], text, sizeof text));
        ratio_cell(to, report, i);
        const idb_figure *cpu = &result->figures[IDB_FIGURE_server_cpu_us];
        snprintf(range, sizeof range, "%.3f-%.3f us", cpu->min, cpu->max);
        fprintf(to, "  (%s)\n", isnan(cpu->min) ? "server CPU unknown" : range);
    }
    fprintf(to,
            "Medians of %u rounds; us/op is CPU per operation, in brackets "
            "the server's range over the rounds;\n"
            "client busy 1.00 is one whole core of the load generator.\n",
            report->options->rounds);
    for (uint32_t i = 0; i < report->count; i++)
        warnings(to, &report->results[i], report->options);
}
