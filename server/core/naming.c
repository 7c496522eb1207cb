/* SPDX-License-Identifier: Apache-2.0 */
/* naming.c -- a record's token and attempt, short or spelled. See prefix.h.
 *
 * Pure. Inside the shard, which counts whose token begins with which prefix. */
#include "server/core/claims.h"

#include <assert.h>

ids_naming ids_claims_naming(ids_shard *shard, idp_token token,
                             uint32_t attempt) {
    ids_naming naming = {.token = token, .attempt = attempt};
    naming.prefix = ids_prefix_find(&shard->prefixes, &token);
    if (naming.prefix == IDS_PREFIX_NONE || attempt > IDS_RECORD_ATTEMPT_MAX)
        naming.extra_bytes = IDS_RECORD_SPELLED_BYTES;
    return naming;
}

void ids_claims_name(ids_shard *shard, ids_record *record,
                     const ids_naming *naming) {
    ids_spelled spelled = {naming->token, naming->attempt};
    record->spelled = naming->extra_bytes > 0;
    if (record->spelled) {
        ids_record_spell(record, &spelled);
        return;
    }
    assert(naming->prefix < IDS_PREFIXES);
    record->attempt = naming->attempt;
    record->prefix = naming->prefix;
    record->sequence_low = naming->token.sequence;
    record->sequence_mid = naming->token.sequence >> 22;
    shard->prefixes.all[naming->prefix].records++;
}

void ids_claims_unname(ids_shard *shard, const ids_record *record) {
    if (record->spelled)
        return;
    assert(shard->prefixes.all[record->prefix].records > 0);
    shard->prefixes.all[record->prefix].records--;
}
