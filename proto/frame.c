/* frame.c -- from bytes to one request, or to what they are instead.
 *
 * Pure. The usual request is read in one straight pass. Where that fails,
 * the bounded scan says whether the frame is whole, partial or broken, and
 * only a whole one is refused for the reason that the pass gave. */
#include "proto/params.h"
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

/* The same along a scan, which tells missing bytes from wrong ones. fault
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
    case SCAN_BROKEN:
    default:
        fault->error = IDP_E_PROTOCOL;
        fault->text = s->text;
        return IDP_READ_BROKEN;
    }
}

/* The straight pass failed; fault has its reason, should the frame be whole. */
static __attribute__((noinline, cold)) idp_read
unusual(const uint8_t *bytes, size_t len, const idp_read_limits *limits,
        size_t *frame_bytes, idp_read_fault *fault) {
    scan s;
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

/* In pieces, since one memset of this size becomes a rep stos, which takes
 * longer than all the rest. */
CURSOR_INLINE void request_clear(idp_request *request) {
    uint8_t *at = (uint8_t *)request;
    memset(at, 0, 64);
    memset(at + 64, 0, 64);
    memset(at + 128, 0, sizeof *request - 128);
}

idp_read idp_request_read(const uint8_t *bytes, size_t len,
                          const idp_read_limits *limits, idp_request *request,
                          size_t *frame_bytes, idp_read_fault *fault) {
    cursor c = cursor_over((idp_slice){bytes, len});
    head h;
    *fault = (idp_read_fault){.error = IDP_E_UNKNOWN_METHOD,
                              .text = "no such method"};
    request_clear(request);
    if (head_read(&c, &h) && idp_method_find(h.method, &request->method)) {
        cursor params = c;
        request->msgid = h.msgid;
        if (idp_params_read(&params, h.param_count, limits->result_bytes_max,
                            request, fault)) {
            *frame_bytes = (size_t)(params.at - bytes);
            return IDP_READ_WHOLE;
        }
    }
    return unusual(bytes, len, limits, frame_bytes, fault);
}
