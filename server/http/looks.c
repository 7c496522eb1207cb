/* SPDX-License-Identifier: Apache-2.0 */
/* looks.c -- see looks.h. */
#include "server/http/looks.h"

#include "proto/clients.h"
#include "proto/events.h"
#include "proto/list.h"
#include "proto/reply.h"
#include "server/http/chars.h"

static const char *comma(bool first) {
    return first ? "" : ",";
}

/* ,"name": */
static void put_json_name(ids_json_out *out, const char *name, bool first) {
    ids_json_put(out, first ? "\"" : ",\"");
    ids_json_put(out, name);
    ids_json_put(out, "\":");
}

/* Text of the server's own, or nil. */
static void put_json_text(ids_json_out *out, const char *name, idp_slice text,
                          bool first) {
    put_json_name(out, name, first);
    if (!text.ptr)
        ids_json_put(out, "null");
    else if (ids_is_utf8(text))
        ids_json_put_string(out, text);
    else
        ids_json_put_base64(out, text);
}

static void put_json_bytes(ids_json_out *out, const char *name, idp_slice bytes,
                           bool first) {
    bool is_text = ids_is_utf8(bytes);
    ids_json_put(out, first ? "\"" : ",\"");
    ids_json_put(out, name);
    ids_json_put(out, is_text ? "\":" : "_b64\":");
    if (is_text)
        ids_json_put_string(out, bytes);
    else
        ids_json_put_base64(out, bytes);
}

static void put_hex(ids_json_out *out, const char *name, idp_slice bytes) {
    char pair[3] = "";
    put_json_name(out, name, false);
    ids_json_put(out, "\"");
    for (size_t i = 0; i < bytes.len; i++) {
        pair[0] = "0123456789abcdef"[bytes.ptr[i] >> 4];
        pair[1] = "0123456789abcdef"[bytes.ptr[i] & 15];
        ids_json_put(out, pair);
    }
    ids_json_put(out, "\"");
}

static void put_json_bool(ids_json_out *out, const char *name, bool value) {
    put_json_name(out, name, false);
    ids_json_put(out, value ? "true" : "false");
}

/* list -------------------------------------------------------------------- */

static void put_json_row(ids_json_out *out, const idp_list_row *row,
                         bool first) {
    ids_json_put(out, comma(first));
    ids_json_put(out, "{");
    put_json_bytes(out, "ns", row->ns, true);
    put_json_bytes(out, "key", row->key, false);
    ids_json_put_word(out, "state", idp_state_name(row->state));
    ids_json_put_field(out, "age_ms", row->age_ms);
    ids_json_put_field(out, "attempt", row->attempt);
    if (row->state == IDP_STATE_IN_PROGRESS)
        ids_json_put_field(out, "lease_left_ms", row->lease_left_ms);
    ids_json_put_field(out, "ttl_left_ms", row->ttl_left_ms);
    if (row->state == IDP_STATE_IN_PROGRESS ||
        row->state == IDP_STATE_ORPHANED) {
        put_json_name(out, "by", false);
        ids_json_put(out, "{");
        put_json_text(out, "user", row->user, true);
        ids_json_put(out, "}");
    }
    ids_json_put(out, "}");
}

static ids_http_look put_json_list(ids_json_out *out, idp_slice result) {
    idp_list_page page;
    if (!idp_list_page_read(result, &page))
        return IDS_HTTP_LOOK_BROKEN;
    ids_json_put(out, "{");
    put_json_text(out, "cursor", page.cursor, true);
    if (page.has_scan)
        ids_json_put_field(out, "scan_age_ms", page.scan_age_ms);
    put_json_name(out, "records", false);
    ids_json_put(out, "[");
    for (uint32_t i = 0; i < page.row_count; i++)
        put_json_row(out, &page.rows[i], i == 0);
    ids_json_put(out, "]}\n");
    return IDS_HTTP_LOOK_SHOWN;
}

/* inspect ----------------------------------------------------------------- */

static void put_by(ids_json_out *out, const idp_by *by) {
    put_json_name(out, "by", false);
    ids_json_put(out, "{");
    put_json_text(out, "user", by->user, true);
    put_json_text(out, "client", by->client, false);
    put_json_text(out, "address", by->address, false);
    ids_json_put(out, "}");
}

