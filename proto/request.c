/* SPDX-License-Identifier: Apache-2.0 */
/* request.c -- each method's parameters: decode and encode, side by side.
 *
 * Pure: nothing here allocates, reads a clock or formats text. The frame
 * around the parameters is frame.c's to read. */
#include "proto/fields.h"
#include "proto/params.h"
#include "proto/reply.h"

#include <assert.h>

/* acquire ------------------------------------------------------------------ */

static bool acquire_option_read(cursor *c, int at, idp_request *r,
                                idp_read_fault *fault) {
    if (at == 0) {
        uint64_t ms;
        if (!cursor_uint(c, &ms) || ms > IDP_WAIT_MS_MAX) {
            return bad(fault, "wait_ms must be an integer of 0..60000");
        }
        r->wait_ms = (uint32_t)ms;
        return true;
    }
    idp_slice word;
    if (cursor_bytes(c, &word)) {
        r->on_orphan = slice_is(word, "report") ? IDP_REPORT : IDP_TAKEOVER;
        if (r->on_orphan == IDP_REPORT || slice_is(word, "takeover")) {
            return true;
        }
    }
    return bad(fault, "on_orphan must be \"takeover\" or \"report\"");
}

static const options acquire_options = {
    {"wait_ms", "on_orphan"},
    acquire_option_read,
    "acquire's options are wait_ms and on_orphan",
};

static const uint8_t *acquire_read(cursor c, uint32_t count, idp_request *r,
                                   idp_read_fault *fault) {
    if (count != 6 && count != 7) {
        return bad(fault, "acquire takes ns, key, fingerprint, nonce, "
                          "lease_ms, ttl_ms and an optional map");
    }
    if (!name_read(&c, r, fault) ||
        !(cursor_nil(&c) ||
          bytes_read(&c, &fingerprint_field, &r->fingerprint, fault)) ||
        !(cursor_nil(&c) || bytes_read(&c, &nonce_field, &r->nonce, fault)) ||
        !lease_read(&c, r, fault) || !ttl_read(&c, r, fault)) {
        return NULL;
    }
    if (r->lease_ms > r->ttl_ms) {
        return bad(fault, "lease_ms is over ttl_ms");
    }
    return count == 6 ? c.at : options_read(c, &acquire_options, r, fault);
}

static uint8_t *bin_or_nil(uint8_t *to, idp_slice bytes) {
    return bytes.len > 0 ? put_bin(to, bytes) : put_nil(to);
}

static uint8_t *acquire_put(uint8_t *to, const idp_request *r) {
    unsigned wait = r->wait_ms > 0;
    unsigned report = r->on_orphan == IDP_REPORT;
    to = put_word(to, "acquire");
    to = put_u8(to, wait || report ? 0x97 : 0x96);
    to = name_put(to, r);
    to = bin_or_nil(to, r->fingerprint);
    to = bin_or_nil(to, r->nonce);
    to = put_uint(to, r->lease_ms);
    to = put_uint(to, r->ttl_ms);
    if (wait || report) {
        to = put_map(to, wait + report);
    }
    if (wait) {
        to = put_uint(put_word(to, "wait_ms"), r->wait_ms);
    }
    if (report) {
        to = put_word(put_word(to, "on_orphan"), "report");
    }
    return to;
}

/* complete ----------------------------------------------------------------- */

static bool complete_option_read(cursor *c, int at, idp_request *r,
                                 idp_read_fault *fault) {
    (void)at;
    idp_slice word;
    if (cursor_bytes(c, &word)) {
        r->class =
            slice_is(word, "error") ? IDP_CLASS_ERROR : IDP_CLASS_SUCCESS;
        if (r->class == IDP_CLASS_ERROR || slice_is(word, "success")) {
            return true;
        }
    }
    return bad(fault, "class must be \"success\" or \"error\"");
}

static const options complete_options = {
    {"class"}, complete_option_read, "complete's only option is class"};

static const uint8_t *complete_read(cursor c, uint32_t count,
                                    size_t result_bytes_max, idp_request *r,
                                    idp_read_fault *fault) {
    if (count < 3 || count > 6) {
        return bad(fault, "complete takes ns, key, token, result, ttl_ms "
                          "and an optional map");
    }
    if (!claim_read(&c, r, fault)) {
        return NULL;
    }
    if (count > COMPLETE_RESULT_AT && !cursor_nil(&c)) {
        if (!cursor_bytes(&c, &r->result)) {
            return bad(fault, "result must be a str, a bin or nil");
        }
        if (r->result.len > result_bytes_max) {
            return refuse(fault, IDP_E_TOO_LARGE, "result is over its limit");
        }
    }
    if (count > 4 && !cursor_nil(&c) && !ttl_read(&c, r, fault)) {
        return NULL;
    }
    return count <= 5 ? c.at : options_read(c, &complete_options, r, fault);
}

