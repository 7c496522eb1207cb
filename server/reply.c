/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c -- replies on their way out. */
#include "server/reply.h"

#include "proto/request.h"
#include "server/log.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES      (16u << 10)
#define BUFFER_BYTES_KEPT (256u << 10)
#define SMALL_REPLY_BYTES 320

static_assert(SMALL_REPLY_BYTES >= IDP_ERROR_REPLY_BYTES_MAX,
              "an error is a small reply");

const char ids_reply_no_room[] = "too many replies are under way; ask again";

static void take_buffer(ids_desk *desk, ids_bytes *buffer) {
    if (desk->spare_buffers)
        *buffer = desk->spare_buffer[--desk->spare_buffers];
    else
        ids_bytes_reserve(buffer, BUFFER_BYTES);
}

void ids_reply_give_back(ids_desk *desk, ids_bytes *buffer) {
    if (buffer->cap >= BUFFER_BYTES && buffer->cap <= BUFFER_BYTES_KEPT &&
        desk->spare_buffers < IDS_SPARE_BUFFERS) {
        buffer->len = 0;
        desk->spare_buffer[desk->spare_buffers++] = *buffer;
        *buffer = (ids_bytes){0};
    } else {
        ids_bytes_free(buffer);
    }
}

static bool over_budget(const ids_desk *desk, size_t bytes) {
    return desk->buffered_bytes + bytes > desk->house->buffer_bytes_max;
}

/* The last part of the buffers is for small replies alone, so that what is
 * large, and input, are refused before anybody's small reply is. */
static size_t small_share(const ids_desk *desk) {
    return desk->house->buffer_bytes_max / 16;
}

/* A reply that carries a result may be refused where there is no room for it:
 * nothing is lost, it can be asked for again. Small ones may not. */
static bool must_be_refused(const ids_desk *desk, const ids_conn *conn,
                            size_t bytes) {
    return bytes > SMALL_REPLY_BYTES &&
           (over_budget(desk, bytes + small_share(desk)) ||
            ids_conn_unsent(conn) + bytes + SMALL_REPLY_BYTES >
                desk->house->unsent_bytes_max);
}

static void refuse_result(ids_desk *desk, ids_conn *conn, uint32_t msgid) {
    ids_reply_error(desk, conn, msgid, IDP_E_LIMIT, ids_reply_no_room);
}

/* Makes room at the buffer's end by dropping what of it has left. */
static void drop_sent(ids_conn *conn, ids_bytes *to, size_t bytes) {
    size_t *at = to == &conn->out ? &conn->out_at : &conn->gated_at;
    if (to->cap - to->len >= bytes || !*at)
        return;
    ids_bytes_consume(to, *at);
    if (to == &conn->out && conn->body)
        conn->body_before -= *at;
    *at = 0;
}

/* Room for one reply, behind what leaves or behind what is held; NULL when
 * there is none to be had, and then the connection is dead. */
static uint8_t *room_for(ids_desk *desk, ids_conn *conn, size_t bytes,
                         ids_showing shows) {
    bool holds = ids_hold_holds(desk, shows);
    ids_bytes *to = holds ? &conn->gated : &conn->out;
    if (ids_conn_is_dead(conn))
        return NULL;
    if (!to->cap)
        take_buffer(desk, to);
    drop_sent(conn, to, bytes);
    if (ids_conn_unsent(conn) + bytes > desk->house->unsent_bytes_max)
        ids_conn_condemn(desk, conn, "it does not read its replies");
    else if (over_budget(desk, bytes))
        ids_conn_condemn(desk, conn, "the buffers of all connections are full");
    else if (!ids_bytes_reserve(to, bytes) ||
             (holds && !ids_hold_reserve(desk)))
        ids_conn_condemn(desk, conn, "out of memory");
    else
        return to->ptr + to->len;
    return NULL;
}

uint8_t *ids_reply_room(ids_desk *desk, ids_conn *conn, size_t bytes) {
    return room_for(desk, conn, bytes, IDS_SHOWS_NOTHING);
}

/* The one place where a reply becomes sendable: now, or when the change is
 * safe that it shows. */
static void sendable(ids_desk *desk, ids_conn *conn, uint32_t msgid,
                     size_t bytes, ids_showing shows) {
    desk->buffered_bytes += bytes;
    conn->unsent += bytes;
    if (ids_hold_holds(desk, shows)) {
        conn->gated.len += bytes;
        ids_hold_mark(desk, conn, msgid, IDS_HELD_BYTES, bytes);
        return;
    }
    conn->out.len += bytes;
    ids_desk_mark(desk, conn);
}

void ids_reply_answer(ids_desk *desk, ids_conn *conn, uint32_t msgid,
                      const idp_answer *answer) {
    size_t bound = idp_answer_write_bound(answer);
    if (must_be_refused(desk, conn, bound)) {
        refuse_result(desk, conn, msgid);
        return;
    }
    uint8_t *to = room_for(desk, conn, bound, IDS_SHOWS_RECORD);
    ids_desk_worked(desk, IDS_WORK_SERVE, 0, bound);
    if (to)
        sendable(desk, conn, msgid, idp_answer_write(to, bound, msgid, answer),
                 IDS_SHOWS_RECORD);
}

void ids_reply_error(ids_desk *desk, ids_conn *conn, uint32_t msgid,
                     idp_error error, const char *text) {
    ids_count_error(&desk->counters, error);
    uint8_t *to =
        room_for(desk, conn, IDP_ERROR_REPLY_BYTES_MAX, IDS_SHOWS_NOTHING);
    if (to)
        sendable(
            desk, conn, msgid,
            idp_error_write(to, IDP_ERROR_REPLY_BYTES_MAX, msgid, error, text),
            IDS_SHOWS_NOTHING);
}

