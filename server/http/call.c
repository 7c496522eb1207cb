/* SPDX-License-Identifier: Apache-2.0 */
/* call.c -- from a request over HTTP to one of the line; see call.h. */
#include "server/http/arguments.h"

#include "proto/reply.h"
#include "server/http/chars.h"
#include "server/http/json.h"
#include "server/http/values.h"

#include <assert.h>

#define LEASE_MS 30000u
#define TTL_MS   (24u * 3600u * 1000u)
#define BAD      "BAD_REQUEST"

/* Arguments ---------------------------------------------------------------- */

/* One argument, as JSON or a query gives it. */
typedef struct value {
    const ids_json_member *json; /* NULL: of a query */
    idp_slice text;              /* of a query; of JSON once it was read */
} value;

typedef struct reading {
    const ids_http_asked *asked;
    size_t result_bytes_max;
    idp_bytes *scratch;
    idp_request *request;
    bool *as_raw;
    ids_http_problem *problem;
    unsigned fields; /* that were said, bits */
} reading;

static idp_slice *field_bytes_of(idp_request *request, arg_field field) {
    switch (field) {
    case NS:
        return &request->ns;
    case KEY:
        return &request->key;
    case FINGERPRINT:
        return &request->fingerprint;
    case NONCE:
        return &request->nonce;
    case RESULT:
        return &request->result;
    case REASON:
        return &request->reason;
    case CURSOR:
        return &request->cursor;
    case OLDER:
    case OLDEST:
    case LEASE:
    case TTL:
    case WAIT:
    case ORPHAN:
    case CLAIM:
    case RESULT_CLASS:
    case UNBIND:
    case DECISION:
    case FORCE:
    case DRY_RUN:
    case RAW:
        break;
    }
    assert(!"it is no field of bytes");
    return NULL;
}

static bool set_ms(idp_request *request, arg_field field, uint64_t ms) {
    if (field == TTL)
        request->ttl_ms = ms;
    else if (field == OLDER)
        request->older_ms = ms;
    else if (field == LEASE)
        request->lease_ms = (uint32_t)ms;
    else
        request->wait_ms = (uint32_t)ms;
    if (field == OLDER)
        return ms <= IDP_INT_MAX;
    return field == TTL ? ms >= IDP_TTL_MS_MIN : ms <= UINT32_MAX;
}

static bool set_token(reading *r, idp_slice text) {
    idp_slice bytes;
    if (text.len != 2 * IDP_TOKEN_BYTES ||
        !ids_read_hex(text, r->scratch, &bytes))
        return false;
    idp_token token = {0};
    for (int i = 0; i < 8; i++) {
        token.epoch = token.epoch << 8 | bytes.ptr[i];
        token.sequence = token.sequence << 8 | bytes.ptr[8 + i];
    }
    r->request->token = token;
    return true;
}

static bool set_call_word(idp_request *request, arg_kind kind, idp_slice text) {
    if (kind == ON_ORPHAN) {
        request->on_orphan =
            slice_equals(text, "report") ? IDP_REPORT : IDP_TAKEOVER;
        return request->on_orphan == IDP_REPORT ||
               slice_equals(text, "takeover");
    }
    request->class =
        slice_equals(text, "error") ? IDP_CLASS_ERROR : IDP_CLASS_SUCCESS;
    return request->class == IDP_CLASS_ERROR || slice_equals(text, "success");
}

static bool set_verb(idp_request *request, idp_slice text) {
    for (int verb = 0; verb < IDP_VERB_COUNT; verb++)
        if (slice_equals(text, idp_verb_name((idp_verb)verb))) {
            request->verb = (idp_verb)verb;
            return true;
        }
    return false;
}

static bool set_state(idp_request *request, idp_slice text) {
    for (int i = IDP_STATE_IN_PROGRESS; i < IDP_STATE_COUNT; i++)
        if (slice_equals(text, idp_state_name((idp_state)i))) {
            request->state = (idp_state)i;
            return true;
        }
    return false;
}

static bool set_kind(idp_request *request, idp_slice text) {
    for (int i = IDP_EVENT_ANY + 1; i < IDP_EVENT_KIND_END; i++)
        if (slice_equals(text, idp_event_kind_name((idp_event_kind)i))) {
            request->kind = (idp_event_kind)i;
            return true;
        }
    return false;
}

static bool *bool_field_of(idp_request *request, arg_field field) {
    return field == FORCE     ? &request->force
           : field == DRY_RUN ? &request->dry_run
           : field == OLDEST  ? &request->oldest
                              : &request->unbind;
}

