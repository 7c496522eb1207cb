/* SPDX-License-Identifier: Apache-2.0 */
/* woken.c -- answers to acquires that waited; see woken.h. */
#include "server/worker/woken.h"

#include "server/worker/limited.h"
#include "server/worker/reply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* A result of more than this is not copied for each that waits for it. */
#define SHARED_BYTES_MIN 1024u

static bool has_result(const idp_answer *answer) {
    return answer && answer->outcome == IDP_OUTCOME_REPLAY &&
           answer->has_result;
}

static bool answer_is_large(const idp_answer *answer) {
    return has_result(answer) && answer->result.len > SHARED_BYTES_MIN;
}

/* Nor is any result for a crowd: a reply that is made as it leaves takes a
 * buffer that the one before has just left. */
static bool is_to_be_shared(const ids_worker *worker,
                            const idp_answer *answer) {
    return answer_is_large(answer) ||
           (has_result(answer) && ids_buffers_are_away(&worker->buffers));
}

static bool is_same_answer(const idp_answer *a, const idp_answer *b) {
    return a->result.ptr == b->result.ptr && a->result.len == b->result.len &&
           a->class == b->class && a->age_ms == b->age_ms &&
           a->ttl_left_ms == b->ttl_left_ms;
}

/* The answer's bytes, made once for all who get it; NULL: no room. */
static ids_shared *share(ids_worker *worker, const idp_answer *answer) {
    ids_woken *woken = &worker->woken;
    size_t bound = idp_answer_write_bound(answer);
    if (woken->rest && is_same_answer(&woken->answer, answer))
        return woken->rest;
    ids_woken_end(worker);
    ids_worker_worked(worker, IDS_WORK_WAKE, 0, bound);
    woken->rest = ids_shared_new(&worker->buffers, bound);
    if (!woken->rest)
        return NULL;
    woken->answer = *answer;
    ids_shared_set_reply(
        woken->rest, idp_answer_write(woken->rest->bytes, bound, 0, answer));
    return woken->rest;
}

static void refuse_other(ids_worker *worker, const ids_woken_asker *one) {
    const ids_reply_to to = {.asker = one->asker,
                             .msgid = one->msgid,
                             .flags = IDS_MESSAGE_WAITS,
                             .text = ids_reply_no_room};
    ids_reply_message(worker, &to, IDP_E_LIMIT, NULL);
}

static int by_asker(const void *a, const void *b) {
    const ids_woken_asker *left = a, *right = b;
    return (left->asker > right->asker) - (left->asker < right->asker);
}

/* The rest, behind the names of those on one loop who get it. */
static bool message_to_all(ids_worker *worker, const ids_woken_asker *them,
                           uint32_t count) {
    uint32_t loop = ids_asker_loop(them->asker);
    idp_slice rest = ids_shared_rest(worker->woken.rest);
    ids_message_batch *batch =
        ids_worker_reply_batch(worker, loop, IDS_SHOWS_RECORD);
    size_t names = count * sizeof *them;
    const ids_message message = {.asker = them->asker,
                                 .msgid = count,
                                 .body_bytes = (uint32_t)(names + rest.len),
                                 .kind = IDS_MESSAGE_REPLAYS,
                                 .flags = IDS_MESSAGE_WAITS};
    if (!batch || ids_reply_message_is_full(worker, batch, loop))
        return false;
    size_t before = batch->message.len;
    uint8_t *body = ids_message_append(batch, &message, NULL);
    if (!body)
        return false;
    memcpy(body, them, names);
    memcpy(body + names, rest.ptr, rest.len);
    ids_worker_messaged(worker, loop, batch, before);
    return true;
}

static void tell_others(ids_worker *worker) {
    idp_bytes *others = &worker->woken.others;
    ids_woken_asker *all = (ids_woken_asker *)(void *)others->ptr;
    uint32_t count = (uint32_t)(others->len / sizeof *all), at = 0;
    if (count > 1)
        qsort(all, count, sizeof *all, by_asker);
    while (at < count) {
        uint32_t end = at, loop = ids_asker_loop(all[at].asker);
        while (end < count && ids_asker_loop(all[end].asker) == loop)
            end++;
        if (message_to_all(worker, all + at, end - at))
            at = end;
        for (; at < end; at++)
            refuse_other(worker, &all[at]);
    }
    others->len = 0;
}

void ids_woken_end(ids_worker *worker) {
    if (!worker->woken.rest)
        return;
    tell_others(worker);
    ids_shared_unref(&worker->buffers, worker->woken.rest);
    worker->woken.rest = NULL;
}

