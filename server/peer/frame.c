/* SPDX-License-Identifier: Apache-2.0 */
/* frame.c -- see frame.h. Write and read stand side by side. Pure. */
#include "server/peer/frame.h"

#include "server/base/pack.h"
#include "server/journal/crc32c.h"

#include <assert.h>
#include <string.h>

/* Where what stands in a head; see frame.h. */
enum {
    BODY_BYTES_AT = 0,
    CRC_AT = 4,
    CHECKED_AT = 8, /* from here on by the checksum */
    KIND_AT = 8,
    FLAGS_AT = 9,
    STREAM_AT = 10,
    COUNT_AT = 12,
    EPOCH_AT = 16,
    SESSION_AT = 24,
    NUMBER_AT = 32
};

_Static_assert(NUMBER_AT + 8 == IDS_PF_HEAD_BYTES, "the body follows");
_Static_assert(CHECKED_AT + IDS_PF_SIGNED_BYTES == IDS_PF_HEAD_BYTES,
               "what is said is what is checked");
_Static_assert(STREAM_AT + 2 <= IDS_PF_PEEK_BYTES, "the stream can be seen");

bool ids_pf_begin(idp_bytes *to, size_t *frame_at) {
    if (!idp_bytes_reserve(to, IDS_PF_HEAD_BYTES))
        return false;
    *frame_at = to->len;
    to->len += IDS_PF_HEAD_BYTES;
    assert(to->len <= to->cap);
    return true;
}

static void put_said(uint8_t *head, const ids_pf *frame) {
    assert(frame->flags <= UINT8_MAX);
    assert(frame->stream <= UINT16_MAX);
    head[KIND_AT] = (uint8_t)frame->kind;
    head[FLAGS_AT] = (uint8_t)frame->flags;
    ids_put_u16(head + STREAM_AT, (uint16_t)frame->stream);
    ids_put_u32(head + COUNT_AT, frame->count);
    ids_put_u64(head + EPOCH_AT, frame->epoch);
    ids_put_u64(head + SESSION_AT, frame->session);
    ids_put_u64(head + NUMBER_AT, frame->number);
}

static ids_pf get_said(const uint8_t *head) {
    return (ids_pf){.kind = (ids_pf_kind)head[KIND_AT],
                    .flags = head[FLAGS_AT],
                    .stream = ids_get_u16(head + STREAM_AT),
                    .count = ids_get_u32(head + COUNT_AT),
                    .epoch = ids_get_u64(head + EPOCH_AT),
                    .session = ids_get_u64(head + SESSION_AT),
                    .number = ids_get_u64(head + NUMBER_AT)};
}

static uint32_t frame_checksum(const uint8_t *head, uint32_t body_bytes) {
    return ids_crc32c(body_bytes, head + CHECKED_AT,
                      IDS_PF_SIGNED_BYTES + (size_t)body_bytes);
}

void ids_pf_signed(const ids_pf *frame,
                   uint8_t to[static IDS_PF_SIGNED_BYTES]) {
    uint8_t head[IDS_PF_HEAD_BYTES];
    put_said(head, frame);
    memcpy(to, head + CHECKED_AT, IDS_PF_SIGNED_BYTES);
}

uint32_t ids_pf_peek_stream(const uint8_t bytes[static IDS_PF_PEEK_BYTES]) {
    return ids_get_u16(bytes + STREAM_AT);
}

void ids_pf_seal(idp_bytes *to, size_t frame_at, const ids_pf *frame) {
    assert(frame_at + IDS_PF_HEAD_BYTES <= to->len);
    uint8_t *head = to->ptr + frame_at;
    size_t body_bytes = to->len - frame_at - IDS_PF_HEAD_BYTES;
    assert(body_bytes <= UINT32_MAX);
    put_said(head, frame);
    ids_put_u32(head + BODY_BYTES_AT, (uint32_t)body_bytes);
    ids_put_u32(head + CRC_AT, frame_checksum(head, (uint32_t)body_bytes));
}

bool ids_pf_append(idp_bytes *to, const ids_pf *frame) {
    size_t at;
    if (!idp_bytes_reserve(to, IDS_PF_HEAD_BYTES + frame->body.len) ||
        !ids_pf_begin(to, &at))
        return false;
    if (frame->body.len > 0)
        memcpy(to->ptr + to->len, frame->body.ptr, frame->body.len);
    to->len += frame->body.len;
    ids_pf_seal(to, at, frame);
    return true;
}

ids_pf_read_status ids_pf_read(const uint8_t *bytes, size_t len,
                               size_t body_bytes_max, ids_pf *frame,
                               size_t *frame_bytes) {
    uint32_t body_bytes;
    if (len < BODY_BYTES_AT + sizeof body_bytes)
        return IDS_PF_PARTIAL;
    body_bytes = ids_get_u32(bytes + BODY_BYTES_AT);
    if (body_bytes > body_bytes_max)
        return IDS_PF_BROKEN;
    *frame_bytes = IDS_PF_HEAD_BYTES + (size_t)body_bytes;
    if (len < *frame_bytes)
        return IDS_PF_PARTIAL;
    if (ids_get_u32(bytes + CRC_AT) != frame_checksum(bytes, body_bytes))
        return IDS_PF_BROKEN;
    *frame = get_said(bytes);
    frame->body = (idp_slice){bytes + IDS_PF_HEAD_BYTES, body_bytes};
    if (frame->kind == 0 || frame->kind >= IDS_PF_KIND_COUNT)
        return IDS_PF_BROKEN;
    return IDS_PF_WHOLE;
}