static bool set_call_bool(bool *to, const value *v) {
    *to = v->json ? false : slice_equals(v->text, "true");
    if (v->json)
        return ids_json_bool(v->json, to);
    return *to || slice_equals(v->text, "false");
}

static bool set_json(idp_request *request, const value *v) {
    if (!v->json)
        return false;
    if (!slice_equals(v->json->value, "null"))
        request->result = v->json->value;
    return true;
}

static bool set_call_number(reading *r, arg_field field, const value *v) {
    uint64_t ms;
    return (v->json ? ids_json_number(v->json, &ms)
                    : ids_read_digits(v->text, &ms)) &&
           set_ms(r->request, field, ms);
}

/* A zero length is there all the same: ptr tells. */
static bool set_text(reading *r, const arg_row *row, idp_slice text) {
    uint64_t ms;
    idp_request *request = r->request;
    switch (row->kind) {
    case TEXT:
        *field_bytes_of(request, row->field) = text;
        return true;
    case HEX:
        return ids_read_hex(text, r->scratch,
                            field_bytes_of(request, row->field));
    case BASE64:
        return ids_read_base64(text, r->scratch,
                               field_bytes_of(request, row->field));
    case DURATION:
        return ids_read_duration(text, &ms) && set_ms(request, row->field, ms);
    case TOKEN:
        return set_token(r, text);
    case STATE:
        return set_state(request, text);
    case KIND:
        return set_kind(request, text);
    case ON_ORPHAN:
    case CLASS:
        return set_call_word(request, row->kind, text);
    case VERB:
        return set_verb(request, text);
    case AS:
        *r->as_raw = true;
        return slice_equals(text, "raw");
    case MS:
    case BOOLEAN:
    case ANY_JSON:
        break;
    }
    return false;
}

static bool set_argument(reading *r, const arg_row *row, value *v) {
    if (row->kind == MS)
        return set_call_number(r, row->field, v);
    if (row->kind == BOOLEAN)
        return set_call_bool(bool_field_of(r->request, row->field), v);
    if (row->kind == ANY_JSON)
        return set_json(r->request, v);
    if (v->json && !ids_json_string(v->json, r->scratch, &v->text))
        return false;
    return set_text(r, row, v->text);
}

static bool take_argument(reading *r, const arg_row *row, idp_slice name,
                          value *v) {
    int len = name.len > 40 ? 40 : (int)name.len;
    if (!row)
        return ids_http_refuse(r->problem, 400, BAD, "%s has no \"%.*s\"",
                               ids_http_routes[r->asked->route].path, len,
                               (const char *)name.ptr);
    if (r->fields & 1u << row->field)
        return ids_http_refuse(r->problem, 400, BAD,
                               "\"%s\" is said twice, in two spellings",
                               row->said.name);
    r->fields |= 1u << row->field;
    return set_argument(r, row, v) ||
           ids_http_refuse(r->problem, 400, BAD, "%s must be %s",
                           row->said.name, ids_http_argument_wants(row->kind));
}

static bool read_json(reading *r) {
    ids_json_object object;
    bool ends = r->asked->route == IDS_HTTP_COMPLETE ||
                r->asked->route == IDS_HTTP_RESOLVE;
    const char *deep = ends ? "result" : NULL;
    const char *why = ids_json_object_read(r->asked->body, deep, &object);
    if (why)
        return ids_http_refuse(r->problem, 400, BAD, "%s", why);
    for (uint32_t i = 0; i < object.count; i++) {
        value v = {.json = &object.all[i]};
        idp_slice name = object.all[i].name;
        if (!take_argument(r, ids_http_argument_find(r->asked->route, name),
                           name, &v))
            return false;
    }
    return true;
}

static bool read_query_part(reading *r, idp_slice part) {
    idp_slice rest = part, name;
    value v = {0};
    slice_split(&rest, '=', &name);
    bool is_as = slice_equals(name, ids_http_argument_as.said.name) &&
                 r->asked->route == IDS_HTTP_ACQUIRE;
    if (!rest.ptr || !ids_read_query_part(rest, r->scratch, &v.text))
        return ids_http_refuse(r->problem, 400, BAD,
                               "the query is NAME=VALUE&..., with %%XX for "
                               "what is special: %%20 a space, %%2B a plus");
    if (!is_as && !ids_http_is_raw_form(r->asked->route, r->asked->query))
        return ids_http_refuse(r->problem, 400, BAD,
                               "arguments go into the body here");
    return take_argument(r,
                         is_as ? &ids_http_argument_as
                               : ids_http_argument_find(r->asked->route, name),
                         name, &v);
}

static bool read_query(reading *r) {
    idp_slice rest = r->asked->query, part;
    while (slice_split(&rest, '&', &part))
        if (!read_query_part(r, part))
            return false;
    return true;
}

