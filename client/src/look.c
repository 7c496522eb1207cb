/* SPDX-License-Identifier: Apache-2.0 */
/* look.c -- what an operator looks at: pages of one server; see
 * idemclient_look.h. */
#include "client/include/idemclient_look.h"

#include <assert.h>
#include <string.h>

#include "client/src/command.h"
#include "client/src/error.h"
#include "client/src/sized.h"
#include "proto/clients.h"
#include "proto/list.h"
#include "proto/namespaces.h"

static_assert(IDEM_CLIENT_ID_BYTES == IDP_CURSOR_BYTES_MAX + 1 &&
                  sizeof((idem_slow *)0)->work / sizeof(uint64_t) ==
                      IDP_WORK_KINDS,
              "what a server may tell fits");

/* A cursor is kept for the next page: the reply that it stands in goes. */
typedef struct paging {
    idem_record_seen *seen_record;
    idem_client_seen *seen_client;
    void *ctx;
    uint8_t cursor[IDP_CURSOR_BYTES_MAX];
} paging;

static idem__asked next_page(paging *p, idp_slice cursor,
                             idp_request *request) {
    idp_method method = request->method;
    if (!cursor.ptr)
        return IDEM__ASKED_DONE;
    memcpy(p->cursor, cursor.ptr, cursor.len);
    *request =
        (idp_request){.method = method, .cursor = {p->cursor, cursor.len}};
    return IDEM__ASKED_MORE;
}

/* list --------------------------------------------------------------------- */

static int32_t state_of(idp_state state) {
    return IDEM_STATE_ABSENT + (int32_t)state;
}

static_assert(IDEM_STATE_RELEASED - IDEM_STATE_ABSENT == IDP_STATE_RELEASED,
              "the states stand in one order");

static const char *chars_of(idp_slice text) {
    return (const char *)text.ptr;
}

static idem__asked see_records(void *ctx, idp_slice result,
                               idp_request *request) {
    paging *p = ctx;
    idp_list_page page;
    if (!idp_list_page_read(result, &page))
        return IDEM__ASKED_GARBLED;
    for (uint32_t i = 0; i < page.row_count; i++) {
        const idp_list_row *row = &page.rows[i];
        const idem_record one = {.size = sizeof one,
                                 .state = state_of(row->state),
                                 .ns = row->ns.ptr,
                                 .ns_len = row->ns.len,
                                 .key = row->key.ptr,
                                 .key_len = row->key.len,
                                 .age_ms = row->age_ms,
                                 .lease_left_ms = row->lease_left_ms,
                                 .ttl_left_ms = row->ttl_left_ms,
                                 .attempt = row->attempt,
                                 .user = chars_of(row->user),
                                 .user_len = (uint32_t)row->user.len};
        p->seen_record(p->ctx, &one);
    }
    return next_page(p, page.cursor, request);
}

static int32_t check_list(const idem_list_args *args, idem_error *err) {
    if (args->state != 0 && (args->state < IDEM_STATE_IN_PROGRESS ||
                             args->state > IDEM_STATE_RELEASED))
        return idem__fail(err, IDEM_E_ARGUMENT,
                          "state is none of IDEM_STATE_IN_PROGRESS ... "
                          "IDEM_STATE_RELEASED, nor 0");
    if (args->ns_len > IDP_NS_BYTES_MAX || args->prefix_len > IDP_KEY_BYTES_MAX)
        return idem__fail(err, IDEM_E_ARGUMENT,
                          "a namespace has at most 64 bytes, a prefix 512");
    return 0;
}

static idp_slice given(const void *bytes, size_t len) {
    static const uint8_t none[1];
    if (bytes == NULL)
        return (idp_slice){0};
    return (idp_slice){len > 0 ? bytes : none, len};
}

int32_t idem_list(const char *uri, const idem_list_args *theirs,
                  idem_record_seen *seen, void *ctx, idem_error *err) {
    idem_error own = {.size = sizeof own};
    idem_list_args args;
    paging p = {.seen_record = seen, .ctx = ctx};
    int32_t code =
        idem__sized_in(&idem__list_args_layout, &args, theirs, "args", &own);
    if (code == 0)
        code = check_list(&args, &own);
    if (code == 0) {
        idp_request request = {.method = IDP_LIST,
                               .ns = given(args.ns, args.ns_len),
                               .key = given(args.prefix, args.prefix_len),
                               .older_ms = args.older_ms,
                               .oldest = args.oldest != 0};
        if (args.state != 0)
            request.state = (idp_state)(args.state - IDEM_STATE_ABSENT);
        code = idem__ask(uri, args.timeout_ms, &request, see_records, &p, &own);
    }
    if (code != 0)
        idem__error_copy(err, &own);
    return code;
}

/* inspect ------------------------------------------------------------------ */

typedef struct inspecting {
    idem_inspected_seen *seen;
    void *ctx;
} inspecting;

static void fill_token(idem_token *to, idp_token from) {
    for (int i = 0; i < 8; i++) {
        to->bytes[i] = (uint8_t)(from.epoch >> (56 - 8 * i));
        to->bytes[8 + i] = (uint8_t)(from.sequence >> (56 - 8 * i));
    }
}

