/* SPDX-License-Identifier: Apache-2.0 */
/* handshakes.c -- see handshakes.h. */
#include "server/net/handshakes.h"

#include <assert.h>
#include <stddef.h>

/* Of those who wait so many are looked at for one who may begin. */
#define LOOKED_AT 64

static ids_handshake *handshake_at(ids_listed *at) {
    return at ? IDS_LISTED(ids_handshake, in_list, at) : NULL;
}

static uint32_t source_handshakes(const ids_handshakes *all, uint64_t source) {
    uint32_t count = 0;
    for (ids_listed *at = all->under_way.head; at; at = at->next)
        count += handshake_at(at)->source == source;
    return count;
}

static bool is_stuck(const ids_handshake *one, uint64_t now_ms) {
    return now_ms - one->moved_ms >= IDS_HANDSHAKE_STUCK_MS;
}

/* Who goes for one of this source; NULL: nobody. */
static ids_handshake *choose(const ids_handshakes *all, uint64_t source,
                             uint64_t now_ms) {
    bool has_few = source_handshakes(all, source) < IDS_HANDSHAKES_A_SOURCE;
    ids_handshake *goes = NULL;
    for (ids_listed *at = all->under_way.head; at; at = at->next) {
        ids_handshake *one = handshake_at(at);
        bool may_go = is_stuck(one, now_ms) ||
                      (has_few && source_handshakes(all, one->source) >
                                      IDS_HANDSHAKES_A_SOURCE);
        if (may_go && (!goes || one->moved_ms < goes->moved_ms))
            goes = one;
    }
    return goes;
}

static void start(ids_handshakes *all, ids_handshake *one, uint64_t now_ms) {
    one->state = IDS_HANDSHAKE_UNDER_WAY;
    one->moved_ms = now_ms;
    one->records = 0;
    ids_list_append(&all->under_way, &one->in_list);
    all->count++;
}

/* True: there is room, or will be once *goes has gone. */
static bool handshake_finds_room(const ids_handshakes *all,
                                 const ids_handshake *one, uint64_t now_ms,
                                 ids_handshake **goes) {
    *goes = NULL;
    if (all->count >= IDS_HANDSHAKES_MAX)
        *goes = choose(all, one->source, now_ms);
    return all->count < IDS_HANDSHAKES_MAX || *goes;
}

bool ids_handshakes_begin(ids_handshakes *all, ids_handshake *one,
                          uint64_t now_ms, ids_handshake **goes) {
    assert(one->state == IDS_HANDSHAKE_NONE);
    one->begun_ms = now_ms;
    if (handshake_finds_room(all, one, now_ms, goes)) {
        start(all, one, now_ms);
        return true;
    }
    one->state = IDS_HANDSHAKE_WAITS;
    ids_list_append(one->is_known ? &all->known : &all->strangers,
                    &one->in_list);
    return false;
}

/* From the first that came on, or from the last. */
static ids_handshake *next_handshake(ids_handshakes *all, ids_list *waiting,
                                     bool is_from_last, uint64_t now_ms,
                                     ids_handshake **goes) {
    ids_listed *at = is_from_last ? waiting->tail : waiting->head;
    for (int i = 0; i < LOOKED_AT && at;
         i++, at = is_from_last ? at->prev : at->next) {
        if (!handshake_finds_room(all, handshake_at(at), now_ms, goes))
            continue;
        ids_list_remove(waiting, at);
        start(all, handshake_at(at), now_ms);
        return handshake_at(at);
    }
    return NULL;
}

ids_handshake *ids_handshakes_next(ids_handshakes *all, uint64_t now_ms,
                                   ids_handshake **goes) {
    ids_handshake *next = next_handshake(all, &all->known, false, now_ms, goes);
    if (next)
        return next;
    next =
        next_handshake(all, &all->strangers, all->is_last_next, now_ms, goes);
    all->is_last_next ^= next != NULL;
    return next;
}

void ids_handshakes_moved(ids_handshake *one, uint64_t records,
                          uint64_t now_ms) {
    if (records == one->records)
        return;
    one->records = records;
    one->moved_ms = now_ms;
}

void ids_handshakes_leave(ids_handshakes *all, ids_handshake *one) {
    if (one->state == IDS_HANDSHAKE_NONE)
        return;
    if (one->state == IDS_HANDSHAKE_WAITS) {
        ids_list_remove(one->is_known ? &all->known : &all->strangers,
                        &one->in_list);
    } else {
        assert(all->count > 0);
        ids_list_remove(&all->under_way, &one->in_list);
        all->count--;
    }
    one->state = IDS_HANDSHAKE_NONE;
}

static bool is_late(const ids_handshake *one, uint64_t now_ms) {
    return one && now_ms - one->begun_ms >= IDS_HANDSHAKE_MS;
}

ids_handshake *ids_handshakes_late(const ids_handshakes *all, uint64_t now_ms) {
    for (ids_listed *at = all->under_way.head; at; at = at->next)
        if (is_late(handshake_at(at), now_ms))
            return handshake_at(at);
    if (is_late(handshake_at(all->known.head), now_ms))
        return handshake_at(all->known.head);
    return is_late(handshake_at(all->strangers.head), now_ms)
               ? handshake_at(all->strangers.head)
               : NULL;
}

static uint64_t earlier_handshake(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t ids_handshakes_due_ms(const ids_handshakes *all, uint64_t now_ms) {
    const ids_handshake *known = handshake_at(all->known.head);
    const ids_handshake *stranger = handshake_at(all->strangers.head);
    uint64_t due_ms = UINT64_MAX;
    if (known)
        due_ms = earlier_handshake(due_ms, known->begun_ms + IDS_HANDSHAKE_MS);
    if (stranger)
        due_ms =
            earlier_handshake(due_ms, stranger->begun_ms + IDS_HANDSHAKE_MS);
    if ((known || stranger) && all->count < IDS_HANDSHAKES_MAX)
        return now_ms;
    for (ids_listed *at = all->under_way.head; at; at = at->next) {
        due_ms = earlier_handshake(due_ms, handshake_at(at)->begun_ms +
                                               IDS_HANDSHAKE_MS);
        if (known || stranger)
            due_ms = earlier_handshake(due_ms, handshake_at(at)->moved_ms +
                                                   IDS_HANDSHAKE_STUCK_MS);
    }
    return due_ms;
}