static uint8_t *complete_put(uint8_t *to, const idp_request *r) {
    bool has_result = r->result.ptr && !r->result_too_large;
    unsigned count = r->class == IDP_CLASS_ERROR ? 6
                     : r->ttl_ms > 0             ? 5
                     : has_result                ? 4
                                                 : 3;
    to = put_u8(put_word(to, "complete"), (uint8_t)(0x90 | count));
    to = claim_put(to, r);
    if (count > 3) {
        to = has_result ? put_bin(to, r->result) : put_nil(to);
    }
    if (count > 4) {
        to = r->ttl_ms > 0 ? put_uint(to, r->ttl_ms) : put_nil(to);
    }
    if (count > 5) {
        to = put_word(put_word(put_map(to, 1), "class"), "error");
    }
    return to;
}

/* release, renew, peek ----------------------------------------------------- */

static bool release_option_read(cursor *c, int at, idp_request *r,
                                idp_read_fault *fault) {
    (void)at;
    return cursor_bool(c, &r->unbind) || bad(fault, "unbind must be a bool");
}

static const options release_options = {
    {"unbind"}, release_option_read, "release's only option is unbind"};

static const uint8_t *release_read(cursor c, uint32_t count, idp_request *r,
                                   idp_read_fault *fault) {
    if (count != 3 && count != 4) {
        return bad(fault, "release takes ns, key, token and an optional map");
    }
    if (!claim_read(&c, r, fault)) {
        return NULL;
    }
    return count == 3 ? c.at : options_read(c, &release_options, r, fault);
}

static uint8_t *release_put(uint8_t *to, const idp_request *r) {
    to = put_u8(put_word(to, "release"), r->unbind ? 0x94 : 0x93);
    to = claim_put(to, r);
    return r->unbind ? put_bool(put_word(put_map(to, 1), "unbind"), true) : to;
}

static const uint8_t *renew_read(cursor c, uint32_t count, idp_request *r,
                                 idp_read_fault *fault) {
    if (count != 4) {
        return bad(fault, "renew takes ns, key, token, lease_ms");
    }
    if (!claim_read(&c, r, fault) || !lease_read(&c, r, fault)) {
        return NULL;
    }
    return c.at;
}

static uint8_t *renew_put(uint8_t *to, const idp_request *r) {
    return put_uint(claim_put(put_array(put_word(to, "renew"), 4), r),
                    r->lease_ms);
}

static const uint8_t *peek_read(cursor c, uint32_t count, idp_request *r,
                                idp_read_fault *fault) {
    if (count != 2) {
        return bad(fault, r->method == IDP_PEEK ? "peek takes ns, key"
                                                : "inspect takes ns, key");
    }
    if (!name_read(&c, r, fault)) {
        return NULL;
    }
    return c.at;
}

static uint8_t *peek_put(uint8_t *to, const idp_request *r) {
    return name_put(put_array(put_word(to, idp_method_name(r->method)), 2), r);
}

/* hello, ping, stats ------------------------------------------------------- */

static bool hello_option_read(cursor *c, int at, idp_request *r,
                              idp_read_fault *fault) {
    if (at == 0) {
        return bytes_read(c, &client_field, &r->client, fault);
    }
    if (at == 1) {
        return bytes_read(c, &secret_field, &r->secret, fault);
    }
    r->has_shard = true;
    return (cursor_u32(c, &r->shard) && r->shard < IDP_SHARDS_MAX) ||
           bad(fault, "shard must be an integer of 0..1023");
}

static const options hello_options = {
    {"client", "secret", "shard"},
    hello_option_read,
    "hello's options are client, shard and secret",
};

static const uint8_t *hello_read(cursor c, uint32_t count, idp_request *r,
                                 idp_read_fault *fault) {
    if (count > 1) {
        return bad(fault, "hello takes one optional map");
    }
    return count == 0 ? c.at : options_read(c, &hello_options, r, fault);
}

static uint8_t *hello_put(uint8_t *to, const idp_request *r) {
    unsigned count = (r->client.ptr ? 1u : 0u) + (r->secret.ptr ? 1u : 0u) +
                     (r->has_shard ? 1u : 0u);
    to = put_u8(put_word(to, "hello"), count ? 0x91 : 0x90);
    if (count > 0) {
        to = put_map(to, count);
    }
    if (r->client.ptr) {
        to = put_word(to, "client");
        to = put_str(to, r->client.ptr, r->client.len);
    }
    if (r->has_shard) {
        to = put_uint(put_word(to, "shard"), r->shard);
    }
    if (r->secret.ptr) {
        to = put_word(to, "secret");
        to = put_str(to, r->secret.ptr, r->secret.len);
    }
    return to;
}

/* metrics ------------------------------------------------------------------ */

static bool metrics_option_read(cursor *c, int at, idp_request *r,
                                idp_read_fault *fault) {
    (void)at;
    return cursor_bool(c, &r->open_metrics) ||
           bad(fault, "open_metrics must be a bool");
}

static const options metrics_options = {
    {"open_metrics"}, metrics_option_read, "the only option is open_metrics"};

static const uint8_t *metrics_read(cursor c, uint32_t count, idp_request *r,
                                   idp_read_fault *fault) {
    if (count > 1) {
        return bad(fault, "metrics takes one optional map");
    }
    return count == 0 ? c.at : options_read(c, &metrics_options, r, fault);
}

