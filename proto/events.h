/* SPDX-License-Identifier: Apache-2.0 */
/* events.h -- what `events` answers: what has happened to keys, for who only
 * looks: encode and decode.
 *
 * Pure, like reply.h. */
#ifndef IDP_EVENTS_H
#define IDP_EVENTS_H

#include "proto/terms.h"

typedef struct idp_event {
    idp_slice ns, key;
    idp_event_kind kind;
    uint64_t age_ms;
    uint32_t attempt;      /* 0: of a key that has no record any more */
    idp_previous previous; /* ACQUIRED; else NONE */
    idp_slice user; /* who claims, or asked for what did not match; ptr NULL:
                     * not known */
} idp_event;

#define IDP_EVENTS_MAX 60

typedef struct idp_events_page {
    idp_slice cursor; /* for what comes next */
    uint64_t lost;    /* before these: so many were overwritten */
    uint32_t count;
    idp_event events[IDP_EVENTS_MAX]; /* of one thread in their order */
} idp_events_page;

size_t idp_events_page_write_bound(const idp_events_page *page);
size_t idp_events_page_write(uint8_t *to, size_t cap, uint32_t msgid,
                             const idp_events_page *page);

/* False when result is no such page. Slices borrow from it. A kind that a later
 * version adds is ANY. */
bool idp_events_page_read(idp_slice result, idp_events_page *page);

#endif
