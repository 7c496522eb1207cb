/* SPDX-License-Identifier: Apache-2.0 */
/* frame.c -- see frame.h. Write and read stand side by side. Pure. */
#include "server/peer/frame.h"

#include "server/journal/crc32c.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void ids_pbuf_fini(ids_pbuf *buf) {
    free(buf->at);
    *buf = (ids_pbuf){0};
}

bool ids_pbuf_reserve(ids_pbuf *buf, size_t more) {
    size_t cap = buf->cap < 256 ? 256 : buf->cap;
    uint8_t *grown;
    if (more <= buf->cap - buf->len)
        return true;
    while (cap - buf->len < more)
        cap *= 2;
    grown = realloc(buf->at, cap);
    if (grown == NULL)
        return false;
    buf->at = grown;
    buf->cap = cap;
    return true;
}

void ids_pbuf_consume(ids_pbuf *buf, size_t bytes) {
    assert(bytes <= buf->len);
    buf->len -= bytes;
    if (buf->len > 0 && bytes > 0)
        memmove(buf->at, buf->at + bytes, buf->len);
}

static void put_u32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_u32(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
           (uint32_t)at[3] << 24;
}

void ids_put_u64(uint8_t *at, uint64_t value) {
    put_u32(at, (uint32_t)value);
    put_u32(at + 4, (uint32_t)(value >> 32));
}

uint64_t ids_get_u64(const uint8_t *at) {
    return get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

bool ids_pf_begin(ids_pbuf *to, size_t *frame_at) {
    if (!ids_pbuf_reserve(to, IDS_PF_HEAD_BYTES))
        return false;
    *frame_at = to->len;
    to->len += IDS_PF_HEAD_BYTES;
    return true;
}

void ids_pf_said(const ids_pf *frame, uint8_t to[static IDS_PF_SAID_BYTES]) {
    assert(frame->stream <= UINT16_MAX);
    to[0] = (uint8_t)frame->kind;
    to[1] = (uint8_t)frame->flags;
    to[2] = (uint8_t)frame->stream;
    to[3] = (uint8_t)(frame->stream >> 8);
    put_u32(to + 4, frame->count);
    ids_put_u64(to + 8, frame->epoch);
    ids_put_u64(to + 16, frame->session);
    ids_put_u64(to + 24, frame->number);
}

void ids_pf_seal(ids_pbuf *to, size_t frame_at, const ids_pf *frame) {
    uint8_t *at = to->at + frame_at;
    size_t body_bytes = to->len - frame_at - IDS_PF_HEAD_BYTES;
    assert(body_bytes <= UINT32_MAX);
    put_u32(at, (uint32_t)body_bytes);
    ids_pf_said(frame, at + 8);
    put_u32(at + 4, ids_crc32c(body_bytes & UINT32_MAX, at + 8,
                               IDS_PF_HEAD_BYTES - 8 + body_bytes));
}

bool ids_pf_append(ids_pbuf *to, const ids_pf *frame) {
    size_t at;
    if (!ids_pbuf_reserve(to, IDS_PF_HEAD_BYTES + frame->body.len) ||
        !ids_pf_begin(to, &at))
        return false;
    if (frame->body.len > 0)
        memcpy(to->at + to->len, frame->body.ptr, frame->body.len);
    to->len += frame->body.len;
    ids_pf_seal(to, at, frame);
    return true;
}

ids_pf_read_status ids_pf_read(const uint8_t *bytes, size_t len,
                               size_t body_bytes_max, ids_pf *frame,
                               size_t *frame_bytes) {
    uint32_t body_bytes;
    if (len < 4)
        return IDS_PF_PARTIAL;
    body_bytes = get_u32(bytes);
    if (body_bytes > body_bytes_max)
        return IDS_PF_BROKEN;
    *frame_bytes = IDS_PF_HEAD_BYTES + (size_t)body_bytes;
    if (len < *frame_bytes)
        return IDS_PF_PARTIAL;
    if (get_u32(bytes + 4) !=
        ids_crc32c(body_bytes, bytes + 8, IDS_PF_HEAD_BYTES - 8 + body_bytes))
        return IDS_PF_BROKEN;
    *frame = (ids_pf){.kind = (ids_pf_kind)bytes[8],
                      .flags = bytes[9],
                      .stream = bytes[10] | (uint32_t)bytes[11] << 8,
                      .count = get_u32(bytes + 12),
                      .epoch = ids_get_u64(bytes + 16),
                      .session = ids_get_u64(bytes + 24),
                      .number = ids_get_u64(bytes + 32),
                      .body = {bytes + IDS_PF_HEAD_BYTES, body_bytes}};
    if (frame->kind == 0 || frame->kind >= IDS_PF_KIND_COUNT)
        return IDS_PF_BROKEN;
    return IDS_PF_WHOLE;
}
