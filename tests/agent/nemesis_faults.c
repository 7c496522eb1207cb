/* SPDX-License-Identifier: Apache-2.0 */
/* nemesis_faults.c -- what goes wrong. Each begins with all nodes in sync, so
 * that one that dies with its memory takes nothing with it that only it had. */
#include "tests/agent/nemesis.h"

#include <inttypes.h>
#include <string.h>

static bool chance(agents_world *w, unsigned percent) {
    return idt_rng_chance(&w->rng, percent);
}

static int another(agents_world *w) {
    return (w->primary + 1 + (int)idt_rng_below(&w->rng, MACHINES - 1)) %
           MACHINES;
}

/* --- nodes ---------------------------------------------------------------- */

/* It stands still, and all were in sync then: a busy machine may have lost one
 * just now, and who is alone in the record nobody may replace. */
static bool hold_node(agents_world *w, int at) {
    ids_group_view view;
    machines_stop(&w->m, at, PART_NODE);
    if (aw_is_well(w, &view) && aw_primary_of(&view) == w->primary)
        return true;
    aw_go_on(w, at, PART_NODE);
    aw_say(w, "not now: not all are in sync");
    return false;
}

static bool back(agents_world *w, int at, part what) {
    aw_rest_ms(aw_some(w, 0, 900));
    aw_say(w, "start it again");
    return machines_start(&w->m, at, what) || aw_fail(w, "it can't be started");
}

static bool kill_primary(agents_world *w) {
    int at = w->primary;
    if (!hold_node(w, at))
        return true;
    aw_say(w, "kill -9 the node of %c, the primary", machine_name(at));
    machines_kill(&w->m, at, PART_NODE);
    return (chance(w, 25) || aw_another_leads(w)) && back(w, at, PART_NODE);
}

static bool kill_replica(agents_world *w) {
    int at = another(w);
    if (!hold_node(w, at))
        return true;
    aw_say(w, "kill -9 the node of %c", machine_name(at));
    machines_kill(&w->m, at, PART_NODE);
    return back(w, at, PART_NODE);
}

static bool kill_machine(agents_world *w) {
    int at = chance(w, 75) ? w->primary : another(w);
    if (!hold_node(w, at))
        return true;
    aw_say(w, "power cut at %c", machine_name(at));
    for (int what = 0; what < PARTS; what++)
        machines_kill(&w->m, at, (part)what);
    aw_rest_ms(aw_some(w, 500, 5000));
    return true;
}

static bool stop_primary(agents_world *w) {
    int at = w->primary;
    aw_say(w, "SIGSTOP the node of %c, the primary", machine_name(at));
    if (!hold_node(w, at))
        return true;
    bool good = chance(w, 20) || aw_another_leads(w);
    aw_rest_ms(aw_some(w, 0, 800));
    aw_go_on(w, at, PART_NODE);
    return good;
}

static bool stop_replica(agents_world *w) {
    int at = another(w);
    aw_say(w, "SIGSTOP the node of %c", machine_name(at));
    machines_stop(&w->m, at, PART_NODE);
    aw_rest_ms(aw_some(w, 100, 5000));
    aw_go_on(w, at, PART_NODE);
    return true;
}

/* Until so many are in sync, by the record, and the same one leads; false: not
 * so, which is no failure. */
static bool await_in_sync(agents_world *w, uint32_t count) {
    uint64_t since_ns = nem_now_ns();
    ids_group_view view = {.revision = 0};
    while (aw_ms_since(since_ns) < w->heal_ms_max / 4) {
        if (aw_look(w, &view) && (view.group.epoch != w->view.group.epoch ||
                                  view.group.isr_count == count))
            break;
        aw_rest_ms(AW_LOOK_MS);
    }
    return view.group.epoch == w->view.group.epoch &&
           view.group.isr_count == count;
}

/* A newcomer with nothing must not take over, though it is there. */
static bool kill_beside_newcomer(agents_world *w) {
    int at = w->primary, out = another(w);
    if (!hold_node(w, out))
        return true;
    aw_say(w, "kill -9 the node of %c; it is in sync no more, and comes back",
           machine_name(out));
    machines_kill(&w->m, out, PART_NODE);
    bool is_out = await_in_sync(w, MACHINES - 1);
    if (!machines_start(&w->m, out, PART_NODE))
        return aw_fail(w, "it can't be started");
    aw_rest_ms(aw_some(w, 0, 300));
    machines_stop(&w->m, at, PART_NODE);
    if (!is_out || !await_in_sync(w, MACHINES - 1)) {
        aw_go_on(w, at, PART_NODE);
        return true;
    }
    aw_say(w, "kill -9 the node of %c, the primary", machine_name(at));
    machines_kill(&w->m, at, PART_NODE);
    return aw_another_leads(w) && back(w, at, PART_NODE);
}

