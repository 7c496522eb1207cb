/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c -- a worker's part of the metrics, and their sum; see metrics.h. */
#include "server/metrics/metrics.h"

#include <string.h>

/* Asks the peer, which takes its monitor. */
static void gather_replicas(ids_metrics_node *node, ids_worker *worker) {
    const ids_command_handler *peer = &worker->server->peer;
    idp_replication report = {.replicas_count = 0};
    if (peer->report)
        peer->report(peer->ctx, worker, &report);
    node->replicas_count = report.replicas_count;
    for (uint32_t i = 0; i < report.replicas_count; i++) {
        const idp_replica *one = &report.replicas[i];
        ids_metrics_replica *to = &node->replicas[i];
        *to = (ids_metrics_replica){.in_sync = one->member && one->in_sync,
                                    .is_connected = one->connected,
                                    .is_copying = one->syncing,
                                    .lag_changes = one->lag.ops,
                                    .lag_bytes = one->lag.bytes,
                                    .lag_ms = one->lag.ms};
        _Static_assert(sizeof to->node <= sizeof one->node, "names fit");
        memcpy(to->node, one->node, sizeof to->node);
    }
}

static void gather_node(ids_metrics_node *node, const ids_worker *worker) {
    const ids_role_state *state = &worker->role_state;
    *node = (ids_metrics_node){
        .is_primary = state->role != IDS_FOLLOWS,
        .epoch = state->epoch,
        .in_sync_members = state->in_sync,
        .is_safe_to_stop = state->safe_to_stop,
        .is_connected = state->connected,
        .is_sealed = state->is_sealed,
        .is_copying = state->syncing,
        .settings_differ = state->settings_differ,
        .lag_changes = state->lag_ops,
        .lag_bytes = state->lag_bytes,
        .lag_ms = state->lag_ms,
        .full_copies = state->full_copies,
        .joins_by_key = state->joins_by_key,
        .uptime_ms = worker->now_ms - IDS_CLOCK_START_MS,
        .workers = worker->server->loops,
    };
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static void gather_scan(ids_metrics *part, const ids_worker *worker) {
    const ids_scanned *last = worker->scanner.last;
    if (!last || !last->ended_ms)
        return;
    part->scanned = 1;
    memcpy(part->by_state, last->records, sizeof part->by_state);
    memcpy(part->orphans_older, last->orphans_older,
           sizeof part->orphans_older);
    part->oldest_orphan_ms = last->oldest_orphan_ms;
    part->scan_age_ms = worker->now_ms - last->ended_ms;
}

static void add_scan(ids_metrics *sum, const ids_metrics *part) {
    sum->scanned += part->scanned;
    for (int i = 0; i < IDP_STATE_COUNT; i++)
        sum->by_state[i] += part->by_state[i];
    for (int i = 0; i < IDS_ORPHAN_AGES; i++)
        sum->orphans_older[i] += part->orphans_older[i];
    sum->oldest_orphan_ms =
        larger(sum->oldest_orphan_ms, part->oldest_orphan_ms);
    sum->scan_age_ms = larger(sum->scan_age_ms, part->scan_age_ms);
}

void ids_metrics_gather(ids_metrics *part, ids_worker *worker) {
    ids_shard_stats stats;
    *part = (ids_metrics){.measures = worker->measures,
                          .has_peer = worker->server->peer.begin != NULL,
                          .has_journal = worker->journal != NULL};
    if (worker->measures.alone)
        part->pending[worker->measures.alone - 1] = 1;
    ids_worker_count(worker, &part->counters);
    ids_shard_stats_get(worker->shard, &stats);
    memcpy(part->stale, stats.stale, sizeof part->stale);
    memcpy(part->unknown, stats.unknown, sizeof part->unknown);
    gather_scan(part, worker);
    if (worker->index == 0) {
        gather_node(&part->node, worker);
        gather_replicas(&part->node, worker);
    }
    if (!worker->journal)
        return;
    part->journal_backlog_bytes = ids_journal_backlog_bytes(worker->journal);
    part->journal_written_bytes = ids_journal_written_bytes(worker->journal);
    if (worker->index == 0)
        part->node.disk_free_bytes = ids_journal_free_bytes(worker->journal);
}

void ids_metrics_add(ids_metrics *sum, const ids_metrics *part) {
    ids_counters_add(&sum->counters, &part->counters);
    ids_measures_add(&sum->measures, &part->measures);
    for (int i = 0; i < IDS_TOKEN_METHODS; i++) {
        sum->stale[i] += part->stale[i];
        sum->unknown[i] += part->unknown[i];
    }
    for (int i = 0; i < IDP_METHOD_COUNT; i++)
        sum->pending[i] += part->pending[i];
    sum->journal_backlog_bytes += part->journal_backlog_bytes;
    sum->journal_written_bytes += part->journal_written_bytes;
    add_scan(sum, part);
    sum->has_journal |= part->has_journal;
    sum->has_peer |= part->has_peer;
    if (part->node.workers)
        sum->node = part->node;
}
