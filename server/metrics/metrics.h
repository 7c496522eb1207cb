/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h -- what the daemon tells of itself to Prometheus: the sum of what
 * its workers count and measure, as text.
 *
 * Pure but for memory: no socket, no clock. One table (table.c) has each
 * metric's name, type, help and where its value stands; the text and
 * docs/metrics.md come from it. */
#ifndef IDS_METRICS_H
#define IDS_METRICS_H

#include "proto/metrics.h"
#include "server/metrics/namespaces.h"

/* One of a primary's replicas, as it sees it. */
typedef struct ids_metrics_replica {
    uint64_t in_sync, is_connected, is_copying;
    uint64_t lag_changes, lag_bytes, lag_ms;
    char node[IDP_NODE_BYTES_MAX + 1]; /* its name */
} ids_metrics_replica;

/* Of the node, as worker 0 knows it; the rest of a part is a worker's own. */
typedef struct ids_metrics_node {
    uint64_t is_primary, epoch, in_sync_members, is_safe_to_stop, is_connected,
        is_sealed, is_copying, settings_differ;
    uint64_t lag_changes, lag_bytes, lag_ms;
    uint64_t full_copies, joins_by_key;
    uint64_t uptime_ms, workers;
    uint64_t disk_free_bytes;
    uint64_t replicas_count;
    ids_metrics_replica replicas[IDP_REPLICAS_MAX];
} ids_metrics_node;

typedef struct ids_metrics {
    ids_counters counters;
    ids_measures measures;
    uint64_t stale[IDS_TOKEN_METHODS], unknown[IDS_TOKEN_METHODS];
    uint64_t journal_backlog_bytes, journal_written_bytes;
    ids_metrics_node node;
    bool has_journal, has_peer; /* what is not there has no metrics */
    /* What the last looks through all records have found (scanner.h). */
    uint64_t scanned; /* workers that have looked */
    uint64_t by_state[IDP_STATE_COUNT];
    uint64_t orphans_older[IDS_ORPHAN_AGES];
    uint64_t oldest_orphan_ms, scan_age_ms;
    const idp_bytes *namespaces; /* ids_metrics_ns; NULL: none. Whoever writes
                                  * the sum sets it */
    uint64_t pending[IDP_METHOD_COUNT]; /* answered, and not measured yet */
    /* Worked out from the above when it is written. */
    uint64_t answered[IDP_METHOD_COUNT]; /* of methods without outcomes */
    uint64_t unsealed;                   /* connections without TLS */
    uint64_t one;
} ids_metrics;

/* This worker's part, on its thread. */
void ids_metrics_gather(ids_metrics *part, ids_worker *worker);

/* Adds another worker's. */
void ids_metrics_add(ids_metrics *sum, const ids_metrics *part);

typedef enum ids_metrics_format {
    IDS_METRICS_PROMETHEUS, /* text/plain; version=0.0.4; charset=utf-8 */
    IDS_METRICS_OPEN        /* application/openmetrics-text; version=1.0.0;
                             * charset=utf-8 */
} ids_metrics_format;

/* The bound of a text: what would go over it is left out, whole metrics at a
 * time. A node without namespaces needs a quarter. */
#define IDS_METRICS_TEXT_BYTES_MAX IDP_METRICS_TEXT_BYTES_MAX

/* Appends the text. version: the daemon's. False: no memory. */
bool ids_metrics_write(ids_metrics *all, const char *version,
                       ids_metrics_format format, idp_bytes *to);

/* The table --------------------------------------------------------------- */

typedef enum ids_metric_type {
    IDS_METRIC_COUNTER,
    IDS_METRIC_GAUGE,
    IDS_METRIC_HISTOGRAM,
    IDS_METRIC_INFO
} ids_metric_type;

/* Where it is told. */
typedef enum ids_metric_when {
    IDS_METRIC_ALWAYS,
    IDS_METRIC_WITH_JOURNAL,
    IDS_METRIC_WITH_PEER,
    IDS_METRIC_WITH_SCAN,   /* of a primary whose workers have all looked */
    IDS_METRIC_PER_REPLICA, /* for each; labels end before its name */
    IDS_METRIC_WITH_TLS
} ids_metric_when;

/* One series, or one histogram's. */
typedef struct ids_metric_sample {
    const char *labels; /* "a=\"b\""; NULL: none */
    size_t at;          /* in ids_metrics: a uint64_t, or an ids_histogram;
                         * PER_REPLICA: in ids_metrics_replica */
} ids_metric_sample;

typedef struct ids_metric {
    const char *name; /* behind "idemstore_" */
    ids_metric_type type;
    ids_metric_when when;
    uint32_t per_unit; /* what is counted, in a unit that is told: 1000 of ms */
    const char *help;  /* no backslash, no end of line */
    const ids_metric_sample *samples;
    size_t samples_count;
} ids_metric;

extern const ids_metric ids_metrics_table[];
extern const size_t ids_metrics_table_count;

#endif
