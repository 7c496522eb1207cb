/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c -- what a request over HTTP is answered; see answer.h. */
#include "server/http/answer.h"

#include "proto/commands.h"
#include "proto/metrics.h"
#include "proto/reply.h"
#include "server/http/chars.h"
#include "server/http/fields.h"
#include "server/http/looks.h"
#include "server/http/replication.h"

#define JSON    "application/json"
#define PROBLEM "application/problem+json"

#define RETRY_AFTER_S_MAX 30
/* As much as they have, most times: then room is made once. */
#define HEADERS_BYTES     256

/* A response ----------------------------------------------------------------
 */

typedef struct response {
    uint16_t status;
    const char *type;
    uint32_t retry_after_s; /* 0: none */
    bool is_replay;
    const char *fields; /* further lines of the head; NULL: none */
    idp_slice body;
} response;

static void put_http_header(ids_json_out *out, const char *name,
                            const char *value) {
    ids_json_put(out, name);
    ids_json_put(out, ": ");
    ids_json_put(out, value);
    ids_json_put(out, "\r\n");
}

static void put_number_header(ids_json_out *out, const char *name,
                              uint64_t value) {
    ids_json_put(out, name);
    ids_json_put(out, ": ");
    ids_json_put_number(out, value);
    ids_json_put(out, "\r\n");
}

static void put_headers(ids_json_out *out, const ids_http_for *to,
                        const response *r) {
    ids_json_put(out, "HTTP/1.1 ");
    ids_json_put_number(out, r->status);
    ids_json_put(out, " ");
    ids_json_put(out, ids_http_status_text(r->status));
    ids_json_put(out, "\r\n");
    put_http_header(out, "Content-Type", r->type);
    put_number_header(out, "Content-Length", r->body.len);
    ids_json_put(out, "Cache-Control: no-store\r\n"
                      "X-Content-Type-Options: nosniff\r\n");
    if (r->fields)
        ids_json_put(out, r->fields);
    if (r->is_replay)
        put_http_header(out, "Idempotency-Replayed", "true");
    if (r->retry_after_s)
        put_number_header(out, "Retry-After", r->retry_after_s);
    if (r->status == 401)
        put_http_header(out, "WWW-Authenticate", "Bearer");
    if (to->closes)
        put_http_header(out, "Connection", "close");
    else if (!to->minor)
        put_http_header(out, "Connection", "keep-alive");
    ids_json_put(out, "\r\n");
}

static bool put_response(idp_bytes *to, const ids_http_for *whom,
                         const response *r) {
    size_t before = to->len;
    ids_json_out out = {.to = to};
    out.failed = !idp_bytes_reserve(to, HEADERS_BYTES + r->body.len);
    put_headers(&out, whom, r);
    if (!whom->is_head)
        ids_json_put_bytes(&out, r->body);
    if (out.failed)
        to->len = before;
    return !out.failed;
}

bool ids_http_answer_text(idp_bytes *out, const ids_http_for *to,
                          uint16_t status, const char *type, idp_slice text,
                          uint32_t retry_after_s) {
    const response r = {.status = status,
                        .type = type,
                        .retry_after_s = retry_after_s,
                        .body = text};
    return put_response(out, to, &r);
}

bool ids_http_answer_page(idp_bytes *out, const ids_http_for *to,
                          const ids_http_page *page) {
    const response r = {.status = 200,
                        .type = "text/html; charset=utf-8",
                        .fields = page->fields,
                        .body = {page->html, page->html_bytes}};
    return put_response(out, to, &r);
}

/* A body in to->scratch, which was begun with begin_body. */
static bool put_scratch(idp_bytes *out, const ids_http_for *to,
                        const ids_json_out *body, response *r) {
    r->body = (idp_slice){to->scratch->ptr, to->scratch->len};
    return !body->failed && put_response(out, to, r);
}

static ids_json_out begin_body(const ids_http_for *to) {
    to->scratch->len = 0;
    return (ids_json_out){.to = to->scratch};
}

/* Problems ------------------------------------------------------------------
 */

