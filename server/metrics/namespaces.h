/* SPDX-License-Identifier: Apache-2.0 */
/* namespaces.h -- what each namespace has that the settings name: a worker's
 * part of the metrics, and their sum.
 *
 * Pure but for memory. Only configured names are labels: what clients name is
 * never one. */
#ifndef IDS_METRICS_NAMESPACES_H
#define IDS_METRICS_NAMESPACES_H

#include "server/worker/worker.h"

typedef struct ids_metrics_ns {
    uint32_t len;
    uint8_t ns[IDP_NS_BYTES_MAX];
    ids_ns_counts counts;
    uint64_t records_max, bytes_max; /* UINT64_MAX: no such limit */
} ids_metrics_ns;

/* Appends this worker's rows, one a name. False: no memory. */
bool ids_metrics_ns_gather(const ids_worker *worker, idp_bytes *rows);

/* Adds another worker's rows to the sum's. Loops may go by other settings for a
 * moment: a name that the sum lacks is left out of it. False: no memory. */
bool ids_metrics_ns_add(idp_bytes *sum, idp_slice part);

static inline size_t ids_metrics_ns_count(const idp_bytes *rows) {
    return rows ? rows->len / sizeof(ids_metrics_ns) : 0;
}

static inline const ids_metrics_ns *ids_metrics_ns_at(const idp_bytes *rows,
                                                      size_t i) {
    return (const ids_metrics_ns *)(const void *)rows->ptr + i;
}

/* The table: as in metrics.h, one series for each name. */
typedef struct ids_metric_ns {
    const char *name; /* behind "idemstore_" */
    bool is_counter;
    const char *labels; /* besides namespace; NULL: none */
    size_t at;          /* of a uint64_t in ids_metrics_ns */
    const char *help;   /* NULL: of the family that the row before is of */
} ids_metric_ns;

extern const ids_metric_ns ids_metrics_ns_table[];
extern const size_t ids_metrics_ns_table_count;

#endif
