/* SPDX-License-Identifier: Apache-2.0 */
/* peer_world.c -- time, the story, and the course of one world: chaos, then
 * peace, then everything must have healed. */
#include "tests/sim/peer_agents.h"
#include "tests/sim/peer_decide.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MS = 500 }; /* in peace a call is asked four times meanwhile */

/* --- the story ------------------------------------------------------------ */

bool pw_fail(pw_world *w, const char *format, ...) {
    if (!w->failed) {
        va_list args;
        va_start(args, format);
        vsnprintf(w->failure, sizeof w->failure, format, args);
        va_end(args);
        w->failed = true;
    }
    return false;
}

void pw_say(pw_world *w, const char *format, ...) {
    if (!w->tracing) {
        return;
    }
    va_list args;
    char *line = w->trace[w->traced++ % PW_TRACE_LINES];
    int n = snprintf(line, PW_TRACE_COLUMNS, "[%6llu] ",
                     (unsigned long long)(w->now - w->start));
    va_start(args, format);
    vsnprintf(line + n, PW_TRACE_COLUMNS - (size_t)n, format, args);
    va_end(args);
}

uint32_t pw_below(pw_world *w, uint32_t bound) {
    return idt_rng_below(&w->rng, bound);
}

bool pw_chance(pw_world *w, uint32_t percent) {
    return idt_rng_chance(&w->rng, percent);
}

/* --- time ----------------------------------------------------------------- */

static bool sooner(const pw_event *a, const pw_event *b) {
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void push(pw_world *w, pw_event event) {
    uint32_t at = w->heap_len++;
    if (w->heap_len > w->heap_cap) {
        w->heap_cap = w->heap_cap ? w->heap_cap * 2 : 256;
        w->heap = realloc(w->heap, w->heap_cap * sizeof *w->heap);
    }
    event.seq = w->event_seq++;
    while (at > 0 && sooner(&event, &w->heap[(at - 1) / 2])) {
        w->heap[at] = w->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    w->heap[at] = event;
}

static pw_event pop(pw_world *w) {
    pw_event first = w->heap[0], last = w->heap[--w->heap_len];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= w->heap_len) {
            break;
        }
        if (child + 1 < w->heap_len &&
            sooner(&w->heap[child + 1], &w->heap[child])) {
            child++;
        }
        if (!sooner(&w->heap[child], &last)) {
            break;
        }
        w->heap[at] = w->heap[child];
        at = child;
    }
    w->heap[at] = last;
    return first;
}

void pw_later(pw_world *w, uint64_t ms, pw_happens *what, int node,
              uint64_t word) {
    push(w, (pw_event){.at = w->now + ms,
                       .what = what,
                       .node = node,
                       .life = node >= 0 ? w->node[node].life : 0,
                       .word = word});
}

static void happen(pw_world *w, pw_event *event) {
    pw_node *n = event->node >= 0 ? &w->node[event->node] : NULL;
    if (n != NULL && (event->life != n->life || !n->up)) {
        return;
    }
    if (n != NULL && n->paused_until > w->now) {
        event->at = n->paused_until;
        push(w, *event);
        return;
    }
    event->what(w, event->node, event->word);
    if (n != NULL && n->up && n->life == event->life) {
        pw_node_after(n);
    }
}

void pw_run_until(pw_world *w, uint64_t until) {
    while (!w->failed && w->heap_len > 0 && w->heap[0].at <= until) {
        pw_event event = pop(w);
        w->now = event.at;
        happen(w, &event);
    }
    w->now = until;
}

/* --- a world -------------------------------------------------------------- */

static uint32_t between(pw_world *w, uint32_t low, uint32_t high) {
    return low + pw_below(w, high - low + 1);
}

/* Of some groups; where the others are each node is told, or a name that leads
 * to the primary. */
static void grow_group(pw_world *w) {
    static const int nodes[] = {3, 4, 3, 5};
    pw_config *c = &w->config;
    c->lists = w->seed % 4 != 0;
    c->nodes = nodes[w->seed % 4];
    c->places = (uint32_t)c->nodes - 1;
    c->min_in_sync += c->min_in_sync > 2 && c->nodes > 3;
}

/* Who decides is elsewhere, and takes its time. */
static void choose_for_agents(pw_world *w) {
    pw_config *c = &w->config;
    c->mode = IDS_MODE_SYNC;
    c->chaos_ms = between(w, 4000, 12000);
    c->lists = true;
    c->places = (uint32_t)pw_nodes(w) - 1;
    c->min_in_sync = c->places > 1 && pw_chance(w, 30) ? 2 : 1;
    c->clash = c->backups = false;
    /* Who has died remembers nothing, and joins by a copy. In every other world
     * few die, some are away for as long as two takeovers take, and what nobody
     * has changed since is there then. */
    c->lasts = w->seed % 2 == 0;
    if (c->lasts) {
        c->percent_crash /= 1 + pw_below(w, 4);
        c->ttl_more_ms = 8000;
    }
    /* 1: the least, which is a few keys. */
    c->key_rings_bytes = pw_chance(w, 30)   ? 1
                         : pw_chance(w, 30) ? 2048
                                            : 1u << 18;
}

