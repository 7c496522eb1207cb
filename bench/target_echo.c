/* SPDX-License-Identifier: Apache-2.0 */
/* target_echo.c -- the limit: a server that only sends back what it gets.
 *
 * A message is as long as idem's request for the same step, or as its reply
 * where that is longer, so the kernel carries at least as many bytes as for
 * us. There is no framing: replies are counted off by length. */
#include "bench/target.h"

/* What MessagePack-RPC, the method, the times and a token add. */
#define ACQUIRE_EXTRA  28
#define COMPLETE_EXTRA 36
#define REPLAY_EXTRA   32

static uint32_t message_bytes(const idb_work *work, const idb_slot *slot) {
    uint32_t acquire = work->key_bytes + work->fingerprint_bytes +
                       work->nonce_bytes + ACQUIRE_EXTRA;
    if (slot->step == 1)
        return work->key_bytes + work->result_bytes + COMPLETE_EXTRA;
    uint32_t replay = work->result_bytes + REPLAY_EXTRA;
    return slot->job == IDB_REPLAY && replay > acquire ? replay : acquire;
}

static size_t request_bytes_max(const idb_work *work) {
    return 128 + work->key_bytes + work->fingerprint_bytes + work->nonce_bytes +
           work->result_bytes;
}

static size_t request_write(const idb_codec *codec, const idb_slot *slot,
                            uint32_t slot_number, uint8_t *to) {
    (void)slot_number;
    const idb_work *work = &codec->work;
    uint32_t bytes = message_bytes(work, slot);
    /* The same work for the generator as a real request, then any bytes. */
    idb_key_write(work, slot->number, to);
    uint8_t *at = to + work->key_bytes;
    if (slot->step == 1) {
        idb_result_write(work, slot->number, at);
        at += work->result_bytes;
    } else {
        idb_fingerprint_write(work, slot->number, false, at);
        at += work->fingerprint_bytes;
    }
    if (at < to + bytes)
        memset(at, 'e', (size_t)(to + bytes - at));
    return bytes;
}

static idb_read_status reply_read(const idb_codec *codec, idb_slot *slots,
                                  uint32_t front, const uint8_t *bytes,
                                  size_t len, idb_reply *reply) {
    (void)bytes;
    uint32_t want = message_bytes(&codec->work, &slots[front]);
    if (len < want)
        return IDB_PARTIAL;
    reply->bytes = want;
    reply->slot = front;
    reply->expected = true;
    return IDB_WHOLE;
}

const idb_target idb_target_echo = {
    .name = "echo",
    .steps = IDB_STEPS,
    .in_order = true,
    .request_bytes_max = request_bytes_max,
    .write = request_write,
    .read = reply_read,
};
