/* SPDX-License-Identifier: Apache-2.0 */
/* link.c -- bytes and frames; see link.h. The handshake is in handshake.c.
 * Pure. */
#include "server/peer/link.h"

#include <assert.h>
#include <string.h>

void ids_link_accept(ids_link *link) {
    assert(link->in.len == 0 && link->out.len == 0);
    assert(link->session == 0);
    link->state = IDS_LINK_ACCEPTED;
    link->dialled = false;
}

void ids_link_set_seen_host(ids_link *link, const char *host) {
    size_t len = strlen(host);
    assert(link->state != IDS_LINK_CLOSED);
    if (len < sizeof link->seen_host)
        memcpy(link->seen_host, host, len + 1);
}

void ids_link_fini(ids_link *link) {
    idp_bytes_free(&link->in);
    idp_bytes_free(&link->out);
}

static size_t body_max(const ids_link *link) {
    return link->state == IDS_LINK_OPEN ? link->body_bytes_max
                                        : IDS_PF_BODY_BYTES_LOW;
}

bool ids_link_take(ids_link *link, const uint8_t *bytes, size_t len) {
    assert(link->in_at <= link->in.len);
    assert(link->state != IDS_LINK_CLOSED);
    idp_bytes_consume(&link->in, link->in_at);
    link->in_at = 0;
    if (link->in.len + len >
            2 * (IDS_PF_HEAD_BYTES + link->body_bytes_max) + len ||
        !idp_bytes_reserve(&link->in, len))
        return false;
    if (len > 0)
        memcpy(link->in.ptr + link->in.len, bytes, len);
    link->in.len += len;
    assert(link->in.len <= link->in.cap);
    return true;
}

bool ids_link_take_input(ids_link *link, idp_bytes *empty) {
    idp_bytes in = link->in;
    size_t left = in.len - link->in_at;
    assert(link->in_at <= in.len && empty->len == 0);
    if (!idp_bytes_reserve(empty, left))
        return false;
    if (left > 0)
        memcpy(empty->ptr, in.ptr + link->in_at, left);
    empty->len = left;
    link->in = *empty;
    link->in_at = 0;
    *empty = in;
    assert(link->in.len == left && empty->len >= left);
    return true;
}

ids_pf_read_status ids_link_next(ids_link *link, ids_pf *frame) {
    size_t frame_bytes = 0;
    ids_pf_read_status status =
        ids_pf_read(link->in.ptr + link->in_at, link->in.len - link->in_at,
                    body_max(link), frame, &frame_bytes);
    if (status == IDS_PF_WHOLE)
        link->in_at += frame_bytes;
    assert(link->in_at <= link->in.len);
    return status;
}

bool ids_link_say(ids_link *link, ids_pf_kind kind, uint64_t epoch,
                  uint64_t number, uint32_t flags) {
    ids_pf frame = {.kind = kind,
                    .flags = flags,
                    .stream = link->stream,
                    .epoch = epoch,
                    .session = link->session,
                    .number = number};
    assert(link->state != IDS_LINK_CLOSED);
    return ids_pf_append(&link->out, &frame);
}

void ids_link_refuse(ids_link *link, uint64_t epoch, ids_refusal_why why) {
    ids_pf frame = {.kind = IDS_PF_REFUSE,
                    .stream = link->stream,
                    .count = (uint32_t)why,
                    .epoch = epoch,
                    .session = link->session};
    assert(link->state != IDS_LINK_CLOSED);
    assert(why < IDS_REFUSAL_COUNT);
    ids_pf_append(&link->out, &frame);
}

ids_refusal_why ids_link_refused(const ids_pf *frame) {
    return frame->count < IDS_REFUSAL_COUNT ? (ids_refusal_why)frame->count
                                            : IDS_REFUSAL_OTHER;
}