static idp_slice word_slice_of(const char *text) {
    return (idp_slice){(const uint8_t *)text, strlen(text)};
}

/* Up to its further members; the bracket that closes is still to come. */
static ids_json_out begin_problem(const ids_http_for *to, uint16_t status,
                                  const char *code, idp_slice detail) {
    ids_json_out out = begin_body(to);
    ids_json_put(&out, "{\"type\":\"urn:idemstore:");
    for (const char *c = code; *c; c++) {
        uint8_t lower = lower_of((uint8_t)*c);
        ids_json_put_bytes(&out, (idp_slice){&lower, 1});
    }
    ids_json_put(&out, "\",\"title\":\"");
    ids_json_put(&out, ids_http_status_text(status));
    ids_json_put(&out, "\"");
    ids_json_put_field(&out, "status", status);
    ids_json_put(&out, ",\"code\":\"");
    ids_json_put(&out, code);
    ids_json_put(&out, "\"");
    if (detail.len && ids_is_utf8(detail)) {
        ids_json_put(&out, ",\"detail\":");
        ids_json_put_string(&out, detail);
    }
    return out;
}

bool ids_http_answer_problem(idp_bytes *out, const ids_http_for *to,
                             const ids_http_problem *problem) {
    response r = {.status = problem->status, .type = PROBLEM};
    ids_json_out body = begin_problem(to, problem->status, problem->code,
                                      word_slice_of(problem->text));
    if (problem->status == 503 || problem->status == 429)
        r.retry_after_s = 1;
    ids_json_put(&body, "}\n");
    return put_scratch(out, to, &body, &r);
}

/* Errors --------------------------------------------------------------------
 */

static uint16_t status_of(idp_error error, const ids_http_for *to) {
    switch (error) {
    case IDP_E_BAD_REQUEST:
        return 400;
    case IDP_E_TOO_LARGE:
        return 413;
    case IDP_E_LIMIT:
        return 429;
    case IDP_E_NO_MEMORY:
        return 507;
    case IDP_E_DENIED:
        return to->is_admitted ? 403 : 401;
    case IDP_E_NOT_PRIMARY:
    case IDP_E_SHUTTING_DOWN:
        return 503;
    case IDP_E_UNREPLICATED:
        return 504;
    case IDP_E_PROTOCOL:
    case IDP_E_UNKNOWN_METHOD:
    case IDP_OK:
        break;
    }
    return 500;
}

/* LIMIT says it in ms, with its first word: retry_ms=40 */
static uint32_t retry_after_of(idp_error error, idp_slice text) {
    static const char word[] = "retry_ms=";
    uint64_t ms = 0;
    if (error == IDP_E_NOT_PRIMARY || error == IDP_E_SHUTTING_DOWN)
        return 1;
    if (error != IDP_E_LIMIT)
        return 0;
    if (text.len >= sizeof word && memcmp(text.ptr, word, sizeof word - 1) == 0)
        for (size_t i = sizeof word - 1; i < text.len && is_digit(text.ptr[i]);
             i++)
            ms = ms * 10 + (uint64_t)(text.ptr[i] - '0');
    return ms > 1000 ? (uint32_t)((ms + 999) / 1000) : 1;
}

static bool put_error(idp_bytes *out, const ids_http_for *to,
                      const idp_reply *reply) {
    size_t at;
    idp_error_parse((const char *)reply->text.ptr, reply->text.len, &at);
    idp_slice text = {reply->text.ptr + at, reply->text.len - at};
    response r = {.status = status_of(reply->error, to), .type = PROBLEM};
    r.retry_after_s = retry_after_of(reply->error, text);
    ids_json_out body = begin_problem(
        to, r.status, reply->error ? idp_error_name(reply->error) : "UNKNOWN",
        text);
    if (reply->error == IDP_E_NOT_PRIMARY && text.len && ids_is_utf8(text)) {
        ids_json_put(&body, ",\"primary\":");
        ids_json_put_string(&body, text);
    }
    if (reply->error == IDP_E_NOT_PRIMARY && to->primary_http &&
        to->primary_http[0]) {
        ids_json_put(&body, ",\"http\":");
        ids_json_put_string(&body, word_slice_of(to->primary_http));
    }
    if (reply->error == IDP_E_UNREPLICATED)
        ids_json_put(&body, ",\"outcome_unknown\":true");
    ids_json_put(&body, "}\n");
    return put_scratch(out, to, &body, &r);
}

