/* SPDX-License-Identifier: Apache-2.0 */
/* params_looks.c -- the parameters of what an operator looks at: list, clients,
 * kill, events: decode and encode, side by side.
 *
 * Pure, like request.c, whose part it is. */
#include "proto/fields.h"
#include "proto/list.h"
#include "proto/params.h"
#include "proto/reply.h"

static const bytes_field prefix_field =
    BYTES_FIELD("prefix", 0, IDP_KEY_BYTES_MAX);
static const bytes_field cursor_field = {1, IDP_CURSOR_BYTES_MAX,
                                         "cursor must be what a page gave",
                                         "cursor must be what a page gave"};
static const bytes_field id_field = {1, IDP_CURSOR_BYTES_MAX,
                                     "id must be what clients gave",
                                     "id must be what clients gave"};

/* list --------------------------------------------------------------------- */

enum { STATE, OLDER, NS, PREFIX, CURSOR, OLDEST };

static bool look_state_read(cursor *c, idp_request *r, idp_read_fault *fault) {
    idp_slice word;
    if (!cursor_bytes(c, &word)) {
        return bad(fault, "state must be a str");
    }
    for (int i = IDP_STATE_IN_PROGRESS; i < IDP_STATE_COUNT; i++) {
        if (slice_is(word, idp_state_name((idp_state)i))) {
            r->state = (idp_state)i;
            return true;
        }
    }
    return bad(fault, "state must be in_progress, orphaned, completed or "
                      "released");
}

static bool list_option_read(cursor *c, int at, idp_request *r,
                             idp_read_fault *fault) {
    switch (at) {
    case STATE:
        return look_state_read(c, r, fault);
    case OLDER:
        return cursor_uint(c, &r->older_ms) ||
               bad(fault, "older_ms must be an integer of 0..2^53-1");
    case NS:
        return bytes_read(c, &ns_field, &r->ns, fault);
    case PREFIX:
        return bytes_read(c, &prefix_field, &r->key, fault);
    case CURSOR:
        return bytes_read(c, &cursor_field, &r->cursor, fault);
    default:
        return cursor_bool(c, &r->oldest) ||
               bad(fault, "oldest must be a bool");
    }
}

static const options list_options = {
    {"state", "older_ms", "ns", "prefix", "cursor", "oldest"},
    list_option_read,
    "list's options are state, older_ms, ns, prefix, cursor and oldest"};

/* What the walk looks for was said with its first page. */
static bool list_fits(const idp_request *r, idp_read_fault *fault) {
    bool has_filter = r->state || r->older_ms || r->ns.ptr || r->key.ptr;
    if (r->cursor.ptr && (has_filter || r->oldest)) {
        return bad(fault, "with a cursor nothing else is given");
    }
    if (r->oldest && r->state != IDP_STATE_IN_PROGRESS &&
        r->state != IDP_STATE_ORPHANED) {
        return bad(fault, "oldest needs the state orphaned or in_progress");
    }
    return true;
}

const uint8_t *idp_list_read(cursor c, uint32_t count, idp_request *r,
                             idp_read_fault *fault) {
    if (count > 1) {
        return bad(fault, "list takes one optional map");
    }
    const uint8_t *end =
        count == 0 ? c.at : options_read(c, &list_options, r, fault);
    return end && list_fits(r, fault) ? end : NULL;
}

static uint8_t *named_bytes(uint8_t *to, const char *name, idp_slice bytes) {
    return bytes.ptr ? put_bin(put_word(to, name), bytes) : to;
}

uint8_t *idp_list_put(uint8_t *to, const idp_request *r) {
    unsigned given = (unsigned)(r->state != 0) + (r->older_ms != 0) +
                     (r->ns.ptr != NULL) + (r->key.ptr != NULL) +
                     (r->cursor.ptr != NULL) + r->oldest;
    to = put_array(put_word(to, "list"), given > 0);
    if (given > 0) {
        to = put_map(to, given);
    }
    if (r->state) {
        to = put_word(put_word(to, "state"), idp_state_name(r->state));
    }
    if (r->older_ms) {
        to = put_uint(put_word(to, "older_ms"), r->older_ms);
    }
    to = named_bytes(to, "ns", r->ns);
    to = named_bytes(to, "prefix", r->key);
    to = named_bytes(to, "cursor", r->cursor);
    return r->oldest ? put_bool(put_word(to, "oldest"), true) : to;
}

/* clients, kill ------------------------------------------------------------ */

