/* SPDX-License-Identifier: Apache-2.0 */
/* peer_node.c -- one node's lives: what the daemon does as it starts and as it
 * goes, around the same workers and the same replicator. */
#include "tests/sim/peer_world.h"

#include "server/base/log.h"

#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 5, BUFFER_BYTES = 1 << 20 };

static uint64_t whole_clock(const pw_node *n) {
    return IDS_CLOCK_START_MS + n->skew_ms + pw_us(n->w);
}

uint64_t pw_clock(const pw_node *n) {
    return whole_clock(n) - whole_clock(n) % n->w->config.clock_step_ms;
}

/* What the node's clock hides; see ids_shard_config. */
uint32_t pw_clock_cut_ms(const pw_node *n) {
    return n->w->config.clock_step_ms - 1;
}

static void *take(void *ctx, size_t bytes) {
    (void)ctx;
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static void give(void *ctx, void *block, size_t bytes) {
    (void)ctx, (void)bytes;
    free(block);
}

ids_mem pw_mem(void) {
    return (ids_mem){.alloc = take, .free = give};
}

/* --- as it runs ----------------------------------------------------------- */

/* The checker hears of a node that leads. */
void pw_note_lead(pw_node *n) {
    const ids_peer *peer = n->peer;
    if (n->started && peer->leading && peer->lead_epoch != n->led_epoch) {
        n->led_epoch = peer->lead_epoch;
        pw_check_lead(n, peer->lead_epoch);
    }
}

void pw_node_after(pw_node *n) {
    const ids_peer *peer = n->peer;
    pw_note_lead(n);
    if (peer->started && n->session_seen != peer->upstream.id) {
        n->session_seen = peer->upstream.id;
        n->w->resumed += !peer->syncing;
    }
    if (n->joined_seen != peer->joined_by_key) {
        n->joined_seen = peer->joined_by_key;
        n->w->by_key++;
        pw_check_joined(n);
    }
    for (int i = 0; peer->leading && i < PW_NODES; i++) {
        pw_detached *d = &n->w->detached[i];
        if (peer->lead_epoch == d->epoch && d->by == n->index &&
            pw_session_with(n, (uint64_t)i + 1) != d->session) {
            d->since = pw_session_with(n, (uint64_t)i + 1);
        }
    }
    if (!peer->leading && peer->upstream.id != 0 && peer->dialled_rest) {
        n->session_heard = peer->upstream.id;
    }
    pw_note_reach(n);
    pw_net_after(n->w);
    pw_check_copy(n->w, false);
}

static bool is_due(const pw_worker *worker) {
    const ids_worker *ids = worker->ids;
    uint64_t now_ms = pw_clock(worker->n);
    return ids->index == 0 || ids_line_next_ms(worker->line) <= now_ms ||
           ids_repl_next_ms(worker->turn.repl) <= now_ms;
}

static void tick(pw_world *w, int node, uint64_t word) {
    pw_node *n = &w->node[node];
    (void)word;
    for (uint32_t k = 0; k < n->loops && n->started; k++) {
        if (is_due(&n->worker[k])) {
            pw_worker_wake(n, k);
        }
    }
    pw_disk_maybe_snapshot(n);
    pw_check_limits(w);
    if (pw_chance(w, 20)) {
        pw_check_status(n);
    }
    pw_later(w, TICK_MS, tick, node, 0);
}

/* --- its lives ------------------------------------------------------------ */

void pw_node_detached(pw_node *n, uint64_t whom) {
    pw_detached *d = &n->w->detached[whom - 1];
    if (n->cell.epoch == d->epoch && n->cell.version <= d->version) {
        return; /* known already */
    }
    *d = (pw_detached){.epoch = n->cell.epoch,
                       .version = n->cell.version,
                       .by = n->index,
                       .session = pw_session_with(n, whom)};
}

uint64_t pw_draw_epoch(pw_node *n) {
    pw_world *w = n->w;
    uint64_t known = n->cell.epoch;
    if (n->peer != NULL && n->peer->known.epoch > known) {
        known = n->peer->known.epoch;
    }
    w->epoch_next += 1u << IDS_EPOCH_BITS;
    return ids_epoch_draw(known, w->epoch_next, (uint64_t)n->index + 1);
}

/* Its folder's, if all is there that was ever acknowledged (R5); a new one is
 * on the medium before anything else is. */
static uint64_t incarnation_of(pw_node *n) {
    pw_disk *disk = &n->disk;
    bool is_whole = disk->is_there && !disk->replaced && !n->memory_is_copy;
    if (!n->keeps || !is_whole || disk->incarnation == 0) {
        disk->incarnation = idt_rng_next(&n->w->rng) | 1;
    }
    if (n->cell_is_copy && n->recorded.self.incarnation == 0) {
        return idt_rng_next(&n->w->rng) | 1;
    }
    return disk->incarnation;
}

static ids_replicator_config configure(pw_node *n) {
    pw_world *w = n->w;
    ids_replicator_config config = {
        .peer = {.node = (uint64_t)n->index + 1,
                 .name = {{pw_name(n->index)}},
                 .life = idt_rng_next(&w->rng) | 1,
                 .incarnation = incarnation_of(n),
                 .primary = n->index == 0,
                 .under_agent = w->agents != NULL,
                 .epoch_min = pw_draw_epoch(n),
                 .loops = n->loops,
                 .places = w->config.places,
                 .mode = w->config.mode,
                 .min_in_sync = w->config.min_in_sync,
                 .ring_bytes = w->config.ring_bytes,
                 .result_bytes_max = PW_TEXT,
                 .unsent_bytes = w->config.unsent_bytes,
                 .walk_buckets = 1 + pw_below(w, 4),
                 .join_lag = w->config.join_lag,
                 .heartbeat_ms = 20,
                 .silence_ms = 90,
                 .redial_ms = 25,
                 .stall_ms = 60},
        .key_rings_bytes = w->config.key_rings_bytes,
        .commit_wait_ms = 60,
        .tick_ms = TICK_MS,
        .busy_ms = 0, /* the operator looks before each try */
        .effect_ms = 300,
        .record_path = "the record"};
    memcpy(config.peer.hash_key, n->server.hash_key,
           sizeof config.peer.hash_key);
    ids_endpoint_from(&config.peer.advertise, ":7117", 5);
    ids_endpoint_from(&config.peer.http, ":7180", 5);
    for (int i = 0; w->config.lists && i < pw_nodes(w); i++) {
        char at[] = {pw_name(i), ':', '7', '1', '1', '7', 0};
        if (i != n->index) {
            ids_endpoint_from(&config.peer.others[config.peer.others_count++],
                              at, 6);
        }
    }
    if (w->agents != NULL) {
        config.peer.name = ids_node_name_of((uint64_t)n->index + 1);
        config.busy_ms = 500;
    }
    if (!w->config.lists && (n->index > 0 || w->config.places > 1)) {
        ids_endpoint_from(&config.peer.replicate_from,
                          w->config.places > 1 ? "P:7117"
                          : n->follows == 0    ? "A:7117"
                                               : "B:7117",
                          6);
    }
    if (w->config.secret) {
        ids_link_key_from(&config.peer.key,
                          (idp_slice){n->server.peer_secret->bytes,
                                      n->server.peer_secret->len});
    }
    return config;
}

static void furnish(pw_node *n) {
    static const ids_secret secret = {.bytes = "open sesame", .len = 11};
    n->server = (ids_server){.loops = n->loops,
                             .epoch = n->w->epoch_next,
                             .version = "sim",
                             .result_bytes_max = PW_TEXT,
                             .pending_max = 64,
                             .buffer_bytes_max = BUFFER_BYTES,
                             .unsent_bytes_max = BUFFER_BYTES,
                             .takes_peers = true,
                             .mailboxes = n->boxes};
    for (size_t i = 0; i < sizeof n->server.hash_key; i++) {
        n->server.hash_key[i] = (uint8_t)(n->skew_ms >> (i % 4 * 4));
    }
    if (n->w->config.secret) {
        n->server.access = ids_access_new(
            ids_credentials_of_secret((idp_slice){secret.bytes, secret.len}));
        n->server.peer_secret = &secret;
    }
}

/* Its start is on record: only now its workers run. */
static void started(pw_world *w, int node, uint64_t word) {
    pw_node *n = &w->node[node];
    (void)word;
    n->cell = n->to_write;
    n->writing = false;
    ids_replicator_start(&n->replicator, &n->recorded);
    n->started = true;
    for (uint32_t k = 0; k < n->loops; k++) {
        n->worker[k].turn.repl = &n->replicator.repls[k];
        pw_worker_wake(n, k);
    }
    pw_note_lead(n);
    n->cell_is_copy = n->memory_is_copy = false;
    pw_later(w, 1 + pw_below(w, TICK_MS), tick, n->index, 0);
}

void pw_node_start(pw_node *n) {
    pw_world *w = n->w;
    const ids_node_driver driver = pw_driver(n);
    ids_worker *workers[PW_LOOPS_MAX] = {NULL};
    ids_worker_log *worker_logs[PW_LOOPS_MAX] = {NULL};
    n->life++;
    n->up = true;
    n->session_heard = n->led_epoch = n->joined_seen = 0;
    n->recorded = n->cell;
    if (n->cell_is_copy) {
        ids_decide_restored(&n->cell, &n->recorded);
    }
    memset(n->truth, 0, sizeof n->truth);
    pw_say(w, "%c starts, with %u loops and %s", pw_name(n->index), n->loops,
           n->disk.is_there ? "its memory" : "an empty memory");
    furnish(n);
    const ids_replicator_config config = configure(n);
    bool good = pw_workers_make(n);
    pw_disk_recover(n);
    good = good && pw_worker_logs_make(n);
    for (uint32_t k = 0; k < n->loops; k++) {
        workers[k] = n->worker[k].ids;
        worker_logs[k] = n->worker[k].turn.worker_log;
    }
    if (!good || !ids_replicator_begin(&n->replicator, &config, &driver,
                                       &n->recorded, workers, worker_logs)) {
        pw_fail(w, "I15: no memory for a node");
        return;
    }
    n->peer = n->replicator.peer;
    n->to_write = n->replicator.proposal;
    n->writing = true;
    pw_later(w, 1 + pw_below(w, (uint32_t)w->config.wait_record_ms), started,
             n->index, 0);
}

void pw_node_crash(pw_node *n) {
    pw_world *w = n->w;
    pw_say(w, "%c crashes", pw_name(n->index));
    pw_note_reach(n);
    if (n->writing && pw_chance(w, 50)) {
        n->cell = n->to_write; /* just in time */
        n->cell_is_copy = n->memory_is_copy = false;
    }
    pw_check_recorded(n);
    n->writing = false;
    pw_disk_crash(n);
    pw_note_crash(n);
    pw_node_free(n);
    pw_net_crash(n);
    pw_wires_crash(n);
    n->life++;
    n->up = false;
    n->paused_until = 0;
    pw_maybe_put_back(n);
}

void pw_node_free(pw_node *n) {
    if (n->peer == NULL) {
        return;
    }
    n->crashing = true;
    for (uint32_t k = 0; k < n->loops; k++) {
        ids_repl_quiet(&n->replicator.repls[k]);
    }
    pw_workers_free(n);
    ids_replicator_close(&n->replicator);
    n->peer = NULL;
    n->step = NULL;
    n->started = n->crashing = false;
}
