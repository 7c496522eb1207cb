/* SPDX-License-Identifier: Apache-2.0 */
/* poll_part.c -- see poll_part.h. */
#include "server/admin/poll_part.h"

#include "server/admin/watchers.h"
#include "server/base/log.h"

#include <assert.h>
#include <string.h>

static bool watcher_wants(const ids_watcher *watcher, const ids_event *event) {
    return (watcher->kind == IDP_EVENT_ANY ||
            watcher->kind == (idp_event_kind)event->kind) &&
           ids_paged_shows(&watcher->paged, ids_event_ns(event),
                           ids_event_key(event));
}

/* Looks through what is there from the part's next on. False: no memory. */
static bool look_through_ring(ids_worker *worker, const ids_watcher *watcher,
                              uint32_t rows_max, ids_poll_part *part,
                              idp_bytes *rows) {
    const ids_events *events = &worker->events;
    uint32_t looks =
        ids_worker_is_asked(worker) ? IDS_POLL_LOOKS_ASKED : IDS_POLL_LOOKS_MAX;
    uint32_t left = looks;
    for (; part->next < events->next && part->count < rows_max && left > 0;
         part->next++, left--) {
        const ids_event *event = ids_events_at(events, part->next);
        if (!watcher_wants(watcher, event))
            continue;
        if (!idp_bytes_append(rows, event, ids_event_bytes(event)))
            return false;
        part->count++;
    }
    ids_worker_worked(worker, IDS_WORK_SERVE, (looks - left) / 4, rows->len);
    part->has_more = part->next < events->next;
    return true;
}

bool ids_poll_part_make(ids_worker *worker, const ids_poll_ask *ask,
                        ids_poll_part *part, idp_bytes *rows) {
    const ids_events *events = &worker->events;
    ids_watcher watcher;
    *part = (ids_poll_part){.id = ask->id,
                            .round = ask->round,
                            .loop = worker->index,
                            .next = ask->at};
    if (!ids_events_ask(worker) ||
        !ids_watchers_find(worker->server->watchers, ask->id, &watcher))
        return false;
    if (part->next == IDS_WATCHER_NOW)
        part->next = events->next;
    if (part->next < events->first) {
        part->lost = events->first - part->next;
        part->next = events->first;
    }
    bool done = look_through_ring(worker, &watcher, ask->rows_max, part, rows);
    ids_paged_drop(&watcher.paged);
    return done;
}

/* Asked by another loop ---------------------------------------------------- */

void ids_polls_tell(ids_worker *worker, const ids_message *message,
                    const uint8_t *body) {
    ids_poll_ask ask;
    ids_poll_part part;
    idp_bytes all = {0};
    assert(message->body_bytes == sizeof ask);
    memcpy(&ask, body, sizeof ask);
    uint32_t loop = ids_asker_loop(message->asker);
    ids_message reply = *message;
    reply.kind = IDS_MESSAGE_EVENTED;
    reply.flags = 0;
    bool is_made =
        idp_bytes_append(&all, &(ids_poll_part){.id = 0}, sizeof part) &&
        ids_poll_part_make(worker, &ask, &part, &all);
    if (!is_made) {
        part = (ids_poll_part){.id = ask.id, .round = ask.round};
        all.len = 0;
        reply.flags = IDS_MESSAGE_FAILED;
        reply.word = (uint64_t) - (int)IDP_E_NO_MEMORY;
        idp_bytes_append(&all, &part, sizeof part);
    }
    if (all.len)
        memcpy(all.ptr, &part, sizeof part);
    reply.body_bytes = (uint32_t)all.len;
    ids_message_batch *batch = ids_worker_reply_batch(
        worker, loop,
        is_made && part.count ? IDS_SHOWS_RECORD : IDS_SHOWS_NOTHING);
    size_t before = batch ? batch->message.len : 0;
    if (all.len && batch && ids_message_append(batch, &reply, all.ptr)) {
        ids_worker_messaged(worker, loop, batch, before);
    } else {
        worker->counters.of[IDS_REPLIES_LOST_TOTAL]++;
        ids_log(IDS_LOG_ERROR, "events lost: out of memory", NULL);
    }
    idp_bytes_free(&all);
}
