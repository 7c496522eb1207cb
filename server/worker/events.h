/* SPDX-License-Identifier: Apache-2.0 */
/* events.h -- what has happened to a worker's keys, for who watches: a ring of
 * the last ones.
 *
 * There is a ring only while somebody has asked within a minute. Else a call
 * pays for a flag, and a worker that keeps nothing tells nobody of its changes.
 * A ring is two bounds, on events and on their bytes; what is overwritten was
 * lost to who had not read it, and the numbers say how much. They count on
 * while there is no ring, so that what a reader missed then is counted, too. */
#ifndef IDS_EVENTS_H
#define IDS_EVENTS_H

#include "server/core/shard.h"

typedef struct ids_worker ids_worker;

#define IDS_EVENTS_KEPT_MAX  65536u
#define IDS_EVENTS_BYTES_MAX (8u << 20)
#define IDS_EVENTS_IDLE_MS   60000u

/* One of them; behind it stand ns, key and user, up to the next multiple of
 * eight. */
typedef struct ids_event {
    uint64_t at_ms; /* when it was */
    uint32_t attempt;
    uint16_t key_len;
    uint8_t kind, previous; /* idp_event_kind, idp_previous */
    uint8_t ns_len, user_len;
} ids_event;

typedef struct ids_event_ring ids_event_ring;

typedef struct ids_events {
    ids_event_ring *ring; /* NULL: nobody watches */
    uint64_t first, next; /* numbers: of the oldest that is kept, and of the one
                           * that comes; without a ring the same */
    uint64_t asked_ms;    /* somebody has, last */
    const ids_shard *counted; /* without a ring: whose changes were so many as
                               * the numbers stood still */
    uint64_t count;
} ids_events;

static inline bool ids_events_is_on(const ids_events *events) {
    return __builtin_expect(events->ring != NULL, 0);
}

/* Somebody asks: from now on events are kept. False: no memory. */
bool ids_events_ask(ids_worker *worker);

/* When the ring that there is may go. tick: it goes, if it may. */
static inline uint64_t ids_events_next_ms(const ids_events *events) {
    return events->asked_ms + IDS_EVENTS_IDLE_MS;
}
void ids_events_tick(ids_worker *worker);
void ids_events_fini(ids_events *events);

/* There is a ring. A record has changed; a call was refused for what the record
 * is (mismatch, stale). change: a shard's hook, too, whose worker keeps nothing
 * else; ctx is the worker. */
void ids_events_change(void *ctx, const ids_change *change);
void ids_events_answered(ids_worker *worker, const ids_call *call,
                         const idp_answer *answer);

/* One that is kept: first <= number < next. It borrows until the next one is
 * noted. */
const ids_event *ids_events_at(const ids_events *events, uint64_t number);

static inline size_t ids_event_bytes(const ids_event *event) {
    size_t bytes = sizeof *event + event->ns_len + event->key_len +
                   (size_t)event->user_len;
    return (bytes + 7) / 8 * 8;
}
static inline idp_slice ids_event_ns(const ids_event *event) {
    return (idp_slice){(const uint8_t *)(event + 1), event->ns_len};
}
static inline idp_slice ids_event_key(const ids_event *event) {
    return (idp_slice){(const uint8_t *)(event + 1) + event->ns_len,
                       event->key_len};
}
static inline idp_slice ids_event_user(const ids_event *event) {
    const uint8_t *at =
        (const uint8_t *)(event + 1) + event->ns_len + event->key_len;
    return (idp_slice){event->user_len ? at : NULL, event->user_len};
}

#endif
