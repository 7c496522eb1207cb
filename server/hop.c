/* SPDX-License-Identifier: Apache-2.0 */
/* hop.c -- requests for keys that another loop owns, and their way back. */
#include "server/hop.h"

#include "proto/request.h"
#include "server/dispatch.h"
#include "server/hold.h"
#include "server/reply.h"

#include <assert.h>

/* So long a connection's output waits for what it asked of other loops. */
#define HELD_MS_MAX      2
/* Of those who wait for room to hop. */
#define LOOKED_AT_A_TURN 256

void ids_hop_ask(ids_desk *desk, ids_conn *conn, const ids_item *item) {
    const idp_request *request = &item->request;
    bool waits = request->method == IDP_ACQUIRE && request->wait_ms;
    ids_mail mail = {.asker = conn->asker,
                     .word = item->hash,
                     .msgid = request->msgid,
                     .body_bytes = item->frame_bytes,
                     .kind = IDS_MAIL_ASK};
    if (waits)
        mail.flags |= IDS_MAIL_WAITS;
    if (request->result_too_large)
        mail.flags |= IDS_MAIL_RESULT_TOO_LARGE;
    ids_parcel *parcel = ids_desk_parcel(desk, item->owner);
    if (!parcel || !ids_mail_append(parcel, &mail, item->frame)) {
        ids_reply_error(desk, conn, request->msgid, IDP_E_NO_MEMORY, NULL);
        return;
    }
    desk->counters.of[IDS_HOPS_TOTAL]++;
    if (waits) {
        conn->waiting++;
        return;
    }
    ids_hop_went(desk, conn);
    conn->hopped_bytes += item->frame_bytes + IDS_HOP_REPLY_BYTES;
    desk->buffered_bytes += item->frame_bytes + IDS_HOP_REPLY_BYTES;
}

/* Room to hop -------------------------------------------------------------- */

bool ids_hop_has_room(const ids_desk *desk, uint32_t loop, size_t frame_bytes) {
    size_t share = desk->house->buffer_bytes_max;
    const ids_parcel *parcel = desk->outgoing[loop];
    size_t mail = parcel ? parcel->mail.len : 0;
    size_t bytes = frame_bytes + IDS_HOP_REPLY_BYTES;
    mail += ids_mailbox_bytes(&desk->house->mailboxes[loop]);
    if (mail && mail + bytes > share / 2)
        return false;
    return !desk->hops || desk->buffered_bytes + bytes <= share / 4 * 3;
}

void ids_hop_stand_in_line(ids_desk *desk, ids_conn *conn,
                           const ids_item *item) {
    assert(!conn->wants_room);
    conn->wants_room = true;
    conn->room_loop = item->owner;
    conn->room_bytes = item->frame_bytes;
    ids_list_append(&desk->for_room, &conn->in_for_room);
}

void ids_hop_leave_line(ids_desk *desk, ids_conn *conn) {
    if (!conn->wants_room)
        return;
    conn->wants_room = false;
    ids_list_remove(&desk->for_room, &conn->in_for_room);
}

/* Those who find none keep their places. */
void ids_hop_serve_line(ids_desk *desk) {
    ids_listed *at = desk->for_room.head;
    for (int i = 0; i < LOOKED_AT_A_TURN && at && ids_desk_may_read(desk);
         i++) {
        ids_conn *conn = IDS_LISTED(ids_conn, in_for_room, at);
        at = at->next;
        if (ids_hop_has_room(desk, conn->room_loop, conn->room_bytes)) {
            ids_hop_leave_line(desk, conn);
            if (ids_conn_may_serve(desk, conn))
                ids_conn_resume(desk, conn);
            ids_desk_mark(desk, conn);
        }
    }
}

/* Output that waits for hops ----------------------------------------------- */

void ids_hop_hold(ids_desk *desk, ids_conn *conn) {
    if (conn->held || !conn->hopped)
        return;
    conn->held = conn->hopped;
    conn->held_since_ms = desk->now_ms;
    ids_list_append(&desk->for_hops, &conn->in_for_hops);
}

