/* SPDX-License-Identifier: Apache-2.0 */
/* clients.c -- see clients.h.
 *
 * Pure. Keys and columns that a later version adds are skipped. */
#include "proto/clients.h"

#include "proto/cursor.h"
#include "proto/list.h"
#include "proto/put.h"
#include "proto/scan.h"

#include <assert.h>

#define COLUMNS      10
#define TURN_COLUMNS (3 + IDP_WORK_KINDS)
#define HOLD_COLUMNS 5
/* A row without the bytes that it carries, a page without rows. */
#define ROW_FIXED_BYTES_MAX \
    (4 * PUT_HEADER_BYTES_MAX + 4 * PUT_UINT_BYTES_MAX + 4)
#define PAGE_FIXED_BYTES_MAX 64

static_assert(IDP_CLIENT_ROWS_MAX <= IDP_CONTAINER_ITEMS_MAX &&
                  IDP_CLIENT_ROWS_MAX * (COLUMNS + 1) + 16 <= IDP_VALUES_MAX,
              "a full page is a legal frame");
static_assert(IDP_SLOW_ROWS_MAX <= IDP_CONTAINER_ITEMS_MAX &&
                  IDP_SLOW_ROWS_MAX * (TURN_COLUMNS + HOLD_COLUMNS + 2) + 16 <=
                      IDP_VALUES_MAX,
              "and so are two tables");
static_assert(64 + IDP_SLOW_ROWS_MAX * (2 + 8 +
                                        (TURN_COLUMNS + HOLD_COLUMNS) *
                                            PUT_UINT_BYTES_MAX) <=
                  IDP_SLOW_BYTES_MAX,
              "which have room");

static bool str_or_nil_read(cursor *c, idp_slice *text) {
    *text = (idp_slice){0};
    return cursor_nil(c) || cursor_bytes(c, text);
}

/* What a later version has added to a row. */
static bool skip_rest(cursor *c, uint32_t columns, uint32_t known) {
    for (; columns > known; columns--) {
        if (!idp_skip(c)) {
            return false;
        }
    }
    return true;
}

/* clients ------------------------------------------------------------------ */

static uint8_t *put_client_row(uint8_t *to, const idp_client_row *row) {
    to = put_str_or_nil(put_array(to, COLUMNS), row->id);
    to = put_str_or_nil(
        put_str_or_nil(put_str_or_nil(to, row->address), row->name), row->user);
    to = put_bool(put_bool(to, row->is_tls), row->is_http);
    to = put_uint(put_uint(to, row->age_ms), row->requests);
    return put_uint(put_uint(to, row->waiting), row->unsent_bytes);
}

size_t idp_clients_page_write_bound(const idp_clients_page *page) {
    size_t bytes = PAGE_FIXED_BYTES_MAX + page->cursor.len;
    assert(page->row_count <= IDP_CLIENT_ROWS_MAX);
    for (uint32_t i = 0; i < page->row_count; i++) {
        const idp_client_row *row = &page->rows[i];
        bytes += ROW_FIXED_BYTES_MAX + row->id.len + row->address.len +
                 row->name.len + row->user.len;
    }
    return bytes;
}

size_t idp_clients_page_write(uint8_t *to, size_t cap, uint32_t msgid,
                              const idp_clients_page *page) {
    if (cap < idp_clients_page_write_bound(page)) {
        return 0;
    }
    uint8_t *at = put_map(put_reply_head(to, msgid), 2);
    at = put_str_or_nil(put_word(at, "cursor"), page->cursor);
    at = put_rows(put_word(at, "clients"), page->row_count);
    for (uint32_t i = 0; i < page->row_count; i++) {
        at = put_client_row(at, &page->rows[i]);
    }
    return (size_t)(at - to);
}

static bool client_row_read(cursor *c, idp_client_row *row) {
    uint32_t columns;
    return cursor_array(c, &columns) && columns >= COLUMNS &&
           cursor_bytes(c, &row->id) && row->id.len <= IDP_CURSOR_BYTES_MAX &&
           str_or_nil_read(c, &row->address) &&
           str_or_nil_read(c, &row->name) && str_or_nil_read(c, &row->user) &&
           cursor_bool(c, &row->is_tls) && cursor_bool(c, &row->is_http) &&
           cursor_uint(c, &row->age_ms) && cursor_uint(c, &row->requests) &&
           cursor_uint(c, &row->waiting) &&
           cursor_uint(c, &row->unsent_bytes) && skip_rest(c, columns, COLUMNS);
}

static bool client_rows_read(cursor *c, idp_clients_page *page) {
    if (!cursor_array(c, &page->row_count) ||
        page->row_count > IDP_CLIENT_ROWS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < page->row_count; i++) {
        if (!client_row_read(c, &page->rows[i])) {
            return false;
        }
    }
    return true;
}

bool idp_clients_page_read(idp_slice result, idp_clients_page *page) {
    cursor c = cursor_over(result);
    uint32_t pairs;
    bool has_rows = false, good = cursor_map(&c, &pairs);
    page->row_count = 0;
    page->cursor = (idp_slice){0};
    for (uint32_t i = 0; good && i < pairs; i++) {
        idp_slice name;
        good = cursor_bytes(&c, &name);
        if (good && slice_is(name, "cursor")) {
            good = str_or_nil_read(&c, &page->cursor) &&
                   page->cursor.len <= IDP_CURSOR_BYTES_MAX;
        } else if (good && slice_is(name, "clients")) {
            good = has_rows = client_rows_read(&c, page);
        } else if (good) {
            good = idp_skip(&c);
        }
    }
    return good && has_rows;
}

