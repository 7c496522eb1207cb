/* SPDX-License-Identifier: Apache-2.0 */
/* hold.c -- the commit gate; see hold.h. */
#include "server/hold.h"

#include "server/log.h"
#include "server/reply.h"

#include <assert.h>
#include <string.h>

/* So many replies leave in one turn, so many of them in one go. */
#define RELEASED_A_TURN 4096
#define RUN_MAX         256
/* What the queue may keep when it is empty. */
#define HELD_BYTES_KEPT (256u << 10)

/* The queue of marks ------------------------------------------------------ */

static ids_held *mark_at(const ids_desk *desk, size_t at) {
    return (ids_held *)(void *)(desk->held.ptr + at);
}

static const ids_held *first_mark(const ids_desk *desk) {
    return desk->held_at < desk->held.len ? mark_at(desk, desk->held_at) : NULL;
}

/* So many replies are held no longer; those of a connection that went are not
 * counted any more. */
static void count_left(ids_desk *desk, ids_conn *conn, uint32_t count) {
    desk->held_replies -= count;
    if (conn)
        conn->gated_replies -= count;
}

/* The first count marks are dealt with. */
static void drop_marks(ids_desk *desk, uint32_t count) {
    ids_bytes_take(&desk->held, &desk->held_at, count * sizeof(ids_held));
    if (!desk->held.len && desk->held.cap > HELD_BYTES_KEPT)
        ids_bytes_free(&desk->held);
}

bool ids_hold_reserve(ids_desk *desk) {
    return ids_bytes_reserve(&desk->held, sizeof(ids_held));
}

static void push_mark(ids_desk *desk, ids_asker asker, uint32_t msgid,
                      ids_held_kind kind, size_t bytes) {
    const ids_held mark = {.asker = asker,
                           .number = desk->changes,
                           .since_ms = desk->now_ms,
                           .bytes = (uint32_t)bytes,
                           .msgid = msgid,
                           .kind = (uint8_t)kind};
    bool marked = ids_bytes_append(&desk->held, &mark, sizeof mark);
    assert(marked); /* there was room: ids_hold_reserve */
    (void)marked;
    desk->held_replies++;
}

void ids_hold_mark(ids_desk *desk, ids_conn *conn, uint32_t msgid,
                   ids_held_kind kind, size_t bytes) {
    push_mark(desk, conn->asker, msgid, kind, bytes);
    conn->gated_replies++;
}

uint64_t ids_hold_oldest_ms(const ids_desk *desk) {
    const ids_held *first = first_mark(desk);
    return first ? first->since_ms : UINT64_MAX;
}

bool ids_hold_has_more(const ids_desk *desk) {
    const ids_held *first = first_mark(desk);
    return first && !desk->shut && first->number <= desk->watermark;
}

/* Mail to other workers --------------------------------------------------- */

ids_parcel *ids_hold_parcel(ids_desk *desk, uint32_t loop, ids_showing shows) {
    if (!ids_hold_holds(desk, shows))
        return ids_desk_parcel(desk, loop);
    return ids_hold_reserve(desk) ? &desk->gated_mail[loop].parcel : NULL;
}

void ids_hold_mailed(ids_desk *desk, uint32_t loop, const ids_parcel *parcel,
                     size_t before) {
    if (parcel == &desk->gated_mail[loop].parcel)
        push_mark(desk, ids_desk_asker(loop), 0, IDS_HELD_MAIL,
                  parcel->mail.len - before);
}

/* Moves the first bytes of what is held for a worker among what goes out. */
static bool post_mail(ids_desk *desk, uint32_t loop, size_t bytes) {
    ids_gated_mail *gated = &desk->gated_mail[loop];
    ids_bytes *from = &gated->parcel.mail;
    bool is_new = !desk->outgoing[loop];
    ids_parcel *to = ids_desk_parcel(desk, loop);
    assert(gated->at + bytes <= from->len);
    if (!to)
        return false;
    if (is_new && gated->at == 0 && bytes == from->len) {
        ids_bytes empty = to->mail;
        to->mail = *from;
        *from = empty;
        return true;
    }
    if (!ids_bytes_append(&to->mail, from->ptr + gated->at, bytes))
        return false;
    ids_bytes_take(from, &gated->at, bytes);
    return true;
}

/* What leaves ------------------------------------------------------------- */

/* The first of a connection's held bytes are done with. */
static void skip_bytes(ids_desk *desk, ids_conn *conn, size_t bytes) {
    ids_bytes_take(&conn->gated, &conn->gated_at, bytes);
    if (!conn->gated.len)
        ids_reply_give_back(desk, &conn->gated);
}

/* A connection's held bytes are free: behind its output, which is often empty,
 * and then the two change places. */
