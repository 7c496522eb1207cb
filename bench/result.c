/* result.c -- rounds become figures: medians with their ranges. */
#include "bench/run.h"

#include <math.h>
#include <stdlib.h>

const char *const idb_figure_keys[IDB_FIGURE_COUNT] = {
#define X(name, title, digits) #name,
    IDB_FIGURES(X)
#undef X
};

const char *const idb_figure_titles[IDB_FIGURE_COUNT] = {
#define X(name, title, digits) title,
    IDB_FIGURES(X)
#undef X
};

const int idb_figure_digits[IDB_FIGURE_COUNT] = {
#define X(name, title, digits) digits,
    IDB_FIGURES(X)
#undef X
};

/* Below this, buffers and pools would be counted as keys. */
#define KEYS_MIN 20000

bool idb_report_init(idb_report *report, const idb_options *options,
                     uint32_t count) {
    *report = (idb_report){.options = options};
    report->results = calloc(count, sizeof *report->results);
    if (!report->results)
        return false;
    report->count = count;
    for (uint32_t i = 0; i < count; i++) {
        idb_result *result = &report->results[i];
        result->hist = idb_hist_new();
        result->values = calloc(options->rounds, sizeof *result->values);
        if (!result->hist || !result->values)
            return false;
    }
    return true;
}

void idb_report_fini(idb_report *report) {
    for (uint32_t i = 0; i < report->count; i++) {
        idb_hist_free(report->results[i].hist);
        free(report->results[i].values);
    }
    free(report->results);
}

static double at_us(const idb_hist *hist, double part) {
    return hist->total ? (double)idb_hist_at(hist, part) / 1e3 : NAN;
}

static double per(double sum, uint64_t count, double scale) {
    return count && sum > 0 ? sum / (double)count / scale : NAN;
}

void idb_result_add(idb_result *result, const idb_sample *s) {
    double *v = result->values[result->rounds++];
    v[IDB_FIGURE_ops_per_s] = (double)s->ops / s->seconds;
    v[IDB_FIGURE_jobs_per_s] = (double)s->jobs / s->seconds;
    v[IDB_FIGURE_p50_us] = at_us(s->hist, 0.5);
    v[IDB_FIGURE_p90_us] = at_us(s->hist, 0.9);
    v[IDB_FIGURE_p99_us] = at_us(s->hist, 0.99);
    v[IDB_FIGURE_p999_us] = at_us(s->hist, 0.999);
    v[IDB_FIGURE_max_us] = at_us(s->hist, 1);
    v[IDB_FIGURE_server_cpu_us] = per((double)s->server_cpu_ns, s->ops, 1e3);
    v[IDB_FIGURE_client_cpu_us] = per((double)s->client_cpu_ns, s->ops, 1e3);
    v[IDB_FIGURE_client_busy] = (double)s->client_cpu_ns / 1e9 / s->seconds;
    v[IDB_FIGURE_key_bytes] =
        s->rss_before && s->keys_new >= KEYS_MIN
            ? ((double)s->rss_after - (double)s->rss_before) /
                  (double)s->keys_new
            : NAN;
    result->unexpected += s->unexpected;
    result->broken += s->broken;
    result->missed += s->missed;
    result->due += s->due;
    if (s->late_max_ns > result->late_max_ns)
        result->late_max_ns = s->late_max_ns;
    if (s->unexpected && !result->first_unexpected[0])
        memcpy(result->first_unexpected, s->first_unexpected,
               sizeof result->first_unexpected);
    idb_hist_add(result->hist, s->hist);
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

void idb_result_finish(idb_result *result) {
    double *known = calloc(result->rounds + 1, sizeof *known);
    for (int f = 0; f < IDB_FIGURE_COUNT; f++) {
        uint32_t count = 0;
        for (uint32_t r = 0; known && r < result->rounds; r++)
            if (!isnan(result->values[r][f]))
                known[count++] = result->values[r][f];
        result->figures[f] = figure_of(known, count);
    }
    free(known);
}
