/* SPDX-License-Identifier: Apache-2.0 */
/* list.c -- prints the table of metrics: as rows for docs/metrics.md, or with
 * "names" every name that a query may use. */
#include "server/metrics/metrics.h"

#include <stdio.h>
#include <string.h>

static const char *const types[] = {[IDS_METRIC_COUNTER] = "counter",
                                    [IDS_METRIC_GAUGE] = "gauge",
                                    [IDS_METRIC_HISTOGRAM] = "histogram",
                                    [IDS_METRIC_INFO] = "info"};

static const char *const whens[] = {
    [IDS_METRIC_ALWAYS] = "",
    [IDS_METRIC_WITH_JOURNAL] = "with --data-dir",
    [IDS_METRIC_WITH_PEER] = "with a peer",
    [IDS_METRIC_WITH_SCAN] = "by a primary, once it has looked",
    [IDS_METRIC_PER_REPLICA] = "by a primary, for each replica",
    [IDS_METRIC_WITH_TLS] = "with a certificate"};

/* The name of a metric's label: all of its series have the same ones. */
static void print_labels(const ids_metric *metric) {
    const char *at = metric->samples[0].labels;
    if (metric->type == IDS_METRIC_INFO)
        printf("{version}");
    if (at == NULL)
        return;
    putchar('{');
    for (const char *comma = ""; at; comma = ",") {
        size_t len = strcspn(at, "=");
        printf("%s%.*s", comma, (int)len, at);
        at = strstr(at, "\",");
        at = at ? at + 2 : NULL;
    }
    putchar('}');
}

static void print_row(const ids_metric *metric) {
    printf("| `idemstore_%s", metric->name);
    print_labels(metric);
    printf("` | %s | %s | %s |\n", types[metric->type], metric->help,
           whens[metric->when]);
}

static void print_names(const ids_metric *metric) {
    static const char *const tails[] = {"_bucket", "_sum", "_count"};
    if (metric->type != IDS_METRIC_HISTOGRAM)
        printf("idemstore_%s\n", metric->name);
    else
        for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++)
            printf("idemstore_%s%s\n", metric->name, tails[i]);
}

static void print_ns_name(const ids_metric_ns *metric) {
    printf("idemstore_%s\n", metric->name);
}

static void print_ns_row(const ids_metric_ns *metric) {
    const char *end = metric->labels ? strchr(metric->labels, '=') : NULL;
    printf("| `idemstore_%s{namespace", metric->name);
    if (end)
        printf(",%.*s", (int)(end - metric->labels), metric->labels);
    printf("}` | %s | %s | configured namespaces |\n",
           metric->is_counter ? "counter" : "gauge", metric->help);
}

int main(int argc, char **argv) {
    bool names = argc > 1 && strcmp(argv[1], "names") == 0;
    for (size_t i = 0; i < ids_metrics_table_count; i++)
        (names ? print_names : print_row)(&ids_metrics_table[i]);
    for (size_t i = 0; i < ids_metrics_ns_table_count; i++)
        if (ids_metrics_ns_table[i].help)
            (names ? print_ns_name : print_ns_row)(&ids_metrics_ns_table[i]);
    return 0;
}
