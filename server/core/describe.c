/* SPDX-License-Identifier: Apache-2.0 */
/* describe.c -- a record as it is told to others: whole, and its times as what
 * is left of them.
 *
 * Pure. It only looks. */
#include "server/core/claims.h"

void ids_claims_change(const ids_shard *shard, const ids_record *r,
                       uint64_t now_ms, ids_change *change) {
    *change = (ids_change){.ns = ids_record_ns(r),
                           .key = ids_record_key(r),
                           .fingerprint = ids_record_fingerprint(r),
                           .nonce = ids_record_nonce(r),
                           .result = ids_record_result(r),
                           .has_result = r->has_result,
                           .token = ids_record_token(&shard->prefixes, r),
                           .state = ids_record_state(r, now_ms),
                           .class = (idp_class)r->class,
                           .previous = (idp_previous)r->previous,
                           .attempt = ids_record_attempt(r),
                           .lease_ms = ids_record_lease_ms(r),
                           .lease_left_ms = ids_record_lease_left_ms(r, now_ms),
                           .ttl_ms = r->ttl_ms,
                           .ttl_left_ms = ids_record_ttl_left_ms(r, now_ms),
                           .age_ms = ids_record_age_ms(r, now_ms)};
}
