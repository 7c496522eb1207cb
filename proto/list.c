/* SPDX-License-Identifier: Apache-2.0 */
/* list.c -- see list.h.
 *
 * Pure. Keys and columns that a later version adds are skipped. */
#include "proto/list.h"

#include "proto/cursor.h"
#include "proto/put.h"
#include "proto/reply.h"
#include "proto/scan.h"

#include <assert.h>

#define COLUMNS 8
/* A row without the bytes that it carries, a page without rows. */
#define ROW_FIXED_BYTES_MAX \
    (1 + 3 * PUT_HEADER_BYTES_MAX + 12 + 4 * PUT_UINT_BYTES_MAX)
#define PAGE_FIXED_BYTES_MAX 128
/* inspect's, with the names of its fields. */
#define FIXED_BYTES_MAX      448

static_assert(IDP_LIST_ROWS_MAX <= IDP_CONTAINER_ITEMS_MAX &&
                  IDP_LIST_ROWS_MAX * (COLUMNS + 1) + 16 <= IDP_VALUES_MAX,
              "a full page is a legal frame");

/* list --------------------------------------------------------------------- */

static uint8_t *put_bin_or_nil(uint8_t *to, idp_slice bytes) {
    return bytes.ptr ? put_bin(to, bytes) : put_nil(to);
}

static uint8_t *put_list_row(uint8_t *to, const idp_list_row *row) {
    to = put_bin(put_bin(put_array(to, COLUMNS), row->ns), row->key);
    to = put_word(to, idp_state_name(row->state));
    to = put_uint(put_uint(to, row->age_ms), row->attempt);
    to = row->state == IDP_STATE_IN_PROGRESS ? put_uint(to, row->lease_left_ms)
                                             : put_nil(to);
    return put_bin_or_nil(put_uint(to, row->ttl_left_ms), row->user);
}

size_t idp_list_page_write_bound(const idp_list_page *page) {
    size_t bytes = PAGE_FIXED_BYTES_MAX + page->cursor.len;
    assert(page->row_count <= IDP_LIST_ROWS_MAX);
    for (uint32_t i = 0; i < page->row_count; i++) {
        const idp_list_row *row = &page->rows[i];
        bytes +=
            ROW_FIXED_BYTES_MAX + row->ns.len + row->key.len + row->user.len;
    }
    return bytes;
}

size_t idp_list_page_write(uint8_t *to, size_t cap, uint32_t msgid,
                           const idp_list_page *page) {
    if (cap < idp_list_page_write_bound(page)) {
        return 0;
    }
    uint8_t *at = put_map(put_reply_head(to, msgid), page->has_scan ? 3 : 2);
    at = put_word(at, "cursor");
    at = page->cursor.ptr ? put_str(at, page->cursor.ptr, page->cursor.len)
                          : put_nil(at);
    if (page->has_scan) {
        at = put_uint(put_word(at, "scan_age_ms"), page->scan_age_ms);
    }
    at = put_rows(put_word(at, "records"), page->row_count);
    for (uint32_t i = 0; i < page->row_count; i++) {
        at = put_list_row(at, &page->rows[i]);
    }
    return (size_t)(at - to);
}

static bool state_word(idp_slice word, idp_state *state) {
    for (int i = 0; i < IDP_STATE_COUNT; i++) {
        if (slice_is(word, idp_state_name((idp_state)i))) {
            *state = (idp_state)i;
            return true;
        }
    }
    return false;
}

/* nil, and then none, or bytes. */
static bool some_read(cursor *c, idp_slice *bytes) {
    *bytes = (idp_slice){0};
    return cursor_nil(c) || cursor_bytes(c, bytes);
}

static bool list_row_read(cursor *c, idp_list_row *row) {
    uint32_t columns;
    idp_slice word;
    row->lease_left_ms = 0;
    bool good = cursor_array(c, &columns) && columns >= COLUMNS &&
                cursor_bytes(c, &row->ns) && cursor_bytes(c, &row->key) &&
                row->ns.len <= IDP_NS_BYTES_MAX &&
                row->key.len <= IDP_KEY_BYTES_MAX && cursor_bytes(c, &word) &&
                state_word(word, &row->state) && cursor_uint(c, &row->age_ms) &&
                cursor_u32(c, &row->attempt) &&
                (cursor_nil(c) || cursor_uint(c, &row->lease_left_ms)) &&
                cursor_uint(c, &row->ttl_left_ms) && some_read(c, &row->user);
    for (uint32_t i = COLUMNS; good && i < columns; i++) {
        good = idp_skip(c);
    }
    return good;
}