static void choose(pw_world *w) {
    pw_config *c = &w->config;
    bool calm = pw_chance(w, 15);
    c->mode = pw_chance(w, 85) ? IDS_MODE_SYNC : IDS_MODE_ASYNC;
    c->clients = between(w, 2, PW_CLIENTS_MAX);
    c->ttl_more_ms = 1500;
    c->keys = pw_chance(w, 50) ? between(w, 1, 2) : PW_KEYS_MAX;
    c->min_in_sync = pw_chance(w, 15) && c->mode == IDS_MODE_SYNC ? 2 : 1;
    c->ring_bytes = pw_chance(w, 60) ? 4096 : 1u << 16;
    c->join_lag = pw_chance(w, 50) ? 0 : between(w, 1, 40);
    c->unsent_bytes = pw_chance(w, 50) ? 256 : 8192;
    c->percent_lost = calm ? 0 : pw_below(w, 12);
    c->percent_cut = calm ? 0 : pw_below(w, 3);
    c->percent_flip = calm || pw_chance(w, 60) ? 0 : 1;
    c->percent_stale = calm ? 0 : pw_below(w, pw_chance(w, 50) ? 40 : 6);
    c->delay_ms = between(w, 1, 12);
    c->percent_crash = pw_chance(w, 30) ? 0 : between(w, 5, 30);
    c->window = pw_chance(w, 50) ? between(w, 1, 3) : 1000;
    c->chaos_ms = between(w, 1000, 6000);
    c->wait_record_ms = between(w, 1, pw_chance(w, 20) ? 250 : 40);
    c->clock_step_ms = pw_chance(w, 50) ? 1 : (uint32_t)between(w, 2, 8);
    c->secret = pw_chance(w, 30);
    c->nodes = pw_chance(w, 60) ? 3 : 2;
    c->places = c->nodes == 3 && pw_chance(w, 50) ? 2 : 1;
    if (c->min_in_sync > 1 && c->places > 1) {
        c->min_in_sync += pw_chance(w, 40);
    }
    if (c->places > 1) {
        grow_group(w);
    }
    /* In a group two leaders may have nothing to meet at but their replica:
     * who leads there is not left to who dials whom. */
    c->clash = pw_chance(w, 10) && c->places == 1;
    c->backups = w->seed % 3 == 2 && !c->clash;
    if (w->agents != NULL) {
        choose_for_agents(w);
    }
}

static void begin(pw_world *w, uint64_t seed) {
    idt_rng_seed(&w->rng, seed);
    w->seed = seed;
    w->now = w->start = 1000000;
    w->epoch_next = 1700000000ull << IDS_EPOCH_BITS;
    choose(w);
    w->end_of_chaos = w->now + w->config.chaos_ms;
    int nodes = pw_nodes(w) > 3 ? pw_nodes(w) : 3;
    for (int i = 0; i < nodes; i++) {
        pw_node *n = &w->node[i];
        *n = (pw_node){.w = w,
                       .index = i,
                       .loops = between(w, 1, PW_LOOPS_MAX),
                       .skew_ms = pw_below(w, 100000),
                       .keeps = pw_chance(w, 35) || w->config.backups,
                       .follows = i == 0 || pw_chance(w, 50) ? 0 : 1};
        n->disk.wait_ms = pw_chance(w, 60) ? 6 : between(w, 10, 80);
        if (i == 1) {
            n->follows = 0;
        }
        if (i < pw_nodes(w) && (i == 0 || pw_chance(w, i == 1 ? 80 : 40))) {
            pw_node_start(n);
        }
    }
    pw_clients_start(w);
    if (w->agents != NULL) {
        pw_agents_begin(w);
    } else {
        pw_later(w, 50 + pw_below(w, 100), pw_operator, -1, 0);
    }
    pw_later(w, 30 + pw_below(w, 200), pw_nemesis, -1, 0);
}

static void make_peace(pw_world *w) {
    pw_say(w, "--- the faults stop");
    w->quiet = true;
    w->config.percent_lost = 0;
    w->config.percent_cut = 0;
    w->config.percent_flip = 0;
    w->config.percent_stale = 0;
    memset(w->cut, 0, sizeof w->cut);
    if (w->agents != NULL) {
        pw_agents_heal(w);
    }
    for (int i = 0; i < pw_nodes(w); i++) {
        pw_node *n = &w->node[i];
        n->slow_ms = 0;
        n->disk.wait_ms = 6;     /* else replies would stall for good */
        if (w->agents == NULL) { /* else what came meanwhile keeps its order */
            n->paused_until = 0;
        }
        if (!n->up) {
            pw_node_start(n);
        }
        pw_net_resume(n);
    }
}