void ids_hop_send_on(ids_desk *desk, ids_conn *conn) {
    if (!conn->held)
        return;
    conn->held = 0;
    ids_list_remove(&desk->for_hops, &conn->in_for_hops);
}

void ids_hop_came(ids_desk *desk, ids_conn *conn) {
    if (conn->held > 1)
        conn->held--;
    else
        ids_hop_send_on(desk, conn);
}

void ids_hop_went(ids_desk *desk, ids_conn *conn) {
    conn->hopped++;
    desk->hops++;
}

void ids_hop_returned(ids_desk *desk, ids_conn *conn) {
    assert(conn->hopped && desk->hops);
    conn->hopped--;
    desk->hops--;
    ids_hop_came(desk, conn);
}

uint64_t ids_hop_next_ms(const ids_desk *desk) {
    const ids_conn *first =
        IDS_LIST_FIRST(ids_conn, in_for_hops, &desk->for_hops);
    return first ? first->held_since_ms + HELD_MS_MAX : UINT64_MAX;
}

void ids_hop_tick(ids_desk *desk) {
    while (ids_hop_next_ms(desk) <= desk->now_ms) {
        ids_conn *conn = IDS_LISTED(ids_conn, in_for_hops, desk->for_hops.head);
        ids_hop_send_on(desk, conn);
        ids_desk_mark(desk, conn);
    }
}

/* There and back ----------------------------------------------------------- */

void ids_hop_deliver(ids_desk *desk, const ids_mail *mail,
                     const uint8_t *body) {
    ids_conn *conn = ids_desk_find(desk, mail->asker);
    if (!conn)
        return; /* it died meanwhile */
    if (mail->flags & IDS_MAIL_WAITS) {
        if (conn->ended)
            return; /* forgotten already */
        assert(conn->waiting);
        conn->waiting--;
    } else {
        size_t bytes = mail->asked_bytes + IDS_HOP_REPLY_BYTES;
        assert(conn->hopped_bytes >= bytes);
        conn->hopped_bytes -= bytes;
        desk->buffered_bytes -= bytes;
        ids_hop_returned(desk, conn);
        uint32_t guess = conn->hop_reply_bytes;
        guess -= guess / 8;
        conn->hop_reply_bytes =
            mail->word > guess ? (uint32_t)mail->word : guess;
    }
    if (mail->flags & IDS_MAIL_FAILED) {
        idp_error error = (idp_error) - (int)mail->word;
        ids_reply_error(desk, conn, mail->msgid, error,
                        ids_serving_text(&desk->serving, error));
        return;
    }
    ids_reply_forward(desk, conn, mail->msgid,
                      (idp_slice){body, mail->body_bytes});
}

/* What was asked, in the parcel it came in, is read a second time: cheaper
 * than carrying it decoded. */
static void read_ask(ids_desk *desk, ids_item *item, const ids_mail *mail,
                     const uint8_t *body) {
    const idp_read_limits limits = {desk->house->result_bytes_max};
    idp_read_fault fault;
    size_t frame_bytes;
    idp_read read = idp_request_read(body, mail->body_bytes, &limits,
                                     &item->request, &frame_bytes, &fault);
    assert(read == IDP_READ_WHOLE && frame_bytes == mail->body_bytes);
    if (mail->flags & IDS_MAIL_RESULT_TOO_LARGE)
        item->request.result_too_large = true;
    item->owner = desk->index;
    item->hash = mail->word;
    item->asker = mail->asker;
    item->frame_bytes = mail->body_bytes;
}

static void call_shard(ids_desk *desk, const ids_item *item) {
    const idp_request *request = &item->request;
    const ids_call call = {.request = request,
                           .hash = item->hash,
                           .now_ms = desk->now_ms,
                           .asker = item->asker};
    bool waits = request->method == IDP_ACQUIRE && request->wait_ms;
    ids_reply_to to = {.asker = item->asker,
                       .msgid = request->msgid,
                       .asked_bytes = item->frame_bytes,
                       .flags = waits ? IDS_MAIL_WAITS : 0};
    idp_answer answer;
    idp_error error = IDP_OK;
    if (desk->draining && waits) {
        ids_reply_mail(desk, &to, IDP_E_SHUTTING_DOWN, NULL);
        return;
    }
    if (desk->journal && ids_journal_is_over(desk->journal)) {
        to.text = "too much waits for the disk; nothing was changed, ask again";
        ids_reply_mail(desk, &to, IDP_E_LIMIT, NULL);
        return;
    }
    switch (ids_hold_call(desk, &call, &answer, &error, &to.text)) {
    case IDS_ANSWERED:
        ids_reply_mail(desk, &to, IDP_OK, &answer);
        break;
    case IDS_PARKED:
        break;
    case IDS_REFUSED:
        ids_reply_mail(desk, &to, error, NULL);
        break;
    }
}