static bool list_rows_read(cursor *c, idp_list_page *page) {
    if (!cursor_array(c, &page->row_count) ||
        page->row_count > IDP_LIST_ROWS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < page->row_count; i++) {
        if (!list_row_read(c, &page->rows[i])) {
            return false;
        }
    }
    return true;
}

bool idp_list_page_read(idp_slice result, idp_list_page *page) {
    cursor c = cursor_over(result);
    uint32_t pairs;
    bool has_rows = false, good = cursor_map(&c, &pairs);
    page->row_count = 0;
    page->cursor = (idp_slice){0};
    page->has_scan = false;
    page->scan_age_ms = 0;
    for (uint32_t i = 0; good && i < pairs; i++) {
        idp_slice name;
        good = cursor_bytes(&c, &name);
        if (good && slice_is(name, "cursor")) {
            good = some_read(&c, &page->cursor) &&
                   page->cursor.len <= IDP_CURSOR_BYTES_MAX;
        } else if (good && slice_is(name, "scan_age_ms")) {
            good = page->has_scan = cursor_uint(&c, &page->scan_age_ms);
        } else if (good && slice_is(name, "records")) {
            good = has_rows = list_rows_read(&c, page);
        } else if (good) {
            good = idp_skip(&c);
        }
    }
    return good && has_rows;
}

/* inspect ------------------------------------------------------------------ */

static bool is_claimed(const idp_inspected *one) {
    return one->state == IDP_STATE_IN_PROGRESS ||
           one->state == IDP_STATE_ORPHANED;
}

static const char *const previous_words[] = {"none", "orphaned", "released"};

size_t idp_inspected_write_bound(const idp_inspected *one) {
    return FIXED_BYTES_MAX + one->fingerprint.len + one->result.len +
           one->by.user.len + one->by.client.len + one->by.address.len;
}

/* Fields of those that are claimed, and of those that are completed. */
static uint8_t *put_claim_fields(uint8_t *to, const idp_inspected *one) {
    to = put_uint(put_word(to, "lease_ms"), one->lease_ms);
    if (one->state == IDP_STATE_IN_PROGRESS) {
        to = put_uint(put_word(to, "lease_left_ms"), one->lease_left_ms);
    }
    to = put_map(put_word(to, "by"), 3);
    to = put_str_or_nil(put_word(to, "user"), one->by.user);
    to = put_str_or_nil(put_word(to, "client"), one->by.client);
    return put_str_or_nil(put_word(to, "address"), one->by.address);
}

static uint8_t *put_done_fields(uint8_t *to, const idp_inspected *one) {
    to = put_word(put_word(to, "class"), idp_class_name(one->class));
    to = put_word(to, "result_bytes");
    to = one->has_result ? put_uint(to, one->result_bytes) : put_nil(to);
    if (one->has_token) {
        to = put_bin_or_nil(put_word(to, "result"), one->result);
    }
    return to;
}

static unsigned fields_of(const idp_inspected *one) {
    unsigned count = 6u + one->has_token;
    if (is_claimed(one)) {
        return count + 2u + (one->state == IDP_STATE_IN_PROGRESS);
    }
    if (one->state == IDP_STATE_COMPLETED) {
        return count + 2u + one->has_token;
    }
    return count;
}

