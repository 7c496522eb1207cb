/* SPDX-License-Identifier: Apache-2.0 */
/* polls.c -- see polls.h. */
#include "server/admin/polls.h"

#include "proto/events.h"
#include "proto/list.h"
#include "server/admin/poll_part.h"
#include "server/admin/watchers.h"
#include "server/worker/reply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(IDS_CURSOR_BYTES <= IDP_CURSOR_BYTES_MAX, "it is a legal one");

/* A part that is so late was lost: a loop had no memory for it. One that waits
 * for a replica comes before, or an error in its place. */
#define ROUND_MS_MAX 120000

/* The answer --------------------------------------------------------------- */

static ids_conn *find_poller(const ids_worker *worker, const ids_poll *poll) {
    ids_conn *conn = ids_worker_find(worker, poll->asker);
    return conn && !conn->ended ? conn : NULL;
}

static void drop_rows(ids_poll *poll, ids_worker *worker) {
    assert(worker->buffers.bytes >= poll->rows.len);
    worker->buffers.bytes -= poll->rows.len;
    poll->rows.len = 0;
    poll->count = 0;
}

static void free_poll(ids_polls *polls, ids_poll *poll) {
    assert(polls->count > 0);
    polls->count--;
    free(poll->at);
    idp_bytes_free(&poll->rows);
    *poll = (ids_poll){.id = 0};
}

/* By time: loops' parts came in any order. */
static void fill_events(const ids_poll *poll, uint64_t now_ms,
                        idp_events_page *page) {
    const uint8_t *at = poll->rows.ptr;
    for (uint32_t i = 0; i < poll->count; i++) {
        const ids_event *event = (const ids_event *)(const void *)at;
        uint64_t age_ms = now_ms > event->at_ms ? now_ms - event->at_ms : 0;
        uint32_t to = page->count++;
        for (; to > 0 && page->events[to - 1].age_ms < age_ms; to--)
            page->events[to] = page->events[to - 1];
        page->events[to] =
            (idp_event){.ns = ids_event_ns(event),
                        .key = ids_event_key(event),
                        .kind = (idp_event_kind)event->kind,
                        .age_ms = age_ms,
                        .attempt = event->attempt,
                        .previous = (idp_previous)event->previous,
                        .user = ids_event_user(event)};
        at += ids_event_bytes(event);
    }
}

static void send_events(ids_worker *worker, ids_conn *conn,
                        const ids_poll *poll, const char *cursor) {
    idp_events_page page = {.cursor = {(const uint8_t *)cursor, strlen(cursor)},
                            .lost = poll->lost};
    idp_bytes frame = {0};
    fill_events(poll, worker->now_ms, &page);
    size_t bound = idp_events_page_write_bound(&page);
    if (idp_bytes_reserve(&frame, bound)) {
        frame.len =
            idp_events_page_write(frame.ptr, frame.cap, poll->msgid, &page);
        ids_reply_made(worker, conn, poll->msgid,
                       (idp_slice){frame.ptr, frame.len},
                       poll->count ? IDS_SHOWS_RECORD : IDS_SHOWS_NOTHING);
    } else {
        ids_reply_error(worker, conn, poll->msgid, IDP_E_NO_MEMORY, NULL);
    }
    idp_bytes_free(&frame);
}

static void answer_poll(ids_polls *polls, ids_worker *worker, ids_poll *poll) {
    ids_conn *conn = find_poller(worker, poll);
    char cursor[IDS_CURSOR_BYTES] = "";
    if (conn) {
        assert(conn->waiting > 0);
        conn->waiting--;
        ids_watchers_went(worker->server->watchers, poll->id, poll->at,
                          worker->now_ms, cursor);
        send_events(worker, conn, poll, cursor);
    } else {
        ids_watchers_failed(worker->server->watchers, poll->id);
    }
    drop_rows(poll, worker);
    free_poll(polls, poll);
}

static void refuse_poll(ids_polls *polls, ids_worker *worker, ids_poll *poll,
                        idp_error error, const char *text) {
    ids_conn *conn = find_poller(worker, poll);
    ids_watchers_failed(worker->server->watchers, poll->id);
    if (conn) {
        assert(conn->waiting > 0);
        conn->waiting--;
        ids_reply_error(worker, conn, poll->msgid, error, text);
    }
    drop_rows(poll, worker);
    free_poll(polls, poll);
}

/* Rounds ------------------------------------------------------------------- */

static ids_viewer viewer_now(const ids_worker *worker, const ids_conn *conn) {
    const ids_verifier *verifier = conn->reading.verifier;
    return (ids_viewer){.version = conn->reading.version,
                        .user = verifier ? verifier->user : NULL,
                        .now_ms = worker->now_ms};
}

/* A grant may have been taken away, and this node may lead no longer. False:
 * it was refused. */
