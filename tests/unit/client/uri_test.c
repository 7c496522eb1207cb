/* SPDX-License-Identifier: Apache-2.0 */
/* uri_test.c -- the URI's grammar as a table: what each part becomes, and what
 * is said of each mistake. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/src/uri.h"

static idem__uri parse(const char *text) {
    idem__uri uri;
    idem_error err = {.size = sizeof err};
    int32_t code = idem__uri_parse(text, &uri, &err);
    cr_assert_eq(code, 0, "%s: %s", text, err.text);
    return uri;
}

Test(uri, a_host_alone_has_every_default) {
    idem__uri uri = parse("idem://db");
    cr_assert_eq(uri.endpoints_count, 1);
    cr_assert_str_eq(uri.endpoints[0].host, "db");
    cr_assert_str_eq(uri.endpoints[0].name, "db:7117");
    cr_assert_eq(uri.endpoints[0].port, 7117);
    cr_assert_eq(uri.timeout_ms, 5000);
    cr_assert_eq(uri.connect_timeout_ms, 1000);
    cr_assert_eq(uri.ns_len, 0);
    cr_assert_eq(uri.shard, -1);
    cr_assert(uri.shard_aware);
    cr_assert_not(uri.has_secret);
}

Test(uri, every_part_is_read) {
    idem__uri uri = parse("idem://:s%40c%3aret@10.0.0.1:1,[::1]:65535,h/po%2b"
                          "ints?timeout_ms=7&connect_timeout_ms=8&client=a%26b"
                          "&shard_aware=0&shard=3");
    cr_assert_eq(uri.endpoints_count, 3);
    cr_assert_str_eq(uri.endpoints[0].name, "10.0.0.1:1");
    cr_assert_str_eq(uri.endpoints[1].host, "::1");
    cr_assert_str_eq(uri.endpoints[1].name, "[::1]:65535");
    cr_assert_eq(uri.endpoints[2].port, 7117);
    cr_assert(uri.has_secret);
    cr_assert_eq(uri.secret_len, 7);
    cr_assert_eq(memcmp(uri.secret, "s@c:ret", 7), 0);
    cr_assert_str_eq(uri.ns, "po+ints");
    cr_assert_eq(uri.timeout_ms, 7);
    cr_assert_eq(uri.connect_timeout_ms, 8);
    cr_assert_str_eq(uri.client, "a&b");
    cr_assert_not(uri.shard_aware);
    cr_assert_eq(uri.shard, 3);
}

Test(uri, a_unix_socket_has_its_namespace_among_the_options) {
    idem__uri uri =
        parse("idem+unix://:x@/run/idem%20store.sock?namespace=points");
    cr_assert(uri.endpoints[0].is_unix);
    cr_assert_str_eq(uri.endpoints[0].host, "/run/idem store.sock");
    cr_assert_str_eq(uri.endpoints[0].name, "unix:/run/idem store.sock");
    cr_assert_str_eq(uri.ns, "points");
    cr_assert_eq(uri.secret_len, 1);
}

Test(uri, a_secret_may_lie_in_a_file) {
    char path[] = "/tmp/idem_uri_XXXXXX";
    char text[128];
    int fd = mkstemp(path);
    cr_assert_eq(write(fd, "hush\r\nmore", 10), 10);
    close(fd);
    snprintf(text, sizeof text, "idem://h?secret_file=%s", path);
    idem__uri uri = parse(text);
    unlink(path);
    cr_assert_eq(uri.secret_len, 4);
    cr_assert_eq(memcmp(uri.secret, "hush", 4), 0);
}

/* `part` must be in what is said, and the secret must not. */
static const struct {
    const char *text;
    const char *part;
} mistakes[] = {
    {"", "scheme"},
    {"http://h", "scheme"},
    {"idem:/h", "scheme"},
    {"idem://", "host number 1"},
    {"idem://a,,b", "host number 2"},
    {"idem://a b", "host number 1"},
    {"idem://a:0", "port"},
    {"idem://a:65536", "port"},
    {"idem://a:99999999999", "port"},
    {"idem://a:7x", "port"},
    {"idem://a:", "port"},
    {"idem://[::1", "brackets"},
    {"idem://[::1]7", "brackets"},
    {"idem://::1", "IPv6"},
    {"idem://user:hush@h", "user name"},
    {"idem://user@h", "user name"},
    {"idem://:hu%zz@h", "secret"},
    {"idem://:hush%4@h", "secret"},
    {"idem://:hu/sh@h", "%2F"},
    {"idem://:hu?sh@h", "%3F"},
    {"idem://h?connect_rounds=0", "connect_rounds"},
    {"idem://h/n%00s", "namespace has a byte below"},
    {"idem://h/%", "namespace"},
    {"idem://h?timeout_ms=0", "timeout_ms"},
    {"idem://h?timeout_ms=86400001", "timeout_ms"},
    {"idem://h?timeout_ms=-1", "timeout_ms"},
    {"idem://h?timeout_ms=", "timeout_ms"},
    {"idem://h?timeout_ms", "no =value"},
    {"idem://h?shard=1024", "shard"},
    {"idem://h?shard_aware=2", "shard_aware"},
    {"idem://h?colour=red", "colour"},
    {"idem://h?secret_file=/nowhere/at/all", "secret_file"},
    {"idem+unix://", "socket"},
    {"idem+unix:///", "socket"},
    {"idem+unix://relative/path", "socket path"},
    {"idem://1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "more than 16"},
};

Test(uri, each_mistake_is_told_by_its_part) {
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        idem__uri uri;
        idem_error err = {.size = sizeof err};
        int32_t code = idem__uri_parse(mistakes[i].text, &uri, &err);
        cr_assert_eq(code, IDEM_E_URI, "%s was taken", mistakes[i].text);
        cr_assert(strstr(err.text, mistakes[i].part) != NULL, "%s: %s",
                  mistakes[i].text, err.text);
        cr_assert(strstr(err.text, "hu") == NULL, "%s", err.text);
        cr_assert_eq(err.assume, IDEM_ASSUME_UNCHANGED);
    }
}