static idem__asked see_inspected(void *ctx, idp_slice result,
                                 idp_request *request) {
    const inspecting *see = ctx;
    idp_inspected from;
    (void)request;
    if (!idp_inspected_read(result, &from))
        return IDEM__ASKED_GARBLED;
    idem_inspected one = {
        .size = sizeof one,
        .state = state_of(from.state),
        .previous = IDEM_PREVIOUS_NONE + (int32_t)from.previous,
        .attempt = from.attempt,
        .age_ms = from.age_ms,
        .lease_ms = from.lease_ms,
        .lease_left_ms = from.lease_left_ms,
        .ttl_ms = from.ttl_ms,
        .ttl_left_ms = from.ttl_left_ms,
        .fingerprint = from.fingerprint.len ? from.fingerprint.ptr : NULL,
        .fingerprint_len = from.fingerprint.len,
        .has_token = from.has_token,
        .result_class = from.class == IDP_CLASS_ERROR ? IDEM_CLASS_ERROR
                                                      : IDEM_CLASS_SUCCESS,
        .has_result = from.has_result,
        .result_bytes = from.result_bytes,
        .result = from.result.ptr,
        .result_len = from.result.len,
        .user = chars_of(from.by.user),
        .user_len = from.by.user.len,
        .client = chars_of(from.by.client),
        .client_len = from.by.client.len,
        .address = chars_of(from.by.address),
        .address_len = from.by.address.len};
    fill_token(&one.token, from.token);
    see->seen(see->ctx, &one);
    return IDEM__ASKED_DONE;
}

int32_t idem_inspect(const char *uri, const idem_args *theirs,
                     idem_inspected_seen *seen, void *ctx, idem_error *err) {
    idem_error own = {.size = sizeof own};
    inspecting see = {seen, ctx};
    idem_args args;
    int32_t code =
        idem__sized_in(&idem__args_layout, &args, theirs, "args", &own);
    if (code == 0 && (args.ns_len > IDP_NS_BYTES_MAX || args.key == NULL ||
                      args.key_len == 0 || args.key_len > IDP_KEY_BYTES_MAX))
        code = idem__fail(&own, IDEM_E_ARGUMENT,
                          "a namespace has at most 64 bytes, a key 1 to 512");
    if (code == 0) {
        idp_request request = {.method = IDP_INSPECT,
                               .ns = given(args.ns, args.ns_len),
                               .key = given(args.key, args.key_len)};
        code = idem__ask(uri, args.timeout_ms, &request, see_inspected, &see,
                         &own);
    }
    if (code != 0)
        idem__error_copy(err, &own);
    return code;
}

/* clients, kill ------------------------------------------------------------ */

static idem__asked see_clients(void *ctx, idp_slice result,
                               idp_request *request) {
    paging *p = ctx;
    idp_clients_page page;
    if (!idp_clients_page_read(result, &page))
        return IDEM__ASKED_GARBLED;
    for (uint32_t i = 0; i < page.row_count; i++) {
        const idp_client_row *row = &page.rows[i];
        idem_client_row one = {.size = sizeof one,
                               .is_tls = row->is_tls,
                               .is_http = row->is_http,
                               .address = chars_of(row->address),
                               .address_len = row->address.len,
                               .name = chars_of(row->name),
                               .name_len = row->name.len,
                               .user = chars_of(row->user),
                               .user_len = row->user.len,
                               .age_ms = row->age_ms,
                               .requests = row->requests,
                               .waiting = row->waiting,
                               .unsent_bytes = row->unsent_bytes};
        memcpy(one.id, row->id.ptr, row->id.len);
        p->seen_client(p->ctx, &one);
    }
    return next_page(p, page.cursor, request);
}

int32_t idem_clients(const char *uri, uint32_t timeout_ms,
                     idem_client_seen *seen, void *ctx, idem_error *err) {
    paging p = {.seen_client = seen, .ctx = ctx};
    idem_error own = {.size = sizeof own};
    idp_request request = {.method = IDP_CLIENTS};
    int32_t code = idem__ask(uri, timeout_ms, &request, see_clients, &p, &own);
    if (code != 0)
        idem__error_copy(err, &own);
    return code;
}

static idem__asked see_killed(void *ctx, idp_slice result,
                              idp_request *request) {
    bool *was_there = ctx;
    (void)request;
    return idp_killed_read(result, was_there) ? IDEM__ASKED_DONE
                                              : IDEM__ASKED_GARBLED;
}

int32_t idem_kill(const char *uri, const char *id, uint32_t timeout_ms,
                  int32_t *was_there, idem_error *err) {
    idem_error own = {.size = sizeof own};
    size_t len = id != NULL ? strlen(id) : 0;
    bool killed = false;
    idp_request request = {.method = IDP_KILL,
                           .cursor = {(const uint8_t *)id, len}};
    int32_t code =
        len > 0 && len < IDEM_CLIENT_ID_BYTES
            ? idem__ask(uri, timeout_ms, &request, see_killed, &killed, &own)
            : idem__fail(&own, IDEM_E_ARGUMENT,
                         "an id is what idem_clients tells");
    if (code != 0)
        idem__error_copy(err, &own);
    else if (was_there != NULL)
        *was_there = killed;
    return code;
}

