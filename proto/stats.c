/* SPDX-License-Identifier: Apache-2.0 */
/* stats.c -- the map of counters and gauges: encode and decode.
 *
 * Pure. Which counters there are is the server's to say. */
#include "proto/reply.h"

#include "proto/pack.h"
#include "proto/put.h"
#include "proto/scan.h"

#include <assert.h>

#define STAT_BYTES_MAX \
    (PUT_HEADER_BYTES_MAX + IDP_STAT_NAME_BYTES_MAX + PUT_UINT_BYTES_MAX)

size_t idp_stats_write_bound(size_t count) {
    return PUT_REPLY_HEAD_BYTES_MAX + PUT_HEADER_BYTES_MAX +
           (count + 1) * STAT_BYTES_MAX;
}

size_t idp_stats_write(uint8_t *to, size_t cap, uint32_t msgid,
                       const idp_stat *stats, size_t count) {
    assert(count <= IDP_STATS_MAX);
    size_t first = count;
    if (count > IDP_CONTAINER_ITEMS_MAX) {
        first = IDP_CONTAINER_ITEMS_MAX - 1;
    }
    pack_buffer buffer = {.end = to + cap};
    msgpack_packer packer;
    if (cap < idp_stats_write_bound(count)) {
        return 0;
    }
    buffer.at = put_reply_head(to, msgid);
    msgpack_packer_init(&packer, &buffer, pack_write);
    msgpack_pack_map(&packer, first + (first < count));
    for (size_t i = 0; i < count; i++) {
        if (i == first) {
            pack_word(&packer, IDP_STATS_MORE);
            msgpack_pack_map(&packer, count - first);
        }
        assert(strlen(stats[i].name) <= IDP_STAT_NAME_BYTES_MAX);
        pack_pair(&packer, stats[i].name, stats[i].value);
    }
    return buffer.is_full ? 0 : (size_t)(buffer.at - to);
}

/* A map within is walked like the rest; of any other value nothing is known. */
bool idp_stats_next(idp_slice result, size_t *at, idp_slice *name,
                    uint64_t *value) {
    if (*at > result.len) {
        return false;
    }
    cursor c = cursor_over(result);
    uint32_t pairs;
    if (*at == 0 && !cursor_map(&c, &pairs)) {
        return false;
    }
    c.at += *at;
    while (cursor_bytes(&c, name)) {
        cursor value_at = c;
        bool good = cursor_uint(&value_at, value);
        if (!good && cursor_map(&value_at, &pairs)) {
            c = value_at;
        } else if (!idp_skip(&c)) {
            return false;
        }
        *at = result.len - cursor_left(&c);
        if (good) {
            return true;
        }
    }
    return false;
}
