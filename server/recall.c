/* recall.c -- held replies that will never leave; see recall.h. */
#include "server/recall.h"

#include "proto/reply.h"
#include "server/log.h"

#include <assert.h>

static bool shows_record(const idp_reply *reply) {
    return !reply->is_error && reply->result.len > 0 &&
           (reply->result.ptr[0] & 0xf0) == 0x90;
}

static bool append_error(ids_desk *desk, ids_bytes *to, uint32_t msgid,
                         const ids_recall *recall) {
    if (!ids_bytes_reserve(to, IDP_ERROR_REPLY_BYTES_MAX))
        return false;
    to->len += idp_error_write(to->ptr + to->len, IDP_ERROR_REPLY_BYTES_MAX,
                               msgid, recall->error, recall->text);
    ids_count_error(&desk->counters, recall->error);
    return true;
}

/* Writes what takes the replies' place. What is no reply (a line of text
 * before the close) stays as it is, to the end. */
static bool rewrite(ids_desk *desk, idp_slice held, ids_bytes *to,
                    const ids_recall *recall) {
    size_t bytes_max = idp_reply_bytes_max(desk->house->result_bytes_max);
    for (size_t at = 0, size = 0; at < held.len; at += size) {
        idp_reply reply;
        const uint8_t *from = held.ptr + at;
        bool good = true;
        if (idp_reply_open(from, held.len - at, bytes_max, &reply, &size) !=
            IDP_REPLY_WHOLE)
            return ids_bytes_append(to, from, held.len - at);
        if (shows_record(&reply))
            good = append_error(desk, to, reply.msgid, recall);
        else
            good = ids_bytes_append(to, from, size);
        if (!good)
            return false;
    }
    return true;
}

/* Puts the new bytes where the held part was. */
static bool replace(ids_desk *desk, ids_conn *conn, size_t at, size_t len,
                    ids_bytes *with) {
    ids_bytes *out = &conn->out;
    size_t behind = at + len;
    if (!ids_bytes_append(with, out->ptr + behind, out->len - behind))
        return false;
    size_t had = out->len;
    out->len = at;
    if (!ids_bytes_append(out, with->ptr, with->len)) {
        out->len = had;
        return false;
    }
    desk->buffered_bytes += out->len;
    desk->buffered_bytes -= had;
    return ids_conn_unsent(conn) <= desk->house->unsent_bytes_max;
}

void ids_recall_part(ids_desk *desk, ids_conn *conn, const ids_recall *recall) {
    ids_bytes with = {0};
    size_t len = conn->gated[0].bytes;
    size_t at = conn->out.len - len - conn->gated[1].bytes;
    const idp_slice held = {conn->out.ptr + at, len};
    assert(at >= conn->out_at);
    if (!rewrite(desk, held, &with, recall) ||
        !replace(desk, conn, at, len, &with)) {
        ids_log(IDS_LOG_WARN, "connection closed", "fd=%d reason=\"%s\"",
                conn->fd, "no memory to say that its replies are lost");
        desk->counters.of[IDS_CLOSED_BY_LIMIT_TOTAL]++;
        conn->dead = true;
    }
    ids_bytes_free(&with);
}

void ids_recall_mail(const ids_parcel *parcel, idp_error error) {
    size_t at = 0;
    ids_mail mail;
    uint8_t *body;
    while (ids_mail_next(parcel, &at, &mail, &body)) {
        if (mail.kind != IDS_MAIL_REPLY)
            continue;
        mail.flags |= IDS_MAIL_FAILED;
        mail.word = (uint64_t) - (int)error;
        ids_mail_rewrite(body, &mail);
    }
}
