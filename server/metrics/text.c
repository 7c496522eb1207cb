/* SPDX-License-Identifier: Apache-2.0 */
/* text.c -- the metrics as text: Prometheus' 0.0.4, and OpenMetrics 1.0.
 *
 * Where the two differ: a counter's family is named without _total in the
 * second, build_info is an info there, and the text ends with EOF. */
#include "server/metrics/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES_MAX 512
#define TOTAL          "_total"
#define INFO           "_info"

typedef struct text {
    idp_bytes *to;
    size_t from, bytes_max; /* where it begins, and its bound */
    bool is_open;           /* OpenMetrics */
    bool is_full;           /* no memory */
    const char *version;
} text;

static __attribute__((format(printf, 2, 3))) void
put_formatted(text *t, const char *format, ...) {
    char line[LINE_BYTES_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    size_t bytes = (size_t)len < sizeof line ? (size_t)len : sizeof line - 1;
    t->is_full |= !idp_bytes_append(t->to, line, bytes);
}

/* Exact, in the unit that is told. */
static void put_value(text *t, uint64_t value, uint64_t per_unit) {
    int digits = per_unit == 1000 ? 3 : 9;
    if (per_unit == 1)
        put_formatted(t, " %" PRIu64 "\n", value);
    else
        put_formatted(t, " %" PRIu64 ".%0*" PRIu64 "\n", value / per_unit,
                      digits, value % per_unit);
}

static uint64_t value_at(const void *all, size_t at) {
    uint64_t value;
    memcpy(&value, (const char *)all + at, sizeof value);
    return value;
}

/* A family ----------------------------------------------------------------- */

static const char *type_of(const text *t, const ids_metric *metric) {
    switch (metric->type) {
    case IDS_METRIC_COUNTER:
        return "counter";
    case IDS_METRIC_HISTOGRAM:
        return "histogram";
    case IDS_METRIC_INFO:
        return t->is_open ? "info" : "gauge";
    case IDS_METRIC_GAUGE:
        break;
    }
    return "gauge";
}

/* As its family is named: see above. */
static int family_bytes(const text *t, const ids_metric *metric) {
    const char *tail = metric->type == IDS_METRIC_COUNTER ? TOTAL
                       : metric->type == IDS_METRIC_INFO  ? INFO
                                                          : "";
    size_t len = strlen(metric->name);
    return (int)(t->is_open ? len - strlen(tail) : len);
}

static void put_head(text *t, const ids_metric *metric) {
    int bytes = family_bytes(t, metric);
    put_formatted(t, "# HELP idemstore_%.*s %s\n", bytes, metric->name,
                  metric->help);
    put_formatted(t, "# TYPE idemstore_%.*s %s\n", bytes, metric->name,
                  type_of(t, metric));
}

static void put_histogram(text *t, const ids_metric *metric,
                          const ids_metric_sample *sample,
                          const ids_histogram *of) {
    const char *labels = sample->labels ? sample->labels : "";
    const char *comma = sample->labels ? "," : "";
    uint64_t count = 0, bound_us = IDS_BUCKET_FIRST_NS / 1000;
    for (uint32_t i = 0; i < IDS_BUCKETS - 1; i++, bound_us *= 2) {
        count += of->of[i];
        put_formatted(
            t, "idemstore_%s_bucket{%s%sle=\"%" PRIu64 ".%06" PRIu64 "\"} ",
            metric->name, labels, comma, bound_us / 1000000,
            bound_us % 1000000);
        put_formatted(t, "%" PRIu64 "\n", count);
    }
    count += of->of[IDS_BUCKETS - 1];
    put_formatted(t, "idemstore_%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n",
                  metric->name, labels, comma, count);
    const char *open = sample->labels ? "{" : "";
    const char *close = sample->labels ? "}" : "";
    put_formatted(t, "idemstore_%s_sum%s%s%s", metric->name, open, labels,
                  close);
    put_value(t, of->sum_ns, 1000000000);
    put_formatted(t, "idemstore_%s_count%s%s%s %" PRIu64 "\n", metric->name,
                  open, labels, close, count);
}

static void put_sample(text *t, const ids_metric *metric,
                       const ids_metric_sample *sample,
                       const ids_metrics *all) {
    put_formatted(t, "idemstore_%s", metric->name);
    if (metric->type == IDS_METRIC_INFO)
        put_formatted(t, "{version=\"%s\"}", t->version);
    else if (sample->labels)
        put_formatted(t, "{%s}", sample->labels);
    put_value(t, value_at(all, sample->at), metric->per_unit);
}

/* One series for each replica, under its name. */
static void put_metric_replicas(text *t, const ids_metric *metric,
                                const ids_metrics *all) {
    const ids_metric_sample *sample = metric->samples;
    for (uint64_t i = 0; i < all->node.replicas_count; i++) {
        const ids_metrics_replica *one = &all->node.replicas[i];
        put_formatted(t, "idemstore_%s{%s%s\"}", metric->name, sample->labels,
                      one->node);
        put_value(t, value_at(one, sample->at), metric->per_unit);
    }
}

static bool metric_is_told(const ids_metrics *all, const ids_metric *metric) {
    switch (metric->when) {
    case IDS_METRIC_WITH_JOURNAL:
        return all->has_journal;
    case IDS_METRIC_WITH_PEER:
        return all->has_peer;
    case IDS_METRIC_WITH_SCAN:
        return all->node.is_primary && all->node.workers &&
               all->scanned == all->node.workers;
    case IDS_METRIC_PER_REPLICA:
        return all->node.replicas_count > 0;
    case IDS_METRIC_WITH_TLS:
        return all->counters.of[IDS_TLS_CERTIFICATE_END_S] != 0;
    case IDS_METRIC_ALWAYS:
        break;
    }
    return true;
}

static void put_samples(text *t, const ids_metric *metric,
                        const ids_metrics *all) {
    for (size_t i = 0; i < metric->samples_count; i++) {
        const ids_metric_sample *sample = &metric->samples[i];
        if (metric->type == IDS_METRIC_HISTOGRAM)
            put_histogram(t, metric, sample,
                          (const void *)((const char *)all + sample->at));
        else
            put_sample(t, metric, sample, all);
    }
}

/* Whole, or not at all. */
static void put_metric(text *t, const ids_metric *metric,
                       const ids_metrics *all) {
    size_t before = t->to->len;
    put_head(t, metric);
    if (metric->when == IDS_METRIC_PER_REPLICA)
        put_metric_replicas(t, metric, all);
    else
        put_samples(t, metric, all);
    if (t->to->len - t->from > t->bytes_max)
        t->to->len = before;
}

/* Namespaces --------------------------------------------------------------- */

/* As in the settings: what is not plain is %XX. */
static void put_ns(text *t, const ids_metrics_ns *row) {
    char name[3 * IDP_NS_BYTES_MAX + 1] = "", *to = name;
    for (uint32_t i = 0; i < row->len; i++)
        to += sprintf(to, ids_ns_byte_is_plain(row->ns[i]) ? "%c" : "%%%02X",
                      row->ns[i]);
    put_formatted(t, "{namespace=\"%s\"", name);
}

/* One series of each name; a limit that there is not has none. */
static void put_ns_series(text *t, const ids_metric_ns *metric,
                          const idp_bytes *rows) {
    for (size_t i = 0; i < ids_metrics_ns_count(rows); i++) {
        const ids_metrics_ns *row = ids_metrics_ns_at(rows, i);
        uint64_t value;
        memcpy(&value, (const char *)row + metric->at, sizeof value);
        if (value == UINT64_MAX)
            continue;
        put_formatted(t, "idemstore_%s", metric->name);
        put_ns(t, row);
        put_formatted(t, "%s%s} %" PRIu64 "\n", metric->labels ? "," : "",
                      metric->labels ? metric->labels : "", value);
    }
}

/* From a family's first row on, how many it has. */
static size_t rows_of_family(size_t i) {
    size_t count = 1;
    while (i + count < ids_metrics_ns_table_count &&
           !ids_metrics_ns_table[i + count].help)
        count++;
    return count;
}

static void put_metric_namespaces(text *t, const idp_bytes *rows) {
    for (size_t i = 0, count; i < ids_metrics_ns_table_count; i += count) {
        const ids_metric_ns *first = &ids_metrics_ns_table[i];
        const ids_metric head = {.name = first->name,
                                 .type = first->is_counter ? IDS_METRIC_COUNTER
                                                           : IDS_METRIC_GAUGE,
                                 .help = first->help};
        size_t before = t->to->len;
        put_head(t, &head);
        count = rows_of_family(i);
        for (size_t k = 0; k < count; k++)
            put_ns_series(t, &ids_metrics_ns_table[i + k], rows);
        if (t->to->len - t->from > t->bytes_max)
            t->to->len = before;
    }
}

/* All ---------------------------------------------------------------------- */

static uint64_t histogram_count_of(const ids_histogram *of) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < IDS_BUCKETS; i++)
        count += of->of[i];
    return count;
}

