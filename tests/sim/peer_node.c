/* SPDX-License-Identifier: Apache-2.0 */
/* peer_node.c -- one node: the host of a peer and its shards, as a daemon
 * would be, with mail between its loops that takes its time. */
#include "server/peer/mutant.h"
#include "tests/sim/peer_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNRECORDED_PERCENT 5

enum { TICK_MS = 5, HELD_MAX = 16 };

static uint64_t whole_clock(const pw_node *n) {
    return IDS_CLOCK_START_MS + n->skew_ms + (n->w->now - n->w->start);
}

static uint64_t hidden_ms(const pw_node *n) {
    return whole_clock(n) % n->w->config.clock_step_ms;
}

uint64_t pw_clock(const pw_node *n) {
    return whole_clock(n) - hidden_ms(n);
}

uint32_t pw_key_of(idp_slice key) {
    return key.len == 2 ? (uint32_t)(key.ptr[1] - '0') % PW_KEYS_MAX : 0;
}

uint64_t pw_hash(void *ctx, idp_slice ns, idp_slice key) {
    const pw_node *n = ctx;
    uint64_t state = n->skew_ms * 31 + key.ptr[key.len - 1] + ns.len;
    return idt_splitmix(&state);
}

static pw_text text_of(idp_slice slice) {
    pw_text text = {.len = slice.len};
    if (slice.len > 0 && slice.len <= PW_TEXT) {
        memcpy(text.bytes, slice.ptr, slice.len);
    }
    return text;
}

/* When it ends in the world's time: what is left counts from what the node's
 * clock shows, but never for more than the whole. */
static uint64_t end_of(const pw_node *n, uint64_t left_ms, uint64_t whole_ms) {
    uint64_t hidden = left_ms < whole_ms ? hidden_ms(n) : 0;
    return n->w->now + left_ms - (hidden < left_ms ? hidden : left_ms);
}

pw_snap pw_snap_of(const pw_node *n, const ids_change *c) {
    return (pw_snap){.state = c->state,
                     .token = c->token,
                     .epoch = n->peer->lead_epoch,
                     .fingerprint = text_of(c->fingerprint),
                     .nonce = text_of(c->nonce),
                     .result = text_of(c->result),
                     .lease_ms = c->lease_ms,
                     .ttl_ms = c->ttl_ms,
                     .lease_end = end_of(n, c->lease_left_ms, c->lease_ms),
                     .ttl_end = end_of(n, c->ttl_left_ms, c->ttl_ms),
                     .has_result = c->has_result};
}

/* --- shards --------------------------------------------------------------- */