static void free_bytes(ids_desk *desk, ids_conn *conn, size_t bytes) {
    ids_bytes *gated = &conn->gated;
    size_t all = gated->len - conn->gated_at;
    assert(bytes <= all);
    if (bytes == all && conn->out_at == conn->out.len && !conn->body) {
        ids_bytes empty = conn->out;
        size_t at = conn->gated_at;
        conn->out = *gated;
        conn->out_at = at;
        *gated = empty;
        conn->gated_at = gated->len = 0;
        ids_reply_give_back(desk, gated);
    } else if (ids_bytes_append(&conn->out, gated->ptr + conn->gated_at,
                                bytes)) {
        skip_bytes(desk, conn, bytes);
    } else {
        ids_conn_condemn(desk, conn, "out of memory");
    }
}

static void free_deferred(ids_desk *desk, ids_conn *conn) {
    ids_deferred first;
    bool there = ids_deferred_take(desk, &conn->gated_later, &first);
    assert(there);
    (void)there;
    if (!ids_deferred_put(desk, &conn->later, first.rest, first.msgid))
        ids_conn_condemn(desk, conn, "out of memory");
    ids_shared_unref(desk, first.rest);
}

/* Marks of one asker and one kind that stand in a row and may leave: they
 * leave together. Returns how many; 0: no memory. */
static uint32_t release_run(ids_desk *desk, const ids_held *first) {
    const ids_held run = *first;
    const ids_held *end = mark_at(desk, desk->held.len);
    ids_conn *conn = NULL;
    uint32_t count = 0;
    size_t bytes = 0;
    for (;
         first < end && first->asker == run.asker && first->kind == run.kind &&
         first->number <= desk->watermark && count < RUN_MAX;
         first++) {
        count++;
        bytes += first->bytes;
    }
    if (run.kind == IDS_HELD_MAIL) {
        if (!post_mail(desk, ids_asker_loop(run.asker), bytes))
            return 0;
        count_left(desk, NULL, count);
        return count;
    }
    conn = ids_desk_find(desk, run.asker);
    if (!conn)
        return count;
    count_left(desk, conn, count);
    if (ids_conn_is_dead(conn)) /* its bytes go with it */
        return count;
    if (run.kind == IDS_HELD_BYTES)
        free_bytes(desk, conn, bytes);
    for (uint32_t i = 0; run.kind == IDS_HELD_DEFERRED && i < count; i++)
        free_deferred(desk, conn);
    ids_desk_mark(desk, conn);
    return count;
}

void ids_hold_release(ids_desk *desk, uint64_t watermark) {
    const ids_held *first;
    uint32_t released = 0;
    if (desk->shut)
        return;
    desk->watermark = watermark;
    while (released < RELEASED_A_TURN && (first = first_mark(desk)) &&
           first->number <= watermark) {
        uint32_t count = release_run(desk, first);
        if (count == 0)
            return; /* with the next release */
        drop_marks(desk, count);
        released += count;
    }
}

/* What never leaves ------------------------------------------------------- */

/* The mail keeps its size; its desk writes the error. False: no memory. */
static bool fail_mail(ids_desk *desk, const ids_held *mark, idp_error error) {
    uint32_t loop = ids_asker_loop(mark->asker);
    const ids_gated_mail *gated = &desk->gated_mail[loop];
    const ids_parcel part = {
        {gated->parcel.mail.ptr + gated->at, mark->bytes, mark->bytes}};
    size_t at = 0;
    ids_mail mail;
    uint8_t *body;
    while (ids_mail_next(&part, &at, &mail, &body)) {
        if (mail.kind != IDS_MAIL_REPLY && mail.kind != IDS_MAIL_REPLAYS)
            continue;
        mail.flags |= IDS_MAIL_FAILED;
        mail.word = (uint64_t) - (int)error;
        ids_mail_rewrite(body, &mail);
    }
    if (!post_mail(desk, loop, mark->bytes))
        return false;
    count_left(desk, NULL, 1);
    return true;
}

static bool fail_one(ids_desk *desk, const ids_held *mark, idp_error error,
                     const char *text) {
    ids_conn *conn;
    if (mark->kind == IDS_HELD_MAIL)
        return fail_mail(desk, mark, error);
    conn = ids_desk_find(desk, mark->asker);
    if (!conn)
        return true;
    count_left(desk, conn, 1);
    if (ids_conn_is_dead(conn))
        return true;
    if (mark->kind == IDS_HELD_BYTES && IDS_RULE_OFF(REVOKES)) {
        free_bytes(desk, conn, mark->bytes);
        return true;
    }
    if (mark->kind == IDS_HELD_BYTES) {
        skip_bytes(desk, conn, mark->bytes);
        desk->buffered_bytes -= mark->bytes;
        conn->unsent -= mark->bytes;
    } else {
        ids_deferred first;
        if (ids_deferred_take(desk, &conn->gated_later, &first))
            ids_shared_unref(desk, first.rest);
    }
    ids_reply_error(desk, conn, mark->msgid, error, text);
    return true;
}

