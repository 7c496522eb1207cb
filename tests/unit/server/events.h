/* SPDX-License-Identifier: Apache-2.0 */
/* events.h -- what the tests of test_events.c and test_events_pair.c stand on:
 * who watches, and what he was told last. */
#ifndef UNIT_SERVER_EVENTS_H
#define UNIT_SERVER_EVENTS_H

#include "proto/events.h"
#include "proto/list.h"
#include "server/admin/watchers.h"
#include "tests/unit/server/looks.h"

static idp_events_page page;
static char cursor[IDP_CURSOR_BYTES_MAX + 1];

static inline void take_page(idp_reply reply) {
    cr_assert_not(reply.is_error, "%s", error_of(reply));
    cr_assert(idp_events_page_read(reply.result, &page));
    snprintf(cursor, sizeof cursor, "%.*s", (int)page.cursor.len,
             (const char *)page.cursor.ptr);
}

/* From now on; then with cursor what has happened since. */
static inline void watch(caller *c, idp_request request) {
    request.method = IDP_EVENTS;
    take_page(ask(c, request));
    cr_assert_eq(page.count, 0);
}

static inline idp_reply ask_next(caller *c) {
    return ask(c,
               (idp_request){.method = IDP_EVENTS, .cursor = text_of(cursor)});
}

static inline uint32_t see(caller *c) {
    take_page(ask_next(c));
    return page.count;
}

static inline void send_wait(caller *c, uint32_t ms) {
    const idp_request request = {.method = IDP_EVENTS,
                                 .msgid = 8,
                                 .cursor = text_of(cursor),
                                 .wait_ms = ms};
    caller_send(c, frame, idp_request_write(frame, sizeof frame, &request));
    harness_run(&t);
}

#endif
