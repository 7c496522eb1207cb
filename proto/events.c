/* SPDX-License-Identifier: Apache-2.0 */
/* events.c -- see events.h.
 *
 * Pure. Keys and columns that a later version adds are skipped. */
#include "proto/events.h"

#include "proto/cursor.h"
#include "proto/list.h"
#include "proto/put.h"
#include "proto/reply.h"
#include "proto/scan.h"

#include <assert.h>

#define COLUMNS 7
/* An event without the bytes that it carries, a page without events. */
#define EVENT_FIXED_BYTES_MAX \
    (1 + 3 * PUT_HEADER_BYTES_MAX + 2 * 12 + 2 * PUT_UINT_BYTES_MAX)
#define PAGE_FIXED_BYTES_MAX 128

static_assert(IDP_EVENTS_MAX <= IDP_CONTAINER_ITEMS_MAX &&
                  IDP_EVENTS_MAX * (COLUMNS + 1) + 16 <= IDP_VALUES_MAX,
              "a full page is a legal frame");

static uint8_t *put_key_event(uint8_t *to, const idp_event *event) {
    to = put_bin(put_bin(put_array(to, COLUMNS), event->ns), event->key);
    to = put_word(to, idp_event_kind_name(event->kind));
    to = put_uint(put_uint(to, event->age_ms), event->attempt);
    to = event->kind == IDP_EVENT_ACQUIRED
             ? put_word(to, idp_previous_name(event->previous))
             : put_nil(to);
    return event->user.ptr ? put_bin(to, event->user) : put_nil(to);
}

size_t idp_events_page_write_bound(const idp_events_page *page) {
    size_t bytes = PAGE_FIXED_BYTES_MAX + page->cursor.len;
    assert(page->count <= IDP_EVENTS_MAX);
    for (uint32_t i = 0; i < page->count; i++) {
        const idp_event *event = &page->events[i];
        bytes += EVENT_FIXED_BYTES_MAX + event->ns.len + event->key.len +
                 event->user.len;
    }
    return bytes;
}

size_t idp_events_page_write(uint8_t *to, size_t cap, uint32_t msgid,
                             const idp_events_page *page) {
    if (cap < idp_events_page_write_bound(page)) {
        return 0;
    }
    uint8_t *at = put_map(put_reply_head(to, msgid), 3);
    at = put_str(put_word(at, "cursor"), page->cursor.ptr, page->cursor.len);
    at = put_uint(put_word(at, "lost"), page->lost);
    at = put_rows(put_word(at, "events"), page->count);
    for (uint32_t i = 0; i < page->count; i++) {
        at = put_key_event(at, &page->events[i]);
    }
    return (size_t)(at - to);
}

static bool event_kind_read(cursor *c, idp_event *event) {
    idp_slice word;
    event->kind = IDP_EVENT_ANY;
    if (!cursor_bytes(c, &word)) {
        return false;
    }
    for (int i = IDP_EVENT_ANY + 1; i < IDP_EVENT_KIND_END; i++) {
        if (slice_is(word, idp_event_kind_name((idp_event_kind)i))) {
            event->kind = (idp_event_kind)i;
        }
    }
    return true;
}

static bool event_previous_read(cursor *c, idp_event *event) {
    idp_slice word;
    event->previous = IDP_PREVIOUS_NONE;
    if (cursor_nil(c)) {
        return true;
    }
    if (!cursor_bytes(c, &word)) {
        return false;
    }
    for (int i = IDP_PREVIOUS_NONE; i <= IDP_PREVIOUS_RELEASED; i++) {
        if (slice_is(word, idp_previous_name((idp_previous)i))) {
            event->previous = (idp_previous)i;
        }
    }
    return true;
}

static bool event_read(cursor *c, idp_event *event) {
    uint32_t columns;
    event->user = (idp_slice){0};
    bool good = cursor_array(c, &columns) && columns >= COLUMNS &&
                cursor_bytes(c, &event->ns) && cursor_bytes(c, &event->key) &&
                event->ns.len <= IDP_NS_BYTES_MAX &&
                event->key.len <= IDP_KEY_BYTES_MAX &&
                event_kind_read(c, event) && cursor_uint(c, &event->age_ms) &&
                cursor_u32(c, &event->attempt) &&
                event_previous_read(c, event) &&
                (cursor_nil(c) || cursor_bytes(c, &event->user));
    for (uint32_t i = COLUMNS; good && i < columns; i++) {
        good = idp_skip(c);
    }
    return good;
}

static bool events_read(cursor *c, idp_events_page *page) {
    if (!cursor_array(c, &page->count) || page->count > IDP_EVENTS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < page->count; i++) {
        if (!event_read(c, &page->events[i])) {
            return false;
        }
    }
    return true;
}

bool idp_events_page_read(idp_slice result, idp_events_page *page) {
    cursor c = cursor_over(result);
    uint32_t pairs;
    bool has_cursor = false, has_events = false, good = cursor_map(&c, &pairs);
    page->count = 0;
    page->lost = 0;
    page->cursor = (idp_slice){0};
    for (uint32_t i = 0; good && i < pairs; i++) {
        idp_slice name;
        good = cursor_bytes(&c, &name);
        if (good && slice_is(name, "cursor")) {
            good = has_cursor = cursor_bytes(&c, &page->cursor) &&
                                page->cursor.len <= IDP_CURSOR_BYTES_MAX;
        } else if (good && slice_is(name, "lost")) {
            good = cursor_uint(&c, &page->lost);
        } else if (good && slice_is(name, "events")) {
            good = has_events = events_read(&c, page);
        } else if (good) {
            good = idp_skip(&c);
        }
    }
    return good && has_cursor && has_events;
}
