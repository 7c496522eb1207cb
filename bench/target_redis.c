/* SPDX-License-Identifier: Apache-2.0 */
/* target_redis.c -- what most teams have: SET NX PX, then SET XX PX.
 *
 *   fresh     SET key fp NX PX lease          -> OK
 *             SET key fp+result XX PX ttl     -> OK
 *   claim     SET key fp NX PX lease          -> OK
 *   inflight  SET key fp NX GET PX lease      -> the holder's fp
 *   replay    the same                        -> fp+result
 *   mismatch  the same                        -> another fp, then the result
 *
 * With a replica, WAIT 1 0 after each write, in the same send; or, with
 * /batch, once after all that is sent at once. A write counts as answered
 * when its WAIT is.
 *
 * The fingerprint stands before the result, so that a duplicate can be told
 * from a mismatch in one trip. No owner is checked: that is redis-lua. */
#include "bench/put.h"
#include "bench/resp.h"

#include <assert.h>

static uint8_t *put_key(const idb_work *work, uint64_t number, uint8_t *to) {
    to = idb_put_bulk_head(to, work->key_bytes);
    idb_key_write(work, number, to);
    return IDB_PUT_TEXT(to + work->key_bytes, "\r\n");
}

static size_t request_bytes_max(const idb_work *work) {
    return 256 + work->key_bytes + work->fingerprint_bytes + work->result_bytes;
}

static uint8_t *put_acquire(const idb_codec *codec, const idb_slot *slot,
                            uint8_t *to) {
    const idb_work *work = &codec->work;
    bool is_new = slot->job == IDB_FRESH || slot->job == IDB_CLAIM;
    to = is_new ? IDB_PUT_TEXT(to, "*6\r\n$3\r\nSET\r\n")
                : IDB_PUT_TEXT(to, "*7\r\n$3\r\nSET\r\n");
    to = put_key(work, slot->number, to);
    to = idb_put_bulk_head(to, work->fingerprint_bytes);
    idb_fingerprint_write(work, slot->number, slot->job == IDB_MISMATCH, to);
    to += work->fingerprint_bytes;
    to = IDB_PUT_TEXT(to, "\r\n$2\r\nNX\r\n");
    if (!is_new)
        to = IDB_PUT_TEXT(to, "$3\r\nGET\r\n");
    to = IDB_PUT_TEXT(to, "$2\r\nPX\r\n");
    return idb_put_bulk_number(to, idb_lease_ms(codec));
}

static uint8_t *put_complete(const idb_codec *codec, const idb_slot *slot,
                             uint8_t *to) {
    const idb_work *work = &codec->work;
    to = IDB_PUT_TEXT(to, "*6\r\n$3\r\nSET\r\n");
    to = put_key(work, slot->number, to);
    to = idb_put_bulk_head(to, work->fingerprint_bytes + work->result_bytes);
    idb_fingerprint_write(work, slot->number, false, to);
    to += work->fingerprint_bytes;
    idb_result_write(work, slot->number, to);
    to += work->result_bytes;
    to = IDB_PUT_TEXT(to, "\r\n$2\r\nXX\r\n$2\r\nPX\r\n");
    return idb_put_bulk_number(to, idb_ttl_ms(codec));
}

static size_t request_write(const idb_codec *codec, const idb_slot *slot,
                            uint32_t slot_number, uint8_t *to) {
    (void)slot_number;
    uint8_t *end = slot->step == 0 ? put_acquire(codec, slot, to)
                                   : put_complete(codec, slot, to);
    return (size_t)(end - to);
}

static bool is_expected(const idb_codec *codec, const idb_slot *slot,
                        const idb_resp *resp) {
    const idb_work *work = &codec->work;
    uint8_t fingerprint[IDB_FINGERPRINT_BYTES_MAX];
    if (slot->job == IDB_FRESH || slot->job == IDB_CLAIM)
        return resp->type == '+' && resp->len == 2;
    size_t want = work->fingerprint_bytes;
    if (slot->job != IDB_INFLIGHT)
        want += work->result_bytes;
    if (resp->type != '$' || resp->nil || resp->len != want)
        return false;
    /* A client must compare what it gets with what it sends. */
    idb_fingerprint_write(work, slot->number, slot->job == IDB_MISMATCH,
                          fingerprint);
    bool same = memcmp(fingerprint, resp->ptr, work->fingerprint_bytes) == 0;
    return same == (slot->job != IDB_MISMATCH);
}

