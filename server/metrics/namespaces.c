/* SPDX-License-Identifier: Apache-2.0 */
/* namespaces.c -- see namespaces.h. */
#include "server/metrics/namespaces.h"

#include "server/core/ns_limits.h"

#include <assert.h>
#include <string.h>

#define AT(field) offsetof(ids_metrics_ns, field)

const ids_metric_ns ids_metrics_ns_table[] = {
    {"namespace_records", false, NULL, AT(counts.records),
     "Records of each namespace that the settings name."},
    {"namespace_records_limit", false, NULL, AT(records_max),
     "And how many it may have (max_records)."},
    {"namespace_in_progress", false, NULL, AT(counts.in_progress),
     "Of these records, claims that nobody has ended; orphaned ones, too."},
    {"namespace_memory_bytes", false, NULL, AT(counts.bytes),
     "What its records count as."},
    {"namespace_memory_limit_bytes", false, NULL, AT(bytes_max),
     "And what they may (max_memory of the namespace)."},
    {"namespace_refused_total", true, "reason=\"full\"",
     AT(counts.refused_full),
     "Acquires that were refused for the namespace's limits."},
    {"namespace_refused_total", true, "reason=\"rate\"",
     AT(counts.refused_rate), NULL},
    {"namespace_results_dropped_total", true, NULL, AT(counts.results_dropped),
     "Results that were not kept for the namespace's limits."},
};

const size_t ids_metrics_ns_table_count =
    sizeof ids_metrics_ns_table / sizeof ids_metrics_ns_table[0];

typedef struct filling {
    const ids_ns_limits_table *limits;
    idp_bytes *rows;
    size_t from; /* where they begin in it */
} filling;

static ids_metrics_ns *row_at(idp_bytes *rows, size_t from, size_t i) {
    return (ids_metrics_ns *)(void *)(rows->ptr + from) + i;
}

static void see_metric_name(void *ctx, uint32_t number, idp_slice ns,
                            const ids_ns_counts *counts) {
    const filling *f = ctx;
    bool found = false;
    uint32_t at =
        number == IDS_NS_OTHER ? 0 : ids_ns_limits_place(f->limits, ns, &found);
    if (found)
        row_at(f->rows, f->from, at)->counts = *counts;
}

bool ids_metrics_ns_gather(const ids_worker *worker, idp_bytes *rows) {
    const ids_ns_limits_table *limits = worker->shard_config.limits;
    filling f = {limits, rows, rows->len};
    for (uint32_t i = 0; limits && i < limits->count; i++) {
        const ids_named_limits *named = &limits->named[i];
        ids_metrics_ns row = {.len = (uint32_t)named->ns_len,
                              .records_max = named->limits.records_max,
                              .bytes_max = named->limits.bytes_max};
        memcpy(row.ns, named->ns, named->ns_len);
        if (!idp_bytes_append(rows, &row, sizeof row))
            return false;
    }
    if (limits && limits->count)
        ids_shard_namespaces(worker->shard, see_metric_name, &f);
    return true;
}

static void add_counts(ids_ns_counts *to, const ids_ns_counts *more) {
    to->records += more->records;
    to->in_progress += more->in_progress;
    to->bytes += more->bytes;
    to->refused_full += more->refused_full;
    to->refused_rate += more->refused_rate;
    to->results_dropped += more->results_dropped;
}

/* Nearly always the one at the same place. */
static ids_metrics_ns *find_ns_row(idp_bytes *sum, const ids_metrics_ns *row,
                                   size_t near) {
    size_t count = ids_metrics_ns_count(sum);
    for (size_t i = 0; i < count; i++) {
        ids_metrics_ns *one = row_at(sum, 0, (near + i) % count);
        if (one->len == row->len && memcmp(one->ns, row->ns, row->len) == 0)
            return one;
    }
    return NULL;
}

bool ids_metrics_ns_add(idp_bytes *sum, idp_slice part) {
    assert(part.len % sizeof(ids_metrics_ns) == 0);
    if (!sum->len)
        return idp_bytes_append(sum, part.ptr, part.len);
    for (size_t i = 0; i * sizeof(ids_metrics_ns) < part.len; i++) {
        ids_metrics_ns row;
        memcpy(&row, part.ptr + i * sizeof row, sizeof row);
        ids_metrics_ns *to = find_ns_row(sum, &row, i);
        if (to)
            add_counts(&to->counts, &row.counts);
    }
    return true;
}