/* Outcomes ------------------------------------------------------------------
 */

/* An error's text for who reads it. */
static const char *detail_of(const idp_answer *a) {
    switch (a->outcome) {
    case IDP_OUTCOME_IN_PROGRESS:
        return "somebody else holds the claim";
    case IDP_OUTCOME_MISMATCH:
        return "the key is there with another fingerprint";
    case IDP_OUTCOME_ORPHANED:
        return "the holder's lease is over, and what he did is unknown";
    case IDP_OUTCOME_STALE:
        return "the token is not the current one; nothing was changed";
    case IDP_OUTCOME_REFUSED:
        return "somebody may be at work on it, or it is completed; nothing was "
               "changed: force does it all the same";
    case IDP_OUTCOME_UNKNOWN:
        return "there is no such record; nothing was changed";
    case IDP_OUTCOME_RECORD:
        return "there is no such record";
    case IDP_OUTCOME_ACQUIRED:
    case IDP_OUTCOME_REPLAY:
    case IDP_OUTCOME_COMPLETED:
    case IDP_OUTCOME_RELEASED:
    case IDP_OUTCOME_RENEWED:
    case IDP_OUTCOME_DELETED:
    case IDP_OUTCOME_ERASED:
    case IDP_OUTCOME_COUNTED:
    case IDP_OUTCOME_COUNT:
        break;
    }
    return "";
}

static uint16_t status_of_outcome(const idp_answer *a) {
    switch (a->outcome) {
    case IDP_OUTCOME_ACQUIRED:
        return 201;
    case IDP_OUTCOME_IN_PROGRESS:
    case IDP_OUTCOME_ORPHANED:
    case IDP_OUTCOME_STALE:
    case IDP_OUTCOME_REFUSED:
        return 409;
    case IDP_OUTCOME_MISMATCH:
        return 422;
    case IDP_OUTCOME_UNKNOWN:
        return 404;
    case IDP_OUTCOME_RECORD:
        return ids_http_is_absent(a) ? 404 : 200;
    case IDP_OUTCOME_REPLAY:
    case IDP_OUTCOME_COMPLETED:
    case IDP_OUTCOME_RELEASED:
    case IDP_OUTCOME_RENEWED:
    case IDP_OUTCOME_DELETED:
    case IDP_OUTCOME_ERASED:
    case IDP_OUTCOME_COUNTED:
    case IDP_OUTCOME_COUNT:
        break;
    }
    return 200;
}

static uint32_t retry_after_lease(const idp_answer *a) {
    uint64_t ms = a->lease_left_ms < a->age_ms ? a->lease_left_ms : a->age_ms;
    uint64_t s = (ms + 999) / 1000;
    return s < 1 ? 1 : s > RETRY_AFTER_S_MAX ? RETRY_AFTER_S_MAX : (uint32_t)s;
}

static bool put_outcome(idp_bytes *out, const ids_http_for *to,
                        const idp_answer *a) {
    const char *name =
        ids_http_is_absent(a) ? "absent" : idp_outcome_name(a->outcome);
    response r = {.status = status_of_outcome(a),
                  .type = JSON,
                  .is_replay = a->outcome == IDP_OUTCOME_REPLAY};
    ids_json_out body;
    if (r.status >= 400) {
        r.type = PROBLEM;
        body = begin_problem(to, r.status, name, word_slice_of(detail_of(a)));
        ids_json_put_word(&body, "outcome", name);
    } else {
        body = begin_body(to);
        ids_json_put(&body, "{\"outcome\":\"");
        ids_json_put(&body, name);
        ids_json_put(&body, "\"");
    }
    if (a->outcome == IDP_OUTCOME_IN_PROGRESS)
        r.retry_after_s = retry_after_lease(a);
    ids_http_put_fields(&body, a);
    ids_json_put(&body, "}\n");
    return put_scratch(out, to, &body, &r);
}

