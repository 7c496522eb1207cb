/* SPDX-License-Identifier: Apache-2.0 */
/* args.c -- the limits that the wire sets, checked before anything is sent, so
 * that a caller's mistake is told by its field's name. */
#include "client/src/args.h"

#include <stdbool.h>
#include <string.h>

#include "client/src/error.h"
#include "client/src/sized.h"

static int32_t read_name(const idem_args *args, const idem__uri *uri,
                         idp_request *request, idem_error *err) {
    if (args->ns != NULL)
        request->ns = idem__slice_of(args->ns, args->ns_len);
    else if (uri != NULL)
        request->ns = idem__slice_of(uri->ns, uri->ns_len);
    else
        request->ns = idem__slice_of("", 0);
    request->key = idem__slice_of(args->key, args->key_len);
    if (request->ns.len > IDP_NS_BYTES_MAX)
        return idem__fault(err, "ns_len is over 64");
    if (request->key.len < IDP_KEY_BYTES_MIN)
        return idem__fault(err, "key is empty; it has 1 to 512 bytes");
    if (request->key.len > IDP_KEY_BYTES_MAX)
        return idem__fault(err, "key_len is over 512");
    return 0;
}

static int32_t read_lease(const idem_args *args, idp_request *request,
                          idem_error *err) {
    request->lease_ms =
        args->lease_ms != 0 ? args->lease_ms : IDEM_LEASE_MS_DEFAULT;
    if (request->lease_ms > IDP_LEASE_MS_MAX)
        return idem__fault(err, "lease_ms is over 24 hours");
    return 0;
}

static int32_t read_acquire(const idem_args *args, idp_request *request,
                            idem_error *err) {
    int32_t code = read_lease(args, request, err);
    if (code != 0)
        return code;
    request->fingerprint =
        idem__slice_of(args->fingerprint, args->fingerprint_len);
    request->nonce = idem__slice_of(args->nonce, args->nonce_len);
    request->ttl_ms = args->ttl_ms;
    request->wait_ms = args->wait_ms;
    request->on_orphan =
        args->on_orphan == IDEM_REPORT ? IDP_REPORT : IDP_TAKEOVER;
    if (request->ttl_ms == 0)
        request->ttl_ms = request->lease_ms > IDEM_TTL_MS_DEFAULT
                              ? request->lease_ms
                              : IDEM_TTL_MS_DEFAULT;
    if (request->fingerprint.len > IDP_FINGERPRINT_BYTES_MAX)
        return idem__fault(err, "fingerprint_len is over 64");
    if (request->nonce.len > IDP_NONCE_BYTES_MAX)
        return idem__fault(err, "nonce_len is over 32");
    if (request->ttl_ms > IDP_TTL_MS_MAX)
        return idem__fault(err, "ttl_ms is over 366 days");
    if (request->ttl_ms < request->lease_ms)
        return idem__fault(err, "ttl_ms is shorter than lease_ms");
    if (request->wait_ms > IDP_WAIT_MS_MAX)
        return idem__fault(err, "wait_ms is over 60000");
    if (args->on_orphan != 0 && args->on_orphan != IDEM_TAKEOVER &&
        args->on_orphan != IDEM_REPORT)
        return idem__fault(err, "on_orphan is neither IDEM_TAKEOVER nor "
                                "IDEM_REPORT");
    return 0;
}

static int32_t read_complete(const idem_args *args, idp_request *request,
                             idem_error *err) {
    request->result = idem__slice_of(args->result, args->result_len);
    request->ttl_ms = args->ttl_ms;
    request->class = args->result_class == IDEM_CLASS_ERROR ? IDP_CLASS_ERROR
                                                            : IDP_CLASS_SUCCESS;
    if (request->ttl_ms > IDP_TTL_MS_MAX)
        return idem__fault(err, "ttl_ms is over 366 days");
    if (args->result == NULL && args->result_len != 0)
        return idem__fault(err, "result is NULL, and result_len is not 0");
    if (args->result_class != 0 && args->result_class != IDEM_CLASS_SUCCESS &&
        args->result_class != IDEM_CLASS_ERROR)
        return idem__fault(err,
                           "result_class is neither IDEM_CLASS_SUCCESS nor "
                           "IDEM_CLASS_ERROR");
    return 0;
}

static int32_t read_by_method(int32_t method, const idem_args *args,
                              idp_request *request, idem_error *err) {
    switch (method) {
    case IDEM_ACQUIRE:
        request->method = IDP_ACQUIRE;
        return read_acquire(args, request, err);
    case IDEM_COMPLETE:
        request->method = IDP_COMPLETE;
        return read_complete(args, request, err);
    case IDEM_RELEASE:
        request->method = IDP_RELEASE;
        request->unbind = args->unbind != 0;
        return 0;
    case IDEM_RENEW:
        request->method = IDP_RENEW;
        return read_lease(args, request, err);
    default:
        request->method = IDP_PEEK;
        return 0;
    }
}

idp_slice idem__slice_of(const void *ptr, size_t len) {
    return (idp_slice){ptr, ptr != NULL ? len : 0};
}

static uint64_t get_u64_be(const uint8_t *from) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | from[i];
    return value;
}

idp_token idem__token_of(const idem_token *token) {
    return (idp_token){.epoch = get_u64_be(token->bytes),
                       .sequence = get_u64_be(token->bytes + 8)};
}

int32_t idem__args_read(int32_t method, const idem_args *theirs,
                        const idem__uri *uri, idem__ask *ask, idem_error *err) {
    idem_args args = {0};
    memset(ask, 0, sizeof *ask);
    ask->timeout_ms = uri != NULL ? uri->timeout_ms : IDEM_TIMEOUT_MS_DEFAULT;
    if (method < IDEM_ACQUIRE || method > IDEM_STATS)
        return idem__fault(err,
                           "method is none of IDEM_ACQUIRE ... IDEM_STATS");
    bool needs_args = method != IDEM_PING && method != IDEM_STATS;
    int32_t code = 0;
    if (theirs != NULL || needs_args)
        code = idem__sized_in(&idem__args_layout, &args, theirs, "args", err);
    if (code != 0)
        return code;
    if (args.timeout_ms != 0)
        ask->timeout_ms = args.timeout_ms;
    if (!needs_args) {
        ask->request.method = method == IDEM_PING ? IDP_PING : IDP_STATS;
        return 0;
    }
    ask->request.token = idem__token_of(&args.token);
    code = read_name(&args, uri, &ask->request, err);
    if (code == 0)
        code = read_by_method(method, &args, &ask->request, err);
    ask->timeout_ms += ask->request.wait_ms;
    return code;
}

static size_t own(idp_slice *slice, uint8_t *to) {
    if (slice->ptr == NULL)
        return 0;
    if (slice->len > 0)
        memcpy(to, slice->ptr, slice->len);
    slice->ptr = to;
    return slice->len;
}

size_t idem__request_bytes(const idp_request *request) {
    return request->ns.len + request->key.len + request->fingerprint.len +
           request->nonce.len + request->result.len;
}

void idem__request_own(idp_request *request, uint8_t *bytes) {
    bytes += own(&request->ns, bytes);
    bytes += own(&request->key, bytes);
    bytes += own(&request->fingerprint, bytes);
    bytes += own(&request->nonce, bytes);
    own(&request->result, bytes);
}

void idem__nonce_add(uint8_t nonce[static IDEM__NONCE_BYTES], uint64_t count) {
    uint64_t half = 0;
    memcpy(&half, nonce + 8, sizeof half);
    half += count;
    memcpy(nonce + 8, &half, sizeof half);
}
