/* SPDX-License-Identifier: Apache-2.0 */
/* test_namespaces.c -- what namespaces asks and answers: the largest page, and
 * what is none. */
#include "proto/namespaces.h"

#include "proto/reply.h"
#include "proto/request.h"

#include <criterion/criterion.h>
#include <string.h>

static uint8_t bytes[IDP_NS_PAGE_BYTES_MAX];
static uint8_t name[IDP_NS_BYTES_MAX];

static idp_slice result_of(size_t len) {
    idp_reply reply;
    size_t frame_bytes;
    cr_assert_gt(len, 0);
    cr_assert_eq(idp_reply_open(bytes, len, sizeof bytes, &reply, &frame_bytes),
                 IDP_REPLY_WHOLE);
    return reply.result;
}

static idp_ns_page largest_page(void) {
    idp_ns_page page = {.counts = true,
                        .is_behind = true,
                        .has_more = true,
                        .row_count = IDP_NS_ROWS_MAX};
    memset(name, 0xff, sizeof name);
    for (uint64_t i = 0; i < IDP_NS_ROWS_MAX; i++)
        page.rows[i] = (idp_ns_row){.ns = {name, sizeof name},
                                    .records = IDP_INT_MAX,
                                    .in_progress = IDP_INT_MAX,
                                    .bytes = IDP_INT_MAX,
                                    .refused_full = IDP_INT_MAX,
                                    .refused_rate = IDP_INT_MAX,
                                    .results_dropped = IDP_INT_MAX - i,
                                    .records_max = IDP_INT_MAX,
                                    .bytes_max = IDP_INT_MAX,
                                    .rate = IDP_INT_MAX,
                                    .burst = IDP_INT_MAX,
                                    .ttl_ms_max = IDP_INT_MAX,
                                    .result_bytes_max = IDP_INT_MAX};
    return page;
}

Test(namespaces, the_largest_page_fits_and_is_read_as_it_was) {
    idp_ns_page page = largest_page(), again;
    size_t len = idp_ns_page_write(bytes, sizeof bytes, UINT32_MAX, &page);
    cr_assert(idp_ns_page_read(result_of(len), &again));
    cr_assert(again.counts && again.is_behind && again.has_more);
    cr_assert_eq(again.row_count, IDP_NS_ROWS_MAX);
    for (uint64_t i = 0; i < IDP_NS_ROWS_MAX; i++) {
        cr_assert_eq(again.rows[i].ns.len, IDP_NS_BYTES_MAX);
        cr_assert_eq(again.rows[i].results_dropped, IDP_INT_MAX - i);
        cr_assert_eq(again.rows[i].burst, IDP_INT_MAX);
    }
    cr_assert_eq(idp_ns_page_write(bytes, sizeof bytes - 1, 1, &page), 0);
    cr_assert_leq(len, idp_reply_bytes_max(0));
}

Test(namespaces, no_limit_is_nil_and_so_are_the_others) {
    idp_ns_page page = {.counts = true, .row_count = 1}, again;
    page.rows[0] = (idp_ns_row){.records = 3,
                                .records_max = IDP_UNLIMITED,
                                .bytes_max = 0,
                                .burst = 7,
                                .ttl_ms_max = IDP_UNLIMITED,
                                .result_bytes_max = 0};
    size_t len = idp_ns_page_write(bytes, sizeof bytes, 1, &page);
    cr_assert(idp_ns_page_read(result_of(len), &again));
    const idp_ns_row *row = &again.rows[0];
    cr_assert_null(row->ns.ptr);
    cr_assert_eq(row->records, 3);
    cr_assert_eq(row->records_max, IDP_UNLIMITED);
    cr_assert_eq(row->bytes_max, 0);
    cr_assert_eq(row->rate, 0);
    cr_assert_eq(row->burst, 0);
    cr_assert_eq(row->result_bytes_max, 0);
}

/* Each byte cut off, and each set to what it can't be. */
Test(namespaces, what_is_no_page_is_refused) {
    static uint8_t copy[IDP_NS_PAGE_BYTES_MAX];
    idp_ns_page page = largest_page(), again;
    page.row_count = 2;
    idp_slice good =
        result_of(idp_ns_page_write(bytes, sizeof bytes, 1, &page));
    for (size_t len = 0; len < good.len; len++)
        cr_assert_not(idp_ns_page_read((idp_slice){good.ptr, len}, &again));
    for (size_t at = 0; at < good.len; at++) {
        memcpy(copy, good.ptr, good.len);
        copy[at] = 0xc1; /* no value begins with it */
        idp_ns_page_read((idp_slice){copy, good.len}, &again);
        cr_assert_leq(again.row_count, IDP_NS_ROWS_MAX + 16);
    }
}

Test(namespaces, a_name_is_at_most_64_bytes) {
    uint8_t frame[256];
    for (size_t len = 0; len <= IDP_NS_BYTES_MAX + 1; len++) {
        static uint8_t long_name[IDP_NS_BYTES_MAX + 1];
        idp_request ask = {.method = IDP_NAMESPACES, .ns = {long_name, len}};
        idp_read_limits limits = {.result_bytes_max = 100};
        idp_read_fault fault;
        idp_request again;
        size_t frame_bytes;
        size_t bytes_written = idp_request_write(frame, sizeof frame, &ask);
        idp_read is = idp_request_read(frame, bytes_written, &limits, &again,
                                       &frame_bytes, &fault);
        cr_assert_eq(is == IDP_READ_WHOLE, len <= IDP_NS_BYTES_MAX);
        cr_assert(is != IDP_READ_WHOLE || again.ns.len == len);
        cr_assert(is == IDP_READ_WHOLE || fault.error == IDP_E_TOO_LARGE);
    }
}
