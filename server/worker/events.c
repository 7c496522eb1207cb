/* SPDX-License-Identifier: Apache-2.0 */
/* events.c -- see events.h. */
#include "server/worker/events.h"

#include "server/core/receipt.h"
#include "server/worker/worker.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_BYTES_MAX                                         \
    (sizeof(ids_event) + IDP_NS_BYTES_MAX + IDP_KEY_BYTES_MAX + \
     IDP_USER_BYTES_MAX + 8)

static_assert((IDS_EVENTS_KEPT_MAX & (IDS_EVENTS_KEPT_MAX - 1)) == 0 &&
                  (IDS_EVENTS_BYTES_MAX & (IDS_EVENTS_BYTES_MAX - 1)) == 0 &&
                  IDS_EVENTS_BYTES_MAX > 2 * EVENT_BYTES_MAX,
              "places are numbers without their upper bits");
static_assert(IDP_NS_BYTES_MAX <= UINT8_MAX && IDP_USER_BYTES_MAX <= UINT8_MAX,
              "lengths fit");

/* Places only grow; one is at place & (IDS_EVENTS_BYTES_MAX - 1). None crosses
 * the end. */
struct ids_event_ring {
    uint64_t written;
    uint64_t places[IDS_EVENTS_KEPT_MAX]; /* of number & ... */
    _Alignas(8) uint8_t bytes[IDS_EVENTS_BYTES_MAX];
};

static uint64_t *place_of(const ids_events *events, uint64_t number) {
    return &events->ring->places[number & (IDS_EVENTS_KEPT_MAX - 1)];
}

static uint8_t *bytes_at(const ids_events *events, uint64_t place) {
    return events->ring->bytes + (place & (IDS_EVENTS_BYTES_MAX - 1));
}

const ids_event *ids_events_at(const ids_events *events, uint64_t number) {
    assert(events->ring && number >= events->first && number < events->next);
    return (const ids_event *)(const void *)bytes_at(events,
                                                     *place_of(events, number));
}

/* While somebody asks ------------------------------------------------------ */

/* What would have been noted of this shard, ever: a few more than that, since
 * receipts are changes, too. */
static uint64_t events_count_of(const ids_shard *shard) {
    ids_shard_stats stats;
    ids_shard_stats_get(shard, &stats);
    return stats.changes + stats.outcomes[IDP_OUTCOME_MISMATCH] +
           stats.outcomes[IDP_OUTCOME_STALE];
}

static void end_ring(ids_worker *worker) {
    ids_events *events = &worker->events;
    free(events->ring);
    events->ring = NULL;
    events->first = events->next;
    events->counted = worker->shard;
    events->count = events_count_of(worker->shard);
    if (worker->shard_config.on_change == ids_events_change) {
        worker->shard_config.on_change = NULL;
        ids_shard_set_hook(worker->shard, NULL);
    }
}

static bool begin_ring(ids_worker *worker) {
    ids_events *events = &worker->events;
    uint64_t count = events_count_of(worker->shard);
    events->ring = calloc(1, sizeof *events->ring);
    if (!events->ring)
        return false;
    /* Another shard has come meanwhile: all that it counts is new. */
    events->next +=
        events->counted == worker->shard ? count - events->count : count;
    events->first = events->next;
    if (!worker->shard_config.on_change) {
        worker->shard_config.on_change = ids_events_change;
        ids_shard_set_hook(worker->shard, ids_events_change);
    }
    return true;
}

bool ids_events_ask(ids_worker *worker) {
    worker->events.asked_ms = worker->now_ms;
    return worker->events.ring || begin_ring(worker);
}

void ids_events_tick(ids_worker *worker) {
    if (ids_events_next_ms(&worker->events) <= worker->now_ms)
        end_ring(worker);
}

void ids_events_fini(ids_events *events) {
    free(events->ring);
    events->ring = NULL;
}

/* What happens ------------------------------------------------------------- */

static uint64_t make_room(ids_events *events, size_t bytes) {
    ids_event_ring *ring = events->ring;
    size_t left = IDS_EVENTS_BYTES_MAX -
                  (size_t)(ring->written & (IDS_EVENTS_BYTES_MAX - 1));
    if (left < bytes)
        ring->written += left;
    uint64_t place = ring->written;
    ring->written += bytes;
    while (events->first < events->next &&
           (events->next - events->first == IDS_EVENTS_KEPT_MAX ||
            ring->written - *place_of(events, events->first) >
                IDS_EVENTS_BYTES_MAX))
        events->first++;
    return place;
}

static uint8_t *append_slice(uint8_t *to, idp_slice bytes) {
    if (bytes.len)
        memcpy(to, bytes.ptr, bytes.len);
    return to + bytes.len;
}

static void note_event(ids_events *events, const ids_event *event, idp_slice ns,
                       idp_slice key, idp_slice user) {
    size_t bytes = ids_event_bytes(event);
    assert(bytes <= EVENT_BYTES_MAX);
    uint64_t place = make_room(events, bytes);
    uint8_t *at = bytes_at(events, place);
    memcpy(at, event, sizeof *event);
    append_slice(append_slice(append_slice(at + sizeof *event, ns), key), user);
    *place_of(events, events->next++) = place;
}

void ids_events_change(void *ctx, const ids_change *change) {
    ids_worker *worker = ctx;
    if (!worker->events.ring || change->kind == IDP_EVENT_ANY ||
        ids_receipt_is(change->ns))
        return;
    const ids_event event = {.at_ms = worker->now_ms,
                             .attempt = change->attempt,
                             .key_len = (uint16_t)change->key.len,
                             .kind = (uint8_t)change->kind,
                             .previous = (uint8_t)change->previous,
                             .ns_len = (uint8_t)change->ns.len,
                             .user_len = (uint8_t)change->by_name.len};
    note_event(&worker->events, &event, change->ns, change->key,
               change->by_name);
}

void ids_events_answered(ids_worker *worker, const ids_call *call,
                         const idp_answer *answer) {
    bool is_mismatch = answer->outcome == IDP_OUTCOME_MISMATCH;
    const idp_request *request = call->request;
    idp_slice user = {0};
    if (!is_mismatch && answer->outcome != IDP_OUTCOME_STALE)
        return;
    if (call->by && worker->server->holders)
        user = ids_holders_user(worker->server->holders, call->by);
    const ids_event event = {.at_ms = worker->now_ms,
                             .key_len = (uint16_t)request->key.len,
                             .kind = is_mismatch ? IDP_EVENT_MISMATCH
                                                 : IDP_EVENT_STALE,
                             .ns_len = (uint8_t)request->ns.len,
                             .user_len = (uint8_t)user.len};
    note_event(&worker->events, &event, request->ns, request->key, user);
}
