/* SPDX-License-Identifier: Apache-2.0 */
/* target_http.c -- idem/http: the same calls over HTTP and JSON, as curl or a
 * service without a client of ours makes them. Requests may be sent in a row;
 * each is answered in its turn.
 *
 *   fresh     POST /v1/acquire -> acquired, POST /v1/complete -> completed
 *   claim     POST /v1/acquire -> acquired
 *   inflight  the same         -> in_progress
 *   replay    the same         -> replay with the result
 *   mismatch  the same         -> mismatch
 *
 * A result is a string of JSON as long as the work's. */
#include "bench/put.h"
#include "bench/target.h"

#include <stdio.h>
#include <stdlib.h>

#define HEAD_BYTES_MAX 256

static size_t request_bytes_max(const idb_work *work) {
    return HEAD_BYTES_MAX + 256 + work->key_bytes +
           2 * (size_t)work->fingerprint_bytes + 2 * (size_t)work->nonce_bytes +
           work->result_bytes;
}

/* Requests ----------------------------------------------------------------- */

static uint8_t *put_hex(uint8_t *to, const uint8_t *bytes, size_t len) {
    for (size_t i = 0; i < len; i++) {
        *to++ = (uint8_t) "0123456789abcdef"[bytes[i] >> 4];
        *to++ = (uint8_t) "0123456789abcdef"[bytes[i] & 15];
    }
    return to;
}

static uint8_t *put_key(const idb_work *work, uint64_t number, uint8_t *to) {
    to = IDB_PUT_TEXT(to, "{\"key\":\"");
    idb_key_write(work, number, to);
    return IDB_PUT_TEXT(to + work->key_bytes, "\"");
}

static uint8_t *put_acquire(const idb_codec *codec, const idb_slot *slot,
                            uint8_t *to) {
    const idb_work *work = &codec->work;
    uint8_t fingerprint[IDB_FINGERPRINT_BYTES_MAX];
    uint8_t nonce[IDB_NONCE_BYTES_MAX];
    to = put_key(work, slot->number, to);
    to = IDB_PUT_TEXT(to, ",\"fingerprint_hex\":\"");
    idb_fingerprint_write(work, slot->number, slot->job == IDB_MISMATCH,
                          fingerprint);
    to = put_hex(to, fingerprint, work->fingerprint_bytes);
    to = IDB_PUT_TEXT(to, "\",\"lease_ms\":");
    to = idb_put_number(to, idb_lease_ms(codec));
    to = IDB_PUT_TEXT(to, ",\"ttl_ms\":");
    to = idb_put_number(to, idb_ttl_ms(codec));
    if (work->nonce_bytes > 0) { /* as much as a nonce of hexadecimal has */
        uint32_t len = work->nonce_bytes < IDB_NONCE_BYTES_MAX / 2
                           ? work->nonce_bytes
                           : IDB_NONCE_BYTES_MAX / 2;
        idb_nonce_write(work, slot->number ^ (uint64_t)slot->job << 48, nonce);
        to = IDB_PUT_TEXT(to, ",\"nonce\":\"");
        to = put_hex(to, nonce, len);
        to = IDB_PUT_TEXT(to, "\"");
    }
    return IDB_PUT_TEXT(to, "}");
}

/* A string, or where there is no room for its quotes a number. */
static uint8_t *put_result(const idb_work *work, uint64_t number, uint8_t *to) {
    uint32_t len = work->result_bytes;
    uint64_t own = idb_mix(number ^ work->seed ^ 0x4e5u);
    memset(to, len < 2 ? '7' : 'x', len);
    if (len >= 18)
        put_hex(to + 1, (const uint8_t *)&own, sizeof own);
    if (len >= 2)
        to[0] = to[len - 1] = '"';
    return to + len;
}

static uint8_t *put_complete(const idb_codec *codec, const idb_slot *slot,
                             uint8_t *to) {
    const idb_work *work = &codec->work;
    to = put_key(work, slot->number, to);
    to = IDB_PUT_TEXT(to, ",\"token\":\"");
    to = put_hex(to, slot->token, sizeof slot->token);
    to = IDB_PUT_TEXT(to, "\",\"ttl_ms\":");
    to = idb_put_number(to, idb_ttl_ms(codec));
    if (!work->result_bytes)
        return IDB_PUT_TEXT(to, ",\"result_text\":\"\"}");
    to = IDB_PUT_TEXT(to, ",\"result\":");
    to = put_result(work, slot->number, to);
    return IDB_PUT_TEXT(to, "}");
}

/* The head says how long the body is: that is made first, behind its room. */
static size_t request_write(const idb_codec *codec, const idb_slot *slot,
                            uint32_t slot_number, uint8_t *to) {
    uint8_t *body = to + HEAD_BYTES_MAX, *at = to;
    bool is_first = slot->step == 0;
    const uint8_t *end = is_first ? put_acquire(codec, slot, body)
                                  : put_complete(codec, slot, body);
    size_t len = (size_t)(end - body);
    (void)slot_number;
    at = is_first ? IDB_PUT_TEXT(at, "POST /v1/acquire HTTP/1.1\r\n")
                  : IDB_PUT_TEXT(at, "POST /v1/complete HTTP/1.1\r\n");
    at = IDB_PUT_TEXT(at, "Host: localhost\r\n"
                          "User-Agent: idembench\r\n"
                          "Accept: */*\r\n"
                          "Content-Type: application/json\r\n"
                          "Content-Length: ");
    at = idb_put_number(at, len);
    at = IDB_PUT_TEXT(at, "\r\n\r\n");
    memmove(at, body, len);
    return (size_t)(at - to) + len;
}