/* Every byte that nobody sees, as it stands and as %XX, in every part. */
static const struct {
    const char *before, *after, *part;
} places[] = {
    {"idem://a", "b", "host number 1"},
    {"idem://a,b", "", "host number 2"},
    {"idem://a:71", "17", "host number 1"},
    {"idem://[::1", "]:7117", "host number 1"},
    {"idem://:s", "@h", "secret"},
    {"idem://h/n", "", "namespace"},
    {"idem://h/n?client=", "c", "client"},
    {"idem://h/?namespace=n", "", "namespace"},
    {"idem://h?secret_file=/x", "", "secret_file"},
    {"idem://h?timeout_ms=1", "0", "timeout_ms"},
    {"idem://h?time", "out_ms=10", "option"},
    {"idem+unix:///run/s", "", "socket path"},
    {"idem+unix://:s", "@/run/s", "secret"},
};

static void is_refused(size_t i, const char *hidden, uint8_t byte) {
    char text[128];
    idem__uri uri;
    idem_error err = {.size = sizeof err};
    snprintf(text, sizeof text, "%s%s%s", places[i].before, hidden,
             places[i].after);
    cr_assert_eq(idem__uri_parse(text, &uri, &err), IDEM_E_URI, "row %zu, %02x",
                 i, byte);
    cr_assert(strstr(err.text, places[i].part) != NULL, "row %zu, %02x: %s", i,
              byte, err.text);
    for (const char *c = err.text; *c != '\0'; c++)
        cr_assert(*c >= ' ' && *c <= '~', "row %zu repeats it", i);
}

Test(uri, a_byte_that_nobody_sees_is_refused_wherever_it_stands) {
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        for (int byte = 0; byte <= 0x7f;
             byte = byte == 0x20 ? 0x7f : byte + 1) {
            char raw[2] = {(char)byte, '\0'};
            char coded[4];
            bool is_path = strchr(places[i].part, '_') != NULL ||
                           strstr(places[i].part, "path") != NULL;
            snprintf(coded, sizeof coded, "%%%02x", (unsigned)byte);
            if (byte != 0)
                is_refused(i, raw, (uint8_t)byte);
            if (byte != ' ' || !is_path)
                is_refused(i, coded, (uint8_t)byte);
        }
}

Test(uri, a_secret_file_has_none_either) {
    static const char *const lines[] = {"hu\0sh", "hu\tsh", "hush\x7f"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char path[] = "/tmp/idem_uri_XXXXXX";
        char text[128];
        idem__uri uri;
        idem_error err = {.size = sizeof err};
        int fd = mkstemp(path);
        cr_assert_eq(write(fd, lines[i], 5), 5);
        close(fd);
        snprintf(text, sizeof text, "idem://h?secret_file=%s", path);
        cr_assert_eq(idem__uri_parse(text, &uri, &err), IDEM_E_URI, "%zu", i);
        cr_assert(strstr(err.text, "secret_file") != NULL, "%s", err.text);
        unlink(path);
    }
}

static void with_length(char *text, size_t size, const char *before, size_t len,
                        const char *after) {
    char many[512];
    memset(many, 'a', sizeof many);
    snprintf(text, size, "%s%.*s%s", before, (int)len, many, after);
}

