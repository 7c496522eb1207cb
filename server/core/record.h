/* SPDX-License-Identifier: Apache-2.0 */
/* record.h -- what is known of one key, in one allocation.
 *
 * 52 bytes of head, then namespace, key, fingerprint, nonce and result, one
 * behind the other. Two cache lines hold a claim in flight. Pure. */
#ifndef IDS_RECORD_H
#define IDS_RECORD_H

#include "server/core/slab.h"

#include <string.h>

typedef struct ids_record {
    uint64_t restart_ms : 42; /* lease and retention count from here */
    uint64_t state : 3;       /* idp_state; orphaned is never stored: it is
                               * in_progress with its lease over */
    uint64_t ns_len : 7;
    uint64_t nonce_len : 6;
    uint64_t previous : 2;
    uint64_t class : 1;
    uint64_t has_result : 1;
    uint64_t since_ms : 42; /* entered its state; see ids_record_age_ms */
    uint64_t key_len : 10;
    uint64_t fingerprint_len : 7;
    uint64_t ttl_ms : 35;
    uint64_t lease_ms : 27; /* of completed: result_bytes, which needs no
                             * lease any more; see the accessors */
    uint64_t epoch;
    uint64_t sequence;
    uint32_t attempt;
    ids_ref wheel_next;
    ids_ref wheel_prev;
    uint8_t bytes[];
} ids_record;

#define IDS_RECORD_HEAD_BYTES       offsetof(ids_record, bytes)
#define IDS_RECORD_RESULT_BYTES_MAX ((1u << 27) - 1)
#define IDS_NOW_MS_MAX              ((1ull << 41) - 1) /* 69 years of uptime */

_Static_assert(offsetof(ids_record, bytes) == 52, "52 bytes of head");
_Static_assert(IDP_TTL_MS_MAX < 1ull << 35, "a retention fits its bits");
_Static_assert(IDP_LEASE_MS_MAX < 1u << 27, "a lease fits its bits");
_Static_assert(IDP_NS_BYTES_MAX < 1 << 7, "a namespace fits its bits");
_Static_assert(IDP_KEY_BYTES_MAX < 1 << 10, "a key fits its bits");
_Static_assert(IDP_FINGERPRINT_BYTES_MAX < 1 << 7, "so does a fingerprint");
_Static_assert(IDP_NONCE_BYTES_MAX < 1 << 6, "so does a nonce");

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

static inline bool ids_record_is(const ids_record *r, idp_slice ns,
                                 idp_slice key) {
    return r->key_len == key.len && r->ns_len == ns.len &&
           (ns.len == 0 || memcmp(r->bytes, ns.ptr, ns.len) == 0) &&
           memcmp(r->bytes + ns.len, key.ptr, key.len) == 0;
}

/* What it takes in memory: head and all that is behind it. */
static inline size_t ids_record_bytes(const ids_record *r) {
    return IDS_RECORD_HEAD_BYTES + r->ns_len + r->key_len + r->fingerprint_len +
           r->nonce_len + ids_record_result(r).len;
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
