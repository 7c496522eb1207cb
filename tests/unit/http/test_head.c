/* SPDX-License-Identifier: Apache-2.0 */
/* test_head.c -- heads that are requests, and all the ways not to be one. */
#include "server/http/head.h"

#include "tests/unit/http/texts.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define HOST "Host: localhost\r\n"

/* In one piece, and byte by byte: both say the same. */
static ids_http_read read_head(idp_slice bytes, ids_http_head *head,
                               ids_http_fault *fault) {
    size_t seen = 0, by_byte = 0, len = 0;
    ids_http_fault other = {0};
    ids_http_read whole =
        ids_http_head_seek(bytes.ptr, bytes.len, &seen, fault);
    ids_http_read slow = IDS_HTTP_PARTIAL;
    while (slow == IDS_HTTP_PARTIAL && len < bytes.len)
        slow = ids_http_head_seek(bytes.ptr, ++len, &by_byte, &other);
    if (whole == IDS_HTTP_WHOLE &&
        !ids_http_head_read(bytes.ptr, seen, head, fault))
        whole = IDS_HTTP_BAD;
    if (slow == IDS_HTTP_WHOLE &&
        !ids_http_head_read(bytes.ptr, by_byte, head, &other))
        slow = IDS_HTTP_BAD;
    cr_assert_eq(whole, slow, "%.*s", (int)bytes.len, (const char *)bytes.ptr);
    cr_assert(whole != IDS_HTTP_WHOLE || seen == by_byte);
    return whole;
}

static ids_http_head good(idp_slice bytes) {
    ids_http_head head;
    ids_http_fault fault = {0};
    cr_assert_eq(read_head(bytes, &head, &fault), IDS_HTTP_WHOLE, "%s: %.*s",
                 fault.text ? fault.text : "", (int)bytes.len,
                 (const char *)bytes.ptr);
    return head;
}

#define BAD(status_, bytes)                                                  \
    do {                                                                     \
        ids_http_head head_;                                                 \
        ids_http_fault fault_ = {0};                                         \
        cr_assert_eq(read_head(SLICE(bytes), &head_, &fault_), IDS_HTTP_BAD, \
                     "taken: %s", bytes);                                    \
        cr_assert_eq(fault_.status, status_, "%d: %s", fault_.status,        \
                     fault_.text);                                           \
        cr_assert(fault_.text &&*fault_.text);                               \
    } while (0)

Test(head, says_what_is_asked) {
    ids_http_head head =
        good(SLICE("POST /v1/acquire?as=raw HTTP/1.1\r\nhOsT: a.b:7180\r\n"
                   "Content-Type:\tapplication/json \r\nContent-Length: 12\r\n"
                   "Authorization: Bearer x\r\nX-Forwarded-For: 1.2.3.4\r\n"
                   "X-Forwarded-For: 5.6.7.8\r\nempty:\r\n\r\nbody"));
    cr_assert_eq(head.method, IDS_HTTP_POST);
    cr_assert(same(head.path, SLICE("/v1/acquire")));
    cr_assert(same(head.query, SLICE("as=raw")));
    cr_assert(same(head.host, SLICE("a.b:7180")));
    cr_assert(same(head.content_type, SLICE("application/json")));
    cr_assert(same(head.authorization, SLICE("Bearer x")));
    cr_assert(same(head.forwarded_for, SLICE("5.6.7.8")));
    cr_assert(head.has_length && head.length == 12);
    cr_assert(head.keeps_alive && head.minor == 1 && head.fields == 7);
    cr_assert_not(head.is_chunked || head.origin.ptr || head.site ||
                  head.is_encoded || head.has_idempotency_key ||
                  head.expects_continue);
}

Test(head, knows_whether_the_connection_stays) {
    cr_assert(good(SLICE("GET / HTTP/1.1\r\n" HOST "\r\n")).keeps_alive);
    cr_assert_not(
        good(SLICE("GET / HTTP/1.1\r\n" HOST "Connection: x, Close\r\n\r\n"))
            .keeps_alive);
    cr_assert_not(good(SLICE("GET / HTTP/1.0\r\n\r\n")).keeps_alive);
    cr_assert(good(SLICE("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"))
                  .keeps_alive);
}

static ids_http_site site_of(const char *value) {
    char text[128];
    int len =
        snprintf(text, sizeof text,
                 "GET / HTTP/1.1\r\n" HOST "Sec-Fetch-Site: %s\r\n\r\n", value);
    return good((idp_slice){(const uint8_t *)text, (size_t)len}).site;
}

