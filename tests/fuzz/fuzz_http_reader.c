/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_http_reader.c -- any bytes as HTTP, to the reader and to a session.
 *
 * The reader is strict: what it takes as a request, libhttp-parser takes, too,
 * with the same target, the same body and the same end. A session that is given
 * the bytes in pieces asks for the same calls as one that is given them at
 * once, and holds nothing when it is over. */
#include "server/http/session.h"

#include "proto/reply.h"
#include "proto/request.h"

#include <assert.h>
#include <http_parser.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_MAX 32
#define RESULT_MAX   64

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Requests, as a reader takes them -------------------------------------------
 */

typedef struct message {
    idp_bytes target, body;
    size_t end; /* of the input */
    bool is_known_method;
    bool is_chunked;
} message;

typedef struct messages {
    message all[MESSAGES_MAX];
    int count; /* that are whole */
} messages;

static void free_messages(messages *m) {
    for (int i = 0; i < MESSAGES_MAX; i++) {
        idp_bytes_free(&m->all[i].target);
        idp_bytes_free(&m->all[i].body);
    }
}

static void append(idp_bytes *to, idp_slice from) {
    if (from.len)
        assert(idp_bytes_append(to, from.ptr, from.len));
}

/* PARTIAL or WHOLE; a bad body is PARTIAL for us: it was not taken. */
static bool read_chunked(const uint8_t *bytes, size_t len, message *one,
                         size_t *used_in_all) {
    ids_http_chunks chunks = {0};
    ids_http_fault fault;
    ids_http_read read;
    size_t used, at = 0;
    idp_slice data;
    do {
        read = ids_http_chunks_next(&chunks, bytes + at, len - at, &used, &data,
                                    &fault);
        assert(used <= len - at);
        at += used;
        append(&one->body, data);
    } while (read == IDS_HTTP_PARTIAL && data.len);
    *used_in_all = at;
    return read == IDS_HTTP_WHOLE;
}

/* Between the two spaces of the first line. */
static idp_slice target_of(const uint8_t *bytes, size_t len) {
    const uint8_t *from = memchr(bytes, ' ', len);
    const uint8_t *end =
        memchr(from + 1, ' ', len - (size_t)(from + 1 - bytes));
    return (idp_slice){from + 1, (size_t)(end - from - 1)};
}

static bool read_message(const uint8_t *bytes, size_t len, message *one,
                         bool *goes_on) {
    ids_http_head head;
    ids_http_fault fault = {0};
    size_t seen = 0, body = 0;
    ids_http_read read = ids_http_head_seek(bytes, len, &seen, &fault);
    assert(read != IDS_HTTP_BAD || (fault.status >= 400 && fault.text));
    if (read != IDS_HTTP_WHOLE)
        return false;
    assert(seen <= len && seen <= IDS_HTTP_HEAD_BYTES_MAX);
    if (!ids_http_head_read(bytes, seen, &head, &fault)) {
        assert(fault.status >= 400 && fault.text);
        return false;
    }
    assert(!head.is_chunked || !head.has_length);
    assert(head.path.len && head.path.ptr[0] == '/');
    append(&one->target, target_of(bytes, seen));
    if (head.is_chunked) {
        if (!read_chunked(bytes + seen, len - seen, one, &body))
            return false;
    } else {
        if (head.length > len - seen)
            return false;
        body = (size_t)head.length;
        append(&one->body, (idp_slice){bytes + seen, body});
    }
    one->end = seen + body;
    one->is_chunked = head.is_chunked;
    one->is_known_method = head.method != IDS_HTTP_OTHER;
    *goes_on = head.keeps_alive;
    return true;
}

static void read_ours(const uint8_t *bytes, size_t len, messages *m) {
    size_t at = 0;
    bool goes_on = true;
    while (goes_on && m->count < MESSAGES_MAX && at < len) {
        message *one = &m->all[m->count];
        if (!read_message(bytes + at, len - at, one, &goes_on))
            return;
        one->end += at;
        at = one->end;
        m->count++;
    }
}

/* The oracle ----------------------------------------------------------------
 */

static message *current(http_parser *parser) {
    messages *m = parser->data;
    return m->count < MESSAGES_MAX ? &m->all[m->count] : NULL;
}

static int on_url(http_parser *parser, const char *at, size_t len) {
    message *one = current(parser);
    if (one)
        append(&one->target, (idp_slice){(const uint8_t *)at, len});
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len) {
    message *one = current(parser);
    if (one)
        append(&one->body, (idp_slice){(const uint8_t *)at, len});
    return 0;
}

static int on_complete(http_parser *parser) {
    messages *m = parser->data;
    m->count += m->count < MESSAGES_MAX;
    http_parser_pause(parser, 1);
    return 0;
}

/* Why it went no further. */
typedef struct their_end {
    bool upgraded; /* another protocol begins for it */
    bool is_odd;   /* it takes Transfer-EncodingX for Transfer-Encoding */
} their_end;