static uint8_t *metrics_put(uint8_t *to, const idp_request *r) {
    to = put_array(put_word(to, "metrics"), r->open_metrics);
    return r->open_metrics
               ? put_bool(put_word(put_map(to, 1), "open_metrics"), true)
               : to;
}

static const uint8_t *nothing_read(cursor c, uint32_t count,
                                   idp_read_fault *fault) {
    return count == 0 ? c.at : bad(fault, "this method takes no parameters");
}

/* All of them -------------------------------------------------------------- */

const uint8_t *idp_params_read(cursor c, uint32_t count,
                               size_t result_bytes_max, idp_request *request,
                               idp_read_fault *fault) {
    switch (request->method) {
    case IDP_ACQUIRE:
        return acquire_read(c, count, request, fault);
    case IDP_COMPLETE:
        return complete_read(c, count, result_bytes_max, request, fault);
    case IDP_RELEASE:
        return release_read(c, count, request, fault);
    case IDP_RENEW:
        return renew_read(c, count, request, fault);
    case IDP_PEEK:
        return peek_read(c, count, request, fault);
    case IDP_HELLO:
        return hello_read(c, count, request, fault);
    case IDP_PROMOTE:
    case IDP_DETACH:
    case IDP_SWITCHOVER:
        return idp_command_params_read(c, count, request, fault);
    case IDP_RELOAD:
        return idp_reload_read(c, count, request, fault);
    case IDP_BACKUP:
        return idp_backup_read(c, count, request, fault);
    case IDP_CONFIG:
    case IDP_OFFER:
        return idp_told_param_read(c, count, request, fault);
    case IDP_NAMESPACES:
        return idp_after_read(c, count, request, fault);
    case IDP_LIST:
        return idp_list_read(c, count, request, fault);
    case IDP_INSPECT:
        return peek_read(c, count, request, fault);
    case IDP_CLIENTS:
        return idp_clients_read(c, count, request, fault);
    case IDP_KILL:
        return idp_kill_read(c, count, request, fault);
    case IDP_EVENTS:
        return idp_events_read(c, count, request, fault);
    case IDP_METRICS:
        return metrics_read(c, count, request, fault);
    case IDP_RESOLVE:
        return idp_resolve_read(c, count, result_bytes_max, request, fault);
    case IDP_ERASE:
        return idp_erase_read(c, count, request, fault);
    case IDP_PING:
    case IDP_STATS:
    case IDP_REPLICATION:
    case IDP_SNAPSHOT:
    case IDP_SLOW:
    case IDP_METHOD_COUNT:
        break;
    }
    return nothing_read(c, count, fault);
}

/* What a request takes beside the bytes that it carries: acquire's and
 * complete's come to 81 and 72, resolve's to 133. */
#define REQUEST_FIXED_BYTES_MAX 160

size_t idp_request_write_bound(const idp_request *r) {
    return REQUEST_FIXED_BYTES_MAX + r->ns.len + r->key.len +
           r->fingerprint.len + r->nonce.len + r->result.len + r->client.len +
           r->secret.len;
}

/* NULL: there is no such method. */
static uint8_t *call_put(uint8_t *at, const idp_request *request) {
    switch (request->method) {
    case IDP_ACQUIRE:
        return acquire_put(at, request);
    case IDP_COMPLETE:
        return complete_put(at, request);
    case IDP_RELEASE:
        return release_put(at, request);
    case IDP_RENEW:
        return renew_put(at, request);
    case IDP_PEEK:
    case IDP_INSPECT:
        return peek_put(at, request);
    case IDP_LIST:
    case IDP_EVENTS:
        return request->method == IDP_LIST ? idp_list_put(at, request)
                                           : idp_events_put(at, request);
    case IDP_CLIENTS:
        return idp_clients_put(at, request);
    case IDP_KILL:
        return idp_kill_put(at, request);
    case IDP_HELLO:
        return hello_put(at, request);
    case IDP_PROMOTE:
    case IDP_DETACH:
    case IDP_SWITCHOVER:
    case IDP_BACKUP:
        return idp_command_params_put(at, request);
    case IDP_RELOAD:
        return idp_reload_put(at, request);
    case IDP_CONFIG:
    case IDP_OFFER:
        return idp_told_param_put(at, request);
    case IDP_NAMESPACES:
        return idp_after_put(at, request);
    case IDP_METRICS:
        return metrics_put(at, request);
    case IDP_RESOLVE:
        return idp_resolve_put(at, request);
    case IDP_ERASE:
        return idp_erase_put(at, request);
    case IDP_PING:
    case IDP_STATS:
    case IDP_REPLICATION:
    case IDP_SNAPSHOT:
    case IDP_SLOW:
        return put_array(put_word(at, idp_method_name(request->method)), 0);
    case IDP_METHOD_COUNT:
        break;
    }
    return NULL;
}

size_t idp_request_write(uint8_t *to, size_t cap, const idp_request *request) {
    if (cap < idp_request_write_bound(request)) {
        return 0;
    }
    uint8_t *at = put_uint(PUT(to, "\x94\x00"), request->msgid);
    at = call_put(at, request);
    return at == NULL ? 0 : (size_t)(at - to);
}
