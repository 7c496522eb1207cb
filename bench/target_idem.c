/* SPDX-License-Identifier: Apache-2.0 */
/* target_idem.c -- idemstore, over the library that its own client uses.
 *
 *   fresh     acquire -> acquired, complete with its token -> completed
 *   claim     acquire -> acquired
 *   inflight  acquire -> in_progress
 *   replay    acquire -> replay with the result
 *   mismatch  acquire -> mismatch
 *
 * Each is one request and one round trip. Shard-aware as libidemclient is:
 * hello says how many shards there are and how keys are dealt to them, each
 * connection moves to one shard, and a key goes over a connection of its
 * own. idem/blind is a client that knows nothing of this. */
#include "bench/target.h"
#include "proto/owner.h"
#include "proto/reply.h"
#include "proto/request.h"

#include <errno.h>
#include <stdio.h>

#define NS_BYTES 0

/* A result too large for the stack is made at the end of the buffer, behind
 * the request that it is copied into. */
#define SMALL_RESULT_BYTES 512

static size_t request_bytes_max(const idb_work *work) {
    return 128 + work->key_bytes + work->fingerprint_bytes + work->nonce_bytes +
           2 * (size_t)work->result_bytes;
}

static size_t acquire_write(const idb_codec *codec, const idb_slot *slot,
                            uint32_t msgid, uint8_t *to, size_t cap) {
    const idb_work *work = &codec->work;
    uint8_t key[IDB_KEY_BYTES_MAX];
    uint8_t fingerprint[IDB_FINGERPRINT_BYTES_MAX];
    uint8_t nonce[IDB_NONCE_BYTES_MAX];
    idb_key_write(work, slot->number, key);
    idb_fingerprint_write(work, slot->number, slot->job == IDB_MISMATCH,
                          fingerprint);
    idp_request request = {
        .method = IDP_ACQUIRE,
        .msgid = msgid,
        .ns = {key, NS_BYTES},
        .key = {key, work->key_bytes},
        .fingerprint = {fingerprint, work->fingerprint_bytes},
        .lease_ms = (uint32_t)idb_lease_ms(codec),
        .ttl_ms = idb_ttl_ms(codec),
    };
    if (work->nonce_bytes > 0) {
        idb_nonce_write(work, slot->number ^ (uint64_t)slot->job << 48, nonce);
        request.nonce = (idp_slice){nonce, work->nonce_bytes};
    }
    return idp_request_write(to, cap, &request);
}

static size_t complete_write(const idb_codec *codec, const idb_slot *slot,
                             uint32_t msgid, uint8_t *to, size_t cap) {
    const idb_work *work = &codec->work;
    uint8_t key[IDB_KEY_BYTES_MAX];
    uint8_t small[SMALL_RESULT_BYTES];
    uint8_t *result = work->result_bytes <= sizeof small
                          ? small
                          : to + cap - work->result_bytes;
    idb_key_write(work, slot->number, key);
    idb_result_write(work, slot->number, result);
    idp_request request = {
        .method = IDP_COMPLETE,
        .msgid = msgid,
        .ns = {key, NS_BYTES},
        .key = {key, work->key_bytes},
        .result = {result, work->result_bytes},
        .ttl_ms = idb_ttl_ms(codec),
    };
    memcpy(&request.token, slot->token, sizeof request.token);
    return idp_request_write(to, cap, &request);
}

static size_t request_write(const idb_codec *codec, const idb_slot *slot,
                            uint32_t slot_number, uint8_t *to) {
    size_t cap = request_bytes_max(&codec->work);
    return slot->step == 0 ? acquire_write(codec, slot, slot_number, to, cap)
                           : complete_write(codec, slot, slot_number, to, cap);
}

static bool is_expected(const idb_codec *codec, idb_slot *slot,
                        const idp_reply *reply) {
    static const idp_outcome want[IDB_JOB_COUNT] = {
        [IDB_FRESH] = IDP_OUTCOME_ACQUIRED,
        [IDB_INFLIGHT] = IDP_OUTCOME_IN_PROGRESS,
        [IDB_REPLAY] = IDP_OUTCOME_REPLAY,
        [IDB_MISMATCH] = IDP_OUTCOME_MISMATCH,
        [IDB_CLAIM] = IDP_OUTCOME_ACQUIRED,
    };
    idp_answer answer;
    idp_method method = slot->step == 0 ? IDP_ACQUIRE : IDP_COMPLETE;
    if (reply->is_error || !idp_answer_read(method, reply->result, &answer))
        return false;
    if (slot->step == 1)
        return answer.outcome == IDP_OUTCOME_COMPLETED && answer.kept;
    if (answer.outcome != want[slot->job])
        return false;
    if (answer.outcome == IDP_OUTCOME_ACQUIRED)
        memcpy(slot->token, &answer.token, sizeof slot->token);
    return answer.outcome != IDP_OUTCOME_REPLAY ||
           answer.result.len == codec->work.result_bytes;
}

