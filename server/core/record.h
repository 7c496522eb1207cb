/* SPDX-License-Identifier: Apache-2.0 */
/* record.h -- what is known of one key, in one allocation.
 *
 * 32 bytes of head, then namespace, key, fingerprint, nonce, result and what
 * the head has no room for, one behind the other. Two cache lines hold a
 * claim in flight. Pure. */
#ifndef IDS_RECORD_H
#define IDS_RECORD_H

#include "server/core/prefix.h"
#include "server/core/slab.h"

#include <string.h>

typedef struct ids_record {
    uint64_t state : 3; /* idp_state; never 0, by which a slot is told to be
                         * in use. Orphaned is not stored: it is in_progress
                         * with its lease over */
    uint64_t previous : 2;
    uint64_t class : 1;
    uint64_t has_result : 1;
    uint64_t spelled : 1; /* an ids_spelled stands at the end */
    uint64_t prefix : 8;  /* of its token, unless spelled: see prefix.h */
    uint64_t attempt : 8; /* unless spelled */
    uint64_t fingerprint_len : 7;
    uint64_t nonce_len : 6;
    uint64_t key_len : 10;
    uint64_t ns_len : 7;
    uint64_t by_low : 10; /* who claimed it: ids_record_by */

    uint64_t restart_ms : 42; /* lease and retention count from here */
    uint64_t sequence_low : 22;

    uint64_t since_ms : 42; /* entered its state; see ids_record_age_ms */
    uint64_t sequence_mid : 6;
    uint64_t ns_number : 16; /* what it is counted as: see ledger.h */

    uint64_t ttl_ms : 35;
    uint64_t lease_ms : 27; /* of completed: result_bytes, which needs no
                             * lease any more; see the accessors */
    uint64_t by_high : 2;
    uint8_t bytes[];
} ids_record;

/* Where the token's prefix has no number, or attempts are many. */
typedef struct ids_spelled {
    idp_token token;
    uint32_t attempt;
} ids_spelled;

#define IDS_RECORD_HEAD_BYTES       offsetof(ids_record, bytes)
#define IDS_RECORD_SPELLED_BYTES    20
#define IDS_RECORD_RESULT_BYTES_MAX ((1u << 27) - 1)
#define IDS_RECORD_ATTEMPT_MAX      255 /* over it, it is spelled */
#define IDS_NOW_MS_MAX              ((1ull << 41) - 1) /* 69 years of uptime */

_Static_assert(offsetof(ids_record, bytes) == 32, "32 bytes of head");
_Static_assert(IDP_TTL_MS_MAX < 1ull << 35, "a retention fits its bits");
_Static_assert(IDP_LEASE_MS_MAX < 1u << 27, "a lease fits its bits");
_Static_assert(IDP_NS_BYTES_MAX < 1 << 7, "a namespace fits its bits");
_Static_assert(IDP_KEY_BYTES_MAX < 1 << 10, "a key fits its bits");
_Static_assert(IDP_FINGERPRINT_BYTES_MAX < 1 << 7, "so does a fingerprint");
_Static_assert(IDP_NONCE_BYTES_MAX < 1 << 6, "so does a nonce");
_Static_assert(IDP_STATE_COUNT <= 1 << 3, "so does a state");
_Static_assert(IDS_BY_MAX == (1 << 12) - 1, "who claimed it fits its bits");
_Static_assert(IDS_PREFIX_SEQUENCE_BITS == 22 + 6, "so does a sequence");

/* Who claimed it: a number of the caller's, 0 for nobody that is known. Not 0
 * only while the claim is nobody's to have ended. */
static inline uint32_t ids_record_by(const ids_record *r) {
    return (uint32_t)(r->by_low | r->by_high << 10);
}

static inline void ids_record_set_by(ids_record *r, uint32_t by) {
    r->by_low = by & 1023;
    r->by_high = (by >> 10) & 3;
}

static inline idp_slice ids_record_ns(const ids_record *r) {
    return (idp_slice){r->bytes, r->ns_len};
}

static inline idp_slice ids_record_key(const ids_record *r) {
    return (idp_slice){r->bytes + r->ns_len, r->key_len};
}

static inline idp_slice ids_record_fingerprint(const ids_record *r) {
    return (idp_slice){r->bytes + r->ns_len + r->key_len, r->fingerprint_len};
}

static inline idp_slice ids_record_nonce(const ids_record *r) {
    return (idp_slice){r->bytes + r->ns_len + r->key_len + r->fingerprint_len,
                       r->nonce_len};
}

/* Nil unless completed with a result that was kept. */
static inline idp_slice ids_record_result(const ids_record *r) {
    if (!r->has_result)
        return (idp_slice){NULL, 0};
    return (idp_slice){r->bytes + r->ns_len + r->key_len + r->fingerprint_len +
                           r->nonce_len,
                       r->lease_ms};
}

/* 0 unless the record may still have a lease. */
static inline uint32_t ids_record_lease_ms(const ids_record *r) {
    return r->state == IDP_STATE_IN_PROGRESS ? (uint32_t)r->lease_ms : 0;
}

