/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_request.c -- any bytes as a connection's input.
 *
 * Whatever they are, the reader says so without reading past them, and what
 * it takes for a request is the same after encoding and decoding again. */
#include "proto/request.h"
#include "tests/lib/same.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Small, so that inputs of a few bytes reach both sides of the limit. */
static const idp_read_limits limits = {.result_bytes_max = 48};

static void check_limits(const idp_request *r) {
    assert(r->ns.len <= IDP_NS_BYTES_MAX);
    assert(r->key.len <= IDP_KEY_BYTES_MAX);
    assert(r->fingerprint.len <= IDP_FINGERPRINT_BYTES_MAX);
    assert(r->nonce.len <= IDP_NONCE_BYTES_MAX);
    assert(r->result.len <= limits.result_bytes_max);
    assert(r->ttl_ms <= IDP_TTL_MS_MAX);
    assert(r->lease_ms <= IDP_LEASE_MS_MAX);
    assert(r->wait_ms <= IDP_WAIT_MS_MAX);
    assert(r->method != IDP_ACQUIRE || r->lease_ms <= r->ttl_ms);
}

static void check_round_trip(const idp_request *request) {
    uint8_t first[2048], second[2048];
    idp_request again;
    idp_read_fault fault;
    size_t frame_bytes;
    size_t len = idp_request_write(first, sizeof first, request);
    assert(len > 0 && len <= idp_request_write_bound(request));
    idp_read is =
        idp_request_read(first, len, &limits, &again, &frame_bytes, &fault);
    assert(is == IDP_READ_WHOLE);
    assert(frame_bytes == len);
    assert(idt_request_same(request, &again));
    assert(!request->result.ptr == !again.result.ptr);
    assert(!request->client.ptr == !again.client.ptr);
    assert(!request->secret.ptr == !again.secret.ptr);
    assert(idp_request_write(second, sizeof second, &again) == len);
    assert(memcmp(first, second, len) == 0);
}

/* What the connection does: a nil takes the result's place, and the frame
 * goes on behind it, once the result has passed. */
static void check_oversize(const uint8_t *bytes, size_t len,
                           const idp_read_fault *fault) {
    size_t head = fault->payload_at;
    assert(fault->payload_bytes > limits.result_bytes_max);
    assert(head + fault->payload_header_bytes <= len);
    size_t behind = head + fault->payload_header_bytes;
    size_t rest = len - behind > fault->payload_bytes
                      ? len - behind - fault->payload_bytes
                      : 0;
    size_t shorter_len = head + 1 + rest;
    uint8_t *shorter = malloc(shorter_len);
    assert(shorter);
    memcpy(shorter, bytes, head);
    shorter[head] = 0xc0;
    if (rest > 0) {
        memcpy(shorter + head + 1, bytes + len - rest, rest);
    }
    idp_request request;
    idp_read_fault again;
    size_t frame_bytes;
    idp_read is = idp_request_read(shorter, shorter_len, &limits, &request,
                                   &frame_bytes, &again);
    assert(is != IDP_READ_OVERSIZE);
    free(shorter);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    size_t at = 0;
    while (at < len) {
        idp_request request;
        idp_read_fault fault;
        size_t frame_bytes = 0;
        idp_read is = idp_request_read(bytes + at, len - at, &limits, &request,
                                       &frame_bytes, &fault);
        if (is == IDP_READ_PARTIAL) {
            assert(fault.need_bytes > len - at);
            assert(fault.need_bytes <=
                   idp_request_bytes_max(limits.result_bytes_max));
            return 0;
        }
        if (is == IDP_READ_OVERSIZE) {
            check_oversize(bytes + at, len - at, &fault);
            return 0;
        }
        if (is != IDP_READ_WHOLE) {
            assert(fault.text && strlen(fault.text) > 0);
            assert(fault.error < 0);
        }
        if (is == IDP_READ_BROKEN) {
            return 0;
        }
        assert(frame_bytes > 0 && frame_bytes <= len - at);
        assert(frame_bytes <= idp_request_bytes_max(limits.result_bytes_max));
        if (is == IDP_READ_WHOLE) {
            check_limits(&request);
            check_round_trip(&request);
        }
        at += frame_bytes;
    }
    return 0;
}