/* kill --------------------------------------------------------------------- */

size_t idp_killed_write(uint8_t *to, size_t cap, uint32_t msgid,
                        bool was_there) {
    if (cap < IDP_KILLED_BYTES_MAX) {
        return 0;
    }
    uint8_t *at = put_array(put_reply_head(to, msgid), 1);
    at = put_word(at, was_there ? "killed" : "unknown");
    return (size_t)(at - to);
}

bool idp_killed_read(idp_slice result, bool *was_there) {
    cursor c = cursor_over(result);
    uint32_t count;
    idp_slice word;
    if (!cursor_array(&c, &count) || count < 1 || !cursor_bytes(&c, &word)) {
        return false;
    }
    *was_there = slice_is(word, "killed");
    return *was_there || slice_is(word, "unknown");
}

const char *idp_work_name(int kind) {
    static const char *const names[IDP_WORK_KINDS] = {
        "requests", "waiters", "messages", "sends", "due"};
    assert(kind >= 0 && kind < IDP_WORK_KINDS);
    return names[kind];
}

/* slow --------------------------------------------------------------------- */

static uint8_t *put_turn(uint8_t *to, const idp_slow_turn *turn) {
    to = put_uint(put_array(to, TURN_COLUMNS), turn->age_ms);
    to = put_uint(put_uint(to, turn->loop), turn->us);
    for (int i = 0; i < IDP_WORK_KINDS; i++) {
        to = put_uint(to, turn->work[i]);
    }
    return to;
}

static uint8_t *put_hold(uint8_t *to, const idp_slow_hold *hold) {
    to = put_uint(put_array(to, HOLD_COLUMNS), hold->age_ms);
    to = put_word(put_uint(to, hold->loop),
                  hold->is_replica ? "replica" : "disk");
    return put_uint(put_uint(to, hold->us), hold->replies);
}

size_t idp_slow_write(uint8_t *to, size_t cap, uint32_t msgid,
                      const idp_slow *slow) {
    if (cap < IDP_SLOW_BYTES_MAX) {
        return 0;
    }
    assert(slow->turn_count <= IDP_SLOW_ROWS_MAX);
    assert(slow->hold_count <= IDP_SLOW_ROWS_MAX);
    uint8_t *at = put_map(put_reply_head(to, msgid), 2);
    at = put_rows(put_word(at, "iterations"), slow->turn_count);
    for (uint32_t i = 0; i < slow->turn_count; i++) {
        at = put_turn(at, &slow->turns[i]);
    }
    at = put_rows(put_word(at, "held"), slow->hold_count);
    for (uint32_t i = 0; i < slow->hold_count; i++) {
        at = put_hold(at, &slow->holds[i]);
    }
    return (size_t)(at - to);
}

static bool turn_read(cursor *c, idp_slow_turn *turn) {
    uint32_t columns;
    bool good = cursor_array(c, &columns) && columns >= TURN_COLUMNS &&
                cursor_uint(c, &turn->age_ms) && cursor_uint(c, &turn->loop) &&
                cursor_uint(c, &turn->us);
    for (int i = 0; good && i < IDP_WORK_KINDS; i++) {
        good = cursor_uint(c, &turn->work[i]);
    }
    return good && skip_rest(c, columns, TURN_COLUMNS);
}

static bool hold_read(cursor *c, idp_slow_hold *hold) {
    uint32_t columns;
    idp_slice word;
    bool good = cursor_array(c, &columns) && columns >= HOLD_COLUMNS &&
                cursor_uint(c, &hold->age_ms) && cursor_uint(c, &hold->loop) &&
                cursor_bytes(c, &word);
    if (!good) {
        return false;
    }
    hold->is_replica = slice_is(word, "replica");
    return cursor_uint(c, &hold->us) && cursor_uint(c, &hold->replies) &&
           skip_rest(c, columns, HOLD_COLUMNS);
}

static bool turns_read(cursor *c, idp_slow *slow) {
    bool good = cursor_array(c, &slow->turn_count) &&
                slow->turn_count <= IDP_SLOW_ROWS_MAX;
    for (uint32_t i = 0; good && i < slow->turn_count; i++) {
        good = turn_read(c, &slow->turns[i]);
    }
    return good;
}

static bool holds_read(cursor *c, idp_slow *slow) {
    bool good = cursor_array(c, &slow->hold_count) &&
                slow->hold_count <= IDP_SLOW_ROWS_MAX;
    for (uint32_t i = 0; good && i < slow->hold_count; i++) {
        good = hold_read(c, &slow->holds[i]);
    }
    return good;
}

bool idp_slow_read(idp_slice result, idp_slow *slow) {
    cursor c = cursor_over(result);
    uint32_t pairs;
    bool good = cursor_map(&c, &pairs);
    slow->turn_count = slow->hold_count = 0;
    for (uint32_t i = 0; good && i < pairs; i++) {
        idp_slice name;
        good = cursor_bytes(&c, &name);
        if (good && slice_is(name, "iterations")) {
            good = turns_read(&c, slow);
        } else if (good && slice_is(name, "held")) {
            good = holds_read(&c, slow);
        } else if (good) {
            good = idp_skip(&c);
        }
    }
    return good;
}
