/* SPDX-License-Identifier: Apache-2.0 */
/* faults.c -- what goes wrong. Each begins with a pair that is whole, so that
 * nothing is ever asked of the two that a pair can't do: what only one of
 * them has is not killed.
 *
 * Noise on the wires may go on meanwhile; healing ends it. */
#include "tests/nemesis/world.h"

#include <inttypes.h>
#include <sys/wait.h>

static bool chance(nem_world *w, unsigned percent) {
    return idt_rng_chance(&w->rng, percent);
}

static int replica_of(const nem_world *w) {
    return 1 - w->primary;
}

/* --- noise */

static void spoil(nem_world *w, nem_wire *wire, bool may_flip) {
    switch (idt_rng_below(&w->rng, may_flip ? 5 : 4)) {
    case 0:
        atomic_store(&wire->delay_ms, nem_between(w, 2, 120));
        nem_say(w, "pieces for %s come late", wire->target);
        break;
    case 1:
        atomic_store(&wire->drip_bytes, nem_between(w, 1, 60));
        nem_say(w, "bytes for %s drip", wire->target);
        break;
    case 2:
        atomic_store(&wire->cut_1_in, nem_between(w, 15, 200));
        nem_say(w, "pieces for %s are cut off", wire->target);
        break;
    case 3:
        atomic_fetch_add(&wire->resets, 1);
        nem_say(w, "connections to %s are reset", wire->target);
        break;
    default:
        atomic_store(&wire->flip_1_in, nem_between(w, 10, 200));
        nem_say(w, "bits for %s flip", wire->target);
    }
}

static void flip(nem_world *w, nem_wire *wire) {
    atomic_store(&wire->flip_1_in, nem_between(w, 5, 50));
    nem_say(w, "bits for %s flip", wire->target);
}

/* Clients' bytes have no checksum of ours but with TLS: without, TCP's word is
 * taken there. */
static void make_noise(nem_world *w) {
    for (int i = 0; i < 2; i++) {
        if (w->pair.tls) {
            flip(w, nem_network_peer_wire(&w->network, i));
            flip(w, nem_network_client_wire(&w->network, i));
        }
        if (chance(w, 50))
            spoil(w, nem_network_peer_wire(&w->network, i), true);
        if (chance(w, 30))
            spoil(w, nem_network_client_wire(&w->network, i), false);
    }
}

static bool noise(nem_world *w) {
    make_noise(w);
    nem_wait_ms(nem_between(w, 300, 2000));
    return true;
}

/* --- the primary */

/* Some start it with its plain flags: it must find out by itself. */
static bool back(nem_world *w, int node) {
    nem_wait_ms(nem_between(w, 0, 400));
    if (!chance(w, 25))
        return nem_rejoin(w, node);
    nem_say(w, "start %c as it was", nem_name(node));
    return nem_node_start(&w->pair, node, false) ||
           nem_fail(w, "%c can't be started", nem_name(node));
}

static bool kill_primary(nem_world *w) {
    int old = w->primary;
    if (chance(w, 25))
        make_noise(w);
    nem_say(w, "kill -9 %c, the primary", nem_name(old));
    nem_node_kill(&w->pair, old);
    nem_wait_ms(nem_between(w, 0, 300));
    return nem_promote(w) && back(w, old);
}

static void stopped_until_now(nem_world *w, int node) {
    fprintf(w->windows, "stopped %" PRIu64 " %" PRIu64 "\n",
            w->pair.node[node].stopped_ns, nem_now_ns() + 5 * NEM_MS);
    fflush(w->windows);
}

static void go_on(nem_world *w, int node) {
    nem_say(w, "SIGCONT %c", nem_name(node));
    nem_node_continue(&w->pair, node);
    stopped_until_now(w, node);
}

static bool stop_primary(nem_world *w) {
    int old = w->primary;
    nem_say(w, "SIGSTOP %c, the primary", nem_name(old));
    nem_node_stop(&w->pair, old);
    nem_wait_ms(nem_between(w, 50, 800));
    if (chance(w, 75) && !nem_promote(w))
        return false;
    nem_wait_ms(nem_between(w, 0, 800));
    go_on(w, old);
    return true;
}

static bool unplug_primary(nem_world *w) {
    int old = w->primary;
    nem_say(w, "the cable of %c, the primary, is out", nem_name(old));
    nem_network_link(&w->network, (nem_place)old, false);
    nem_wait_ms(nem_between(w, 50, 800));
    if (!nem_promote(w))
        return false;
    nem_wait_ms(nem_between(w, 0, 800));
    nem_say(w, "the cable of %c is in", nem_name(old));
    nem_network_link(&w->network, (nem_place)old, true);
    return true;
}

/* Clients reach both, and the nodes not each other: whoever is promoted, the
 * old one commits nothing more. */
static bool part(nem_world *w) {
    int old = w->primary;
    unsigned ways = nem_between(w, 1, 3);
    nem_say(w, "nothing passes from %s",
            ways == 3   ? "a to b, nor back"
            : ways == 1 ? "a to b"
                        : "b to a");
    if (ways & 1)
        nem_network_drop(&w->network, NEM_A, NEM_B);
    if (ways & 2)
        nem_network_drop(&w->network, NEM_B, NEM_A);
    nem_wait_ms(nem_between(w, 50, 1000));
    if (chance(w, 70) && !nem_promote(w))
        return false;
    nem_wait_ms(nem_between(w, 0, 1000));
    nem_say(w, "%c and %c hear each other", nem_name(old), nem_name(1 - old));
    return true;
}

