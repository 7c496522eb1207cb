/* SPDX-License-Identifier: Apache-2.0 */
/* operator.c -- what an operator does who has docs/replication.md before
 * him, and idemctl. */
#include "tests/nemesis/world.h"

#include <inttypes.h>
#include <string.h>

enum { LOOK_MS = 60, PROMOTE_MS_MAX = 10000 };

static uint64_t ms_since(uint64_t ns) {
    return (nem_now_ns() - ns) / NEM_MS;
}

/* An order, and what it says, in one line. */
static bool order(nem_world *w, int node, const char *what, char said[300]) {
    bool done = nem_command(&w->pair, node, what, said, 300);
    for (size_t at; said[at = strcspn(said, "\n")] != '\0';)
        said[at] = ' ';
    return done;
}

/* The old primary has heard that it is none any more, or is gone. */
static void one_leads(nem_world *w) {
    if (w->two_since_ns == 0)
        return;
    fprintf(w->windows, "two %" PRIu64 " %" PRIu64 "\n", w->two_since_ns,
            nem_now_ns());
    fflush(w->windows);
    w->two_since_ns = 0;
}

static bool anyone_died(nem_world *w) {
    for (int i = 0; i < 2; i++)
        if (nem_node_died(&w->pair, i))
            return !nem_fail(w, "%c is gone, and nobody killed it",
                             nem_name(i));
    return false;
}

bool nem_rejoin(nem_world *w, int node) {
    if (w->pair.node[node].stopped)
        nem_node_continue(&w->pair, node);
    nem_node_kill(&w->pair, node);
    one_leads(w);
    nem_say(w, "start %c --replicate-from %c", nem_name(node),
            nem_name(1 - node));
    return nem_node_start(&w->pair, node, true) ||
           nem_fail(w, "%c can't be started", nem_name(node));
}

static bool is_whole(nem_world *w, nem_status *primary, nem_status *replica) {
    *primary = nem_ask_status(&w->pair, w->primary);
    *replica = nem_ask_status(&w->pair, 1 - w->primary);
    if (replica->heard && !replica->primary)
        one_leads(w);
    return primary->heard && replica->heard && primary->primary &&
           !replica->primary && primary->epoch == replica->epoch &&
           (w->pair.async || (primary->in_sync == 2 && replica->in_sync == 2));
}

bool nem_heal(nem_world *w) {
    uint64_t since_ns = nem_now_ns(), patience_ns = since_ns;
    nem_status primary, replica;
    nem_network_heal(&w->network);
    for (int i = 0; i < 2; i++) {
        if (w->pair.node[i].stopped)
            nem_node_continue(&w->pair, i);
        if (w->pair.node[i].pid == 0 && !nem_rejoin(w, i))
            return false;
    }
    while (!is_whole(w, &primary, &replica)) {
        if (anyone_died(w))
            return false;
        if (ms_since(since_ns) > w->heal_ms_max)
            return nem_fail(
                w,
                "not whole after %" PRIu64 " ms: %c %s, epoch %" PRIu64
                ", %u in sync (%s); %c %s, epoch %" PRIu64 ", %u in sync (%s)",
                ms_since(since_ns), nem_name(w->primary),
                primary.primary ? "primary" : "replica", primary.epoch,
                primary.in_sync, primary.state, nem_name(1 - w->primary),
                replica.primary ? "primary" : "replica", replica.epoch,
                replica.in_sync, replica.state);
        if (ms_since(patience_ns) > w->heal_ms_max / 4) {
            nem_say(w, "%c is not in sync (%s)", nem_name(1 - w->primary),
                    replica.state);
            if (!nem_rejoin(w, 1 - w->primary))
                return false;
            patience_ns = nem_now_ns();
        }
        nem_wait_ms(LOOK_MS);
    }
    nem_say(w, "whole again after %" PRIu64 " ms: %c leads in epoch %" PRIu64,
            ms_since(since_ns), nem_name(w->primary), primary.epoch);
    if (primary.epoch < w->epoch)
        return nem_fail(w, "I11: the epoch was %" PRIu64, w->epoch);
    w->epoch = primary.epoch;
    return nem_probe(w);
}

static void now_leads(nem_world *w, int node) {
    w->primary = node;
    w->failovers++;
}

bool nem_promote(nem_world *w) {
    int to = 1 - w->primary;
    uint64_t since_ns = nem_now_ns();
    char said[300];
    w->two_since_ns = since_ns;
    while (!order(w, to, "promote", said)) {
        if (anyone_died(w))
            return false;
        if (nem_ask_status(&w->pair, to).primary)
            break; /* it was about to be, or the answer was lost */
        if (ms_since(since_ns) > PROMOTE_MS_MAX)
            return nem_fail(w, "%c was in sync and is not promoted: %s",
                            nem_name(to), said);
        nem_wait_ms(LOOK_MS);
    }
    nem_say(w, "promote %c: %s (%" PRIu64 " ms)", nem_name(to), said,
            ms_since(since_ns));
    if (w->pair.node[w->primary].pid == 0)
        one_leads(w);
    now_leads(w, to);
    return true;
}

bool nem_take_over(nem_world *w) {
    int to = 1 - w->primary;
    nem_status status = nem_ask_status(&w->pair, to);
    if (!status.heard || !status.primary)
        return nem_promote(w);
    nem_say(w, "%c leads already", nem_name(to));
    now_leads(w, to);
    return true;
}

/* It may be refused, or be lost on its way: then the next look tells who
 * leads. */
bool nem_switchover(nem_world *w) {
    char said[300];
    int from = w->primary, to = 1 - from;
    uint64_t since_ns = nem_now_ns();
    bool done = order(w, from, "switchover", said);
    nem_say(w, "switchover of %c: %s (%" PRIu64 " ms)", nem_name(from), said,
            ms_since(since_ns));
    if (done) {
        now_leads(w, to);
        return true;
    }
    return nem_ask_status(&w->pair, from).primary || nem_take_over(w);
}

bool nem_detach(nem_world *w) {
    char said[300];
    uint64_t since_ns = nem_now_ns();
    while (!order(w, w->primary, "detach", said)) {
        if (ms_since(since_ns) > PROMOTE_MS_MAX)
            return nem_fail(w, "%c can't detach its dead replica: %s",
                            nem_name(w->primary), said);
        nem_wait_ms(LOOK_MS);
    }
    nem_say(w, "detach at %c: %s", nem_name(w->primary), said);
    return true;
}