/* A worker refuses some that it never measured, on a connection's behalf. */
static void work_out(ids_metrics *all) {
    const ids_measures *measures = &all->measures;
    for (int i = 0; i < IDP_METHOD_COUNT; i++) {
        uint64_t served =
            histogram_count_of(&measures->request[i]) + all->pending[i];
        all->answered[i] =
            served > measures->refused[i] ? served - measures->refused[i] : 0;
    }
    uint64_t *of = all->counters.of;
    all->unsealed = of[IDS_CONNECTIONS] > of[IDS_TLS_CONNECTIONS]
                        ? of[IDS_CONNECTIONS] - of[IDS_TLS_CONNECTIONS]
                        : 0;
    all->one = 1;
}

bool ids_metrics_write(ids_metrics *all, const char *version,
                       ids_metrics_format format, idp_bytes *to) {
    static const char end[] = "# EOF\n";
    text t = {.to = to,
              .from = to->len,
              .bytes_max = IDS_METRICS_TEXT_BYTES_MAX - sizeof end,
              .is_open = format == IDS_METRICS_OPEN,
              .version = version};
    work_out(all);
    for (size_t i = 0; i < ids_metrics_table_count; i++)
        if (metric_is_told(all, &ids_metrics_table[i]))
            put_metric(&t, &ids_metrics_table[i], all);
    if (ids_metrics_ns_count(all->namespaces))
        put_metric_namespaces(&t, all->namespaces);
    if (t.is_open)
        put_formatted(&t, "%s", end);
    return !t.is_full;
}
