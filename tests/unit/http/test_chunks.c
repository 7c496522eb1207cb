/* SPDX-License-Identifier: Apache-2.0 */
/* test_chunks.c -- chunked bodies, whole, in pieces, and broken. */
#include "server/http/chunks.h"

#include "tests/unit/http/texts.h"

#include <criterion/criterion.h>

/* What the body is, given so many bytes at a time; 0: all at once. */
static ids_http_read read_body(idp_slice bytes, size_t step, char *body,
                               size_t *used_in_all) {
    ids_http_chunks chunks = {0};
    ids_http_fault fault;
    ids_http_read read = IDS_HTTP_PARTIAL;
    size_t at = 0, here = step ? step : bytes.len, len = 0;
    while (read == IDS_HTTP_PARTIAL) {
        size_t used, end = here < bytes.len ? here : bytes.len;
        idp_slice data;
        read = ids_http_chunks_next(&chunks, bytes.ptr + at, end - at, &used,
                                    &data, &fault);
        at += used;
        if (data.len)
            memcpy(body + len, data.ptr, data.len);
        len += data.len;
        if (read != IDS_HTTP_PARTIAL || data.len)
            continue;
        if (here >= bytes.len)
            break;
        here += step;
    }
    body[len] = '\0';
    *used_in_all = at;
    return read;
}

static void takes(const char *bytes, const char *body, size_t used) {
    char got[256];
    size_t all;
    for (size_t step = 0; step < 4; step++) {
        cr_assert_eq(read_body(slice_of(bytes), step, got, &all),
                     IDS_HTTP_WHOLE, "%s", bytes);
        cr_assert_str_eq(got, body);
        cr_assert_eq(all, used);
    }
}

static void refuses(const char *bytes) {
    char got[1024];
    size_t all;
    for (size_t step = 0; step < 4; step++)
        cr_assert_eq(read_body(slice_of(bytes), step, got, &all), IDS_HTTP_BAD,
                     "%s", bytes);
}

Test(chunks, are_put_together) {
    takes("0\r\n\r\n", "", 5);
    takes("5\r\nhello\r\n0\r\n\r\n", "hello", 15);
    takes("A\r\n0123456789\r\n1;x=\"y\"\r\n!\r\n00\r\nt: v\r\n\r\nGET",
          "0123456789!", 39);
    takes("0005\r\nhello\r\n000\r\n\r\n", "hello", 20);
}

Test(chunks, are_refused) {
    refuses("\r\n");
    refuses("g\r\n");
    refuses("0x5\r\nhello\r\n0\r\n\r\n");
    refuses("+5\r\nhello\r\n0\r\n\r\n");
    refuses(" 5\r\nhello\r\n0\r\n\r\n");
    refuses("5 \r\nhello\r\n0\r\n\r\n");
    refuses("5\nhello\r\n0\r\n\r\n");
    refuses("5\r\nhello!\r\n0\r\n\r\n");
    refuses("5\r\nhello\n0\r\n\r\n");
    refuses("5\r\nhello0\r\n\r\n");
    refuses("5;a\rb\r\nhello\r\n0\r\n\r\n");
    refuses("10000000000000000\r\n");
    refuses("0\r\nno field\r\n\r\n");
    refuses("0\r\na : b\r\n\r\n");
    refuses("0\r\n a: b\r\n\r\n");
    refuses("0\r\na: b\n\r\n");
    refuses("0\r\nContent-Length: 0\r\n\r\n");
    refuses("0\r\na: b\r\nauthorization: c\r\n\r\n");
}

Test(chunks, extensions_and_trailers_have_bounds) {
    char text[8192], got[64];
    size_t all;
    for (size_t extra = 0; extra < 2; extra++) {
        size_t len = IDS_HTTP_EXTENSION_BYTES_MAX - 1 + extra;
        strcpy(text, "0;");
        memset(text + 2, 'a', len);
        strcpy(text + 2 + len, "\r\n\r\n");
        cr_assert_eq(read_body(slice_of(text), 0, got, &all),
                     extra ? IDS_HTTP_BAD : IDS_HTTP_WHOLE);
        len = IDS_HTTP_TRAILER_BYTES_MAX - 7 + extra;
        strcpy(text, "0\r\na: ");
        memset(text + 6, 'b', len);
        strcpy(text + 6 + len, "\r\n\r\n");
        cr_assert_eq(read_body(slice_of(text), 0, got, &all),
                     extra ? IDS_HTTP_BAD : IDS_HTTP_WHOLE);
    }
}

Test(chunks, wait_for_what_is_missing) {
    char got[64];
    size_t all;
    static const char text[] = "5\r\nhello\r\n0\r\na: b\r\n\r\n";
    for (size_t len = 0; len < sizeof text - 1; len++)
        cr_assert_eq(
            read_body((idp_slice){(const uint8_t *)text, len}, 0, got, &all),
            IDS_HTTP_PARTIAL, "%zu", len);
}
