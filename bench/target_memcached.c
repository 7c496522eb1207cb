/* SPDX-License-Identifier: Apache-2.0 */
/* target_memcached.c -- memcached's best way to the same job, in its text
 * and meta commands.
 *
 *   fresh     add key fp (lease)            -> STORED
 *             set key fp+result (ttl)       -> STORED
 *   claim     add key fp (lease)            -> STORED
 *   inflight  mg key v N<lease>             -> the holder's fp
 *   replay    the same                      -> fp+result
 *   mismatch  the same                      -> another fp, then the result
 *
 * `mg` with N is memcached's own answer to many askers of one key: one
 * command and one trip, where add and get would be two of each. Lifetimes
 * are whole seconds; that is all memcached has. */
#include "bench/put.h"
#include "bench/target.h"

static size_t request_bytes_max(const idb_work *work) {
    return 128 + work->key_bytes + work->fingerprint_bytes + work->result_bytes;
}

/* Up to thirty days; memcached takes more for a date. */
static uint64_t seconds(uint64_t ms) {
    uint64_t s = (ms + 999) / 1000;
    return s < 30 * 86400 ? s : 30 * 86400;
}

static uint8_t *put_key(const idb_work *work, uint64_t number, uint8_t *to) {
    idb_key_write(work, number, to);
    return to + work->key_bytes;
}

static uint8_t *put_add(const idb_codec *codec, const idb_slot *slot,
                        uint8_t *to) {
    const idb_work *work = &codec->work;
    to = IDB_PUT_TEXT(to, "add ");
    to = put_key(work, slot->number, to);
    to = IDB_PUT_TEXT(to, " 0 ");
    to = idb_put_number(to, seconds(idb_lease_ms(codec)));
    *to++ = ' ';
    to = idb_put_number(to, work->fingerprint_bytes);
    to = IDB_PUT_TEXT(to, "\r\n");
    idb_fingerprint_write(work, slot->number, false, to);
    return IDB_PUT_TEXT(to + work->fingerprint_bytes, "\r\n");
}

static uint8_t *put_set(const idb_codec *codec, const idb_slot *slot,
                        uint8_t *to) {
    const idb_work *work = &codec->work;
    to = IDB_PUT_TEXT(to, "set ");
    to = put_key(work, slot->number, to);
    to = IDB_PUT_TEXT(to, " 0 ");
    to = idb_put_number(to, seconds(idb_ttl_ms(codec)));
    *to++ = ' ';
    to = idb_put_number(to, work->fingerprint_bytes + work->result_bytes);
    to = IDB_PUT_TEXT(to, "\r\n");
    idb_fingerprint_write(work, slot->number, false, to);
    to += work->fingerprint_bytes;
    idb_result_write(work, slot->number, to);
    return IDB_PUT_TEXT(to + work->result_bytes, "\r\n");
}

static uint8_t *put_get(const idb_codec *codec, const idb_slot *slot,
                        uint8_t *to) {
    to = IDB_PUT_TEXT(to, "mg ");
    to = put_key(&codec->work, slot->number, to);
    to = IDB_PUT_TEXT(to, " v N");
    to = idb_put_number(to, seconds(idb_lease_ms(codec)));
    return IDB_PUT_TEXT(to, "\r\n");
}

static size_t request_write(const idb_codec *codec, const idb_slot *slot,
                            uint32_t slot_number, uint8_t *to) {
    (void)slot_number;
    uint8_t *end;
    if (slot->step == 1)
        end = put_set(codec, slot, to);
    else if (slot->job == IDB_FRESH || slot->job == IDB_CLAIM)
        end = put_add(codec, slot, to);
    else
        end = put_get(codec, slot, to);
    return (size_t)(end - to);
}

static bool value_is_expected(const idb_codec *codec, const idb_slot *slot,
                              const uint8_t *value, size_t len) {
    const idb_work *work = &codec->work;
    uint8_t fingerprint[IDB_FINGERPRINT_BYTES_MAX];
    size_t want = work->fingerprint_bytes;
    if (slot->job != IDB_INFLIGHT)
        want += work->result_bytes;
    if (len != want)
        return false;
    idb_fingerprint_write(work, slot->number, slot->job == IDB_MISMATCH,
                          fingerprint);
    bool same = memcmp(fingerprint, value, work->fingerprint_bytes) == 0;
    return same == (slot->job != IDB_MISMATCH);
}

/* "VA <size> <flags>*\r\n<data>\r\n" */
static idb_read_status value_read(const idb_codec *codec, const idb_slot *slot,
                                  const uint8_t *bytes, size_t len,
                                  idb_reply *reply) {
    const uint8_t *end = memchr(bytes, '\n', len);
    if (!end)
        return len > 4096 ? IDB_BROKEN : IDB_PARTIAL;
    size_t head = (size_t)(end - bytes) + 1, size = 0;
    for (size_t i = 3; i < head && bytes[i] >= '0' && bytes[i] <= '9'; i++) {
        size = size * 10 + (size_t)(bytes[i] - '0');
        if (size > 2 * IDB_RESULT_BYTES_MAX)
            return IDB_BROKEN;
    }
    if (head + size + 2 > len)
        return IDB_PARTIAL;
    reply->bytes = (uint32_t)(head + size + 2);
    bool is_get = slot->job != IDB_FRESH && slot->job != IDB_CLAIM;
    reply->expected =
        is_get && value_is_expected(codec, slot, bytes + head, size);
    return IDB_WHOLE;
}

static idb_read_status reply_read(const idb_codec *codec, idb_slot *slots,
                                  uint32_t front, const uint8_t *bytes,
                                  size_t len, idb_reply *reply) {
    static const char stored[] = "STORED\r\n";
    const idb_slot *slot = &slots[front];
    reply->slot = front;
    if (len < 4)
        return IDB_PARTIAL;
    if (len >= sizeof stored - 1 &&
        memcmp(bytes, stored, sizeof stored - 1) == 0) {
        reply->bytes = sizeof stored - 1;
        reply->expected = slot->job == IDB_FRESH || slot->job == IDB_CLAIM;
        return IDB_WHOLE;
    }
    if (memcmp(bytes, "VA ", 3) == 0)
        return value_read(codec, slot, bytes, len, reply);
    /* NOT_STORED, EN, SERVER_ERROR ...: a line that nobody wanted. */
    const uint8_t *end = memchr(bytes, '\n', len);
    if (!end)
        return len > 4096 ? IDB_BROKEN : IDB_PARTIAL;
    reply->bytes = (uint32_t)(end - bytes) + 1;
    reply->expected = false;
    return IDB_WHOLE;
}

const idb_target idb_target_memcached = {
    .name = "memcached",
    .steps = IDB_STEPS,
    .in_order = true,
    .request_bytes_max = request_bytes_max,
    .write = request_write,
    .read = reply_read,
};