/* The primary alone has what it has: while it is away nobody leads. */
static bool stop_lonely(agents_world *w) {
    int at = w->primary, one = another(w), other = MACHINES - at - one;
    if (!hold_node(w, one))
        return true;
    aw_say(w, "SIGSTOP all but %c, the primary, until it is alone",
           machine_name(at));
    machines_stop(&w->m, other, PART_NODE);
    bool alone = await_in_sync(w, 1);
    aw_rest_ms(aw_some(w, 100, 800));
    machines_stop(&w->m, at, PART_NODE);
    if (alone && await_in_sync(w, 1)) {
        aw_say(w, "SIGSTOP it, too; kill -9 the node of %c, which comes back",
               machine_name(one));
        machines_kill(&w->m, one, PART_NODE);
        if (!machines_start(&w->m, one, PART_NODE))
            return aw_fail(w, "it can't be started");
        aw_go_on(w, other, PART_NODE);
        aw_rest_ms(aw_some(w, 3000, 7000));
    }
    aw_go_on(w, at, PART_NODE);
    return true;
}

/* What it had lately is gone, and it knows nothing of that. */
static bool old_folder(agents_world *w) {
    int at = chance(w, 50) ? w->primary : another(w);
    if (!w->m.journal)
        return kill_primary(w);
    aw_say(w, "the data of %c is copied", machine_name(at));
    if (!machines_keep_folder(&w->m, at))
        return aw_fail(w, "no copy");
    aw_rest_ms(aw_some(w, 500, 2500));
    if (!hold_node(w, at))
        return true;
    aw_say(w, "kill -9 the node of %c, and the old data is put back",
           machine_name(at));
    machines_kill(&w->m, at, PART_NODE);
    return (machines_put_folder_back(&w->m, at) ||
            aw_fail(w, "no folder is put back")) &&
           (machines_start(&w->m, at, PART_NODE) ||
            aw_fail(w, "it can't be started"));
}

static bool clock_jumps(agents_world *w) {
    static const int64_t jumps_s[] = {-86400, -3600, -5, 5, 3600, 86400};
    int at = (int)idt_rng_below(&w->rng, MACHINES);
    int64_t by = jumps_s[idt_rng_below(&w->rng, 6)];
    aw_say(w, "the clock of %c is off by %" PRId64 " s", machine_name(at), by);
    machines_set_clock(&w->m, at, by);
    aw_rest_ms(aw_some(w, 100, 1000));
    return chance(w, 50) || kill_primary(w);
}

/* --- the network ---------------------------------------------------------- */

static bool unplug_primary(agents_world *w) {
    int at = w->primary;
    aw_say(w, "the cable of %c, with the primary, is out", machine_name(at));
    machines_cable(&w->m, at, false);
    bool good = aw_another_leads(w);
    aw_rest_ms(aw_some(w, 0, 800));
    return good;
}

static bool unplug_another(agents_world *w) {
    int place = chance(w, 50) ? MACHINE_OF_CLIENTS : another(w);
    aw_say(w, "the cable of %s is out",
           place == MACHINE_OF_CLIENTS ? "the clients" : "a replica");
    machines_cable(&w->m, place, false);
    aw_rest_ms(aw_some(w, 100, 5000));
    return true;
}

/* Nothing passes between these two nodes; the rest hears either. */
static bool part_nodes(agents_world *w) {
    char rule[96];
    int at = w->primary, other = another(w);
    bool both = chance(w, 50);
    aw_say(w, "nothing passes from the node of %c to that of %c%s",
           machine_name(other), machine_name(at), both ? ", nor back" : "");
    for (int i = 0; i < 2; i++) {
        snprintf(rule, sizeof rule,
                 "INPUT -p tcp -s 10.78.0.%d --%cport 7117 -j DROP", other + 1,
                 i ? 's' : 'd');
        machines_rule(&w->m, at, rule);
        if (both) {
            rule[0] = 'O';
            snprintf(rule, sizeof rule,
                     "OUTPUT -p tcp -d 10.78.0.%d --%cport 7117 -j DROP",
                     other + 1, i ? 's' : 'd');
            machines_rule(&w->m, at, rule);
        }
    }
    aw_rest_ms(aw_some(w, 200, 4000));
    return true;
}

/* Its key ends, and it leads on: a member takes over. */
static bool cut_from_etcd(agents_world *w) {
    int at = w->primary;
    aw_say(w, "the agent of %c, the primary, hears nothing of etcd",
           machine_name(at));
    machines_rule(&w->m, at, "OUTPUT -p tcp --dport 2379 -j DROP");
    return aw_another_leads(w);
}

/* --- agents --------------------------------------------------------------- */

static bool kill_agent(agents_world *w) {
    int at = chance(w, 70) ? w->primary : another(w);
    aw_say(w, "kill -9 the agent of %c", machine_name(at));
    machines_kill(&w->m, at, PART_AGENT);
    if (at == w->primary && chance(w, 60))
        return aw_another_leads(w);
    aw_rest_ms(aw_some(w, 0, 3000));
    return true;
}

static bool stop_agent(agents_world *w) {
    int at = chance(w, 70) ? w->primary : another(w);
    aw_say(w, "SIGSTOP the agent of %c", machine_name(at));
    machines_stop(&w->m, at, PART_AGENT);
    aw_rest_ms(aw_some(w, 200, 6000));
    return true;
}

