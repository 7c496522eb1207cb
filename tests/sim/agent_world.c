/* SPDX-License-Identifier: Apache-2.0 */
/* agent_world.c -- the story, and the course of one world: chaos, then peace,
 * then everything must have healed. */
#include "tests/sim/agent_world.h"

#include "server/peer/epoch.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { UNIX_MS = 1740800000 };

bool aw_fail(aw_world *w, const char *format, ...) {
    if (!w->failed) {
        va_list args;
        va_start(args, format);
        vsnprintf(w->failure, sizeof w->failure, format, args);
        va_end(args);
        w->failed = true;
    }
    return false;
}

void aw_say(aw_world *w, const char *format, ...) {
    if (!w->tracing)
        return;
    va_list args;
    char *line = w->trace[w->traced++ % AW_TRACE_LINES];
    int n = snprintf(line, AW_TRACE_COLUMNS, "[%6llu] ",
                     (unsigned long long)w->now);
    va_start(args, format);
    vsnprintf(line + n, AW_TRACE_COLUMNS - (size_t)n, format, args);
    va_end(args);
}

uint32_t aw_below(aw_world *w, uint32_t bound) {
    return idt_rng_below(&w->rng, bound);
}

bool aw_chance(aw_world *w, uint32_t percent) {
    return idt_rng_chance(&w->rng, percent);
}

uint32_t aw_between(aw_world *w, uint32_t low, uint32_t high) {
    return idt_rng_between(&w->rng, low, high);
}

/* --- how it begins -------------------------------------------------------- */

static void draw_odds(aw_world *w) {
    w->odds = (aw_odds){.lost = aw_below(w, 13),
                        .late = aw_below(w, 11),
                        .doubled = aw_below(w, 8),
                        .old = aw_below(w, 13),
                        .command_lost = aw_below(w, 11),
                        .command_late = aw_below(w, 11),
                        .command_doubled = aw_below(w, 11),
                        .by_key = aw_below(w, 101)};
}

static void draw_nodes(aw_world *w) {
    uint64_t clock = ids_epoch_of(UNIX_MS);
    uint32_t keeps = aw_below(w, 4);
    for (int i = 0; i < w->nodes; i++) {
        aw_node *node = &w->node[i];
        node->keeps = keeps == 3 ? (aw_keeps)aw_below(w, 3) : (aw_keeps)keeps;
        node->dials = -1;
        /* Some have led before, by a clock that was ahead. */
        node->epoch = aw_chance(w, 30) ? clock + aw_below(w, 1 << 30) : 0;
        aw_node_start(w, i);
    }
}

/* A node that led before there was an agent, with what it answered. */
static void give_history(aw_world *w) {
    aw_node *node = &w->node[0];
    for (uint32_t key = 0; key < AW_KEYS / 4; key++) {
        node->has[key] = w->acknowledged[key] = ++w->changes;
        if (w->from_pair && key % 2)
            w->node[1].has[key] = node->has[key];
    }
    node->epoch = ids_epoch_of(UNIX_MS) + 1;
    node->had_replica = w->node[1].had_replica = w->from_pair;
    node->keeps = AW_ALWAYS;
    node->alone = !w->from_pair;
    if (node->alone) {
        aw_node_start(w, 0);
        return;
    }
    node->up = false;
    node->starts_at = 4000;
}

static void begin(aw_world *w, uint64_t seed) {
    char(*trace)[AW_TRACE_COLUMNS] = w->trace;
    bool tracing = w->tracing;
    memset(w, 0, sizeof *w);
    w->trace = trace;
    w->tracing = tracing;
    w->seed = seed;
    idt_rng_seed(&w->rng, seed);
    w->nodes = (int)aw_between(w, 2, AW_NODES_MAX);
    w->min_in_sync = w->nodes > 2 && aw_chance(w, 30) ? 2 : 1;
    w->agents = aw_chance(w, 20) ? 2 * w->nodes : w->nodes;
    draw_odds(w);
    aw_etcd_begin(w);
    draw_nodes(w);
    w->from_pair = seed % 10 == 3;
    if (w->from_pair || seed % 10 > 7)
        give_history(w);
    for (int i = 0; i < w->agents; i++) {
        w->agent[i].node = i % w->nodes;
        w->agent[i].starts_at = aw_below(w, 300);
    }
    w->quiet = seed % 16 == 9;
    w->next_fault = w->from_pair ? 8000 : 1500;
}

/* --- its course ----------------------------------------------------------- */

static void step(aw_world *w) {
    w->now += AW_STEP_MS;
    aw_etcd_tick(w);
    aw_faults_tick(w);
    aw_deliver(w);
    for (int i = 0; i < w->nodes && !w->failed; i++)
        aw_repl_tick(w, i);
    for (int i = 0; i < w->agents && !w->failed; i++)
        aw_agent_tick(w, i);
    aw_operator_tick(w);
    aw_clients_tick(w);
}

/* Etcd goes; who serves then goes on serving: nothing but decisions stops. */
static void lose_etcd_alone(aw_world *w) {
    while (w->now < AW_AWAY_MS && !w->failed)
        step(w);
    w->etcd.gone_until = AW_BACK_MS;
    w->must_serve = w->now - w->served_ms < 100;
    while (w->now < AW_BACK_MS && !w->failed) {
        step(w);
        if (w->must_serve && w->now - w->served_ms > AW_CALM_MS)
            aw_fail(w, "L1: etcd is away, and nobody serves");
    }
    w->tally.quiet += w->must_serve;
}

static void course(aw_world *w) {
    if (w->quiet)
        lose_etcd_alone(w);
    while (w->now < AW_CHAOS_MS && !w->failed)
        step(w);
    aw_heal(w);
    uint64_t began = w->now;
    while (w->now < began + AW_HEAL_MS - AW_CALM_MS && !w->failed)
        step(w);
    w->calm_revision = w->etcd.now.mod;
    while (w->now < began + AW_HEAL_MS && !w->failed)
        step(w);
    aw_check_end(w);
}

bool aw_run(aw_world *w, uint64_t seed) {
    begin(w, seed);
    course(w);
    aw_forget_messages(w);
    for (int i = 0; i < w->agents; i++)
        aw_agent_crash(w, i);
    return !w->failed;
}
