/* SPDX-License-Identifier: Apache-2.0 */
/* places.h -- how many sockets may be open at a time, and how many are.
 *
 * Descriptors are one per process: what clients take must never be what the
 * store, a replica or the end of the process needs. So places are planned
 * before the first client comes, out of what is left. */
#ifndef IDS_PLACES_H
#define IDS_PLACES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One over the limit is let in for so long, to be told. */
#define IDS_SURPLUS_MS 1000

typedef struct ids_places {
    /* Set before the loops run. */
    size_t max;         /* connections and links */
    size_t surplus_max; /* besides: who is over that, and is told so */
    uint64_t used;      /* descriptors that others need */
    /* Any loop's. */
    atomic_size_t connections; /* clients */
    atomic_size_t links;       /* to other nodes, and from them */
    atomic_size_t surplus;
} ids_places;

/* What takes descriptors besides connections. */
typedef struct ids_places_needs {
    size_t connections_max; /* as wished for */
    uint32_t loops;
    bool has_store;    /* segments, snapshots, the manifest */
    bool has_peer;     /* its state, links that are dialled, names looked up */
    uint32_t replicas; /* of it, at most */
} ids_places_needs;

/* At the start, before anything is open: asks for as many descriptors as all
 * of this may take. */
void ids_places_ask(const ids_places_needs *needs);

/* When all is open that stays open: how many connections there may be. False:
 * not one; why says so. A log line tells when they are fewer than wished. */
bool ids_places_plan(ids_places *places, const ids_places_needs *needs,
                     char *why, size_t why_cap);

/* So many are wished for from now on. On the loop that accepts. Those who are
 * in stay, also where they are more. Returns how many there may be. */
size_t ids_places_change(ids_places *places, size_t connections_max);

/* Takes a place; false: there is none, nothing changed. Any thread. */
bool ids_places_take(ids_places *places);
/* is_kept: it comes from this machine, or from where the other node was. A
 * quarter of the places in surplus is kept for such: there an operator's
 * command is carried out, and another node becomes a link. */
bool ids_places_take_surplus(ids_places *places, bool is_kept);

/* A connection, or one in surplus, is closed. */
void ids_places_leave(ids_places *places, bool surplus);

/* A connection turned out to be another node's: it keeps its place, or has a
 * link's (few are there at a time, see ids_peer_make_room). */
void ids_places_becomes_link(ids_places *places, bool surplus);

/* A link is dialled (which can't be refused), or closed. */
void ids_places_add_link(ids_places *places);
void ids_places_leave_link(ids_places *places);

#endif