static bool deaf(nem_world *w) {
    nem_place node = chance(w, 50) ? NEM_A : NEM_B;
    bool towards = chance(w, 50);
    nem_say(w, "nothing passes from %s %c",
            towards ? "the clients to" : "what is for the clients, of",
            nem_name((int)node));
    nem_network_drop(&w->network, towards ? NEM_CLIENTS : node,
                     towards ? node : NEM_CLIENTS);
    nem_wait_ms(nem_between(w, 100, 1500));
    return true;
}

/* --- the replica */

static bool kill_replica(nem_world *w) {
    int node = replica_of(w);
    nem_say(w, "kill -9 %c, the replica", nem_name(node));
    nem_node_kill(&w->pair, node);
    nem_wait_ms(nem_between(w, 0, 800));
    if (chance(w, 50)) {
        if (!nem_detach(w))
            return false;
        nem_wait_ms(nem_between(w, 100, 1000));
    }
    return nem_rejoin(w, node);
}

/* Its copy is cut short, again and again. */
static bool kill_newcomer(nem_world *w) {
    int node = replica_of(w);
    for (unsigned i = nem_between(w, 2, 5); i > 0; i--) {
        nem_say(w, "kill -9 %c, which has just begun", nem_name(node));
        if (!nem_rejoin(w, node))
            return false;
        if (chance(w, 40))
            spoil(w, nem_network_peer_wire(&w->network, w->primary), true);
        nem_wait_ms(nem_between(w, 0, 90));
    }
    return true;
}

static bool stop_replica(nem_world *w) {
    int node = replica_of(w);
    nem_say(w, "SIGSTOP %c, the replica", nem_name(node));
    nem_node_stop(&w->pair, node);
    nem_wait_ms(nem_between(w, 100, 1500));
    go_on(w, node);
    return true;
}

static bool unplug(nem_world *w) {
    nem_place place = chance(w, 50) ? NEM_CLIENTS : (nem_place)replica_of(w);
    nem_say(w, "the cable of %s is out",
            place == NEM_CLIENTS ? "the clients" : "the replica");
    nem_network_link(&w->network, place, false);
    nem_wait_ms(nem_between(w, 100, 1200));
    nem_network_link(&w->network, place, true);
    return true;
}

/* --- the rest */

static bool plan(nem_world *w) {
    if (chance(w, 30))
        make_noise(w);
    return nem_switchover(w);
}

/* The order is under way as the primary dies: it has handed over, or not. */
static bool plan_cut_short(nem_world *w) {
    int old = w->primary;
    nem_say(w, "switchover of %c, and kill -9 meanwhile", nem_name(old));
    pid_t child = nem_command_aside(&w->pair, old, "switchover");
    nem_wait_ms(nem_between(w, 0, 30));
    nem_node_kill(&w->pair, old);
    waitpid(child, NULL, 0);
    return nem_take_over(w) && back(w, old);
}

/* Nothing is wrong, and the operator promotes all the same. */
static bool usurp(nem_world *w) {
    nem_say(w, "all is well, and %c is promoted", nem_name(replica_of(w)));
    return nem_promote(w);
}

static bool kill_client(nem_world *w) {
    unsigned which = idt_rng_below(&w->rng, NEM_CLIENTS_RUN);
    nem_say(w, "kill -9 a client");
    nem_clients_replace(w, which);
    return true;
}

/* Most of them make the other node primary. */
static const struct {
    unsigned weight;
    bool (*happens)(nem_world *w);
} faults[] = {{26, kill_primary}, {15, stop_primary}, {13, unplug_primary},
              {13, part},         {14, plan},         {7, plan_cut_short},
              {5, usurp},         {5, kill_replica},  {4, kill_newcomer},
              {3, stop_replica},  {3, unplug},        {3, deaf},
              {3, noise},         {2, kill_client}};

bool nem_fault(nem_world *w) {
    unsigned sum = 0, at;
    size_t i = 0;
    if (w->pair.tls && chance(w, 50))
        noise(w);
    for (size_t k = 0; k < sizeof faults / sizeof faults[0]; k++)
        sum += faults[k].weight;
    for (at = idt_rng_below(&w->rng, sum); at >= faults[i].weight; i++)
        at -= faults[i].weight;
    w->cycles++;
    return faults[i].happens(w);
}

bool nem_fault_lag(nem_world *w) {
    int old = w->primary;
    w->cycles++;
    nem_say(w, "the replica lags, and %c is killed", nem_name(old));
    for (int i = 0; i < 2; i++)
        atomic_store(&nem_network_peer_wire(&w->network, i)->delay_ms, 300);
    nem_wait_ms(800);
    nem_network_drop(&w->network, (nem_place)old, (nem_place)replica_of(w));
    nem_wait_ms(100);
    nem_node_kill(&w->pair, old);
    return nem_promote(w) && nem_rejoin(w, old);
}

bool nem_fault_alone(nem_world *w, bool forgets) {
    nem_wire *wire = nem_network_client_wire(&w->network, 0);
    w->cycles++;
    switch (idt_rng_below(&w->rng, 4)) {
    case 0:
        spoil(w, wire, false);
        break;
    case 1:
        nem_say(w, "SIGSTOP a");
        nem_node_stop(&w->pair, 0);
        nem_wait_ms(nem_between(w, 100, 900));
        go_on(w, 0);
        break;
    case 2:
        nem_say(w, "the cable of a is out");
        nem_network_link(&w->network, NEM_A, false);
        break;
    default:
        if (!forgets)
            break;
        nem_say(w, "kill -9 a");
        nem_node_kill(&w->pair, 0);
        nem_wait_ms(nem_between(w, 0, 200));
        if (!nem_node_start(&w->pair, 0, false))
            return nem_fail(w, "a can't be started");
    }
    nem_wait_ms(nem_between(w, 100, 900));
    nem_network_heal(&w->network);
    return nem_probe(w);
}
