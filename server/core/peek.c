/* SPDX-License-Identifier: Apache-2.0 */
/* peek.c -- a record as it is, for who only looks.
 *
 * Pure. Inside the shard. */
#include "server/core/claims.h"

#include <assert.h>

void ids_claims_peek(ids_shard *shard, const ids_call *call,
                     idp_answer *answer) {
    ids_place place;
    const ids_record *record = ids_claims_find(shard, call, &place);
    uint64_t now_ms = call->now_ms;
    answer->outcome = IDP_OUTCOME_RECORD;
    answer->state = IDP_STATE_ABSENT;
    if (record == NULL)
        return;
    answer->state = ids_record_state(record, now_ms);
    assert(answer->state != IDP_STATE_ABSENT);
    answer->age_ms = ids_record_age_ms(record, now_ms);
    answer->attempt = ids_record_attempt(record);
    answer->ttl_left_ms = ids_record_ttl_left_ms(record, now_ms);
    if (answer->state == IDP_STATE_IN_PROGRESS)
        answer->lease_left_ms = ids_record_lease_left_ms(record, now_ms);
    answer->class = (idp_class)record->class;
    answer->has_result = record->has_result;
    answer->result_bytes = ids_record_result(record).len;
}