static bool heals(pw_world *w) {
    uint32_t patience_ms = w->agents != NULL ? 20000 : 4000;
    for (uint32_t i = 0; i < patience_ms / 100 && !w->failed && !pw_in_peace(w);
         i++) {
        pw_run_until(w, w->now + 100);
    }
    if (!w->failed && !pw_in_peace(w)) {
        pw_say_all(w);
        pw_fail(w,
                "L1: no primary with %s in sync, %u s after the faults "
                "stopped",
                w->config.places > 1 ? "all replicas" : "a replica",
                patience_ms / 1000);
    }
    return !w->failed;
}

static bool nothing_is_held(const pw_world *w) {
    for (int i = 0; i < pw_nodes(w); i++) {
        for (uint32_t k = 0; k < w->node[i].loops; k++) {
            if (w->node[i].worker[k].ids->gate.replies > 0) {
                return false;
            }
        }
    }
    return true;
}

/* Who has just begun to end a claim has no answer yet. */
static bool hangs(const pw_world *w, const pw_op *o) {
    return !o->done && o->begun + ANSWER_MS <= w->now;
}

/* L1: changes are accepted again, the replica is in sync, nobody hangs. */
static bool has_healed(pw_world *w) {
    uint64_t waiters = 0;
    if (!heals(w) || (w->config.clash && (!pw_clash(w) || !heals(w)))) {
        return false;
    }
    w->refused += pw_nodes(w) > 2 && w->config.places == 1;
    w->groups += w->config.places > 1;
    w->clients_stop = true;
    if (!pw_probe(w)) {
        return false;
    }
    pw_run_until(w, w->now + 1000);
    for (uint32_t i = 0; i < w->ops && !w->failed; i++) {
        if (hangs(w, &w->op[i])) {
            return pw_fail(w, "L1: client %d still waits for an answer",
                           w->op[i].client);
        }
    }
    for (int i = 0; i < pw_nodes(w); i++) {
        for (uint32_t k = 0; k < w->node[i].loops; k++) {
            ids_shard_stats s;
            ids_shard_stats_get(w->node[i].worker[k].ids->shard, &s);
            waiters += s.waiters;
        }
    }
    if (waiters > 0) {
        return pw_fail(w, "L1: %llu waiters hang", (unsigned long long)waiters);
    }
    /* A claim's end may be on its way; under agents an order for a switchover
     * that waited for its member to be in sync. */
    uint32_t steps = w->agents != NULL ? 100 : 20;
    for (uint32_t i = 0;
         i < steps && !w->failed && !(pw_in_peace(w) && nothing_is_held(w));
         i++) {
        pw_run_until(w, w->now + 20);
    }
    if (!w->failed && !pw_in_peace(w)) {
        pw_say_all(w);
        return pw_fail(w, "L1: peace did not last");
    }
    if (!w->failed && !nothing_is_held(w)) {
        return pw_fail(w, "L1: a reply is held for good");
    }
    pw_check_copy(w, true);
    if (!w->failed && w->config.mode == IDS_MODE_SYNC && w->agents == NULL &&
        pw_chance(w, 20)) {
        pw_lose_record(w);
    }
    return !w->failed;
}

static void end(pw_world *w) {
    if (w->agents != NULL) {
        pw_agents_end(w);
    }
    for (int i = 0; i < PW_NODES; i++) {
        pw_node_free(&w->node[i]);
        pw_disk_free(&w->node[i]);
        pw_backup_free(&w->node[i]);
    }
    pw_net_free(w);
    pw_wires_free(w);
    for (uint32_t i = 0; i < w->heap_len; i++) {
        pw_free_event(&w->heap[i]);
    }
    free(w->heap);
    for (int i = 0; i < PW_NODES; i++) {
        free(w->stale[i].bytes);
        free(w->fresh[i].bytes);
    }
}

bool pw_run(pw_world *w, uint64_t seed) {
    bool tracing = w->tracing, replies_only = w->replies_only;
    bool seals = w->seals, drips = w->drips, decides = w->decides;
    int mutant = w->mutant;
    void *trace = w->trace;
    struct aw_world *agents = w->agents;
    memset(w, 0, sizeof *w);
    w->agents = agents;
    w->tracing = tracing;
    w->replies_only = replies_only;
    w->seals = seals;
    w->decides = decides;
    w->mutant = mutant;
    pw_keep_record(w);
    w->drips = drips;
    w->trace = trace;
    begin(w, seed);
    pw_run_until(w, w->end_of_chaos);
    if (!w->failed) {
        make_peace(w);
        has_healed(w);
    }
    end(w);
    return !w->failed;
}
