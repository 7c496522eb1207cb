/* SPDX-License-Identifier: Apache-2.0 */
/* look_events.c -- what happens to keys, a page after the other, until whoever
 * sees it has enough; see idemclient_look.h. */
#include "client/include/idemclient_look.h"

#include <assert.h>
#include <string.h>

#include "client/src/command.h"
#include "client/src/error.h"
#include "client/src/sized.h"
#include "proto/events.h"
#include "proto/list.h"

/* An answer is held back for so long, and may be late by that. */
#define WATCH_WAIT_MS 20000u
#define WATCH_LATE_MS 10000u

typedef struct watching {
    idem_key_event_seen *seen;
    void *ctx;
    uint64_t end_ms;
    uint8_t cursor[IDP_CURSOR_BYTES_MAX];
} watching;

static_assert(IDEM_KEY_STALE - IDEM_KEY_ACQUIRED ==
                  (int)IDP_EVENT_STALE - (int)IDP_EVENT_ACQUIRED,
              "the kinds stand in one order");

static int32_t event_of(idp_event_kind kind) {
    return kind == IDP_EVENT_ANY ? IDEM_KEY_OTHER
                                 : IDEM_KEY_ACQUIRED + (int32_t)kind -
                                       (int32_t)IDP_EVENT_ACQUIRED;
}

/* False: no more is to be seen. */
static bool see_event(const watching *w, const idp_event *event) {
    const idem_key_event one = {.size = sizeof one,
                                .event = event_of(event->kind),
                                .ns = event->ns.ptr,
                                .ns_len = event->ns.len,
                                .key = event->key.ptr,
                                .key_len = event->key.len,
                                .age_ms = event->age_ms,
                                .attempt = event->attempt,
                                .previous = event->kind == IDP_EVENT_ACQUIRED
                                                ? IDEM_PREVIOUS_NONE +
                                                      (int32_t)event->previous
                                                : 0,
                                .user = (const char *)event->user.ptr,
                                .user_len = event->user.len};
    return w->seen(w->ctx, &one) == 0;
}

static bool see_no_event(const watching *w, int32_t event, uint64_t lost) {
    const idem_key_event one = {
        .size = sizeof one, .event = event, .lost = lost};
    return w->seen(w->ctx, &one) == 0;
}

static idem__asked see_events(void *ctx, idp_slice result,
                              idp_request *request) {
    watching *w = ctx;
    idp_events_page page;
    if (!idp_events_page_read(result, &page))
        return IDEM__ASKED_GARBLED;
    bool goes_on = page.lost == 0 || see_no_event(w, IDEM_KEY_LOST, page.lost);
    for (uint32_t i = 0; goes_on && i < page.count; i++)
        goes_on = see_event(w, &page.events[i]);
    if (goes_on && page.lost == 0 && page.count == 0)
        goes_on = see_no_event(w, IDEM_KEY_QUIET, 0);
    uint64_t now_ms = idem_now_ms();
    if (!goes_on || now_ms >= w->end_ms)
        return IDEM__ASKED_DONE;
    uint64_t left_ms = w->end_ms - now_ms;
    memcpy(w->cursor, page.cursor.ptr, page.cursor.len);
    *request = (idp_request){
        .method = IDP_EVENTS,
        .cursor = {w->cursor, page.cursor.len},
        .wait_ms = left_ms < WATCH_WAIT_MS ? (uint32_t)left_ms : WATCH_WAIT_MS};
    return IDEM__ASKED_MORE;
}

static int32_t check_watch_args(const idem_watch_args *args, idem_error *err) {
    if (args->event != 0 &&
        (args->event < IDEM_KEY_ACQUIRED || args->event > IDEM_KEY_STALE))
        return idem__fail(err, IDEM_E_ARGUMENT,
                          "event is none of IDEM_KEY_ACQUIRED ... "
                          "IDEM_KEY_STALE, nor 0");
    if (args->ns_len > IDP_NS_BYTES_MAX || args->prefix_len > IDP_KEY_BYTES_MAX)
        return idem__fail(err, IDEM_E_ARGUMENT,
                          "a namespace has at most 64 bytes, a prefix 512");
    return 0;
}

/* NULL is anything; an empty one is there. */
static idp_slice some_slice(const void *bytes, size_t len) {
    static const uint8_t none[1];
    if (bytes == NULL)
        return (idp_slice){0};
    return (idp_slice){len > 0 ? bytes : none, len};
}

int32_t idem_watch_keys(const char *uri, const idem_watch_args *theirs,
                        idem_key_event_seen *seen, void *ctx, idem_error *err) {
    idem_error own = {.size = sizeof own};
    idem_watch_args args;
    watching w = {.seen = seen, .ctx = ctx, .end_ms = UINT64_MAX};
    int32_t code =
        idem__sized_in(&idem__watch_args_layout, &args, theirs, "args", &own);
    if (code == 0)
        code = check_watch_args(&args, &own);
    if (code == 0) {
        idp_request request = {.method = IDP_EVENTS,
                               .ns = some_slice(args.ns, args.ns_len),
                               .key = some_slice(args.prefix, args.prefix_len)};
        if (args.event != 0)
            request.kind = (idp_event_kind)(args.event - IDEM_KEY_ACQUIRED +
                                            (int32_t)IDP_EVENT_ACQUIRED);
        if (args.timeout_ms != 0)
            w.end_ms = idem_now_ms() + args.timeout_ms;
        code = idem__ask_on(uri, WATCH_WAIT_MS + WATCH_LATE_MS, &request,
                            see_events, &w, &own);
    }
    if (code != 0)
        idem__error_copy(err, &own);
    return code;
}
