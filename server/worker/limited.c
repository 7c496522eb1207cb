/* SPDX-License-Identifier: Apache-2.0 */
/* limited.c -- see limited.h. */
#include "server/worker/limited.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert(sizeof((ids_worker *)0)->limited_text >
                  3 * IDP_NS_BYTES_MAX +
                      sizeof "retry_ms=4294967295 namespace : max_records",
              "the longest text is not cut");

static bool is_plain(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') ||
           (byte != 0 && strchr("._:/-", byte) != NULL);
}

static void spell_name(char *to, idp_slice ns) {
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < ns.len; i++) {
        uint8_t byte = ns.ptr[i];
        if (is_plain(byte)) {
            *to++ = (char)byte;
            continue;
        }
        *to++ = '%';
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    *to = 0;
}

const char *ids_limited_text(ids_worker *worker, idp_error error) {
    static const char *const rows[] = {[IDS_LIMIT_RECORDS] = "max_records",
                                       [IDS_LIMIT_MEMORY] = "max_memory",
                                       [IDS_LIMIT_RATE] = "rate",
                                       [IDS_LIMIT_TTL] = "max_ttl"};
    ids_limited limited = ids_shard_limited(worker->shard);
    char name[3 * IDP_NS_BYTES_MAX + 1];
    char *text = worker->limited_text;
    if (limited.limit == IDS_LIMIT_NONE ||
        (error != IDP_E_LIMIT && error != IDP_E_NO_MEMORY &&
         error != IDP_E_BAD_REQUEST))
        return NULL;
    assert(limited.ns.len <= IDP_NS_BYTES_MAX);
    spell_name(name, limited.ns);
    if (limited.limit == IDS_LIMIT_RATE)
        snprintf(text, sizeof worker->limited_text,
                 "retry_ms=%u namespace %s: %s", limited.retry_ms, name,
                 rows[limited.limit]);
    else
        snprintf(text, sizeof worker->limited_text, "namespace %s: %s", name,
                 rows[limited.limit]);
    return text;
}