/* Writes the slice at `at`; returns where it ends. */
static inline uint8_t *ids_append(uint8_t *at, idp_slice from) {
    if (from.len > 0)
        memcpy(at, from.ptr, from.len);
    return at + from.len;
}

static inline bool ids_slice_equal(idp_slice a, idp_slice b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* Another body than the one that is bound, where both are given. */
static inline bool ids_record_mismatches(const ids_record *r,
                                         idp_slice fingerprint) {
    idp_slice bound = ids_record_fingerprint(r);
    return bound.len > 0 && fingerprint.len > 0 &&
           !ids_slice_equal(bound, fingerprint);
}

/* The holder asks again. */
static inline bool ids_record_repeats(const ids_record *r, idp_slice nonce) {
    return nonce.len > 0 && ids_slice_equal(nonce, ids_record_nonce(r));
}

static inline bool ids_record_is(const ids_record *r, idp_slice ns,
                                 idp_slice key) {
    return r->key_len == key.len && r->ns_len == ns.len &&
           (ns.len == 0 || memcmp(r->bytes, ns.ptr, ns.len) == 0) &&
           memcmp(r->bytes + ns.len, key.ptr, key.len) == 0;
}

/* Its head and all that is behind it, but for what is spelled. */
static inline size_t ids_record_plain_bytes(const ids_record *r) {
    return IDS_RECORD_HEAD_BYTES + r->ns_len + r->key_len + r->fingerprint_len +
           r->nonce_len + ids_record_result(r).len;
}

static inline size_t ids_record_spelled_bytes(const ids_record *r) {
    return r->spelled ? IDS_RECORD_SPELLED_BYTES : 0;
}

/* What it takes in memory. */
static inline size_t ids_record_bytes(const ids_record *r) {
    return ids_record_plain_bytes(r) + ids_record_spelled_bytes(r);
}

static inline ids_spelled ids_record_spelled(const ids_record *r) {
    const uint8_t *at = (const uint8_t *)r + ids_record_plain_bytes(r);
    ids_spelled s;
    memcpy(&s.token, at, sizeof s.token);
    memcpy(&s.attempt, at + sizeof s.token, sizeof s.attempt);
    return s;
}

/* Writes it where the record ends; to be done anew when that has moved. */
static inline void ids_record_spell(ids_record *r, const ids_spelled *s) {
    uint8_t *at = (uint8_t *)r + ids_record_plain_bytes(r);
    memcpy(at, &s->token, sizeof s->token);
    memcpy(at + sizeof s->token, &s->attempt, sizeof s->attempt);
}

/* The nonce has served. */
static inline void ids_record_drop_nonce(ids_record *record) {
    ids_spelled spelled = {0};
    if (record->spelled)
        spelled = ids_record_spelled(record);
    record->nonce_len = 0;
    if (record->spelled)
        ids_record_spell(record, &spelled);
}

static inline idp_token ids_record_token(const ids_prefixes *prefixes,
                                         const ids_record *r) {
    if (r->spelled)
        return ids_record_spelled(r).token;
    return ids_prefix_token(
        prefixes, (uint32_t)r->prefix,
        (uint32_t)(r->sequence_low | (uint64_t)r->sequence_mid << 22));
}

static inline uint32_t ids_record_attempt(const ids_record *r) {
    return r->spelled ? ids_record_spelled(r).attempt : (uint32_t)r->attempt;
}

static inline uint64_t ids_record_ttl_end_ms(const ids_record *r) {
    return r->restart_ms + r->ttl_ms;
}

static inline uint64_t ids_record_lease_end_ms(const ids_record *r) {
    return r->restart_ms + ids_record_lease_ms(r);
}

/* What is left of a span that ends then. It may begin to count after now. */
static inline uint64_t ids_span_left_ms(uint64_t end_ms, uint64_t now_ms,
                                        uint64_t whole_ms) {
    uint64_t left_ms = end_ms > now_ms ? end_ms - now_ms : 0;
    return left_ms < whole_ms ? left_ms : whole_ms;
}

static inline uint64_t ids_record_ttl_left_ms(const ids_record *r,
                                              uint64_t now_ms) {
    return ids_span_left_ms(ids_record_ttl_end_ms(r), now_ms, r->ttl_ms);
}

static inline uint64_t ids_record_lease_left_ms(const ids_record *r,
                                                uint64_t now_ms) {
    return ids_span_left_ms(ids_record_lease_end_ms(r), now_ms,
                            ids_record_lease_ms(r));
}

/* The state as of now: deadlines are half-open, at them it is over. */
static inline idp_state ids_record_state(const ids_record *r, uint64_t now_ms) {
    if (now_ms >= ids_record_ttl_end_ms(r))
        return IDP_STATE_ABSENT;
    if (r->state == IDP_STATE_IN_PROGRESS &&
        now_ms >= ids_record_lease_end_ms(r))
        return IDP_STATE_ORPHANED;
    return (idp_state)r->state;
}

/* Since it entered the state that it has now. */
static inline uint64_t ids_record_age_ms(const ids_record *r, uint64_t now_ms) {
    if (ids_record_state(r, now_ms) == IDP_STATE_ORPHANED)
        return now_ms - ids_record_lease_end_ms(r);
    return now_ms - r->since_ms;
}

#endif