/* slow --------------------------------------------------------------------- */

typedef struct slowness {
    idem_slow_seen *seen;
    void *ctx;
} slowness;

static void see_turn(const slowness *see, const idp_slow_turn *turn) {
    idem_slow one = {.size = sizeof one,
                     .age_ms = turn->age_ms,
                     .thread = turn->loop,
                     .us = turn->us};
    memcpy(one.work, turn->work, sizeof one.work);
    see->seen(see->ctx, &one);
}

static void see_hold(const slowness *see, const idp_slow_hold *hold) {
    const idem_slow one = {.size = sizeof one,
                           .is_hold = 1,
                           .age_ms = hold->age_ms,
                           .thread = hold->loop,
                           .us = hold->us,
                           .is_replica = hold->is_replica,
                           .replies = hold->replies};
    see->seen(see->ctx, &one);
}

static idem__asked see_slow(void *ctx, idp_slice result, idp_request *request) {
    const slowness *see = ctx;
    idp_slow slow;
    (void)request;
    if (!idp_slow_read(result, &slow))
        return IDEM__ASKED_GARBLED;
    for (uint32_t i = 0; i < slow.turn_count; i++)
        see_turn(see, &slow.turns[i]);
    for (uint32_t i = 0; i < slow.hold_count; i++)
        see_hold(see, &slow.holds[i]);
    return IDEM__ASKED_DONE;
}

int32_t idem_slow_get(const char *uri, uint32_t timeout_ms,
                      idem_slow_seen *seen, void *ctx, idem_error *err) {
    slowness see = {seen, ctx};
    idem_error own = {.size = sizeof own};
    idp_request request = {.method = IDP_SLOW};
    int32_t code = idem__ask(uri, timeout_ms, &request, see_slow, &see, &own);
    if (code != 0)
        idem__error_copy(err, &own);
    return code;
}

/* namespaces --------------------------------------------------------------- */

static_assert(IDEM_NAMESPACE_BYTES_MAX == IDP_NS_BYTES_MAX &&
                  IDEM_UNLIMITED == IDP_UNLIMITED,
              "they mean the same");

static idem_namespace namespace_of(const idp_ns_page *page,
                                   const idp_ns_row *row) {
    idem_namespace one = {.size = sizeof one,
                          .ns_len = (uint32_t)row->ns.len,
                          .is_others = row->ns.ptr == NULL,
                          .is_behind = page->is_behind,
                          .records = row->records,
                          .in_progress = row->in_progress,
                          .bytes = row->bytes,
                          .refused_full = row->refused_full,
                          .refused_rate = row->refused_rate,
                          .results_dropped = row->results_dropped,
                          .records_max = row->records_max,
                          .bytes_max = row->bytes_max,
                          .rate = row->rate ? row->rate : IDEM_UNLIMITED,
                          .burst = row->rate ? row->burst : IDEM_UNLIMITED,
                          .ttl_ms_max = row->ttl_ms_max,
                          .result_bytes_max = row->result_bytes_max};
    if (row->ns.ptr != NULL)
        memcpy(one.ns, row->ns.ptr, row->ns.len);
    return one;
}

/* after: of the request's own, the last one seen. */
typedef struct naming {
    idem_namespace_seen *seen;
    void *ctx;
    uint8_t after[IDP_NS_BYTES_MAX];
} naming;

/* Pages behind each other, until there is none. A server that names the same
 * one again would never end. */
static idem__asked see_namespaces(void *ctx, idp_slice result,
                                  idp_request *request) {
    naming *see = ctx;
    idem_namespace one = {0};
    idp_ns_page page;
    if (!idp_ns_page_read(result, &page))
        return IDEM__ASKED_GARBLED;
    for (uint32_t i = 0; i < page.row_count; i++) {
        one = namespace_of(&page, &page.rows[i]);
        see->seen(see->ctx, &one);
    }
    if (!page.has_more)
        return IDEM__ASKED_DONE;
    if (page.row_count == 0 || one.is_others)
        return IDEM__ASKED_GARBLED;
    memcpy(see->after, one.ns, one.ns_len);
    request->ns = (idp_slice){see->after, one.ns_len};
    return IDEM__ASKED_MORE;
}

int32_t idem_namespaces_get(const char *uri, uint32_t timeout_ms,
                            idem_namespace_seen *seen, void *ctx,
                            idem_error *err) {
    idem_error own = {.size = sizeof own};
    naming see = {.seen = seen, .ctx = ctx};
    idp_request request = {.method = IDP_NAMESPACES};
    int32_t code =
        idem__ask(uri, timeout_ms != 0 ? timeout_ms : IDEM_TIMEOUT_MS_DEFAULT,
                  &request, see_namespaces, &see, &own);
    if (code != 0)
        idem__error_copy(err, &own);
    return code;
}
