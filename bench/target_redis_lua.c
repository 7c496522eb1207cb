/* SPDX-License-Identifier: Apache-2.0 */
/* target_redis_lua.c -- the same promise as ours, kept by two Lua scripts.
 *
 * A record is one string: state, attempt, lease end, owner's token,
 * fingerprint, result. It outlives its lease, so that an orphan is seen and
 * its attempt counted. The token is the caller's (a random 16 bytes), which
 * spares Redis a counter.
 *
 *   acquire   EVALSHA acquire 1 key fp token lease ttl   one trip
 *   complete  EVALSHA complete 1 key token ttl result    one trip */
#include "bench/put.h"
#include "bench/resp.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

/* state byte: 'P' in progress, 'C' completed. Header ">c1I4dc16I1". */
static const char acquire_script[] =
    "local t = redis.call('TIME')\n"
    "local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
    "local v = redis.call('GET', KEYS[1])\n"
    "local attempt = 0\n"
    "if v then\n"
    "  local state, seen, lease, token, fplen, at =\n"
    "    struct.unpack('>c1I4dc16I1', v)\n"
    "  local fp = string.sub(v, at, at + fplen - 1)\n"
    "  if fp ~= ARGV[1] then return 'M' end\n"
    "  if state == 'C' then return 'R' .. string.sub(v, at + fplen) end\n"
    "  if token == ARGV[2] then attempt = seen - 1\n"
    "  elseif now < lease then return 'P' .. (lease - now)\n"
    "  else attempt = seen end\n"
    "end\n"
    "redis.call('SET', KEYS[1], struct.pack('>c1I4dc16I1', 'P', attempt + 1,\n"
    "  now + ARGV[3], ARGV[2], #ARGV[1]) .. ARGV[1], 'PX', ARGV[4])\n"
    "return 'A' .. (attempt + 1)\n";

static const char complete_script[] =
    "local v = redis.call('GET', KEYS[1])\n"
    "if not v then return 'U' end\n"
    "local state, attempt, lease, token, fplen, at =\n"
    "  struct.unpack('>c1I4dc16I1', v)\n"
    "if token ~= ARGV[1] then return 'S' .. state end\n"
    "if state == 'C' then return 'C' end\n"
    "redis.call('SET', KEYS[1], 'C' .. string.sub(v, 2, at + fplen - 1) ..\n"
    "  ARGV[3], 'PX', ARGV[2])\n"
    "return 'C'\n";

#define TOKEN_BYTES 16

static void token_write(const idb_codec *codec, const idb_slot *slot,
                        uint8_t *to) {
    /* Duplicates come from somebody else. */
    bool is_new = slot->job == IDB_FRESH || slot->job == IDB_CLAIM;
    idb_words_write(codec->work.seed ^ slot->number ^ (is_new ? 0x70cu : 0xd0u),
                    TOKEN_BYTES, to);
}

static size_t request_bytes_max(const idb_work *work) {
    return 512 + work->key_bytes + work->fingerprint_bytes + work->result_bytes;
}

static uint8_t *put_token(const idb_codec *codec, const idb_slot *slot,
                          uint8_t *to) {
    to = IDB_PUT_TEXT(to, "$16\r\n");
    token_write(codec, slot, to);
    return IDB_PUT_TEXT(to + TOKEN_BYTES, "\r\n");
}

static uint8_t *put_head(const idb_codec *codec, const idb_slot *slot,
                         const char *sha, uint8_t *to) {
    to = IDB_PUT_TEXT(to, "$7\r\nEVALSHA\r\n$40\r\n");
    to = idb_put(to, sha, 40);
    to = IDB_PUT_TEXT(to, "\r\n$1\r\n1\r\n");
    to = idb_put_bulk_head(to, codec->work.key_bytes);
    idb_key_write(&codec->work, slot->number, to);
    return IDB_PUT_TEXT(to + codec->work.key_bytes, "\r\n");
}

