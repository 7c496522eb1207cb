/* SPDX-License-Identifier: Apache-2.0 */
/* change.c -- see change.h. Write and read stand side by side. */
#include "server/journal/change.h"

#include <assert.h>
#include <string.h>

#define VARINT_BYTES_MAX 10
#define STATE_BITS       0x07u
#define CLASS_SHIFT      3
#define PREVIOUS_SHIFT   4
#define RESULT_BIT       0x40u
#define BY_BIT           0x80u /* of a claim that nobody has ended */
/* A loop's sequences begin at its number, shifted by this. */
#define LOOP_SHIFT       48
#define LOOP_MAX         0xffffu
#define LOW_MASK         ((1ull << LOOP_SHIFT) - 1)

static bool has_lease(idp_state state) {
    return state == IDP_STATE_IN_PROGRESS || state == IDP_STATE_ORPHANED;
}

/* Bytes that are read one behind the other. Once short or senseless, it
 * stays bad and yields zeros. */
typedef struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
} cursor;

static uint8_t *put_varint(uint8_t *to, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
        *to++ = (uint8_t)value | 0x80;
    *to++ = (uint8_t)value;
    return to;
}

static uint64_t get_varint(cursor *c) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && c->at < c->end; shift += 7) {
        uint8_t byte = *c->at++;
        if (shift == 63 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
    c->bad = true;
    return 0;
}

static uint8_t get_u8(cursor *c) {
    if (c->at == c->end) {
        c->bad = true;
        return 0;
    }
    return *c->at++;
}

static uint8_t *put_slice(uint8_t *to, idp_slice slice) {
    if (slice.len > 0)
        memcpy(to, slice.ptr, slice.len);
    return to + slice.len;
}

/* A shard's records hold them one behind the other: then one copy does. */
static uint8_t *put_slices(uint8_t *to, const idp_slice *slices, size_t count) {
    idp_slice run = {NULL, 0};
    for (size_t i = 0; i < count; i++) {
        idp_slice next = slices[i];
        if (next.len == 0)
            continue;
        if (run.len > 0 && run.ptr + run.len == next.ptr) {
            run.len += next.len;
            continue;
        }
        to = put_slice(to, run);
        run = next;
    }
    return put_slice(to, run);
}

static idp_slice get_slice(cursor *c, uint64_t len) {
    idp_slice slice = {c->at, (size_t)len};
    if (c->bad || len > (size_t)(c->end - c->at)) {
        c->bad = true;
        return (idp_slice){c->at, 0};
    }
    c->at += len;
    return slice;
}

/* How much of a span is left; a span of which more is gone than there was
 * makes no sense. */
static uint64_t get_left(cursor *c, uint64_t whole) {
    uint64_t gone = get_varint(c);
    if (gone > whole)
        c->bad = true;
    return c->bad ? 0 : whole - gone;
}

size_t ids_change_write_bound(const ids_change *change) {
    if (change->encoded.len > 0)
        return change->encoded.len;
    return IDS_CHANGE_HEAD_BYTES_MAX + change->ns.len + change->key.len +
           change->fingerprint.len + change->nonce.len + change->by_name.len +
           change->result.len;
}

static uint8_t *put_change_body(uint8_t *at, const ids_change *c) {
    *at++ = (uint8_t)c->fingerprint.len;
    *at++ = (uint8_t)c->nonce.len;
    at = put_varint(at, c->token.epoch);
    at = put_varint(at, c->token.sequence >> LOOP_SHIFT);
    at = put_varint(at, c->token.sequence & LOW_MASK);
    at = put_varint(at, c->attempt);
    at = put_varint(at, c->ttl_ms);
    at = put_varint(at, c->ttl_ms - c->ttl_left_ms);
    at = put_varint(at, c->age_ms);
    if (has_lease(c->state)) {
        at = put_varint(at, c->lease_ms);
        at = put_varint(at, c->lease_ms - c->lease_left_ms);
        if (c->by_name.len > 0)
            *at++ = (uint8_t)c->by_name.len;
    }
    if (c->has_result)
        at = put_varint(at, c->result.len);
    return at;
}

size_t ids_change_write(uint8_t *to, const ids_change *c) {
    bool absent = c->state == IDP_STATE_ABSENT;
    uint8_t *at = to;
    if (c->encoded.len > 0) {
        memcpy(to, c->encoded.ptr, c->encoded.len);
        return c->encoded.len;
    }
    assert(absent || c->ttl_left_ms <= c->ttl_ms);
    assert(!has_lease(c->state) || c->lease_left_ms <= c->lease_ms);
    *at++ = absent ? 0
                   : (uint8_t)(c->state | (unsigned)c->class << CLASS_SHIFT |
                               (unsigned)c->previous << PREVIOUS_SHIFT |
                               (c->has_result ? RESULT_BIT : 0) |
                               (c->by_name.len > 0 ? BY_BIT : 0));
    *at++ = (uint8_t)c->ns.len;
    at = put_varint(at, c->key.len);
    if (!absent)
        at = put_change_body(at, c);
    /* No change has both of the last two. */
    const idp_slice slices[] = {c->ns, c->key, c->fingerprint, c->nonce,
                                c->has_result ? c->result : c->by_name};
    at = put_slices(at, slices, absent ? 2 : 5);
    return (size_t)(at - to);
}

/* The lengths of the slices, which come behind all numbers. */
typedef struct lengths {
    uint64_t ns, key, fingerprint, nonce, by_name, result;
} lengths;

static void get_body(cursor *from, ids_change *c, bool has_by, lengths *len) {
    len->fingerprint = get_u8(from);
    len->nonce = get_u8(from);
    c->token.epoch = get_varint(from);
    uint64_t loop = get_varint(from), low = get_varint(from);
    c->token.sequence = loop << LOOP_SHIFT | low;
    from->bad = from->bad || loop > LOOP_MAX || low > LOW_MASK;
    uint64_t attempt = get_varint(from);
    c->ttl_ms = get_varint(from);
    c->ttl_left_ms = get_left(from, c->ttl_ms);
    c->age_ms = get_varint(from);
    if (has_lease(c->state)) {
        uint64_t lease_ms = get_varint(from);
        c->lease_left_ms = get_left(from, lease_ms);
        c->lease_ms = (uint32_t)lease_ms;
        from->bad = from->bad || lease_ms > UINT32_MAX;
    }
    if (has_by) {
        len->by_name = get_u8(from);
        from->bad = from->bad || len->by_name == 0;
    }
    if (c->has_result)
        len->result = get_varint(from);
    c->attempt = (uint32_t)attempt;
    from->bad = from->bad || attempt > UINT32_MAX;
}

size_t ids_change_read(const uint8_t *bytes, size_t len, ids_change *c) {
    cursor from = {.at = bytes, .end = bytes + len};
    lengths length = {0};
    uint8_t flags = get_u8(&from);
    *c = (ids_change){.state = (idp_state)(flags & STATE_BITS),
                      .class = (idp_class)(flags >> CLASS_SHIFT & 1),
                      .previous = (idp_previous)(flags >> PREVIOUS_SHIFT & 3),
                      .has_result = (flags & RESULT_BIT) != 0};
    bool absent = c->state == IDP_STATE_ABSENT;
    bool has_by = (flags & BY_BIT) != 0;
    if ((absent && flags != 0) || (has_by && !has_lease(c->state)))
        return 0;
    length.ns = get_u8(&from);
    length.key = get_varint(&from);
    if (!absent)
        get_body(&from, c, has_by, &length);
    c->ns = get_slice(&from, length.ns);
    c->key = get_slice(&from, length.key);
    if (!absent) {
        c->fingerprint = get_slice(&from, length.fingerprint);
        c->nonce = get_slice(&from, length.nonce);
        c->by_name = get_slice(&from, length.by_name);
    }
    if (c->has_result)
        c->result = get_slice(&from, length.result);
    if (from.bad || !ids_change_is_sound(c, IDS_CHANGE_RESULT_BYTES_MAX))
        return 0;
    c->encoded = (idp_slice){bytes, (size_t)(from.at - bytes)};
    return c->encoded.len;
}