static idb_read_status reply_read(const idb_codec *codec, idb_slot *slots,
                                  uint32_t front, const uint8_t *bytes,
                                  size_t len, idb_reply *reply) {
    idb_resp resp;
    idb_read_status status = idb_resp_read(bytes, len, &resp);
    if (status != IDB_WHOLE)
        return status;
    reply->bytes = resp.bytes;
    reply->slot = front;
    reply->expected = is_expected(codec, &slots[front], &resp);
    return IDB_WHOLE;
}

static size_t wait_write(uint8_t *to) {
    static const char wait[] = "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n";
    static_assert(sizeof wait - 1 <= IDB_END_BYTES_MAX, "an end fits");
    memcpy(to, wait, sizeof wait - 1);
    return sizeof wait - 1;
}

static size_t waited_bytes_max(const idb_work *work) {
    return request_bytes_max(work) + IDB_END_BYTES_MAX;
}

static size_t waited_write(const idb_codec *codec, const idb_slot *slot,
                           uint32_t slot_number, uint8_t *to) {
    size_t len = request_write(codec, slot, slot_number, to);
    return len + wait_write(to + len);
}

/* The answer to a WAIT at the head of bytes: was there a replica? */
static idb_read_status wait_read(const uint8_t *bytes, size_t len,
                                 idb_reply *reply) {
    idb_resp resp;
    idb_read_status status = idb_resp_read(bytes, len, &resp);
    if (status != IDB_WHOLE)
        return status;
    reply->bytes += resp.bytes;
    reply->expected = reply->expected && resp.type == ':' && resp.ptr[0] == '1';
    return IDB_WHOLE;
}

static idb_read_status waited_read(const idb_codec *codec, idb_slot *slots,
                                   uint32_t front, const uint8_t *bytes,
                                   size_t len, idb_reply *reply) {
    idb_read_status status = reply_read(codec, slots, front, bytes, len, reply);
    if (status != IDB_WHOLE)
        return status;
    return wait_read(bytes + reply->bytes, len - reply->bytes, reply);
}

/* A reply counts once the WAIT behind its batch is there, and the last of a
 * batch takes it along. */
static idb_read_status batch_read(const idb_codec *codec, idb_slot *slots,
                                  uint32_t front, const uint8_t *bytes,
                                  size_t len, idb_reply *reply) {
    size_t at = 0;
    idb_resp resp;
    idb_read_status status;
    do {
        status = idb_resp_read(bytes + at, len - at, &resp);
        if (status != IDB_WHOLE)
            return status;
        at += resp.bytes;
    } while (resp.type != ':');
    status = reply_read(codec, slots, front, bytes, len, reply);
    if (status == IDB_WHOLE && bytes[reply->bytes] == ':')
        status = wait_read(bytes + reply->bytes, len - reply->bytes, reply);
    return status;
}

#define STEPS                                                  \
    {                                                          \
        [IDB_FRESH] = 2, [IDB_INFLIGHT] = 1, [IDB_REPLAY] = 1, \
        [IDB_MISMATCH] = 1, [IDB_CLAIM] = 1                    \
    }

const idb_target idb_target_redis = {
    .name = "redis",
    .steps = STEPS,
    .in_order = true,
    .request_bytes_max = request_bytes_max,
    .write = request_write,
    .read = reply_read,
};

const idb_target idb_target_redis_wait = {
    .name = "redis",
    .steps = STEPS,
    .in_order = true,
    .request_bytes_max = waited_bytes_max,
    .write = waited_write,
    .read = waited_read,
};

const idb_target idb_target_redis_wait_batch = {
    .name = "redis",
    .steps = STEPS,
    .in_order = true,
    .request_bytes_max = request_bytes_max,
    .write = request_write,
    .read = batch_read,
    .end = wait_write,
};