static idb_read_status reply_read(const idb_codec *codec, idb_slot *slots,
                                  uint32_t front, const uint8_t *bytes,
                                  size_t len, idb_reply *reply) {
    (void)front;
    idp_reply opened;
    size_t frame;
    switch (idp_reply_open(bytes, len,
                           idp_reply_bytes_max(codec->work.result_bytes),
                           &opened, &frame)) {
    case IDP_REPLY_PARTIAL:
        return IDB_PARTIAL;
    case IDP_REPLY_BROKEN:
        return IDB_BROKEN;
    case IDP_REPLY_WHOLE:
        break;
    }
    if (opened.msgid >= codec->slots)
        return IDB_BROKEN;
    reply->bytes = (uint32_t)frame;
    reply->slot = opened.msgid;
    reply->expected = is_expected(codec, &slots[opened.msgid], &opened);
    return IDB_WHOLE;
}

static bool is_text(idp_slice text) {
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] < ' ' || text.ptr[i] > '~')
            return false;
    return true;
}

static bool reply_tell(const idb_slot *slot, const uint8_t *bytes, size_t len,
                       char *to, size_t cap) {
    idp_reply reply;
    idp_answer answer;
    size_t frame;
    idp_method method = slot->step == 0 ? IDP_ACQUIRE : IDP_COMPLETE;
    bool is_new = slot->job == IDB_FRESH || slot->job == IDB_CLAIM;
    if (idp_reply_open(bytes, len, SIZE_MAX, &reply, &frame) != IDP_REPLY_WHOLE)
        return false;
    if (reply.is_error && is_text(reply.text)) {
        snprintf(to, cap, "%s was refused: %.*s", idp_method_name(method),
                 (int)(reply.text.len < 70 ? reply.text.len : 70),
                 (const char *)reply.text.ptr);
        return true;
    }
    if (reply.is_error || !idp_answer_read(method, reply.result, &answer))
        return false;
    snprintf(to, cap, "%s was answered with %s%s", idp_method_name(method),
             idp_outcome_name(answer.outcome),
             is_new && method == IDP_ACQUIRE
                 ? ": somebody else uses these keys; another --seed, or a "
                   "fresh server"
                 : "");
    return true;
}

static const char *say_hello(idb_wire *wire, bool move, uint32_t shard,
                             idp_hello *hello) {
    uint8_t bytes[IDP_HELLO_BYTES_MAX + 64];
    static const uint8_t name[] = "idembench";
    idp_request request = {.method = IDP_HELLO,
                           .has_shard = move,
                           .shard = shard,
                           .client = {name, sizeof name - 1}};
    size_t len = idp_request_write(bytes, sizeof bytes, &request), have = 0;
    idb_wire_patience(wire, IDB_HANDSHAKE_SECONDS);
    if (!idb_wire_send(wire, bytes, len))
        return idb_wire_why(wire, "cannot send hello");
    for (;;) {
        ssize_t got = idb_wire_recv(wire, bytes + have, sizeof bytes - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return "what listens there says nothing to hello: is it "
                   "idemstored?";
        if (got <= 0)
            return idb_wire_why(
                wire, "the server closed at hello: is it idemstored?");
        have += (size_t)got;
        idp_reply reply;
        idp_reply_read_status status =
            idp_reply_open(bytes, have, sizeof bytes, &reply, &len);
        if (status == IDP_REPLY_PARTIAL && have < sizeof bytes)
            continue;
        if (bytes[0] == IDB_TLS_ALERT)
            return IDB_WANTS_TLS;
        if (status != IDP_REPLY_WHOLE || reply.is_error ||
            !idp_hello_read(reply.result, hello))
            return "what listens there does not speak idemstore's protocol, or "
                   "wants a secret";
        idb_wire_patience(wire, 0);
        return NULL;
    }
}

static const char *prepare_idem(idb_codec *codec, idb_wire *wire) {
    idp_hello hello;
    const char *failed = say_hello(wire, false, 0, &hello);
    if (failed)
        return failed;
    codec->shards = hello.shards > 0 ? hello.shards : 1;
    memcpy(codec->hash_key, hello.hash_key, sizeof codec->hash_key);
    return NULL;
}

static const char *idem_handshake(const idb_codec *codec, idb_wire *wire,
                                  uint32_t shard) {
    idp_hello hello;
    return codec->shards > 1 ? say_hello(wire, true, shard, &hello) : NULL;
}

static bool belongs(const idb_codec *codec, uint64_t number, uint32_t shard) {
    uint8_t key[IDB_KEY_BYTES_MAX];
    idb_key_write(&codec->work, number, key);
    uint64_t hash = idp_owner_hash(codec->hash_key, (idp_slice){key, NS_BYTES},
                                   (idp_slice){key, codec->work.key_bytes});
    return idp_owner_shard(hash, codec->shards) == shard;
}

const idb_target idb_target_idem = {
    .name = "idem",
    .steps = IDB_STEPS,
    .request_bytes_max = request_bytes_max,
    .write = request_write,
    .read = reply_read,
    .tell = reply_tell,
    .prepare = prepare_idem,
    .handshake = idem_handshake,
    .belongs = belongs,
};

const idb_target idb_target_idem_blind = {
    .name = "idem",
    .steps = IDB_STEPS,
    .request_bytes_max = request_bytes_max,
    .write = request_write,
    .read = reply_read,
    .tell = reply_tell,
};
