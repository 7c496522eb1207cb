/* SPDX-License-Identifier: Apache-2.0 */
/* frame.c -- from bytes to one request, or to what they are instead.
 *
 * Pure. The usual request is read in one straight pass. Where that fails,
 * the bounded scan says whether the frame is whole, partial or broken, and
 * only a whole one is refused for the reason that the pass gave. */
#include "proto/params.h"
#include "proto/reply.h"
#include "proto/scan.h"

static const char shape[] = "a request is [0, msgid, method, params]";

/* What stands before the parameters. */
typedef struct head {
    uint32_t msgid;
    idp_slice method;
    uint32_t param_count;
} head;

CURSOR_INLINE bool head_read(cursor *c, head *h) {
    uint32_t count;
    uint64_t type;
    return cursor_array(c, &count) && count == 4 && cursor_uint(c, &type) &&
           type == 0 && cursor_u32(c, &h->msgid) &&
           cursor_bytes(c, &h->method) && cursor_array(c, &h->param_count);
}

/* One of those that come rarely. */
static __attribute__((noinline)) bool rare_find(idp_slice name,
                                                idp_method *method) {
    for (int at = IDP_HELLO; at < IDP_METHOD_COUNT; at++) {
        *method = (idp_method)at;
        if (slice_is(name, idp_method_name(*method))) {
            return true;
        }
    }
    return false;
}

/* False when name is no method's. By hand, since every request passes here. */
CURSOR_INLINE bool method_find(idp_slice name, idp_method *method) {
    switch (name.len) {
    case 4:
        *method = slice_is(name, "peek") ? IDP_PEEK : IDP_PING;
        if (*method == IDP_PEEK || slice_is(name, "ping")) {
            return true;
        }
        break;
    case 5:
        *method = IDP_RENEW;
        if (slice_is(name, "renew")) {
            return true;
        }
        break;
    case 7:
        *method = slice_is(name, "acquire") ? IDP_ACQUIRE : IDP_RELEASE;
        if (*method == IDP_ACQUIRE || slice_is(name, "release")) {
            return true;
        }
        break;
    case 8:
        *method = IDP_COMPLETE;
        if (slice_is(name, "complete")) {
            return true;
        }
        break;
    default:
        break;
    }
    return rare_find(name, method);
}

/* head_read along a scan, which tells missing bytes from wrong ones. fault
 * learns the msgid as soon as it is known. */
static scan_end head_scan(scan *s, head *h, idp_read_fault *fault) {
    for (int i = 0; i < 5; i++) {
        token t;
        cursor c = {s->bytes + s->at, s->bytes + s->len};
        scan_end end = idp_scan_token(s, i == 0 ? 0 : 1, &t);
        if (end != SCAN_WHOLE) {
            return end;
        }
        uint64_t type;
        bool good = false;
        switch (i) {
        case 0:
            good = t.kind == TOKEN_ARRAY && t.count == 4;
            break;
        case 1:
            good = cursor_uint(&c, &type) && type == 0;
            break;
        case 2:
            good = cursor_u32(&c, &h->msgid);
            fault->has_msgid = good;
            fault->msgid = h->msgid;
            break;
        case 3:
            good = cursor_bytes(&c, &h->method);
            break;
        case 4:
            good = t.kind == TOKEN_ARRAY;
            h->param_count = (uint32_t)t.count;
            break;
        }
        if (!good) {
            s->text = shape;
            return SCAN_BROKEN;
        }
    }
    return SCAN_WHOLE;
}

/* Does a result over the limit begin at the scan's cursor? */
static bool oversize(scan *s, const idp_read_limits *limits,
                     idp_read_fault *fault) {
    token t;
    if (idp_scan_peek(s, &t) != SCAN_WHOLE || t.kind != TOKEN_BYTES ||
        t.count <= limits->result_bytes_max) {
        return false;
    }
    fault->payload_at = s->at;
    fault->payload_header_bytes = t.header_bytes;
    fault->payload_bytes = t.count;
    return true;
}

static idp_read unread(const scan *s, scan_end end, idp_read_fault *fault) {
    switch (end) {
    case SCAN_PARTIAL:
        fault->need_bytes = s->need_bytes;
        return IDP_READ_PARTIAL;
    case SCAN_TOO_LARGE:
        fault->error = IDP_E_TOO_LARGE;
        fault->text = "the request is over the largest legal size";
        return IDP_READ_BROKEN;
    case SCAN_WHOLE: /* it is whole, and no request */
    case SCAN_BROKEN:
    default:
        fault->error = IDP_E_PROTOCOL;
        fault->text = s->text;
        return IDP_READ_BROKEN;
    }
}

/* The straight pass failed; fault has its reason, should the frame be whole. */
static __attribute__((noinline)) idp_read
unusual(const uint8_t *bytes, size_t len, const idp_read_limits *limits,
        size_t *frame_bytes, idp_read_fault *fault) {
    scan s;
    *fault = (idp_read_fault){.error = fault->error, .text = fault->text};
    idp_scan_start(&s, bytes, len,
                   idp_request_bytes_max(limits->result_bytes_max));
    head h = {0};
    scan_end end = head_scan(&s, &h, fault);
    if (end != SCAN_WHOLE) {
        return unread(&s, end, fault);
    }
    bool complete = slice_is(h.method, "complete");
    for (uint32_t i = 0; i < h.param_count; i++) {
        if (complete && i == COMPLETE_RESULT_AT &&
            oversize(&s, limits, fault)) {
            return IDP_READ_OVERSIZE;
        }
        end = idp_scan_value(&s, 2);
        if (end != SCAN_WHOLE) {
            return unread(&s, end, fault);
        }
    }
    *frame_bytes = s.at;
    return IDP_READ_REFUSED;
}

idp_read idp_request_read(const uint8_t *bytes, size_t len,
                          const idp_read_limits *limits, idp_request *request,
                          size_t *frame_bytes, idp_read_fault *fault) {
    cursor c = cursor_over((idp_slice){bytes, len});
    head h;
    fault->error = IDP_E_UNKNOWN_METHOD;
    fault->text = "no such method";
    clear(request, sizeof *request);
    if (head_read(&c, &h) && method_find(h.method, &request->method)) {
        request->msgid = h.msgid;
        const uint8_t *end = idp_params_read(
            c, h.param_count, limits->result_bytes_max, request, fault);
        if (end) {
            *frame_bytes = (size_t)(end - bytes);
            return IDP_READ_WHOLE;
        }
    }
    return unusual(bytes, len, limits, frame_bytes, fault);
}
