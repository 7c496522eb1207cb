/* SPDX-License-Identifier: Apache-2.0 */
/* scrapes.c -- /metrics over and over, in both formats, on connections that
 * stay and on such that come and go: nothing of it stays in memory.
 *
 *   scrapes IDEMSTORED SCRAPES [KEYS]
 *
 * With so many keys in the store it says what a scrape costs the daemon; by
 * hand, since a figure of a busy machine is none. */
#include "tests/e2e/http_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM        1000
#define A_NEW_ONE   64 /* scrapes on a connection */
#define GROWN_KB    1024
#define CLAIMS      256 /* under way at a time */
#define DAY_MS      86400000u
#define SCRAPE_TAIL "HTTP/1.1\r\nHost: localhost\r\n"

static daemon_t store;
static uint16_t port;

/* The page ends where the format says that it does. */
static void scrape(http_conn *h, bool is_open) {
    static const char plain[] = "GET /metrics " SCRAPE_TAIL "\r\n";
    static const char open[] = "GET /metrics " SCRAPE_TAIL
                               "Accept: application/openmetrics-text\r\n\r\n";
    if (is_open)
        http_send(h, open, sizeof open - 1);
    else
        http_send(h, plain, sizeof plain - 1);
    http_response r = http_answers(h, 200);
    bool ends =
        r.body_len > 6 && !memcmp(r.body + r.body_len - 6, "# EOF\n", 6);
    CHECK(ends == is_open, "the page ends with %.40s",
          r.body_len > 40 ? r.body + r.body_len - 40 : r.body);
    CHECK(strstr(r.body, "idemstore_requests_total{"), "%s", r.body);
}

static void scrape_often(unsigned count) {
    http_conn stays, goes;
    http_open(&stays, port);
    http_open(&goes, port);
    for (unsigned i = 0; i < count; i++) {
        scrape(i % 2 ? &stays : &goes, i % 3 == 0);
        if (i % A_NEW_ONE)
            continue;
        http_close(&goes);
        http_open(&goes, port);
    }
    http_close(&stays);
    http_close(&goes);
}

static void claim_many(unsigned count) {
    wire w;
    idp_reply reply;
    char key[32];
    CHECK(wire_open(&w, store.port), "can't connect");
    for (unsigned done = 0; done < count;) {
        unsigned here = count - done < CLAIMS ? count - done : CLAIMS;
        for (unsigned i = 0; i < here; i++) {
            snprintf(key, sizeof key, "key-%u", done + i);
            idp_request ask = ask_acquire(key, DAY_MS, DAY_MS);
            CHECK(wire_send_request(&w, &ask), "the connection ended");
        }
        for (unsigned i = 0; i < here; i++)
            CHECK(wire_reply(&w, &reply) && !reply.is_error, "no claim %u",
                  done + i);
        done += here;
    }
    wire_close(&w);
}

int main(int argc, char **argv) {
    CHECK(argc == 3 || argc == 4, "usage: scrapes IDEMSTORED SCRAPES [KEYS]");
    unsigned scrapes = (unsigned)atoi(argv[2]);
    unsigned keys = argc > 3 ? (unsigned)atoi(argv[3]) : 1000;
    daemon_start(&store, &(daemon_spec){.program = argv[1],
                                        .flags = {"--http", "127.0.0.1:0",
                                                  "--threads", "2"}});
    port = http_port_of(&store);
    claim_many(keys);
    scrape_often(WARM);
    size_t before_kb = daemon_rss_kb(&store);
    size_t files = daemon_descriptors(&store);
    uint64_t cpu_ms = daemon_cpu_ms(&store);
    scrape_often(scrapes);
    cpu_ms = daemon_cpu_ms(&store) - cpu_ms;
    size_t after_kb = daemon_rss_kb(&store);
    printf(
        "  %u scrapes with %u keys: %zu KiB, then %zu; %.3f ms of CPU each\n",
        scrapes, keys, before_kb, after_kb, (double)cpu_ms / scrapes);
    CHECK(e2e_sanitized() || after_kb < before_kb + GROWN_KB,
          "it grew by %zu KiB", after_kb - before_kb);
    for (int i = 0; i < 3000 && daemon_descriptors(&store) > files; i++)
        e2e_sleep_ms(20);
    CHECK(daemon_descriptors(&store) <= files, "%zu descriptors stay open",
          daemon_descriptors(&store) - files);
    daemon_stop(&store);
    return 0;
}