/* The bytes as they were given to complete. */
static bool put_raw_result(idp_bytes *out, const ids_http_for *to,
                           const idp_answer *a) {
    response r = {.status = 200, .is_replay = true, .body = a->result};
    if (ids_json_is_text(a->result))
        r.type = JSON;
    else if (ids_is_utf8(a->result))
        r.type = "text/plain; charset=utf-8";
    else
        r.type = "application/octet-stream";
    return put_response(out, to, &r);
}

static bool put_metrics(idp_bytes *out, const ids_http_for *to,
                        idp_slice text) {
    const response r = {
        .status = 200,
        .type = to->as_open ? "application/openmetrics-text; version=1.0.0; "
                              "charset=utf-8"
                            : "text/plain; version=0.0.4; charset=utf-8",
        .body = text};
    return put_response(out, to, &r);
}

static const idp_reply broken = {.is_error = true,
                                 .text = {(const uint8_t *)"PROTOCOL", 8}};

static bool put_look(idp_bytes *out, const ids_http_for *to, idp_slice result) {
    response r = {.status = 200, .type = JSON};
    ids_json_out body = begin_body(to);
    ids_http_problem problem;
    ids_http_look look = ids_http_put_look(&body, to->method, result);
    if (look == IDS_HTTP_LOOK_SHOWN)
        return put_scratch(out, to, &body, &r);
    if (look == IDS_HTTP_LOOK_BROKEN)
        return put_error(out, to, &broken);
    ids_http_refuse(&problem, 404, "absent", "there is no such %s",
                    to->method == IDP_KILL ? "connection" : "record");
    return ids_http_answer_problem(out, to, &problem);
}

static bool put_backup(idp_bytes *out, const ids_http_for *to,
                       idp_slice result) {
    response r = {.status = 200, .type = JSON};
    idp_command_answer a;
    ids_json_out body;
    if (!idp_command_read(to->method, result, &a))
        return put_error(out, to, &broken);
    if (a.outcome == IDP_COMMAND_REFUSED) {
        r = (response){.status = 409, .type = PROBLEM};
        body = begin_problem(to, r.status, "refused", a.text);
        ids_json_put_word(&body, "outcome", "refused");
    } else {
        body = begin_body(to);
        ids_json_put(&body, "{\"outcome\":\"backup\",\"path\":");
        ids_json_put_string(&body, a.text);
        ids_json_put_field(&body, "records", a.records);
        ids_json_put_field(&body, "bytes", a.bytes);
        ids_json_put_field(&body, "ms", a.ms);
    }
    ids_json_put(&body, "}\n");
    return put_scratch(out, to, &body, &r);
}

bool ids_http_answer_reply(idp_bytes *out, const ids_http_for *to,
                           idp_slice frame) {
    idp_reply reply;
    idp_answer answer;
    idp_slice text;
    size_t bytes;
    if (idp_reply_open(frame.ptr, frame.len, frame.len, &reply, &bytes) !=
        IDP_REPLY_WHOLE)
        reply = broken;
    if (reply.is_error)
        return put_error(out, to, &reply);
    if (to->method == IDP_REPLICATION) {
        response r = {.status = 200, .type = JSON};
        ids_json_out body = begin_body(to);
        if (ids_http_put_replication(&body, reply.result))
            return put_scratch(out, to, &body, &r);
    }
    if (to->method == IDP_METRICS && idp_metrics_read(reply.result, &text))
        return put_metrics(out, to, text);
    if (to->method == IDP_BACKUP)
        return put_backup(out, to, reply.result);
    if (ids_http_looks(to->method))
        return put_look(out, to, reply.result);
    if (!idp_answer_read(to->method, reply.result, &answer))
        return put_error(out, to, &broken);
    if (answer.outcome == IDP_OUTCOME_REPLAY && to->as_raw)
        return put_raw_result(out, to, &answer);
    return put_outcome(out, to, &answer);
}
