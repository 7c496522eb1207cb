/* SPDX-License-Identifier: Apache-2.0 */
/* copying.c -- how far a full copy is, at either end, to be told.
 *
 * Pure. No rule looks at it. */
#include "server/peer/halves.h"

#include <assert.h>

static ids_copying *copying_of(ids_peer *peer, ids_follower *to) {
    return to != NULL ? &to->copying : &peer->copying;
}

/* N of M of the one that is on: what its streams have sent, or loaded. */
static void count_copied(const ids_peer *peer, const ids_follower *to,
                         ids_copying *copying) {
    uint32_t streams = to != NULL ? peer->config.loops : peer->upstream.streams;
    copying->records = copying->total = 0;
    for (uint32_t k = 0; k < streams; k++) {
        copying->records +=
            to != NULL ? to->progress[k].copied : peer->receivers[k].copied;
        copying->total += to != NULL ? to->progress[k].copy_total
                                     : peer->receivers[k].copy_total;
    }
    if (copying->total < copying->records) /* some were made since it began */
        copying->total = copying->records;
}

void ids_full_copy_begins(ids_peer *peer, ids_follower *to) {
    ids_copying *copying = copying_of(peer, to);
    if (copying->is_on)
        return;
    assert(copying->begun == copying->done + copying->given_up);
    copying->is_on = true;
    copying->is_sent = to != NULL;
    copying->begun++;
    copying->since_ms = peer->now_ms;
}

static void end_full_copy(const ids_peer *peer, const ids_follower *to,
                          ids_copying *copying) {
    assert(copying->is_on && peer->now_ms >= copying->since_ms);
    assert(copying->begun == copying->done + copying->given_up + 1);
    count_copied(peer, to, copying);
    copying->took_ms = peer->now_ms - copying->since_ms;
    copying->is_on = false;
}

void ids_full_copy_is_done(ids_peer *peer, ids_follower *to) {
    ids_copying *copying = copying_of(peer, to);
    if (!copying->is_on)
        return;
    end_full_copy(peer, to, copying);
    copying->total = copying->records;
    copying->done++;
    assert(copying->begun == copying->done + copying->given_up);
}

void ids_full_copy_is_over(ids_peer *peer, ids_follower *to) {
    ids_copying *copying = copying_of(peer, to);
    if (!copying->is_on)
        return;
    end_full_copy(peer, to, copying);
    copying->given_up++;
    assert(copying->begun == copying->done + copying->given_up);
}

void ids_full_copy_get(const ids_peer *peer, const ids_follower *to,
                       ids_copying *copying) {
    *copying = to != NULL ? to->copying : peer->copying;
    if (copying->is_on)
        count_copied(peer, to, copying);
}

/* The one that is on, or else the later one. */
static bool is_more_telling(const ids_copying *a, const ids_copying *b) {
    if (a->is_on != b->is_on)
        return a->is_on;
    return a->begun > 0 && (b->begun == 0 || a->since_ms > b->since_ms);
}

void ids_peer_copy_get(const ids_peer *peer, ids_copying *copying) {
    uint64_t begun, done, given_up;
    ids_full_copy_get(peer, NULL, copying);
    begun = copying->begun;
    done = copying->done;
    given_up = copying->given_up;
    for (uint32_t i = 0; i < peer->config.places; i++) {
        ids_copying other;
        ids_full_copy_get(peer, &peer->follower[i], &other);
        begun += other.begun;
        done += other.done;
        given_up += other.given_up;
        if (is_more_telling(&other, copying))
            *copying = other;
    }
    assert(begun >= done + given_up);
    copying->begun = begun;
    copying->done = done;
    copying->given_up = given_up;
}