Test(head, notes_what_browsers_and_backends_say) {
    cr_assert(same(
        good(SLICE("GET / HTTP/1.1\r\n" HOST "Origin: null\r\n\r\n")).origin,
        SLICE("null")));
    cr_assert_eq(site_of("cross-site"), IDS_HTTP_SITE_CROSS);
    cr_assert_eq(site_of("same-origin"), IDS_HTTP_SITE_SAME_ORIGIN);
    cr_assert_eq(site_of("same-site"), IDS_HTTP_SITE_OTHER);
    cr_assert_eq(site_of("none"), IDS_HTTP_SITE_OTHER);
    cr_assert_eq(site_of(""), IDS_HTTP_SITE_OTHER);
    cr_assert_eq(site_of("same-origin\r\nSec-Fetch-Site: none"),
                 IDS_HTTP_SITE_CROSS);
    cr_assert(good(SLICE("POST / HTTP/1.1\r\n" HOST
                         "Idempotency-Key: \"8e03\"\r\n\r\n"))
                  .has_idempotency_key);
    cr_assert(
        good(SLICE("POST / HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\n\r\n"))
            .is_encoded);
    cr_assert(
        good(SLICE("POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\n\r\n"))
            .expects_continue);
    cr_assert(good(SLICE("POST / HTTP/1.1\r\n" HOST
                         "Transfer-Encoding: Chunked\r\n\r\n"))
                  .is_chunked);
}

Test(head, takes_a_url_that_names_this_host) {
    ids_http_head head =
        good(SLICE("GET http://LocalHost/healthz?x HTTP/1.1\r\n" HOST "\r\n"));
    cr_assert(same(head.path, SLICE("/healthz")));
    cr_assert(same(head.query, SLICE("x")));
    BAD(400, "GET http://other/healthz HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET http://a@localhost/ HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET http://localhost HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET ftp://localhost/ HTTP/1.1\r\n" HOST "\r\n");
}

/* What two readers could take for two different requests. */

Test(smuggling, ends_of_lines) {
    BAD(400, "GET / HTTP/1.1\n" HOST "\r\n");
    BAD(400, "GET / HTTP/1.1\r\nHost: localhost\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\n" HOST "\n");
    BAD(400, "GET / HTTP/1.1\r\nHost: local\rhost\r\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\r\n" HOST "\r\n");
    BAD(400, "GET / HTTP/1.1\r\n" HOST "a: b\r\r\n\r\n");
    BAD(400, "\r\nGET / HTTP/1.1\r\n" HOST "\r\n");
}

Test(smuggling, characters) {
    BAD(400, "GET / HTTP/1.1\r\n" HOST "a: b\0c\r\n\r\n");
    BAD(400, "GET /\0 HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET / HTTP/1.1\r\n" HOST "a: b\x7f\r\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\n" HOST "a\x80: b\r\n\r\n");
    BAD(400, "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET /a#b HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "G(T / HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n");
}

Test(smuggling, fields) {
    BAD(400, "GET / HTTP/1.1\r\n" HOST "a: b\r\n c\r\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\n" HOST "a: b\r\n\tc: d\r\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\n Host: localhost\r\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\nHost : localhost\r\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\n" HOST "Content-Length : 5\r\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\n" HOST "a\r\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\n" HOST "a b: c\r\n\r\n");
}

Test(smuggling, lengths) {
    BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
             "Content-Length: 5\r\n\r\n");
    BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
             "content-length: 6\r\n\r\n");
    BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\n");
    BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\n");
    BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\n");
    BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\n");
    BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n\r\n");
    BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\n");
    BAD(400, "POST / HTTP/1.1\r\n" HOST
             "Content-Length: 18446744073709551616\r\n\r\n");
}