/* Replies ------------------------------------------------------------------ */

typedef struct response {
    idp_slice body;
    size_t bytes;
    unsigned status;
} response;

static const uint8_t *find(idp_slice in, const char *text) {
    size_t len = strlen(text);
    return in.len < len ? NULL : memmem(in.ptr, in.len, text, len);
}

static idb_read_status open_response(const uint8_t *bytes, size_t len,
                                     response *r) {
    static const char version[] = "HTTP/1.1 ", length[] = "Content-Length: ";
    idp_slice all = {bytes, len};
    size_t begins = sizeof version - 1;
    if (memcmp(bytes, version, len < begins ? len : begins) != 0)
        return IDB_BROKEN;
    const uint8_t *end = find(all, "\r\n\r\n");
    if (!end)
        return IDB_PARTIAL;
    const uint8_t *at = find((idp_slice){bytes, (size_t)(end - bytes)}, length);
    if (!at)
        return IDB_BROKEN;
    r->status = (unsigned)strtoul((const char *)bytes + begins, NULL, 10);
    r->body.ptr = end + 4;
    r->body.len = strtoul((const char *)at + sizeof length - 1, NULL, 10);
    r->bytes = (size_t)(r->body.ptr - bytes) + r->body.len;
    return r->bytes <= len ? IDB_WHOLE : IDB_PARTIAL;
}

/* The member's value, from its first byte to the body's end. */
static idp_slice member(idp_slice body, const char *name) {
    const uint8_t *at = find(body, name);
    if (!at)
        return (idp_slice){0};
    at += strlen(name);
    return (idp_slice){at, body.len - (size_t)(at - body.ptr)};
}

static int hex_of(uint8_t c) {
    return c >= 'a' ? c - 'a' + 10 : c - '0';
}

static bool take_token(idp_slice body, idb_slot *slot) {
    idp_slice text = member(body, "\"token\":\"");
    if (text.len < 2 * sizeof slot->token)
        return false;
    for (size_t i = 0; i < sizeof slot->token; i++)
        slot->token[i] = (uint8_t)(hex_of(text.ptr[2 * i]) << 4 |
                                   hex_of(text.ptr[2 * i + 1]));
    return true;
}

/* It is the last member: }LF stands behind it. */
static bool has_result(const idb_codec *codec, idp_slice body) {
    idp_slice result =
        member(body, codec->work.result_bytes ? "\"result\":"
                                              : "\"result_text\":\"\"");
    return result.ptr && result.len == codec->work.result_bytes + 2;
}

static bool is_expected(const idb_codec *codec, idb_slot *slot,
                        const response *r) {
    static const struct {
        unsigned status;
        const char *outcome;
    } want[IDB_JOB_COUNT] = {
        [IDB_FRESH] = {201, "\"outcome\":\"acquired\""},
        [IDB_INFLIGHT] = {409, "\"outcome\":\"in_progress\""},
        [IDB_REPLAY] = {200, "\"outcome\":\"replay\""},
        [IDB_MISMATCH] = {422, "\"outcome\":\"mismatch\""},
        [IDB_CLAIM] = {201, "\"outcome\":\"acquired\""},
    };
    if (slot->step == 1)
        return r->status == 200 && find(r->body, "\"kept\":true");
    if (r->status != want[slot->job].status ||
        !find(r->body, want[slot->job].outcome))
        return false;
    if (r->status == 201)
        return take_token(r->body, slot);
    return slot->job != IDB_REPLAY || has_result(codec, r->body);
}

static idb_read_status reply_read(const idb_codec *codec, idb_slot *slots,
                                  uint32_t front, const uint8_t *bytes,
                                  size_t len, idb_reply *reply) {
    response r;
    idb_read_status status = open_response(bytes, len, &r);
    if (status != IDB_WHOLE)
        return status;
    reply->bytes = (uint32_t)r.bytes;
    reply->slot = front;
    reply->expected = is_expected(codec, &slots[front], &r);
    return IDB_WHOLE;
}

static bool reply_tell(const idb_slot *slot, const uint8_t *bytes, size_t len,
                       char *to, size_t cap) {
    response r;
    if (open_response(bytes, len, &r) != IDB_WHOLE)
        return false;
    idp_slice code = member(r.body, "\"code\":\"");
    size_t code_len = 0;
    while (code_len < code.len && code.ptr[code_len] != '"' && code_len < 40)
        code_len++;
    snprintf(to, cap, "%s was answered with %u%s%.*s",
             slot->step == 0 ? "acquire" : "complete", r.status,
             code_len ? " " : "", (int)code_len,
             code_len ? (const char *)code.ptr : "");
    return true;
}

const idb_target idb_target_idem_http = {
    .name = "idem",
    .steps = IDB_STEPS,
    .in_order = true,
    .request_bytes_max = request_bytes_max,
    .write = request_write,
    .read = reply_read,
    .tell = reply_tell,
};
