/* target_redis.c -- what most teams have: SET NX PX, then SET XX PX.
 *
 *   fresh     SET key fp NX PX lease          -> OK
 *             SET key fp+result XX PX ttl     -> OK
 *   claim     SET key fp NX PX lease          -> OK
 *   inflight  SET key fp NX GET PX lease      -> the holder's fp
 *   replay    the same                        -> fp+result
 *   mismatch  the same                        -> another fp, then the result
 *
 * The fingerprint stands before the result, so that a duplicate can be told
 * from a mismatch in one trip. No owner is checked: that is redis-lua. */
#include "bench/put.h"
#include "bench/resp.h"

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

const idb_target idb_target_redis = {
    .name = "redis",
    .steps = {[IDB_FRESH] = 2,
              [IDB_INFLIGHT] = 1,
              [IDB_REPLAY] = 1,
              [IDB_MISMATCH] = 1,
              [IDB_CLAIM] = 1},
    .in_order = true,
    .request_bytes_max = request_bytes_max,
    .write = request_write,
    .read = reply_read,
};