static void *take(void *ctx, size_t bytes) {
    (void)ctx;
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

static void give(void *ctx, void *block, size_t bytes) {
    (void)ctx, (void)bytes;
    free(block);
}

/* I5: as long as a nonce's claim stands, it is not granted another. */
static void note_grant(pw_node *n, pw_op *o, const ids_change *c) {
    const pw_snap *was = &n->truth[o->key];
    bool stands = was->state == IDP_STATE_IN_PROGRESS &&
                  n->w->now < was->ttl_end &&
                  pw_compare(was->token, o->granted) == 0;
    if (stands && !n->w->clashed && pw_compare(c->token, o->granted) != 0) {
        pw_fail(n->w, "I5: k%u, the same nonce, another token", o->key);
    }
    o->granted = c->token;
}

/* For the checker: a claim may be over sooner, if its holder said so; and to
 * a nonce belongs the token that it was granted. */
static void note_end(pw_node *n, uint32_t key, const ids_change *c) {
    pw_world *w = n->w;
    unsigned op = PW_OPS_MAX;
    char nonce[PW_TEXT + 1] = {0};
    if (c->state == IDP_STATE_ABSENT) {
        w->dropped[key] = n->truth[key].token;
    }
    if (c->state == IDP_STATE_RELEASED ||
        (c->state == IDP_STATE_IN_PROGRESS &&
         w->now + c->lease_left_ms < n->truth[key].lease_end)) {
        w->released[key] = c->token;
    }
    if (c->nonce.len > 0) {
        memcpy(nonce, c->nonce.ptr, c->nonce.len);
        if (sscanf(nonce, "n%u", &op) == 1 && op < w->ops) {
            note_grant(n, &w->op[op], c);
        }
    }
}

static void on_change(void *ctx, const ids_change *c) {
    pw_node *n = ctx;
    uint32_t loop = (uint32_t)(pw_hash(n, c->ns, c->key) % n->loops);
    uint32_t key = pw_key_of(c->key);
    n->last[loop] = c->number;
    note_end(n, key, c);
    n->truth[key] = pw_snap_of(n, c);
    pw_queue_put(&n->line[loop].made, pw_parcel_of(c));
    if (n->keeps) {
        pw_disk_write(n, loop, pw_parcel_of(c));
    }
}

static void on_wake(void *ctx, ids_asker asker, uint32_t msgid, idp_error error,
                    const idp_answer *answer) {
    pw_node *n = ctx;
    pw_reply made = {.op = msgid, .try = (uint32_t)asker, .error = error};
    if (answer != NULL) {
        made.answer = *answer;
    }
    made.changed = answer != NULL && answer->outcome == IDP_OUTCOME_ACQUIRED;
    pw_hold(n, n->loop_now, &made);
}

/* What the node's clock hides; see ids_shard_config. */
static uint32_t clock_cut_ms(const pw_node *n) {
    return IDS_RULE_OFF(WHOLE_MS) ? 0 : n->w->config.clock_step_ms - 1;
}

bool pw_node_make_shards(pw_node *n, ids_shard **shards) {
    for (uint32_t k = 0; k < n->loops; k++) {
        ids_shard_config config = {.epoch = 1,
                                   .memory_bytes_max = 8u << 20,
                                   .result_bytes_max = PW_TEXT,
                                   .waiters_per_key_max = 8,
                                   .waiters_max = 32,
                                   .clock_cut_ms = clock_cut_ms(n),
                                   .mem = {NULL, take, give, NULL},
                                   .hash = pw_hash,
                                   .hash_ctx = n,
                                   .on_wake = on_wake,
                                   .wake_ctx = n,
                                   .on_change = on_change,
                                   .change_ctx = n};
        shards[k] = ids_shard_new(&config);
        if (shards[k] == NULL) {
            return false;
        }
        ids_shard_tick(shards[k], pw_clock(n), 1);
        ids_peer_prepare_copy(shards[k]);
    }
    return true;
}

void pw_node_free_shards(pw_node *n, ids_shard **shards) {
    for (uint32_t k = 0; k < n->loops; k++) {
        ids_shard_free(shards[k]);
        shards[k] = NULL;
    }
}

/* --- its turns ------------------------------------------------------------ */

void pw_node_after(pw_node *n) {
    ids_peer *peer = n->peer;
    pw_turns(n);
    pw_node_maybe_swap(n);
    if (peer->started && n->session_seen != peer->upstream.id) {
        n->session_seen = peer->upstream.id;
        n->w->resumed += !peer->syncing;
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
    pw_net_flush(n);
    pw_check_copy(n->w, false);
}

static void tick(pw_world *w, int node, uint64_t word) {
    pw_node *n = &w->node[node];
    uint64_t now_ms = pw_clock(n);
    (void)word;
    for (uint32_t k = 0; k < n->loops; k++) {
        n->loop_now = k;
        ids_shard_tick(n->shard[k], now_ms, 64);
    }
    ids_peer_tick(n->peer, now_ms);
    pw_check_limits(w);
    if (pw_chance(w, 20)) {
        pw_check_status(n);
    }
    pw_later(w, TICK_MS, tick, node, 0);
}

void pw_node_call(pw_node *n, uint32_t op) {
    pw_world *w = n->w;
    pw_op *o = &w->op[op];
    idp_request *q = &o->request;
    uint64_t hash = pw_hash(n, q->ns, q->key);
    uint32_t loop = (uint32_t)(hash % n->loops);
    pw_reply made = {.op = op, .try = o->try};
    ids_call call = {q, hash, pw_clock(n), o->try};
    uint64_t before = n->last[loop];
    made.error = n->line[loop].serves[q->method == IDP_PEEK];
    if (n->line[loop].held >= HELD_MAX) {
        made.error = IDP_E_UNREPLICATED;
    }
    if (made.error == IDP_OK && q->method != IDP_ACQUIRE &&
        q->token.epoch > n->line[loop].lead_epoch) {
        made.error = IDP_E_NOT_PRIMARY; /* it was granted by a newer one */
    }
    n->loop_now = loop;
    if (made.error == IDP_OK) {
        ids_verdict verdict =
            ids_shard_call(n->shard[loop], &call, &made.answer, &made.error);
        if (verdict == IDS_PARKED) {
            return;
        }
    }
    made.changed = n->last[loop] != before;
    pw_hold(n, loop, &made);
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

static void recorded(pw_world *w, int node, uint64_t word);

/* In one world of four a disk is full: of some writes nothing comes. A start is
 * tried again. */
static bool is_not_recorded(pw_world *w, pw_node *n) {
    bool is_full = w->seed % 4 == 3 && !w->quiet;
    if (!is_full || pw_below(w, 100) >= UNRECORDED_PERCENT) {
        return false;
    }
    if (ids_peer_undecided(n->peer, pw_clock(n)) == IDS_PENDING_START) {
        pw_later(w, 20, recorded, n->index, 0);
    } else {
        n->writing = false;
    }
    return true;
}

static void recorded(pw_world *w, int node, uint64_t word) {
    pw_node *n = &w->node[node];
    (void)word;
    if (is_not_recorded(w, n)) {
        return;
    }
    n->cell = n->to_write;
    n->writing = false;
    if (n->peer->pending == IDS_PENDING_SWITCHOVER) {
        w->switched++;
        w->chosen += ids_decision_members(&n->peer->known) > 1;
    }
    if (n->peer->pending == IDS_PENDING_DETACH) {
        pw_node_detached(n, n->peer->detached.node);
    }
    n->standing_still = ids_peer_decided_stops_world(n->peer);
    ids_peer_decided(n->peer, pw_clock(n));
    n->standing_still = n->cell_is_copy = n->memory_is_copy = false;
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

static void propose(void *ctx, const ids_decision *next) {
    pw_node *n = ctx;
    n->to_write = *next;
    n->writing = true;
    pw_later(n->w, 1 + pw_below(n->w, (uint32_t)n->w->config.wait_record_ms),
             recorded, n->index, 0);
}

/* The recorded one, if its memory is there (R5). */
static uint64_t incarnation_of(pw_node *n, const ids_decision *recorded) {
    bool has_it = n->disk.is_there && !(n->memory_is_copy && !n->cell_is_copy);
    uint64_t kept = has_it ? recorded->self.incarnation : 0;
    return kept != 0 ? kept : idt_rng_next(&n->w->rng) | 1;
}

void pw_node_start(pw_node *n) {
    pw_world *w = n->w;
    ids_decision recorded = n->cell;
    if (n->cell_is_copy) {
        ids_decide_restored(&n->cell, &recorded);
    }
    ids_peer_config config = {.node = (uint64_t)n->index + 1,
                              .name = {{pw_name(n->index)}},
                              .life = idt_rng_next(&w->rng) | 1,
                              .incarnation = incarnation_of(n, &recorded),
                              .primary = n->index == 0,
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
                              .stall_ms = 60,
                              .decisions = {n, propose},
                              .host = pw_host(n)};
    n->life++;
    n->up = true;
    n->session_heard = 0;
    n->swap_asked = false;
    ids_endpoint_from(&config.advertise, ":7117", 5);
    if (n->index > 0 || w->config.places > 1) {
        ids_endpoint_from(&config.replicate_from,
                          w->config.places > 1 ? "P:7117"
                          : n->follows == 0    ? "A:7117"
                                               : "B:7117",
                          6);
    }
    memset(n->last, 0, sizeof n->last);
    memset(n->truth, 0, sizeof n->truth);
    pw_node_lose_parcels(n);
    pw_hold_forget(n);
    if (w->config.secret) {
        ids_link_key_from(&config.key,
                          (idp_slice){(const uint8_t *)"open sesame", 11});
    }
    pw_say(w, "%c starts, with %u loops and %s", pw_name(n->index), n->loops,
           n->disk.is_there ? "its memory" : "an empty memory");
    n->peer = ids_peer_new(&config, &recorded, pw_clock(n));
    pw_node_make_shards(n, n->shard);
    pw_disk_recover(n);
    pw_later(w, 1 + pw_below(w, TICK_MS), tick, n->index, 0);
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
    pw_net_crash(n);
    pw_node_free(n);
    n->life++;
    n->up = false;
    n->paused_until = 0;
    memset(n->shard, 0, sizeof n->shard);
    memset(n->aside, 0, sizeof n->aside);
    pw_maybe_put_back(n);
}

void pw_node_free(pw_node *n) {
    if (n->peer == NULL) {
        return;
    }
    pw_node_lose_parcels(n);
    pw_hold_forget(n);
    ids_peer_free(n->peer);
    n->peer = NULL;
    pw_node_free_shards(n, n->shard);
    pw_node_free_shards(n, n->aside);
}