Test(smuggling, codings) {
    BAD(400, "POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n"
             "Transfer-Encoding: chunked\r\n\r\n");
    BAD(400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
             "Content-Length: 5\r\n\r\n");
    BAD(400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n");
    BAD(400,
        "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip, chunked\r\n\r\n");
    BAD(400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: xchunked\r\n\r\n");
    BAD(400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
             "Transfer-Encoding: chunked\r\n\r\n");
    BAD(400, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n");
    BAD(400, "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n");
}

Test(smuggling, versions) {
    BAD(400, "GET /\r\n");
    BAD(400, "GET / \r\n");
    BAD(400, "GET  / HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET / HTTP/1.1 \r\n" HOST "\r\n");
    BAD(400, "GET / HTTP/1.1 x\r\n" HOST "\r\n");
    BAD(400, "GET / http/1.1\r\n" HOST "\r\n");
    BAD(400, "GET / HTTP/1.10\r\n" HOST "\r\n");
    BAD(505, "GET / HTTP/2.0\r\n" HOST "\r\n");
    BAD(505, "PRI / HTTP/2.0\r\n\r\n");
    BAD(400, " GET / HTTP/1.1\r\n" HOST "\r\n");
}

Test(smuggling, hosts) {
    BAD(400, "GET / HTTP/1.1\r\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\nHost:\r\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\n" HOST HOST "\r\n");
    BAD(400, "GET / HTTP/1.1\r\n" HOST "host: other\r\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\n" HOST "Authorization: a\r\n"
             "Authorization: b\r\n\r\n");
    BAD(400, "GET / HTTP/1.1\r\n" HOST "Content-Type: a\r\n"
             "Content-Type: b\r\n\r\n");
}

Test(smuggling, paths) {
    BAD(400, "GET //v1/acquire HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET /v1//acquire HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET /v1/ HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET /v1%2facquire HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET /v1/%61cquire HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET /v1/../v1/acquire HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET /./healthz HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET * HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "CONNECT localhost:80 HTTP/1.1\r\n" HOST "\r\n");
    BAD(400, "GET v1/acquire HTTP/1.1\r\n" HOST "\r\n");
}

Test(smuggling, expectations) {
    BAD(417, "POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n");
}

/* Limits: at each, and one past it. */

static char *line_of(const char *before, size_t count, const char *behind) {
    size_t len = strlen(before) + count + strlen(behind);
    char *text = malloc(len + 1), *to = text + strlen(before);
    strcpy(text, before);
    memset(to, 'a', count);
    strcpy(to + count, behind);
    return text;
}

static uint16_t status_of(const char *text) {
    ids_http_head head;
    ids_http_fault fault = {0};
    ids_http_read read = read_head(slice_of(text), &head, &fault);
    cr_assert_neq(read, IDS_HTTP_PARTIAL);
    return read == IDS_HTTP_WHOLE ? 200 : fault.status;
}

Test(limits, of_the_target) {
    char *at = line_of("GET /", IDS_HTTP_TARGET_BYTES_MAX - 1,
                       " HTTP/1.1\r\n" HOST "\r\n");
    char *over = line_of("GET /", IDS_HTTP_TARGET_BYTES_MAX,
                         " HTTP/1.1\r\n" HOST "\r\n");
    char *endless = line_of("GET /", 4000, "");
    cr_assert_eq(status_of(at), 200);
    cr_assert_eq(status_of(over), 414);
    cr_assert_eq(status_of(endless), 414);
    free(at);
    free(over);
    free(endless);
}

Test(limits, of_the_head) {
    static const char begin[] = "GET / HTTP/1.1\r\n" HOST "a: ";
    size_t rest = IDS_HTTP_HEAD_BYTES_MAX - (sizeof begin - 1) - 4;
    char *at = line_of(begin, rest, "\r\n\r\n");
    char *over = line_of(begin, rest + 1, "\r\n\r\n");
    cr_assert_eq(status_of(at), 200);
    cr_assert_eq(status_of(over), 431);
    free(at);
    free(over);
}

Test(limits, of_the_fields) {
    char text[4096];
    for (unsigned extra = 0; extra < 2; extra++) {
        int len = sprintf(text, "GET / HTTP/1.1\r\n" HOST);
        for (unsigned i = 1; i < IDS_HTTP_FIELDS_MAX + extra; i++)
            len += sprintf(text + len, "f%u: x\r\n", i);
        sprintf(text + len, "\r\n");
        cr_assert_eq(status_of(text), extra ? 431 : 200);
    }
}

/* Eight at a time, and one by one: each character at each place of a value and
 * of a name. */
Test(smuggling, each_character_at_each_place) {
    char text[128];
    for (int c = 0; c < 256; c++)
        for (size_t at = 0; at < 20; at++) {
            size_t len =
                (size_t)sprintf(text, "GET / HTTP/1.1\r\n" HOST "x: %s\r\n\r\n",
                                "aaaaaaaaaaaaaaaaaaaa");
            ids_http_head head;
            ids_http_fault fault;
            char *value = strstr(text, "x: ") + 3;
            value[at] = (char)c;
            bool is_good = c == '\t' || (c >= ' ' && c != 0x7f);
            cr_assert_eq(read_head((idp_slice){(uint8_t *)text, len}, &head,
                                   &fault) == IDS_HTTP_WHOLE,
                         is_good, "%02x at %zu of a value", c, at);
            value[at] = 'a';
            value[-2] = (char)c;
            bool is_name =
                c < 128 && c && (isalnum(c) || strchr("!#$%&'*+-.^_`|~", c));
            if (at == 0 && c != ':')
                cr_assert_eq(read_head((idp_slice){(uint8_t *)text, len}, &head,
                                       &fault) == IDS_HTTP_WHOLE,
                             false, "%02x for a colon", c);
            value[-2] = ':';
            value[-3] = (char)c;
            if (at == 0)
                cr_assert_eq(read_head((idp_slice){(uint8_t *)text, len}, &head,
                                       &fault) == IDS_HTTP_WHOLE,
                             is_name, "%02x for a name", c);
        }
}