void ids_reply_pong(ids_desk *desk, ids_conn *conn, uint32_t msgid) {
    uint8_t *to = room_for(desk, conn, IDP_PONG_BYTES_MAX, IDS_SHOWS_NOTHING);
    if (to)
        sendable(desk, conn, msgid,
                 idp_pong_write(to, IDP_PONG_BYTES_MAX, msgid),
                 IDS_SHOWS_NOTHING);
}

void ids_reply_hello(ids_desk *desk, ids_conn *conn, uint32_t msgid) {
    const ids_house *house = desk->house;
    idp_hello hello = {
        .server = "idemstored",
        .protocol = IDP_PROTOCOL_VERSION,
        .epoch = desk->serving.epoch,
        .shards = house->loops,
        .shard = desk->index,
        .result_bytes_max = house->result_bytes_max,
        .frame_bytes_max = idp_request_bytes_max(house->result_bytes_max),
        .pending_max = house->pending_max,
    };
    snprintf(hello.role, sizeof hello.role, "%s",
             desk->serving.stance == IDS_FOLLOWS ? "replica" : "primary");
    snprintf(hello.version, sizeof hello.version, "%s", house->version);
    memcpy(hello.hash_key, house->hash_key, sizeof hello.hash_key);
    uint8_t *to = room_for(desk, conn, IDP_HELLO_BYTES_MAX, IDS_SHOWS_NOTHING);
    if (to)
        sendable(desk, conn, msgid,
                 idp_hello_write(to, IDP_HELLO_BYTES_MAX, msgid, &hello),
                 IDS_SHOWS_NOTHING);
}

void ids_reply_forward(ids_desk *desk, ids_conn *conn, uint32_t msgid,
                       idp_slice reply) {
    if (must_be_refused(desk, conn, reply.len))
        refuse_result(desk, conn, msgid);
    else
        ids_reply_bytes(desk, conn, reply.ptr, reply.len);
}

void ids_reply_bytes(ids_desk *desk, ids_conn *conn, const void *bytes,
                     size_t len) {
    uint8_t *to = room_for(desk, conn, len, IDS_SHOWS_NOTHING);
    if (!to)
        return;
    memcpy(to, bytes, len);
    sendable(desk, conn, 0, len, IDS_SHOWS_NOTHING);
}

bool ids_reply_mail_is_full(const ids_desk *desk, const ids_parcel *parcel,
                            uint32_t loop) {
    size_t under_way = ids_mailbox_bytes(&desk->house->mailboxes[loop]);
    return under_way + parcel->mail.len > desk->house->buffer_bytes_max;
}

static size_t write_reply(uint8_t *at, size_t bound, const ids_reply_to *to,
                          idp_error error, const idp_answer *answer) {
    return answer ? idp_answer_write(at, bound, to->msgid, answer)
                  : idp_error_write(at, bound, to->msgid, error, to->text);
}

/* One connection's replies of one turn, counted where they are made: what its
 * own loop would refuse had better not travel there. Requests of one
 * connection come one behind the other, so the last one's count will do. */
static bool asker_has_enough(ids_desk *desk, ids_asker asker, size_t bytes) {
    if (desk->mailed_to != asker) {
        desk->mailed_to = asker;
        desk->mailed_bytes = 0;
    }
    if (desk->mailed_bytes + bytes > desk->house->unsent_bytes_max)
        return true;
    desk->mailed_bytes += bytes;
    return false;
}

void ids_reply_mail(ids_desk *desk, const ids_reply_to *to, idp_error error,
                    const idp_answer *answer) {
    uint32_t loop = ids_asker_loop(to->asker);
    ids_parcel *parcel = ids_hold_parcel(
        desk, loop, answer ? IDS_SHOWS_RECORD : IDS_SHOWS_NOTHING);
    size_t bound =
        answer ? idp_answer_write_bound(answer) : IDP_ERROR_REPLY_BYTES_MAX;
    ids_mail mail = {.asker = to->asker,
                     .word = bound,
                     .msgid = to->msgid,
                     .kind = IDS_MAIL_REPLY,
                     .flags = to->flags,
                     .asked_bytes = to->asked_bytes};
    size_t before = parcel ? parcel->mail.len : 0;
    uint8_t *body = NULL;
    if (parcel && (bound <= SMALL_REPLY_BYTES ||
                   (!ids_reply_mail_is_full(desk, parcel, loop) &&
                    !asker_has_enough(desk, to->asker, bound)))) {
        mail.body_bytes = (uint32_t)bound;
        body = ids_mail_append(parcel, &mail, NULL);
    }
    if (!body && parcel) {
        error = IDP_E_LIMIT;
        answer = NULL;
        bound = mail.body_bytes = IDP_ERROR_REPLY_BYTES_MAX;
        body = ids_mail_append(parcel, &mail, NULL);
    }
    if (!body) {
        /* Its asker's deadline tells the client; a nonce makes it safe. */
        desk->counters.of[IDS_REPLIES_LOST_TOTAL]++;
        ids_log(IDS_LOG_ERROR, "reply lost: out of memory", NULL);
        return;
    }
    if (!answer)
        ids_count_error(&desk->counters, error);
    size_t size = write_reply(body, bound, to, error, answer);
    ids_mail_trim(parcel, body, (uint32_t)size);
    ids_hold_mailed(desk, loop, parcel, before);
}