/* Carries out what was collected, as far as this turn goes: one request may
 * wake many. Returns how many it did not; *at is set to where the first of them
 * stands. */
static uint32_t call_batch(ids_desk *desk, uint32_t count,
                           const size_t starts[IDS_BATCH_MAX], size_t *at) {
    uint32_t done = 0;
    ids_dispatch_prefetch(desk, count);
    while (done < count && ids_desk_may(desk, IDS_WORK_WAKE))
        call_shard(desk, &desk->batch[done++]);
    desk->asked_by_others += done;
    if (done < count)
        *at = starts[done];
    return count - done;
}

static void open_other(ids_desk *desk, const ids_mail *mail, uint8_t *body,
                       ids_copy_parcel *records) {
    switch ((ids_mail_kind)mail->kind) {
    case IDS_MAIL_REPLY:
        ids_hop_deliver(desk, mail, body);
        break;
    case IDS_MAIL_REPLAYS:
        ids_reply_to_all(desk, mail, body);
        break;
    case IDS_MAIL_FORGET:
        ids_shard_forget(desk->shard, mail->asker);
        break;
    case IDS_MAIL_GIVE: {
        ids_conn *conn = (ids_conn *)(uintptr_t)mail->word;
        if (!ids_desk_adopt(desk, conn))
            desk->host.refuse(desk->host.ctx, conn);
        break;
    }
    case IDS_MAIL_INQUIRY:
        ids_inquiry_tell(desk, mail);
        break;
    case IDS_MAIL_PART:
        ids_inquiry_told(desk, mail, body);
        break;
    case IDS_MAIL_NOTICE:
        desk->host.notice(desk->host.ctx, (ids_notice)mail->word);
        break;
    case IDS_MAIL_ORDER:
        ids_orders_take(desk, mail);
        break;
    case IDS_MAIL_APPLY:
        ids_copy_apply(desk, mail, body, records);
        break;
    case IDS_MAIL_APPLIED:
        ids_copy_applied(desk, body);
        break;
    case IDS_MAIL_ASK:
        assert(!"read in batches");
        break;
    }
}

/* Whether a turn has time for another piece of mail. */
static bool may_open(const ids_desk *desk) {
    return ids_desk_may(desk, IDS_WORK_MAIL) &&
           ids_desk_may(desk, IDS_WORK_WAKE);
}

bool ids_hop_open(ids_desk *desk, const ids_parcel *parcel, size_t *at) {
    size_t starts[IDS_BATCH_MAX];
    uint32_t count = 0, left = 0;
    bool more = true;
    ids_copy_parcel records = {0};
    ids_mail mail;
    uint8_t *body;
    while (!left && may_open(desk)) {
        size_t start = *at;
        more = ids_mail_next(parcel, at, &mail, &body);
        if (more && mail.kind == IDS_MAIL_ASK) {
            ids_desk_worked(desk, IDS_WORK_MAIL, 1, mail.body_bytes);
            starts[count] = start;
            read_ask(desk, &desk->batch[count++], &mail, body);
            if (count < IDS_BATCH_MAX)
                continue;
        }
        left = call_batch(desk, count, starts, at);
        count = 0;
        if (!more)
            break;
        if (left || mail.kind == IDS_MAIL_ASK)
            continue;
        ids_desk_worked(desk, IDS_WORK_MAIL, 1, mail.body_bytes);
        open_other(desk, &mail, body, &records);
    }
    if (count)
        left = call_batch(desk, count, starts, at);
    ids_copy_close(desk, &records);
    return !more && !left;
}