static bool may_go_on(ids_polls *polls, ids_worker *worker, ids_poll *poll,
                      const ids_conn *conn) {
    const ids_verifier *verifier = conn->reading.verifier;
    idp_request request = {.method = IDP_EVENTS};
    char denial[IDS_DENIAL_BYTES];
    const char *text = NULL;
    ids_watcher watcher;
    idp_error error =
        ids_role_state_refuses(&worker->role_state, &request, &text);
    if (worker->draining)
        error = IDP_E_SHUTTING_DOWN;
    else if (error == IDP_OK && worker->server->access &&
             !conn->reading.admitted) {
        error = IDP_E_DENIED;
    } else if (error == IDP_OK && verifier &&
               ids_watchers_find(worker->server->watchers, poll->id,
                                 &watcher)) {
        if (watcher.paged.has_ns)
            request.ns = (idp_slice){watcher.paged.ns, watcher.paged.ns_len};
        if (!ids_user_may(verifier->user, IDP_EVENTS, request.ns)) {
            error = IDP_E_DENIED;
            ids_user_denial(verifier->user, IDP_EVENTS, request.ns, denial);
            text = denial;
        }
        ids_paged_drop(&watcher.paged);
    }
    if (error != IDP_OK)
        refuse_poll(polls, worker, poll, error, text);
    return error == IDP_OK;
}

static void take_poll_part(ids_poll *poll, ids_worker *worker,
                           const ids_poll_part *part, idp_slice rows) {
    assert(part->loop < worker->server->loops && poll->left > 0);
    poll->left--;
    if (poll->count + part->count > IDP_EVENTS_MAX) {
        poll->has_more = true; /* they are told by the next page */
        return;
    }
    if (rows.len && !idp_bytes_append(&poll->rows, rows.ptr, rows.len)) {
        poll->failed = IDP_E_NO_MEMORY;
        return;
    }
    worker->buffers.bytes += rows.len;
    poll->count += part->count;
    poll->lost += part->lost;
    poll->at[part->loop] = part->next;
    poll->has_more |= part->has_more;
}

static bool ask_loop_for_events(ids_worker *worker, uint32_t slot,
                                uint32_t loop, const ids_poll_ask *ask) {
    const ids_message message = {.asker = ids_worker_asker(worker->index),
                                 .msgid = slot,
                                 .body_bytes = sizeof *ask,
                                 .kind = IDS_MESSAGE_EVENTS};
    ids_message_batch *batch = ids_worker_batch(worker, loop);
    return batch && ids_message_append(batch, &message, (const uint8_t *)ask);
}

static void ask_self_for_events(ids_poll *poll, ids_worker *worker,
                                const ids_poll_ask *ask) {
    idp_bytes rows = {0};
    ids_poll_part part;
    if (ids_poll_part_make(worker, ask, &part, &rows)) {
        take_poll_part(poll, worker, &part, (idp_slice){rows.ptr, rows.len});
    } else {
        poll->left--;
        poll->failed = IDP_E_NO_MEMORY;
    }
    idp_bytes_free(&rows);
}

/* All loops, each for its share of a page, beginning with another one each
 * time: where they are more than a page has rows, not all of them fit. */
static void begin_poll_round(ids_polls *polls, ids_worker *worker,
                             ids_poll *poll) {
    uint32_t loops = worker->server->loops;
    uint32_t slot = (uint32_t)(poll - polls->all);
    ids_poll_ask ask = {
        .id = poll->id,
        .round = ++polls->rounds,
        .rows_max = loops < IDP_EVENTS_MAX ? IDP_EVENTS_MAX / loops : 1};
    poll->round = ask.round;
    poll->begun_ms = worker->now_ms;
    poll->left = loops;
    poll->has_more = false;
    for (uint32_t i = 0; i < loops; i++) {
        uint32_t loop = (ask.round + i) % loops;
        ask.at = poll->at[loop];
        if (loop == worker->index) {
            ask_self_for_events(poll, worker, &ask);
        } else if (!ask_loop_for_events(worker, slot, loop, &ask)) {
            poll->left--;
            poll->failed = IDP_E_NO_MEMORY;
        }
    }
}

/* A round is over. */
static void end_poll_round(ids_polls *polls, ids_worker *worker,
                           ids_poll *poll) {
    if (poll->failed != IDP_OK)
        refuse_poll(polls, worker, poll, poll->failed,
                    ids_role_state_text(&worker->role_state, poll->failed));
    else if (poll->count || poll->lost || worker->now_ms >= poll->until_ms)
        answer_poll(polls, worker, poll);
    else
        poll->again_ms =
            worker->now_ms + (poll->has_more ? 0 : IDS_POLL_AGAIN_MS);
}