static void put_token_hex(ids_json_out *out, idp_token token) {
    uint8_t bytes[IDP_TOKEN_BYTES];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(token.epoch >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)(token.sequence >> (56 - 8 * i));
    }
    put_hex(out, "token", (idp_slice){bytes, sizeof bytes});
}

/* As complete got it, or as replay shows it. */
static void put_shown_result(ids_json_out *out, idp_slice result) {
    if (ids_json_is_text(result)) {
        put_json_name(out, "result", false);
        ids_json_put_bytes(out, result);
    } else if (ids_is_utf8(result)) {
        put_json_name(out, "result_text", false);
        ids_json_put_string(out, result);
    } else {
        put_json_name(out, "result_b64", false);
        ids_json_put_base64(out, result);
    }
}

static void put_done(ids_json_out *out, const idp_inspected *one) {
    ids_json_put_word(out, "class", idp_class_name(one->class));
    put_json_bool(out, "kept", one->has_result);
    if (one->has_result)
        ids_json_put_field(out, "result_bytes", one->result_bytes);
    if (one->result.ptr)
        put_shown_result(out, one->result);
}

static ids_http_look put_inspected(ids_json_out *out, idp_slice result) {
    idp_inspected one;
    if (!idp_inspected_read(result, &one))
        return IDS_HTTP_LOOK_BROKEN;
    if (one.state == IDP_STATE_ABSENT)
        return IDS_HTTP_LOOK_ABSENT;
    ids_json_put(out, "{\"state\":\"");
    ids_json_put(out, idp_state_name(one.state));
    ids_json_put(out, "\"");
    ids_json_put_field(out, "age_ms", one.age_ms);
    ids_json_put_field(out, "attempt", one.attempt);
    ids_json_put_word(out, "previous", idp_previous_name(one.previous));
    ids_json_put_field(out, "ttl_ms", one.ttl_ms);
    ids_json_put_field(out, "ttl_left_ms", one.ttl_left_ms);
    if (one.fingerprint.len)
        put_hex(out, "fingerprint_hex", one.fingerprint);
    if (one.has_token)
        put_token_hex(out, one.token);
    if (one.state == IDP_STATE_COMPLETED) {
        put_done(out, &one);
    } else if (one.state != IDP_STATE_RELEASED) {
        ids_json_put_field(out, "lease_ms", one.lease_ms);
        if (one.state == IDP_STATE_IN_PROGRESS)
            ids_json_put_field(out, "lease_left_ms", one.lease_left_ms);
        put_by(out, &one.by);
    }
    ids_json_put(out, "}\n");
    return IDS_HTTP_LOOK_SHOWN;
}

/* clients, kill, slow ----------------------------------------------------- */

static void put_client(ids_json_out *out, const idp_client_row *row,
                       bool first) {
    ids_json_put(out, comma(first));
    ids_json_put(out, "{");
    put_json_text(out, "id", row->id, true);
    put_json_text(out, "address", row->address, false);
    put_json_text(out, "name", row->name, false);
    put_json_text(out, "user", row->user, false);
    put_json_bool(out, "tls", row->is_tls);
    put_json_bool(out, "http", row->is_http);
    ids_json_put_field(out, "age_ms", row->age_ms);
    ids_json_put_field(out, "requests", row->requests);
    ids_json_put_field(out, "waiting", row->waiting);
    ids_json_put_field(out, "unsent_bytes", row->unsent_bytes);
    ids_json_put(out, "}");
}

static ids_http_look put_clients(ids_json_out *out, idp_slice result) {
    idp_clients_page page;
    if (!idp_clients_page_read(result, &page))
        return IDS_HTTP_LOOK_BROKEN;
    ids_json_put(out, "{");
    put_json_text(out, "cursor", page.cursor, true);
    put_json_name(out, "clients", false);
    ids_json_put(out, "[");
    for (uint32_t i = 0; i < page.row_count; i++)
        put_client(out, &page.rows[i], i == 0);
    ids_json_put(out, "]}\n");
    return IDS_HTTP_LOOK_SHOWN;
}