/* Of an error: a waiter was refused, or it may wait here no longer. */
static const char *text_of_error(ids_worker *worker, idp_error error) {
    const char *text = ids_role_state_text(&worker->role_state, error);
    return text != NULL || error == IDP_OK ? text
                                           : ids_limited_text(worker, error);
}

static void wake_other(ids_worker *worker, ids_asker asker, uint32_t msgid,
                       idp_error error, const idp_answer *answer) {
    const ids_reply_to to = {.asker = asker,
                             .msgid = msgid,
                             .flags = IDS_MESSAGE_WAITS,
                             .text = text_of_error(worker, error)};
    const ids_woken_asker one = {asker, msgid};
    if (!answer_is_large(answer))
        ids_reply_message(worker, &to, error, answer);
    else if (!share(worker, answer) ||
             !idp_bytes_append(&worker->woken.others, &one, sizeof one))
        refuse_other(worker, &one);
}

static ids_wait_end end_of_wait(const idp_answer *answer) {
    if (!answer)
        return IDS_WAIT_FAILED;
    return answer->outcome == IDP_OUTCOME_IN_PROGRESS ? IDS_WAIT_OVER
                                                      : IDS_WAIT_DECIDED;
}

static void wake_own(ids_worker *worker, ids_asker asker, uint32_t msgid,
                     idp_error error, const idp_answer *answer) {
    ids_conn *conn = ids_worker_find(worker, asker);
    assert(conn); /* it is forgotten before it goes */
    assert(conn->waiting);
    conn->waiting--;
    if (!answer)
        ids_reply_error(worker, conn, msgid, error,
                        text_of_error(worker, error));
    else if (!is_to_be_shared(worker, answer))
        ids_reply_answer(worker, conn, msgid, answer);
    else if (share(worker, answer))
        ids_output_share(worker, conn, msgid, worker->woken.rest,
                         IDS_SHOWS_RECORD);
    else
        ids_reply_error(worker, conn, msgid, IDP_E_LIMIT, ids_reply_no_room);
}

/* It comes in the middle of somebody else's call, or of none. */
void ids_woken_answer(void *ctx, ids_asker asker, uint32_t msgid,
                      idp_error error, const idp_answer *answer) {
    ids_worker *worker = ctx;
    ids_measures *measures = &worker->measures;
    uint32_t was_asked = measures->asked;
    ids_worker_worked(worker, IDS_WORK_WAKE, 1, 0);
    ids_histogram_note(&measures->wait[end_of_wait(answer)],
                       ids_shard_waited_ms(worker->shard) * 1000000);
    measures->asked = answer ? IDS_ASKED_NOTHING : (uint32_t)IDP_ACQUIRE;
    if (ids_asker_loop(asker) != worker->index)
        wake_other(worker, asker, msgid, error, answer);
    else
        wake_own(worker, asker, msgid, error, answer);
    measures->asked = was_asked;
}

/* At the other loop -------------------------------------------------------- */

static void tell_one(ids_worker *worker, const ids_woken_asker *one,
                     ids_shared *rest, idp_error error) {
    ids_conn *conn = ids_worker_find(worker, one->asker);
    if (!conn || conn->ended)
        return; /* it died meanwhile, or was forgotten */
    assert(conn->waiting);
    conn->waiting--;
    if (error != IDP_OK)
        ids_reply_error(worker, conn, one->msgid, error,
                        ids_role_state_text(&worker->role_state, error));
    else if (rest)
        ids_output_share(worker, conn, one->msgid, rest, IDS_SHOWS_NOTHING);
    else
        ids_reply_error(worker, conn, one->msgid, IDP_E_LIMIT,
                        ids_reply_no_room);
}

void ids_woken_at_others(ids_worker *worker, const ids_message *message,
                         const uint8_t *body) {
    size_t names = message->msgid * sizeof(ids_woken_asker);
    size_t len = message->body_bytes - names;
    bool failed = message->flags & IDS_MESSAGE_FAILED;
    idp_error error = failed ? (idp_error) - (int)message->word : IDP_OK;
    ids_shared *rest = failed ? NULL : ids_shared_new(&worker->buffers, len);
    if (rest) {
        rest->len = (uint32_t)len;
        memcpy(rest->bytes, body + names, len);
    }
    for (uint32_t i = 0; i < message->msgid; i++) {
        ids_woken_asker one;
        memcpy(&one, body + i * sizeof one, sizeof one);
        tell_one(worker, &one, rest, error);
    }
    ids_shared_unref(&worker->buffers, rest);
}