static bool stop_all_agents(agents_world *w) {
    aw_say(w, "SIGSTOP all agents");
    for (int at = 0; at < MACHINES; at++)
        machines_stop(&w->m, at, PART_AGENT);
    aw_rest_ms(aw_some(w, 200, 5000));
    return aw_clients_probe(w);
}

/* It asks another cluster, where nobody has written anything, nor may. */
static bool astray(agents_world *w) {
    int at = chance(w, 50) ? w->primary : another(w);
    aw_say(w, "the agent of %c asks another etcd", machine_name(at));
    machines_kill(&w->m, at, PART_AGENT);
    if (!machines_start_astray(&w->m, at))
        return aw_fail(w, "it can't be started");
    aw_rest_ms(aw_some(w, 1000, 5000));
    machines_kill(&w->m, at, PART_AGENT);
    return true;
}

static bool hand_over(agents_world *w) {
    int at = another(w);
    aw_say(w, "switchover to %c", machine_name(at));
    if (!machines_order(&w->m, at, "switchover"))
        aw_say(w, "its agent does not answer");
    else if (chance(w, 30)) { /* at any moment of it */
        aw_rest_ms(aw_some(w, 0, 60));
        machines_stop(&w->m, w->primary, PART_NODE);
        aw_rest_ms(aw_some(w, 0, 4000));
        aw_go_on(w, w->primary, PART_NODE);
    }
    aw_rest_ms(aw_some(w, 0, 1000));
    return true;
}

/* --- etcd ----------------------------------------------------------------- */

static bool etcd_leader(agents_world *w) {
    int at = machines_etcd_leader(&w->m);
    bool dies = chance(w, 50);
    if (at < 0)
        return true;
    aw_say(w, "%s etcd's leader, at %c", dies ? "kill -9" : "SIGSTOP",
           machine_name(at));
    if (dies)
        machines_kill(&w->m, at, PART_ETCD);
    else
        machines_stop(&w->m, at, PART_ETCD);
    aw_rest_ms(aw_some(w, 200, 4000));
    return aw_clients_probe(w);
}

/* What it had in memory, as tokens, is gone. */
static bool etcd_restarts(agents_world *w) {
    aw_say(w, "kill -9 all of etcd, and it comes back");
    for (int at = 0; at < MACHINES; at++)
        machines_kill(&w->m, at, PART_ETCD);
    aw_rest_ms(aw_some(w, 0, 2000));
    return true;
}

bool aw_etcd_away(agents_world *w, unsigned seconds) {
    aw_say(w, "all of etcd stands still for %u s", seconds);
    for (int at = 0; at < MACHINES; at++)
        machines_stop(&w->m, at, PART_ETCD);
    for (unsigned i = 0; i < seconds; i++) {
        aw_rest_ms(1000);
        if (i % 5 == 4 && !aw_clients_probe(w))
            return false;
    }
    return aw_clients_probe(w);
}

static bool etcd_stands(agents_world *w) {
    return aw_etcd_away(w, aw_some(w, 1, 6));
}

/* --- one of them ---------------------------------------------------------- */

static bool kill_client(agents_world *w) {
    aw_say(w, "kill -9 a client");
    aw_clients_replace(w, idt_rng_below(&w->rng, w->clients_run));
    return true;
}

#define FAULT(weight, name) \
    { weight, #name, name }
static const struct {
    unsigned weight;
    const char *name;
    bool (*happens)(agents_world *w);
} faults[] = {FAULT(36, kill_primary),        FAULT(24, hand_over),
              FAULT(9, stop_primary),         FAULT(8, unplug_primary),
              FAULT(8, kill_beside_newcomer), FAULT(7, kill_machine),
              FAULT(6, kill_replica),         FAULT(6, part_nodes),
              FAULT(6, cut_from_etcd),        FAULT(6, kill_agent),
              FAULT(5, etcd_leader),          FAULT(4, stop_replica),
              FAULT(4, old_folder),           FAULT(4, clock_jumps),
              FAULT(4, unplug_another),       FAULT(4, stop_agent),
              FAULT(4, stop_lonely),          FAULT(4, etcd_restarts),
              FAULT(3, stop_all_agents),      FAULT(3, astray),
              FAULT(3, etcd_stands),          FAULT(2, kill_client)};
enum { FAULTS = sizeof faults / sizeof faults[0] };

bool aw_knows_fault(const char *name) {
    for (size_t i = 0; i < FAULTS; i++)
        if (strcmp(faults[i].name, name) == 0)
            return true;
    return false;
}

static size_t draw(agents_world *w) {
    unsigned sum = 0, at;
    size_t i = 0;
    for (i = 0; i < FAULTS; i++)
        sum += faults[i].weight;
    for (i = 0, at = idt_rng_below(&w->rng, sum); at >= faults[i].weight; i++)
        at -= faults[i].weight;
    return i;
}

bool aw_fault(agents_world *w) {
    size_t i = draw(w);
    while (w->only && strcmp(faults[i].name, w->only) != 0)
        i = (i + 1) % FAULTS;
    w->cycles++;
    return faults[i].happens(w);
}