static ids_http_look put_killed(ids_json_out *out, idp_slice result) {
    bool was_there;
    if (!idp_killed_read(result, &was_there))
        return IDS_HTTP_LOOK_BROKEN;
    if (!was_there)
        return IDS_HTTP_LOOK_ABSENT;
    ids_json_put(out, "{\"outcome\":\"killed\"}\n");
    return IDS_HTTP_LOOK_SHOWN;
}

static void put_json_turn(ids_json_out *out, const idp_slow_turn *turn,
                          bool first) {
    ids_json_put(out, comma(first));
    ids_json_put(out, "{\"age_ms\":");
    ids_json_put_number(out, turn->age_ms);
    ids_json_put_field(out, "loop", turn->loop);
    ids_json_put_field(out, "us", turn->us);
    for (int i = 0; i < IDP_WORK_KINDS; i++)
        ids_json_put_field(out, idp_work_name(i), turn->work[i]);
    ids_json_put(out, "}");
}

static void put_json_hold(ids_json_out *out, const idp_slow_hold *hold,
                          bool first) {
    ids_json_put(out, comma(first));
    ids_json_put(out, "{\"age_ms\":");
    ids_json_put_number(out, hold->age_ms);
    ids_json_put_field(out, "loop", hold->loop);
    ids_json_put_word(out, "for", hold->is_replica ? "replica" : "disk");
    ids_json_put_field(out, "us", hold->us);
    ids_json_put_field(out, "replies", hold->replies);
    ids_json_put(out, "}");
}

static ids_http_look put_slow(ids_json_out *out, idp_slice result) {
    idp_slow slow;
    if (!idp_slow_read(result, &slow))
        return IDS_HTTP_LOOK_BROKEN;
    ids_json_put(out, "{\"iterations\":[");
    for (uint32_t i = 0; i < slow.turn_count; i++)
        put_json_turn(out, &slow.turns[i], i == 0);
    ids_json_put(out, "],\"held\":[");
    for (uint32_t i = 0; i < slow.hold_count; i++)
        put_json_hold(out, &slow.holds[i], i == 0);
    ids_json_put(out, "]}\n");
    return IDS_HTTP_LOOK_SHOWN;
}

/* events ------------------------------------------------------------------ */

static void put_json_event(ids_json_out *out, const idp_event *event,
                           bool first) {
    ids_json_put(out, comma(first));
    ids_json_put(out, "{");
    put_json_bytes(out, "ns", event->ns, true);
    put_json_bytes(out, "key", event->key, false);
    ids_json_put_word(out, "kind", idp_event_kind_name(event->kind));
    ids_json_put_field(out, "age_ms", event->age_ms);
    if (event->attempt)
        ids_json_put_field(out, "attempt", event->attempt);
    if (event->kind == IDP_EVENT_ACQUIRED)
        ids_json_put_word(out, "previous", idp_previous_name(event->previous));
    if (event->user.ptr)
        put_json_text(out, "user", event->user, false);
    ids_json_put(out, "}");
}

static ids_http_look put_events(ids_json_out *out, idp_slice result) {
    idp_events_page page;
    if (!idp_events_page_read(result, &page))
        return IDS_HTTP_LOOK_BROKEN;
    ids_json_put(out, "{");
    put_json_text(out, "cursor", page.cursor, true);
    ids_json_put_field(out, "lost", page.lost);
    put_json_name(out, "events", false);
    ids_json_put(out, "[");
    for (uint32_t i = 0; i < page.count; i++)
        put_json_event(out, &page.events[i], i == 0);
    ids_json_put(out, "]}\n");
    return IDS_HTTP_LOOK_SHOWN;
}

ids_http_look ids_http_put_look(ids_json_out *body, idp_method method,
                                idp_slice result) {
    return method == IDP_LIST      ? put_json_list(body, result)
           : method == IDP_INSPECT ? put_inspected(body, result)
           : method == IDP_CLIENTS ? put_clients(body, result)
           : method == IDP_KILL    ? put_killed(body, result)
           : method == IDP_EVENTS  ? put_events(body, result)
                                   : put_slow(body, result);
}