static bool is_decision(const reading *r) {
    if (r->asked->route != IDS_HTTP_ERASE && !(r->fields & 1u << DECISION))
        return ids_http_refuse(r->problem, 400, BAD, "\"verb\" is missing");
    if (!(r->fields & 1u << REASON))
        return ids_http_refuse(r->problem, 400, BAD,
                               "\"reason\" is missing: it goes into the audit "
                               "log");
    return r->request->result.len <= r->result_bytes_max ||
           ids_http_refuse(r->problem, 413, "TOO_LARGE",
                           "the result is over its limit; nothing was changed");
}

/* What the line would refuse, too, in the words of its frames. */
static bool check_list(const reading *r) {
    const idp_request *request = r->request;
    bool waits = r->asked->route == IDS_HTTP_EVENTS;
    uint32_t fields = waits ? r->fields & ~(1u << WAIT) : r->fields;
    if (request->cursor.ptr && fields != 1u << CURSOR)
        return ids_http_refuse(r->problem, 400, BAD,
                               waits ? "with a cursor only wait is given"
                                     : "with a cursor nothing else is given");
    if (waits)
        return true;
    if (request->oldest && request->state != IDP_STATE_IN_PROGRESS &&
        request->state != IDP_STATE_ORPHANED)
        return ids_http_refuse(r->problem, 400, BAD,
                               "oldest needs the state orphaned or "
                               "in_progress");
    return true;
}

/* What was left out. */
static bool fill_in(reading *r) {
    idp_request *request = r->request;
    static const uint8_t none[1];
    bool holds = IDS_HTTP_CLAIM_ROUTES & 1u << r->asked->route;
    if (r->asked->route == IDS_HTTP_KILL && !(r->fields & 1u << CURSOR))
        return ids_http_refuse(r->problem, 400, BAD, "\"id\" is missing");
    if (!ids_http_has_key(r->asked->route))
        return check_list(r);
    if (!(r->fields & 1u << KEY))
        return ids_http_refuse(r->problem, 400, BAD, "\"%s\" is missing",
                               r->asked->route == IDS_HTTP_ERASE ? "prefix"
                                                                 : "key");
    if (r->fields & 1u << NONCE && !request->nonce.len)
        return ids_http_refuse(r->problem, 400, BAD,
                               "a nonce is 1 to 32 bytes long");
    if (holds && !(r->fields & 1u << CLAIM))
        return ids_http_refuse(r->problem, 400, BAD, "\"token\" is missing");
    if (ids_http_is_operators(r->asked->route) && !is_decision(r))
        return false;
    if (!request->ns.ptr)
        request->ns.ptr = none;
    if (r->asked->route == IDS_HTTP_ACQUIRE && !(r->fields & 1u << TTL))
        request->ttl_ms = TTL_MS;
    if (!(r->fields & 1u << LEASE))
        request->lease_ms =
            r->asked->route == IDS_HTTP_ACQUIRE && request->ttl_ms < LEASE_MS
                ? (uint32_t)request->ttl_ms
                : LEASE_MS;
    return true;
}

static bool read_call_body(reading *r) {
    if (r->asked->route == IDS_HTTP_RECORD)
        return true;
    if (!ids_http_is_raw_form(r->asked->route, r->asked->query))
        return read_json(r);
    if (r->fields & 1u << RESULT)
        return ids_http_refuse(r->problem, 400, BAD,
                               "the result is the body, with arguments in the "
                               "query");
    r->request->result = r->asked->body;
    r->request->result_too_large = r->asked->body_was_skipped;
    return true;
}

bool ids_http_call_read(const ids_http_asked *asked, size_t result_bytes_max,
                        idp_bytes *scratch, idp_request *request, bool *as_raw,
                        ids_http_problem *problem) {
    reading r = {.asked = asked,
                 .result_bytes_max = result_bytes_max,
                 .scratch = scratch,
                 .request = request,
                 .as_raw = as_raw,
                 .problem = problem};
    *request = (idp_request){.method = ids_http_routes[asked->route].method};
    *as_raw = false;
    scratch->len = 0;
    /* A text and what it stands for: twice its length at most. */
    if (!idp_bytes_reserve(scratch,
                           2 * (asked->query.len + asked->body.len) + 1))
        return ids_http_refuse(problem, 507, "NO_MEMORY",
                               "no memory for the request; nothing was done");
    if (!read_query(&r) || !read_call_body(&r) || !fill_in(&r))
        return false;
    if (request->result.len > result_bytes_max)
        request->result_too_large = true;
    if (request->result_too_large)
        request->result = (idp_slice){0};
    return true;
}