void ids_hold_fail(ids_desk *desk, uint64_t since_ms, idp_error error,
                   const char *text) {
    const ids_held *first;
    if (desk->shut)
        return;
    while ((first = first_mark(desk)) && first->since_ms <= since_ms) {
        const ids_held mark = *first;
        if (!fail_one(desk, &mark, error, text)) {
            /* Its errors may leave at any time. */
            mark_at(desk, desk->held_at)->number = 0;
            return;
        }
        drop_marks(desk, 1);
    }
}

/* The gate ----------------------------------------------------------------- */

void ids_hold_all(ids_desk *desk) {
    desk->shut = true;
    desk->watermark = 0;
    desk->changes += desk->changes == 0;
}

static void keep(ids_desk *desk, const ids_change *change) {
    ids_journal_take(desk->journal, change);
    if (ids_journal_has_failed(desk->journal))
        ids_hold_all(desk);
}

/* Encoded once: the journal takes the bytes that the streams get.
 *
 * The desk counts, not the shard: one count for all that its journal keeps,
 * its own changes and another node's, whichever shard is in place. */
void ids_hold_change(void *ctx, const ids_change *change) {
    ids_desk *desk = ctx;
    ids_change numbered = *change;
    numbered.number = ++desk->changes;
    IDS_RULE_NOTE(desk->has_changed = true);
    if (desk->tap.is_on)
        numbered.encoded = ids_tap_take(&desk->tap, numbered.number, &numbered);
    if (desk->journal)
        keep(desk, &numbered);
    if (ids_tap_is_high(&desk->tap))
        desk->host.tap_is_high(desk->host.ctx);
}

void ids_hold_put(ids_desk *desk, const ids_change *change) {
    if (!desk->journal)
        return;
    ids_change numbered = *change;
    numbered.number = ++desk->changes;
    keep(desk, &numbered);
}

static void mark_stalled(ids_desk *desk) {
    for (uint32_t i = 0; i < desk->slots_used; i++)
        if (desk->slots[i].conn && ids_conn_is_stalled(desk->slots[i].conn))
            ids_desk_mark(desk, desk->slots[i].conn);
}

void ids_hold_set_full(ids_desk *desk, bool full) {
    bool was = desk->full;
    desk->full = full;
    if (was && !full)
        mark_stalled(desk);
}

/* Claims that are not taken -------------------------------------------------
 */

/* Whether the acquire would make a claim, rather than hear of another's. */
static bool would_claim(ids_desk *desk, const ids_call *call) {
    idp_request peek = {
        .method = IDP_PEEK, .ns = call->request->ns, .key = call->request->key};
    ids_call look = *call;
    idp_answer answer = {0};
    idp_error error;
    look.request = &peek;
    ids_verdict verdict = ids_shard_call(desk->shard, &look, &answer, &error);
    assert(verdict == IDS_ANSWERED);
    (void)verdict;
    return answer.state == IDP_STATE_ABSENT ||
           answer.state == IDP_STATE_RELEASED ||
           (answer.state == IDP_STATE_ORPHANED &&
            call->request->on_orphan == IDP_TAKEOVER);
}

static const char *too_many_waiters(const ids_desk *desk) {
    ids_shard_stats stats;
    ids_shard_stats_get(desk->shard, &stats);
    return stats.waiters >= desk->shard_config.waiters_max
               ? "too many acquires wait (--max-waiters)"
               : "too many acquires wait for this key (--max-waiters-per-key)";
}

ids_verdict ids_hold_call(ids_desk *desk, const ids_call *call,
                          idp_answer *answer, idp_error *error,
                          const char **text) {
    *text = NULL;
    if (call->request->token.epoch >= desk->epoch_end) {
        *error = ids_serving_refuses(&desk->serving, call->request, text);
        if (*error != IDP_OK)
            return IDS_REFUSED;
    }
    if (call->request->method == IDP_ACQUIRE &&
        (desk->disk_is_full || desk->now_ms < desk->claims_from_ms) &&
        would_claim(desk, call)) {
        *error = desk->disk_is_full ? IDP_E_NO_MEMORY : IDP_E_LIMIT;
        *text = desk->disk_is_full
                    ? "the disk is nearly full; the claim was not made"
                    : "no claims are taken for a while after an empty start "
                      "(--hold-claims); ask again";
        return IDS_REFUSED;
    }
    IDS_RULE_NOTE(desk->has_changed = false);
    ids_verdict verdict = ids_shard_call(desk->shard, call, answer, error);
    if (desk->woken.rest)
        ids_reply_woken_end(desk);
    if (verdict == IDS_REFUSED && *error == IDP_E_LIMIT)
        *text = too_many_waiters(desk);
    return verdict;
}