static void turn_poll(ids_polls *polls, ids_worker *worker, ids_poll *poll) {
    const ids_conn *conn = find_poller(worker, poll);
    if (!conn) {
        refuse_poll(polls, worker, poll, IDP_E_SHUTTING_DOWN, NULL);
        return;
    }
    if (poll->left > 0 && worker->now_ms > poll->begun_ms + ROUND_MS_MAX) {
        refuse_poll(polls, worker, poll, IDP_E_NO_MEMORY, NULL);
        return;
    }
    if (poll->left > 0 || poll->again_ms > worker->now_ms)
        return;
    if (!may_go_on(polls, worker, poll, conn))
        return;
    const ids_viewer viewer = viewer_now(worker, conn);
    ids_watchers_see(worker->server->watchers, poll->id, &viewer);
    begin_poll_round(polls, worker, poll);
    if (poll->left == 0)
        end_poll_round(polls, worker, poll);
}

void ids_polls_turn(ids_polls *polls, ids_worker *worker) {
    for (uint32_t i = 0; i < IDS_POLLS_MAX; i++)
        if (polls->all[i].id)
            turn_poll(polls, worker, &polls->all[i]);
}

uint64_t ids_polls_next_ms(const ids_polls *polls) {
    uint64_t next_ms = UINT64_MAX;
    for (uint32_t i = 0; polls->count && i < IDS_POLLS_MAX; i++) {
        const ids_poll *poll = &polls->all[i];
        if (poll->id && poll->left == 0 && poll->again_ms < next_ms)
            next_ms = poll->again_ms;
    }
    return next_ms;
}

void ids_polls_fini(ids_polls *polls) {
    for (uint32_t i = 0; i < IDS_POLLS_MAX; i++)
        if (polls->all[i].id)
            free_poll(polls, &polls->all[i]);
}

/* Asked -------------------------------------------------------------------- */

static ids_poll *find_free_poll(ids_polls *polls) {
    for (uint32_t i = 0; i < IDS_POLLS_MAX; i++)
        if (!polls->all[i].id)
            return &polls->all[i];
    return NULL;
}

/* Else an error, and a text. */
static idp_error admit_poll(ids_polls *polls, ids_worker *worker,
                            const ids_conn *conn, const idp_request *request,
                            ids_poll **poll, const char **text) {
    const ids_viewer viewer = viewer_now(worker, conn);
    *text = NULL;
    idp_error error =
        ids_role_state_refuses(&worker->role_state, request, text);
    if (error != IDP_OK)
        return error;
    *poll = find_free_poll(polls);
    *text = conn->waiting >= worker->server->pending_max
                ? "too many requests of this connection are pending "
                  "(--max-pending)"
            : !worker->server->watchers ? "this server tells no events"
            : !*poll                    ? "too many wait for events; ask again"
                                        : NULL;
    if (*text)
        return IDP_E_LIMIT;
    uint64_t *at = malloc(worker->server->loops * sizeof *at);
    if (!at)
        return IDP_E_NO_MEMORY;
    **poll = (ids_poll){.at = at};
    error = ids_watchers_ask(worker->server->watchers, request, &viewer,
                             worker->role_state.epoch, &(*poll)->id, at, text);
    if (error != IDP_OK) {
        free(at);
        **poll = (ids_poll){.id = 0};
    }
    return error;
}

void ids_polls_ask(ids_polls *polls, ids_worker *worker, ids_conn *conn,
                   const idp_request *request) {
    ids_poll *poll;
    const char *text;
    idp_error error = admit_poll(polls, worker, conn, request, &poll, &text);
    if (error != IDP_OK) {
        ids_reply_error(worker, conn, request->msgid, error, text);
        return;
    }
    polls->count++;
    poll->asker = conn->asker;
    poll->msgid = request->msgid;
    poll->until_ms = worker->now_ms + request->wait_ms;
    poll->again_ms = worker->now_ms;
    conn->waiting++;
}

/* Other loops -------------------------------------------------------------- */

void ids_polls_told(ids_polls *polls, ids_worker *worker,
                    const ids_message *message, const uint8_t *body) {
    ids_poll_part part;
    assert(message->msgid < IDS_POLLS_MAX &&
           message->body_bytes >= sizeof part);
    memcpy(&part, body, sizeof part);
    ids_poll *poll = &polls->all[message->msgid];
    if (poll->id != part.id || poll->round != part.round || poll->left == 0)
        return; /* nobody waits for it any more */
    if (message->flags & IDS_MESSAGE_FAILED) {
        poll->left--;
        poll->failed = (idp_error) - (int)message->word;
    } else {
        take_poll_part(
            poll, worker, &part,
            (idp_slice){body + sizeof part, message->body_bytes - sizeof part});
    }
    if (poll->left == 0)
        end_poll_round(polls, worker, poll);
}