static their_end read_theirs(const uint8_t *bytes, size_t len, messages *m) {
    http_parser parser;
    http_parser_settings settings;
    size_t at = 0;
    http_parser_settings_init(&settings);
    settings.on_url = on_url;
    settings.on_body = on_body;
    settings.on_message_complete = on_complete;
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = m;
    while (at < len && m->count < MESSAGES_MAX) {
        int before = m->count;
        at += http_parser_execute(&parser, &settings, (const char *)bytes + at,
                                  len - at);
        if (HTTP_PARSER_ERRNO(&parser) != HPE_PAUSED)
            return (their_end){parser.upgrade,
                               HTTP_PARSER_ERRNO(&parser) ==
                                   HPE_INVALID_TRANSFER_ENCODING};
        http_parser_pause(&parser, 0);
        if (m->count > before)
            m->all[before].end = at;
        if (parser.upgrade)
            return (their_end){.upgraded = true};
    }
    return (their_end){0};
}

static bool same(const idp_bytes *a, const idp_bytes *b) {
    return a->len == b->len && (!a->len || memcmp(a->ptr, b->ptr, a->len) == 0);
}

static void compare_readers(const uint8_t *bytes, size_t len) {
    messages ours = {0}, theirs = {0};
    read_ours(bytes, len, &ours);
    their_end end = read_theirs(bytes, len, &theirs);
    for (int i = 0; i < ours.count; i++) {
        const message *one = &ours.all[i], *other = &theirs.all[i];
        if (!one->is_known_method) /* it has a list of its own */
            break;
        if (i >= theirs.count &&
            (end.upgraded || (end.is_odd && !one->is_chunked)))
            break;
        assert(i < theirs.count);
        assert(same(&one->target, &other->target));
        assert(same(&one->body, &other->body));
        assert(one->end == other->end);
    }
    free_messages(&ours);
    free_messages(&theirs);
}

/* A session -----------------------------------------------------------------
 */

typedef struct calls {
    idp_bytes frames;
    int count;
    bool is_over;
} calls;

static void answer_call(ids_http_session *s, const idp_request *request,
                        calls *all) {
    const idp_answer answer = {.outcome = IDP_OUTCOME_RELEASED};
    uint8_t frame[512];
    size_t bound = idp_request_write_bound(request);
    assert(request->result.len <= RESULT_MAX);
    assert(idp_bytes_reserve(&all->frames, bound));
    all->frames.len +=
        idp_request_write(all->frames.ptr + all->frames.len, bound, request);
    all->count++;
    size_t len = idp_answer_write(frame, sizeof frame, s->requests, &answer);
    assert(ids_http_session_answer(s, (idp_slice){frame, len}));
}

static void serve(ids_http_session *s, calls *all) {
    ids_http_event event;
    for (;;) {
        switch (ids_http_session_next(s, &event)) {
        case IDS_HTTP_NEEDS_LEAVE:
            ids_http_session_admit(s);
            break;
        case IDS_HTTP_NEEDS_CALL:
            answer_call(s, &event.request, all);
            break;
        case IDS_HTTP_NEEDS_PROBE:
            assert(ids_http_session_say(s, 200, "text/plain", (idp_slice){0}));
            break;
        case IDS_HTTP_NEEDS_BYTES:
        case IDS_HTTP_NEEDS_NOTHING:
            return;
        case IDS_HTTP_FAILED:
            abort();
        }
    }
}

static void run_session(const uint8_t *bytes, size_t len, size_t step,
                        calls *all) {
    ids_http_session s;
    idp_bytes scratch = {0};
    ids_http_session_init(&s, RESULT_MAX, &scratch);
    for (size_t at = 0; at < len; at += step) {
        size_t here = len - at < step ? len - at : step;
        assert(ids_http_session_take(&s, bytes + at, here));
        serve(&s, all);
        ids_http_session_sent(&s, ids_http_session_output(&s).len);
        assert(s.body.len <= RESULT_MAX / 3 * 4 + (16 << 10));
        assert(s.phase != IDS_HTTP_OVER || !ids_http_session_bytes(&s));
    }
    all->is_over = s.phase == IDS_HTTP_OVER;
    ids_http_session_fini(&s);
    idp_bytes_free(&scratch);
}

static void compare_sessions(const uint8_t *bytes, size_t len, size_t step) {
    calls whole = {0}, pieces = {0};
    run_session(bytes, len, len ? len : 1, &whole);
    run_session(bytes, len, step, &pieces);
    assert(whole.count == pieces.count && whole.is_over == pieces.is_over);
    assert(same(&whole.frames, &pieces.frames));
    idp_bytes_free(&whole.frames);
    idp_bytes_free(&pieces.frames);
}

/* The first byte says how large the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    if (!len)
        return 0;
    compare_readers(bytes + 1, len - 1);
    compare_sessions(bytes + 1, len - 1, 1u + bytes[0] % 64);
    return 0;
}