size_t idp_inspected_write(uint8_t *to, size_t cap, uint32_t msgid,
                           const idp_inspected *one) {
    if (cap < idp_inspected_write_bound(one)) {
        return 0;
    }
    bool is_absent = one->state == IDP_STATE_ABSENT;
    uint8_t *at = put_array(put_reply_head(to, msgid), is_absent ? 1 : 2);
    at = put_word(at, idp_state_name(one->state));
    if (is_absent) {
        return (size_t)(at - to);
    }
    at = put_map(at, fields_of(one));
    at = put_uint(put_word(at, "age_ms"), one->age_ms);
    at = put_uint(put_word(at, "attempt"), one->attempt);
    at = put_word(put_word(at, "previous"), previous_words[one->previous]);
    at = put_uint(put_word(at, "ttl_ms"), one->ttl_ms);
    at = put_uint(put_word(at, "ttl_left_ms"), one->ttl_left_ms);
    at = put_word(at, "fingerprint");
    at = one->fingerprint.len ? put_bin(at, one->fingerprint) : put_nil(at);
    if (one->has_token) {
        at = put_token(put_word(at, "token"), one->token);
    }
    if (is_claimed(one)) {
        at = put_claim_fields(at, one);
    } else if (one->state == IDP_STATE_COMPLETED) {
        at = put_done_fields(at, one);
    }
    return (size_t)(at - to);
}

static bool by_read(cursor *c, idp_by *by) {
    uint32_t pairs;
    bool good = cursor_map(c, &pairs);
    for (uint32_t i = 0; good && i < pairs; i++) {
        idp_slice name;
        good = cursor_bytes(c, &name) &&
               (slice_is(name, "user")      ? some_read(c, &by->user)
                : slice_is(name, "client")  ? some_read(c, &by->client)
                : slice_is(name, "address") ? some_read(c, &by->address)
                                            : idp_skip(c));
    }
    return good;
}

static bool previous_read(cursor *c, idp_previous *previous) {
    idp_slice word;
    if (!cursor_bytes(c, &word)) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        if (slice_is(word, previous_words[i])) {
            *previous = (idp_previous)i;
            return true;
        }
    }
    return false;
}

static bool inspected_class_read(cursor *c, idp_class *class) {
    idp_slice word;
    if (!cursor_bytes(c, &word)) {
        return false;
    }
    *class = slice_is(word, "error") ? IDP_CLASS_ERROR : IDP_CLASS_SUCCESS;
    return *class == IDP_CLASS_ERROR || slice_is(word, "success");
}

static bool times_read(cursor *c, idp_slice name, idp_inspected *one,
                       bool *is_time) {
    uint64_t *const to = slice_is(name, "age_ms")          ? &one->age_ms
                         : slice_is(name, "ttl_ms")        ? &one->ttl_ms
                         : slice_is(name, "ttl_left_ms")   ? &one->ttl_left_ms
                         : slice_is(name, "lease_ms")      ? &one->lease_ms
                         : slice_is(name, "lease_left_ms") ? &one->lease_left_ms
                                                           : NULL;
    *is_time = to != NULL;
    return to == NULL || cursor_uint(c, to);
}

static bool field_read(cursor *c, idp_slice name, idp_inspected *one) {
    bool is_time;
    if (!times_read(c, name, one, &is_time) || is_time) {
        return is_time && c->at <= c->end;
    }
    if (slice_is(name, "attempt")) {
        return cursor_u32(c, &one->attempt);
    }
    if (slice_is(name, "previous")) {
        return previous_read(c, &one->previous);
    }
    if (slice_is(name, "fingerprint")) {
        return some_read(c, &one->fingerprint);
    }
    if (slice_is(name, "token")) {
        return one->has_token = cursor_token(c, &one->token);
    }
    if (slice_is(name, "by")) {
        return by_read(c, &one->by);
    }
    if (slice_is(name, "class")) {
        return inspected_class_read(c, &one->class);
    }
    if (slice_is(name, "result")) {
        return some_read(c, &one->result);
    }
    if (slice_is(name, "result_bytes")) {
        one->has_result = !cursor_nil(c);
        return !one->has_result || cursor_uint(c, &one->result_bytes);
    }
    return idp_skip(c);
}

bool idp_inspected_read(idp_slice result, idp_inspected *one) {
    cursor c = cursor_over(result);
    uint32_t count, pairs = 0;
    idp_slice word, name;
    clear(one, sizeof *one);
    bool good = cursor_array(&c, &count) && count >= 1 &&
                cursor_bytes(&c, &word) && state_word(word, &one->state);
    if (!good || one->state == IDP_STATE_ABSENT) {
        return good;
    }
    good = count >= 2 && cursor_map(&c, &pairs);
    for (uint32_t i = 0; good && i < pairs; i++) {
        good = cursor_bytes(&c, &name) && field_read(&c, name, one);
    }
    return good;
}
