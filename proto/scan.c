/* SPDX-License-Identifier: Apache-2.0 */
/* scan.c -- the bounded scan over a frame (see scan.h).
 *
 * Pure. It never descends by recursion and never loops on an announced
 * count before that count was checked. */
#include "proto/scan.h"

#include <assert.h>

/* The tags 0xc0..0xdf: what they begin, and how many bytes follow the tag in
 * their header (for a scalar: in all of it). */
static const struct {
    uint8_t kind;
    uint8_t more;
} tags[32] = {
    {TOKEN_SCALAR, 0}, {TOKEN_BAD, 0},    {TOKEN_SCALAR, 0}, /* nil, c1, no */
    {TOKEN_SCALAR, 0},                                       /* yes */
    {TOKEN_BYTES, 1},  {TOKEN_BYTES, 2},  {TOKEN_BYTES, 4},  /* bin */
    {TOKEN_BAD, 0},    {TOKEN_BAD, 0},    {TOKEN_BAD, 0},    /* ext */
    {TOKEN_SCALAR, 4}, {TOKEN_SCALAR, 8},                    /* floats */
    {TOKEN_SCALAR, 1}, {TOKEN_SCALAR, 2}, {TOKEN_SCALAR, 4}, /* unsigned */
    {TOKEN_SCALAR, 8}, {TOKEN_SCALAR, 1}, {TOKEN_SCALAR, 2}, /* signed */
    {TOKEN_SCALAR, 4}, {TOKEN_SCALAR, 8},                    /* */
    {TOKEN_BAD, 0},    {TOKEN_BAD, 0},    {TOKEN_BAD, 0},    /* fixext */
    {TOKEN_BAD, 0},    {TOKEN_BAD, 0},                       /* */
    {TOKEN_BYTES, 1},  {TOKEN_BYTES, 2},  {TOKEN_BYTES, 4},  /* str */
    {TOKEN_ARRAY, 2},  {TOKEN_ARRAY, 4},                     /* */
    {TOKEN_MAP, 2},    {TOKEN_MAP, 4},
};

void idp_scan_start(scan *s, const uint8_t *bytes, size_t len,
                    size_t frame_bytes_max) {
    *s = (scan){.bytes = bytes,
                .len = len,
                .frame_bytes_max = frame_bytes_max,
                .pending = 1};
}

static scan_end scan_broken(scan *s, const char *text) {
    s->text = text;
    return SCAN_BROKEN;
}

/* Are known_bytes of the value at the cursor there? The values pending
 * behind it will take a byte each at least. */
static scan_end reach_end(scan *s, uint64_t known_bytes) {
    uint64_t need = s->at + known_bytes + s->pending - 1;
    if (need > s->frame_bytes_max) {
        return SCAN_TOO_LARGE;
    }
    s->need_bytes = need;
    return known_bytes > s->len - s->at ? SCAN_PARTIAL : SCAN_WHOLE;
}

static void token_fix(uint8_t tag, token *t) {
    t->header_bytes = 1;
    if (tag < 0x80 || tag >= 0xe0) {
        t->kind = TOKEN_SCALAR;
        t->count = 0;
    } else if (tag < 0xa0) {
        t->kind = tag < 0x90 ? TOKEN_MAP : TOKEN_ARRAY;
        t->count = tag & 0x0f;
    } else {
        t->kind = TOKEN_BYTES;
        t->count = tag & 0x1f;
    }
}

static uint64_t load_count(const uint8_t *at, unsigned bytes) {
    return bytes == 1 ? at[0] : bytes == 2 ? load_u16(at) : load_u32(at);
}

scan_end idp_scan_peek(scan *s, token *t) {
    scan_end end = reach_end(s, 1);
    if (end != SCAN_WHOLE) {
        return end;
    }
    uint8_t tag = s->bytes[s->at];
    if (tag < 0xc0 || tag >= 0xe0) {
        token_fix(tag, t);
        return SCAN_WHOLE;
    }
    unsigned more = tags[tag - 0xc0].more;
    t->kind = (token_kind)tags[tag - 0xc0].kind;
    t->header_bytes = 1 + more;
    t->count = 0;
    if (t->kind == TOKEN_BAD) {
        return scan_broken(s, "ext types and the byte 0xc1 are not used here");
    }
    end = reach_end(s, t->header_bytes);
    if (end == SCAN_WHOLE && t->kind != TOKEN_SCALAR) {
        t->count = load_count(s->bytes + s->at + 1, more);
    }
    return end;
}

scan_end idp_scan_token(scan *s, unsigned depth, token *t) {
    assert(s->pending > 0);
    scan_end end = idp_scan_peek(s, t);
    if (end != SCAN_WHOLE) {
        return end;
    }
    uint64_t payload_bytes = 0;
    uint32_t items = 0;
    if (t->kind == TOKEN_BYTES) {
        payload_bytes = t->count;
    } else if (t->kind != TOKEN_SCALAR) {
        if (t->count > IDP_CONTAINER_ITEMS_MAX) {
            return scan_broken(s, "a container has over 64 items");
        }
        if (depth >= IDP_DEPTH_MAX) {
            return scan_broken(s, "containers are nested over 8 deep");
        }
        items = (uint32_t)t->count * (t->kind == TOKEN_MAP ? 2 : 1);
    }
    if (s->values + s->pending + items > IDP_VALUES_MAX) {
        return scan_broken(s, "the frame has over 2048 values");
    }
    s->pending += items;
    end = reach_end(s, t->header_bytes + payload_bytes);
    if (end == SCAN_WHOLE) {
        s->at += t->header_bytes + payload_bytes;
        s->pending--;
        s->values++;
    }
    return end;
}

scan_end idp_scan_value(scan *s, unsigned depth) {
    /* What is left to read of each container that this value opened. */
    uint32_t left[IDP_DEPTH_MAX + 1] = {1};
    unsigned level = 0;
    for (;;) {
        token t;
        left[level]--;
        scan_end end = idp_scan_token(s, depth + level, &t);
        if (end != SCAN_WHOLE) {
            return end;
        }
        if ((t.kind == TOKEN_ARRAY || t.kind == TOKEN_MAP) && t.count > 0) {
            left[++level] = (uint32_t)t.count * (t.kind == TOKEN_MAP ? 2 : 1);
        }
        while (left[level] == 0) {
            if (level == 0) {
                return SCAN_WHOLE;
            }
            level--;
        }
    }
}

bool idp_skip(cursor *c) {
    scan s;
    idp_scan_start(&s, c->at, cursor_left(c), cursor_left(c));
    if (idp_scan_value(&s, 0) != SCAN_WHOLE) {
        return false;
    }
    c->at += s.at;
    return true;
}

static_assert(IDP_CONTAINER_ITEMS_MAX == 64 && IDP_DEPTH_MAX == 8 &&
                  IDP_VALUES_MAX == 2048,
              "the texts above name these limits");