static bool clients_option_read(cursor *c, int at, idp_request *r,
                                idp_read_fault *fault) {
    (void)at;
    return bytes_read(c, &cursor_field, &r->cursor, fault);
}

static const options clients_options = {
    {"cursor"}, clients_option_read, "clients' only option is cursor"};

const uint8_t *idp_clients_read(cursor c, uint32_t count, idp_request *r,
                                idp_read_fault *fault) {
    if (count > 1) {
        return bad(fault, "clients takes one optional map");
    }
    return count == 0 ? c.at : options_read(c, &clients_options, r, fault);
}

uint8_t *idp_clients_put(uint8_t *to, const idp_request *r) {
    bool goes_on = r->cursor.ptr != NULL;
    to = put_array(put_word(to, "clients"), goes_on);
    return goes_on ? named_bytes(put_map(to, 1), "cursor", r->cursor) : to;
}

const uint8_t *idp_kill_read(cursor c, uint32_t count, idp_request *r,
                             idp_read_fault *fault) {
    if (count != 1) {
        return bad(fault, "kill takes the id of a connection");
    }
    return bytes_read(&c, &id_field, &r->cursor, fault) ? c.at : NULL;
}

uint8_t *idp_kill_put(uint8_t *to, const idp_request *r) {
    return put_bin(put_array(put_word(to, "kill"), 1), r->cursor);
}

/* events ------------------------------------------------------------------- */

enum { EVENTS_KIND, EVENTS_NS, EVENTS_PREFIX, EVENTS_CURSOR, EVENTS_WAIT };

static bool kind_read(cursor *c, idp_request *r, idp_read_fault *fault) {
    idp_slice word;
    if (!cursor_bytes(c, &word)) {
        return bad(fault, "kind must be a str");
    }
    for (int i = IDP_EVENT_ANY + 1; i < IDP_EVENT_KIND_END; i++) {
        if (slice_is(word, idp_event_kind_name((idp_event_kind)i))) {
            r->kind = (idp_event_kind)i;
            return true;
        }
    }
    return bad(fault, "kind must be acquired, renewed, completed, released, "
                      "deleted, expired, mismatch or stale");
}

static bool events_wait_read(cursor *c, idp_request *r, idp_read_fault *fault) {
    uint64_t ms;
    if (!cursor_uint(c, &ms) || ms > IDP_WAIT_MS_MAX) {
        return bad(fault, "wait_ms must be an integer of 0..60000");
    }
    r->wait_ms = (uint32_t)ms;
    return true;
}

static bool events_option_read(cursor *c, int at, idp_request *r,
                               idp_read_fault *fault) {
    switch (at) {
    case EVENTS_KIND:
        return kind_read(c, r, fault);
    case EVENTS_NS:
        return bytes_read(c, &ns_field, &r->ns, fault);
    case EVENTS_PREFIX:
        return bytes_read(c, &prefix_field, &r->key, fault);
    case EVENTS_CURSOR:
        return bytes_read(c, &cursor_field, &r->cursor, fault);
    default:
        return events_wait_read(c, r, fault);
    }
}

static const options events_options = {
    {"kind", "ns", "prefix", "cursor", "wait_ms"},
    events_option_read,
    "events' options are kind, ns, prefix, cursor and wait_ms"};

const uint8_t *idp_events_read(cursor c, uint32_t count, idp_request *r,
                               idp_read_fault *fault) {
    if (count > 1) {
        return bad(fault, "events takes one optional map");
    }
    const uint8_t *end =
        count == 0 ? c.at : options_read(c, &events_options, r, fault);
    if (end && r->cursor.ptr && (r->kind || r->ns.ptr || r->key.ptr)) {
        return bad(fault, "with a cursor only wait_ms is given");
    }
    return end;
}

uint8_t *idp_events_put(uint8_t *to, const idp_request *r) {
    unsigned given = (unsigned)(r->kind != 0) + (r->ns.ptr != NULL) +
                     (r->key.ptr != NULL) + (r->cursor.ptr != NULL) +
                     (r->wait_ms > 0);
    to = put_array(put_word(to, "events"), given > 0);
    if (given > 0) {
        to = put_map(to, given);
    }
    if (r->kind) {
        to = put_word(put_word(to, "kind"), idp_event_kind_name(r->kind));
    }
    to = named_bytes(to, "ns", r->ns);
    to = named_bytes(to, "prefix", r->key);
    to = named_bytes(to, "cursor", r->cursor);
    return r->wait_ms ? put_uint(put_word(to, "wait_ms"), r->wait_ms) : to;
}