Test(uri, limits_hold_and_one_past_them_is_refused) {
    static const struct {
        const char *before, *after;
        size_t max;
    } rows[] = {{"idem://h/", "", 64},
                {"idem://:", "@h", 256},
                {"idem://h?client=", "", 128},
                {"idem://", "", 255},
                {"idem+unix:///", "", 106}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        idem__uri uri;
        with_length(text, sizeof text, rows[i].before, rows[i].max,
                    rows[i].after);
        cr_assert_eq(idem__uri_parse(text, &uri, NULL), 0, "row %zu", i);
        with_length(text, sizeof text, rows[i].before, rows[i].max + 1,
                    rows[i].after);
        cr_assert_eq(idem__uri_parse(text, &uri, NULL), IDEM_E_URI, "row %zu",
                     i);
    }
}

Test(uri, a_redirect_is_an_endpoint_or_nothing) {
    idem__endpoint endpoint;
    cr_assert(idem__endpoint_parse("10.1.1.1:7", 10, &endpoint));
    cr_assert_str_eq(endpoint.name, "10.1.1.1:7");
    cr_assert(idem__endpoint_parse("[fe80::1]:7", 11, &endpoint));
    cr_assert_not(idem__endpoint_parse("", 0, &endpoint));
    cr_assert_not(idem__endpoint_parse("a:b:c", 5, &endpoint));
    cr_assert_not(idem__endpoint_parse("10.1.1.1", 8, &endpoint), "no port");
    cr_assert_not(idem__endpoint_parse("a:7 b", 5, &endpoint), "a word more");
    cr_assert_not(idem__endpoint_parse("a\n:7", 4, &endpoint));
    cr_assert_not(idem__endpoint_parse("a\0b:7", 5, &endpoint));
    cr_assert_not(idem__endpoint_parse("a:7\0", 4, &endpoint));
    cr_assert_not(idem__endpoint_parse("\x7f:7", 3, &endpoint));
}

/* TLS options of a struct -------------------------------------------------- */

static const char *with_tls(const char *uri, const idem_tls *tls) {
    static char to[512];
    idem_error err = {.size = sizeof err};
    int32_t code = idem_tls_uri(uri, tls, to, sizeof to, &err);
    cr_assert_eq(code, 0, "%s", err.text);
    return to;
}

Test(uri, tls_options_of_a_struct_stand_in_the_uri) {
    idem_tls tls = IDEM_TLS_INIT;
    cr_assert_str_eq(with_tls("idems://db/shop", &tls), "idems://db/shop");
    tls.ca = "/etc/ca.pem";
    cr_assert_str_eq(with_tls("idems://db/shop", &tls),
                     "idems://db/shop?ca=/etc/ca.pem");
    tls.cert = "a b&c.pem";
    tls.key = "100%.key";
    tls.verify = IDEM_VERIFY_CA;
    tls.server_name = "store.lan";
    cr_assert_str_eq(with_tls("idems://db?timeout_ms=9", &tls),
                     "idems://db?timeout_ms=9&ca=/etc/ca.pem&cert=a%20b%26c.pem"
                     "&key=100%25.key&verify=ca&server_name=store.lan");
    tls = (idem_tls){.size = sizeof tls, .verify = IDEM_VERIFY_NONE};
    cr_assert_str_eq(with_tls("idems://db", &tls), "idems://db?verify=none");
}

static int32_t refused(const char *uri, const idem_tls *tls, size_t room,
                       const char *says) {
    char to[64] = "before";
    idem_error err = {.size = sizeof err};
    int32_t code = idem_tls_uri(uri, tls, to, room, &err);
    cr_assert_not_null(strstr(err.text, says), "%s", err.text);
    cr_assert_str_eq(to, "");
    return code;
}

Test(uri, what_can_not_be_is_refused_and_nothing_is_written) {
    idem_tls tls = {.size = sizeof tls, .ca = "ca.pem"};
    cr_assert_eq(refused("idem://db", &tls, 64, "begins with idems://"),
                 IDEM_E_URI);
    cr_assert_eq(refused("idems://db", &tls, 20, "20 bytes of 21"),
                 IDEM_E_ARGUMENT);
    cr_assert_str_eq(with_tls("idems://db", &tls), "idems://db?ca=ca.pem");
    cr_assert_eq(refused("idems://db", NULL, 64, "tls is NULL"),
                 IDEM_E_ARGUMENT);
    tls.verify = 3;
    cr_assert_eq(refused("idems://db", &tls, 64, "tls.verify is 3"),
                 IDEM_E_ARGUMENT);
    tls.size = 0;
    cr_assert_eq(refused("idems://db", &tls, 64, "tls.size is 0"),
                 IDEM_E_ARGUMENT);
}
