/* SPDX-License-Identifier: Apache-2.0 */
/* test_secret.c -- what a connection may do before it has shown the secret,
 * and where the secret comes from. */
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEARS(c, text) cr_assert_str_eq(caller_hear(c), text)

static harness t;
static caller a;

static void open_guarded(void) {
    harness_plan(&t, 2);
    harness_demand(&t, "sesame");
    harness_open(&t);
    caller_open(&a, &t, 0);
}

static void close_all(void) {
    caller_close(&a);
    harness_close(&t);
}

TestSuite(secret, .init = open_guarded, .fini = close_all);

Test(secret, without_it_everything_is_denied_and_stays_open) {
    ask_plain(&a, 1, IDP_PING);
    HEARS(&a, "1 DENIED");
    ask_acquire(&a, 2, "k", 0);
    HEARS(&a, "2 DENIED");
    ask_hello(&a, 3, -1, NULL);
    HEARS(&a, "3 DENIED");
    ask_plain(&a, 4, IDP_STATS);
    HEARS(&a, "4 DENIED");
    ask_hello(&a, 5, -1, "sesame");
    HEARS(&a, "5 map");
    ask_acquire(&a, 6, key_of(&t, 0, 0), 0);
    HEARS(&a, "6 acquired");
}

Test(secret, three_wrong_ones_close) {
    ask_hello(&a, 1, -1, "sesam");
    HEARS(&a, "1 DENIED");
    ask_hello(&a, 2, -1, "sesame ");
    HEARS(&a, "2 DENIED");
    cr_assert_not_null(a.conn);
    ask_hello(&a, 3, -1, "");
    HEARS(&a, "3 DENIED");
    cr_assert_null(a.conn);
}

Test(secret, moves_along_with_the_connection) {
    ask_plain(&a, 1, IDP_PING);
    HEARS(&a, "1 DENIED");
    ask_hello(&a, 2, 1, "sesame");
    HEARS(&a, "2 map");
    cr_assert_eq(a.loop, 1);
    ask_plain(&a, 3, IDP_PING);
    HEARS(&a, "3 pong");
}

Test(secret, a_stranger_gets_no_large_buffer) {
    uint8_t bytes[8192];
    t.server.result_bytes_max = 1u << 20;
    size_t len = put_complete(bytes, 1, "k", (idp_token){7, 1}, 7000);
    caller_send(&a, bytes, len - 1);
    cr_assert_null(a.conn);
}

static void write_file(const char *path, const char *text, size_t len) {
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fwrite(text, 1, len, file);
    fclose(file);
}

Test(secret_file, one_newline_is_not_part_of_it) {
    char path[] = "/tmp/idem-secret-XXXXXX";
    char why[128];
    ids_secret secret = {0};
    close(mkstemp(path));
    write_file(path, "a secret\n", 9);
    cr_assert(ids_secret_load(&secret, path, why, sizeof why));
    cr_assert_eq(secret.len, 8);
    cr_assert_eq(memcmp(secret.bytes, "a secret", 8), 0);
    unlink(path);
}

Test(secret_file, has_two_lines_where_there_is_a_next_one) {
    static const struct {
        const char *text, *current, *next; /* current NULL: refused */
    } rows[] = {{"old\nnew\n", "old", "new"},
                {"old\nnew", "old", "new"},
                {"old\r\nnew\r\n", "old", "new"},
                {"old\n", "old", ""},
                {"old", "old", ""},
                {"old\nnew\n\n", NULL, NULL},
                {"a\nb\nc\n", NULL, NULL},
                {"\nnew\n", NULL, NULL},
                {"", NULL, NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[] = "/tmp/idem-secret-XXXXXX";
        char why[128];
        ids_secret current = {.len = 0}, next = {.len = 0};
        close(mkstemp(path));
        write_file(path, rows[i].text, strlen(rows[i].text));
        bool good = ids_secret_load_two(&current, &next, path, why, sizeof why);
        unlink(path);
        cr_assert_eq(good, rows[i].current != NULL, "row %zu", i);
        if (!good)
            continue;
        cr_assert_eq(current.len, strlen(rows[i].current));
        cr_assert_eq(memcmp(current.bytes, rows[i].current, current.len), 0);
        cr_assert_eq(next.len, strlen(rows[i].next));
        cr_assert_eq(memcmp(next.bytes, rows[i].next, next.len), 0);
    }
}

Test(secret_file, what_is_no_secret_is_refused) {
    char path[] = "/tmp/idem-secret-XXXXXX";
    char why[128];
    char text[IDP_SECRET_BYTES_MAX + 2];
    ids_secret secret = {0};
    close(mkstemp(path));
    write_file(path, "", 0);
    cr_assert_not(ids_secret_load(&secret, path, why, sizeof why));
    write_file(path, "\n", 1);
    cr_assert_not(ids_secret_load(&secret, path, why, sizeof why));
    memset(text, 'x', sizeof text);
    write_file(path, text, IDP_SECRET_BYTES_MAX + 1);
    cr_assert_not(ids_secret_load(&secret, path, why, sizeof why));
    write_file(path, text, IDP_SECRET_BYTES_MAX);
    cr_assert(ids_secret_load(&secret, path, why, sizeof why));
    unlink(path);
    cr_assert_not(ids_secret_load(&secret, path, why, sizeof why));
    cr_assert_not_null(strstr(why, "No such file"));
}