static uint8_t *put_acquire(const idb_codec *codec, const idb_slot *slot,
                            uint8_t *to) {
    const idb_work *work = &codec->work;
    to = IDB_PUT_TEXT(to, "*8\r\n");
    to = put_head(codec, slot, codec->sha_acquire, to);
    to = idb_put_bulk_head(to, work->fingerprint_bytes);
    idb_fingerprint_write(work, slot->number, slot->job == IDB_MISMATCH, to);
    to = IDB_PUT_TEXT(to + work->fingerprint_bytes, "\r\n");
    to = put_token(codec, slot, to);
    to = idb_put_bulk_number(to, idb_lease_ms(codec));
    return idb_put_bulk_number(to, idb_ttl_ms(codec));
}

static uint8_t *put_complete(const idb_codec *codec, const idb_slot *slot,
                             uint8_t *to) {
    const idb_work *work = &codec->work;
    to = IDB_PUT_TEXT(to, "*7\r\n");
    to = put_head(codec, slot, codec->sha_complete, to);
    to = put_token(codec, slot, to);
    to = idb_put_bulk_number(to, idb_ttl_ms(codec));
    to = idb_put_bulk_head(to, work->result_bytes);
    idb_result_write(work, slot->number, to);
    return IDB_PUT_TEXT(to + work->result_bytes, "\r\n");
}

static size_t request_write(const idb_codec *codec, const idb_slot *slot,
                            uint32_t slot_number, uint8_t *to) {
    (void)slot_number;
    uint8_t *end = slot->step == 0 ? put_acquire(codec, slot, to)
                                   : put_complete(codec, slot, to);
    return (size_t)(end - to);
}

static idb_read_status reply_read(const idb_codec *codec, idb_slot *slots,
                                  uint32_t front, const uint8_t *bytes,
                                  size_t len, idb_reply *reply) {
    static const char first[IDB_JOB_COUNT] = {[IDB_FRESH] = 'A',
                                              [IDB_INFLIGHT] = 'P',
                                              [IDB_REPLAY] = 'R',
                                              [IDB_MISMATCH] = 'M',
                                              [IDB_CLAIM] = 'A'};
    (void)codec;
    idb_resp resp;
    idb_read_status status = idb_resp_read(bytes, len, &resp);
    if (status != IDB_WHOLE)
        return status;
    const idb_slot *slot = &slots[front];
    char want = slot->step == 0 ? first[slot->job] : 'C';
    reply->bytes = resp.bytes;
    reply->slot = front;
    reply->expected = resp.type == '$' && !resp.nil && resp.len > 0 &&
                      resp.ptr[0] == (uint8_t)want;
    return IDB_WHOLE;
}

/* The reply to what was sent, as hiredis reads it; NULL: there is none. */
static redisReply *reply_await(idb_wire *wire) {
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    char came[1024];
    while (reader && !reply) {
        ssize_t got = idb_wire_recv(wire, came, sizeof came);
        if (got <= 0 ||
            redisReaderFeed(reader, came, (size_t)got) != REDIS_OK ||
            redisReaderGetReply(reader, &reply) != REDIS_OK)
            break;
    }
    if (reader)
        redisReaderFree(reader);
    return reply;
}

static bool script_load(idb_wire *wire, const char *script, char *sha) {
    char *command = NULL;
    int len = redisFormatCommand(&command, "SCRIPT LOAD %s", script);
    redisReply *reply = NULL;
    if (len > 0 && idb_wire_send(wire, command, (size_t)len))
        reply = reply_await(wire);
    bool loaded = reply && reply->type == REDIS_REPLY_STRING;
    if (loaded)
        snprintf(sha, 41, "%s", reply->str);
    if (reply)
        freeReplyObject(reply);
    redisFreeCommand(command);
    return loaded;
}

/* The setup has no hurry: hiredis itself writes and reads. */
static const char *prepare_redis_lua(idb_codec *codec, idb_wire *wire) {
    bool loaded = script_load(wire, acquire_script, codec->sha_acquire) &&
                  script_load(wire, complete_script, codec->sha_complete);
    return loaded ? NULL : idb_wire_why(wire, "redis did not take the scripts");
}

const idb_target idb_target_redis_lua = {
    .name = "redis-lua",
    .steps = IDB_STEPS,
    .in_order = true,
    .request_bytes_max = request_bytes_max,
    .write = request_write,
    .read = reply_read,
    .prepare = prepare_redis_lua,
};
