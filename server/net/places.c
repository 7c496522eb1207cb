/* SPDX-License-Identifier: Apache-2.0 */
/* places.c -- see places.h. */
#include "server/net/places.h"

#include "server/base/log.h"
#include "server/base/machine.h"

#include <assert.h>
#include <stdio.h>

/* Any time: a file in /proc, the folder being listed, the spare one that is
 * given up to turn somebody away, what a library may open. */
#define RESERVE_ALWAYS   8u
/* A loop's: the segment that comes next, its part of a snapshot, its old
 * segment while the new one is there already. */
#define RESERVE_PER_LOOP 3u
/* The manifest's next one, the folder. */
#define RESERVE_STORE    4u
/* The next state file, a link per loop either way, the resolver's files and
 * sockets for the few names that are looked up at once; and such as come for
 * another node and have not shown it yet (IDS_UNPROVEN_MAX, and the workers').
 */
#define RESERVE_PEER     56u
/* What a start opens, in all, of which most stays open. */
#define OPEN_PER_LOOP    12u
#define OPEN_ALWAYS      64u
#define SURPLUS_MAX      64u

static size_t reserved_places(const ids_places_needs *needs) {
    size_t wanted = RESERVE_ALWAYS;
    if (needs->has_store)
        wanted += RESERVE_STORE + RESERVE_PER_LOOP * (size_t)needs->loops;
    if (needs->has_peer)
        wanted +=
            RESERVE_PEER + (3 + (size_t)needs->replicas) * (size_t)needs->loops;
    return wanted;
}

void ids_places_ask(const ids_places_needs *needs) {
    ids_machine_raise_descriptors(needs->connections_max + SURPLUS_MAX +
                                  reserved_places(needs) + OPEN_ALWAYS +
                                  OPEN_PER_LOOP * (uint64_t)needs->loops);
}

/* Where there are too few, an eighth of them is for who is turned away. */
static void share_out(ids_places *places, size_t wanted, size_t left) {
    places->surplus_max = SURPLUS_MAX;
    places->max = wanted;
    if (left >= wanted + SURPLUS_MAX)
        return;
    if (places->surplus_max > left / 8)
        places->surplus_max = left / 8;
    if (places->max > left - places->surplus_max)
        places->max = left - places->surplus_max;
}

bool ids_places_plan(ids_places *places, const ids_places_needs *needs,
                     char *why, size_t why_cap) {
    uint64_t used = ids_machine_open_descriptors() + reserved_places(needs);
    uint64_t wanted = needs->connections_max + SURPLUS_MAX + used;
    uint64_t have = ids_machine_raise_descriptors(wanted);
    if (have <= used) {
        snprintf(why, why_cap,
                 "%llu descriptors are allowed, and the server itself needs "
                 "%llu: raise ulimit -n, or lower --threads",
                 (unsigned long long)have, (unsigned long long)used);
        return false;
    }
    places->used = used;
    share_out(places, needs->connections_max, (size_t)(have - used));
    if (places->max < needs->connections_max)
        ids_log(IDS_LOG_WARN,
                "--max-connections needs more descriptors than allowed",
                "wanted=%llu allowed=%llu connections=%zu",
                (unsigned long long)wanted, (unsigned long long)have,
                places->max);
    return true;
}

size_t ids_places_change(ids_places *places, size_t connections_max) {
    uint64_t have = ids_machine_raise_descriptors(connections_max +
                                                  SURPLUS_MAX + places->used);
    share_out(places, connections_max,
              have > places->used ? (size_t)(have - places->used) : 0);
    return places->max;
}

/* Only the loop that accepts takes places, so none is taken twice; links that
 * are dialled meanwhile have their reserve. */
bool ids_places_take(ids_places *places) {
    size_t links = atomic_load_explicit(&places->links, memory_order_relaxed);
    size_t connections =
        atomic_load_explicit(&places->connections, memory_order_relaxed);
    if (connections + links >= places->max)
        return false;
    atomic_fetch_add_explicit(&places->connections, 1, memory_order_relaxed);
    return true;
}

bool ids_places_take_surplus(ids_places *places, bool is_kept) {
    size_t kept = is_kept ? 0 : places->surplus_max / 4;
    if (atomic_load_explicit(&places->surplus, memory_order_relaxed) >=
        places->surplus_max - kept)
        return false;
    atomic_fetch_add_explicit(&places->surplus, 1, memory_order_relaxed);
    return true;
}

/* Each gives its place back once. */
static void give_place_back(atomic_size_t *taken) {
    size_t before = atomic_fetch_sub_explicit(taken, 1, memory_order_relaxed);
    assert(before > 0);
}

void ids_places_leave(ids_places *places, bool surplus) {
    give_place_back(surplus ? &places->surplus : &places->connections);
}

void ids_places_becomes_link(ids_places *places, bool surplus) {
    ids_places_add_link(places);
    ids_places_leave(places, surplus);
}

void ids_places_add_link(ids_places *places) {
    atomic_fetch_add_explicit(&places->links, 1, memory_order_relaxed);
}

void ids_places_leave_link(ids_places *places) {
    give_place_back(&places->links);
}
