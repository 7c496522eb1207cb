/* SPDX-License-Identifier: Apache-2.0 */
/* namespaces.c -- see namespaces.h.
 *
 * Pure. Keys and columns that a later version adds are skipped. */
#include "proto/namespaces.h"

#include "proto/cursor.h"
#include "proto/put.h"
#include "proto/reply.h"
#include "proto/scan.h"

#include <assert.h>

#define COLUMNS 13

static_assert(PUT_REPLY_HEAD_BYTES_MAX + 64 + PUT_HEADER_BYTES_MAX +
                      IDP_NS_ROWS_MAX *
                          (1 + PUT_HEADER_BYTES_MAX + IDP_NS_BYTES_MAX +
                           (COLUMNS - 1) * PUT_UINT_BYTES_MAX) <=
                  IDP_NS_PAGE_BYTES_MAX,
              "a full page fits");
static_assert(IDP_NS_ROWS_MAX <= IDP_CONTAINER_ITEMS_MAX &&
                  IDP_NS_ROWS_MAX * (COLUMNS + 1) + 16 <= IDP_VALUES_MAX,
              "and is a legal frame");

static uint8_t *put_limit(uint8_t *to, uint64_t limit, uint64_t none) {
    return limit == none ? put_nil(to) : put_uint(to, limit);
}

static uint8_t *put_ns_row(uint8_t *to, const idp_ns_row *row) {
    to = put_array(to, COLUMNS);
    to = row->ns.ptr ? put_bin(to, row->ns) : put_nil(to);
    to = put_uint(put_uint(to, row->records), row->in_progress);
    to = put_uint(to, row->bytes);
    to = put_uint(put_uint(to, row->refused_full), row->refused_rate);
    to = put_uint(to, row->results_dropped);
    to = put_limit(to, row->records_max, IDP_UNLIMITED);
    to = put_limit(to, row->bytes_max, IDP_UNLIMITED);
    to = put_limit(put_limit(to, row->rate, 0), row->rate ? row->burst : 0, 0);
    to = put_limit(to, row->ttl_ms_max, IDP_UNLIMITED);
    return put_limit(to, row->result_bytes_max, IDP_UNLIMITED);
}

size_t idp_ns_page_write(uint8_t *to, size_t cap, uint32_t msgid,
                         const idp_ns_page *page) {
    if (cap < IDP_NS_PAGE_BYTES_MAX) {
        return 0;
    }
    assert(page->row_count <= IDP_NS_ROWS_MAX);
    uint8_t *at = put_map(put_reply_head(to, msgid), 4);
    at = put_bool(put_word(at, "counts"), page->counts);
    at = put_bool(put_word(at, "is_behind"), page->is_behind);
    at = put_bool(put_word(at, "more"), page->has_more);
    at = put_rows(put_word(at, "namespaces"), page->row_count);
    for (uint32_t i = 0; i < page->row_count; i++) {
        at = put_ns_row(at, &page->rows[i]);
    }
    return (size_t)(at - to);
}

/* nil: no limit. */
static bool limit_read(cursor *c, uint64_t none, uint64_t *limit) {
    *limit = none;
    return cursor_nil(c) || cursor_uint(c, limit);
}

static bool ns_row_read(cursor *c, idp_ns_row *row) {
    uint32_t columns;
    bool good = cursor_array(c, &columns) && columns >= COLUMNS;
    row->ns = (idp_slice){0};
    good = good && (cursor_nil(c) || cursor_bytes(c, &row->ns)) &&
           row->ns.len <= IDP_NS_BYTES_MAX && cursor_uint(c, &row->records) &&
           cursor_uint(c, &row->in_progress) && cursor_uint(c, &row->bytes) &&
           cursor_uint(c, &row->refused_full) &&
           cursor_uint(c, &row->refused_rate) &&
           cursor_uint(c, &row->results_dropped) &&
           limit_read(c, IDP_UNLIMITED, &row->records_max) &&
           limit_read(c, IDP_UNLIMITED, &row->bytes_max) &&
           limit_read(c, 0, &row->rate) && limit_read(c, 0, &row->burst) &&
           limit_read(c, IDP_UNLIMITED, &row->ttl_ms_max) &&
           limit_read(c, IDP_UNLIMITED, &row->result_bytes_max);
    for (uint32_t i = COLUMNS; good && i < columns; i++) {
        good = idp_skip(c);
    }
    return good;
}

static bool ns_rows_read(cursor *c, idp_ns_page *page) {
    if (!cursor_array(c, &page->row_count) ||
        page->row_count > IDP_NS_ROWS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < page->row_count; i++) {
        if (!ns_row_read(c, &page->rows[i])) {
            return false;
        }
    }
    return true;
}

bool idp_ns_page_read(idp_slice result, idp_ns_page *page) {
    cursor c = cursor_over(result);
    uint32_t pairs;
    bool has_rows = false, good = cursor_map(&c, &pairs);
    page->row_count = 0;
    page->counts = page->is_behind = page->has_more = false;
    for (uint32_t i = 0; good && i < pairs; i++) {
        idp_slice name;
        good = cursor_bytes(&c, &name);
        if (good && slice_is(name, "counts")) {
            good = cursor_bool(&c, &page->counts);
        } else if (good && slice_is(name, "is_behind")) {
            good = cursor_bool(&c, &page->is_behind);
        } else if (good && slice_is(name, "more")) {
            good = cursor_bool(&c, &page->has_more);
        } else if (good && slice_is(name, "namespaces")) {
            good = has_rows = ns_rows_read(&c, page);
        } else if (good) {
            good = idp_skip(&c);
        }
    }
    return good && has_rows;
}
