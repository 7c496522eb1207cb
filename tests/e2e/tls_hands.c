/* SPDX-License-Identifier: Apache-2.0 */
/* tls_hands.c -- handshakes as they should not be: a byte at a time, given up
 * in the middle, half of them by the hundred; and how a connection ends.
 *
 *   tls_hands IDEMSTORED [HALVES] */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/tls/tls.h"
#include "tests/e2e/hand.h"
#include "tests/e2e/harness.h"
#include "tests/lib/tls_certs.h"

#define PATIENCE_MS 120000

static const char *program;
static char folder[32];
static idp_tls_context *context;

static void begin(daemon_t *one, const char *threads) {
    daemon_start(
        one,
        &(daemon_spec){.program = program,
                       .flags = {"--threads", threads, "--max-connections",
                                 "20000", "--tls", "optional", "--tls-cert",
                                 certs_path(folder, "server.pem"), "--tls-key",
                                 certs_path(folder, "server.key")}});
}

/* Waits until it is so. */
static void counts(const daemon_t *one, const char *name, uint64_t least) {
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    while (daemon_stat(one, name) < least) {
        CHECK(e2e_now_ms() < until_ms, "%s stays below %llu", name,
              (unsigned long long)least);
        e2e_sleep_ms(20);
    }
}

static void a_byte_at_a_time(const daemon_t *one) {
    hand h;
    hand_open(&h, context, one->port, "127.0.0.1");
    hand_shake(&h, 1);
    hand_is_answered(&h, 1);
    counts(one, "tls_connections", 1);
    hand_close(&h);
    puts("  a byte at a time");
}

/* Cuts its first flight, or its second, after so many bytes. */
static size_t give_up(const daemon_t *one, bool second, size_t after) {
    hand h;
    hand_open(&h, context, one->port, "127.0.0.1");
    size_t len = hand_send(&h, (idp_slice){0}, second ? SIZE_MAX : after, 4096);
    if (second) {
        while (idp_tls_state_of(h.tls) == IDP_TLS_HANDSHAKE)
            hand_hear(&h);
        len = hand_send(&h, (idp_slice){0}, after, 4096);
    }
    hand_close(&h);
    return len;
}

static void given_up_in_the_middle(const daemon_t *one) {
    uint64_t cut = daemon_stat(one, "tls_cut_off_total");
    bystander *by = bystander_start(one->port);
    uint64_t times = 0;
    for (size_t after = 1; give_up(one, false, after) == after; after += 37)
        times++;
    for (size_t after = 0; give_up(one, true, after) == after; after += 11)
        times++;
    CHECK(times > 10, "only %llu places", (unsigned long long)times);
    counts(one, "tls_cut_off_total", cut + times);
    bystander_is_well(by, "handshakes that are given up");
    bystander_stop(by);
    printf("  given up in the middle, at %llu places\n",
           (unsigned long long)times);
}

/* We say no more, and hear the rest. */
static void half_close(const daemon_t *one) {
    hand h;
    hand_open(&h, context, one->port, "127.0.0.1");
    hand_shake(&h, 4096);
    hand_send(&h, (idp_slice){hand_ping, sizeof hand_ping}, SIZE_MAX, 4096);
    idp_tls_close(h.tls);
    hand_send(&h, (idp_slice){0}, SIZE_MAX, 4096);
    hand_hears_pong(&h);
    hand_ends_in_order(&h);
    hand_close(&h);
    puts("  half-close: the answer comes, then the end");
}

static void broken_record(const daemon_t *one) {
    static const uint8_t junk[] = {0x17, 3, 3, 0, 32, 1, 2, 3};
    uint8_t rest[32] = {0};
    hand h;
    hand_open(&h, context, one->port, "127.0.0.1");
    hand_shake(&h, 4096);
    hand_is_answered(&h, 4096);
    uint64_t broken = daemon_stat(one, "tls_broken_total");
    CHECK(send(h.fd, junk, sizeof junk, MSG_NOSIGNAL) == sizeof junk &&
              send(h.fd, rest, sizeof rest, MSG_NOSIGNAL) == sizeof rest,
          "not sent");
    while (!h.ended && idp_tls_state_of(h.tls) == IDP_TLS_UP)
        hand_hear(&h);
    counts(one, "tls_broken_total", broken + 1);
    hand_close(&h);
    puts("  what can't be read ends it, and is counted");
}

/* What was asked is answered, then it says that it ends. */
static void drains_in_order(daemon_t *one) {
    hand h;
    hand_open(&h, context, one->port, "127.0.0.1");
    hand_shake(&h, 4096);
    hand_is_answered(&h, 4096);
    kill(one->child.pid, SIGTERM);
    hand_ends_in_order(&h);
    hand_close(&h);
    int code = daemon_exit(one, 120);
    CHECK(code == 0, "it ends with %d", code);
    unlink(one->child.log_path);
    puts("  SIGTERM: an end in order");
}

/* Each sends half of a hello and no more; who comes from elsewhere is served
 * all the while. */
static void halves(unsigned count) {
    daemon_t one;
    begin(&one, "2");
    hand *all = calloc(count, sizeof *all);
    CHECK(all != NULL, "no memory");
    size_t before_kb = daemon_rss_kb(&one);
    for (unsigned i = 0; i < count; i++) {
        hand_open(&all[i], context, one.port, "127.0.0.2");
        hand_send(&all[i], (idp_slice){0}, 100, 100);
        idp_tls_free(all[i].tls); /* many: only the sockets are kept */
        all[i].tls = NULL;
        if (i % 25 == 0) {
            hand h;
            hand_open(&h, context, one.port, "127.0.0.1");
            hand_shake(&h, 4096);
            hand_is_answered(&h, 4096);
            hand_close(&h);
        }
    }
    size_t grown_kb = daemon_rss_kb(&one) - before_kb;
    CHECK(e2e_sanitized() || grown_kb < 32768 + count * 4, "%zu KiB more",
          grown_kb);
    for (unsigned i = 0; i < count; i++)
        hand_close(&all[i]);
    free(all);
    CHECK(daemon_stat(&one, "tls_handshakes_total") >= count / 25, "too few");
    counts(&one, "tls_crowded_out_total", 1);
    daemon_stop(&one);
    printf("  %u half handshakes (%zu KiB), and others are served\n", count,
           grown_kb);
}

/* Each begins a record of the largest size, and goes no further: what is kept
 * for them counts among buffers. */
static void begun_records(void) {
    static const uint8_t begun[105] = {0x17, 3, 3, 0x40, 0};
    static const uint64_t most = (2 << 20) + 2 * (64 << 10);
    static hand all[200];
    daemon_t one;
    daemon_start(&one,
                 &(daemon_spec){
                     .program = program,
                     .flags = {"--threads", "1", "--max-buffers", "1m",
                               "--max-result", "64k", "--tls", "optional",
                               "--tls-cert", certs_path(folder, "server.pem"),
                               "--tls-key", certs_path(folder, "server.key")}});
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        hand_open(&all[i], context, one.port, "127.0.0.1");
        hand_shake(&all[i], 4096);
        hand_is_answered(&all[i], 4096);
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        CHECK(send(all[i].fd, begun, sizeof begun, MSG_NOSIGNAL) ==
                  sizeof begun,
              "not sent");
    counts(&one, "connections_closed_by_limit_total", 10);
    uint64_t kept = daemon_stat(&one, "buffered_bytes");
    CHECK(kept > 1 << 20 && kept <= most, "%llu bytes are buffered",
          (unsigned long long)kept);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        hand_close(&all[i]);
    while (daemon_stat(&one, "buffered_bytes") >= 16384) /* who asks has some */
        e2e_sleep_ms(20);
    hand_open(&all[0], context, one.port, "127.0.0.1");
    hand_shake(&all[0], 4096);
    hand_is_answered(&all[0], 4096);
    hand_close(&all[0]);
    daemon_stop(&one);
    puts("  200 who begin a record: no more is kept than may be");
}

int main(int argc, char **argv) {
    daemon_t one;
    idp_tls_why why;
    CHECK(argc > 1, "usage: tls_hands IDEMSTORED [HALVES]");
    program = argv[1];
    certs_begin(folder);
    certs_make_usual(folder);
    context = idp_tls_context_new(
        &(idp_tls_settings){.ca_file = certs_path(folder, "ca.pem")}, &why);
    CHECK(context != NULL, "%s", why.text);
    begin(&one, "2");
    a_byte_at_a_time(&one);
    given_up_in_the_middle(&one);
    half_close(&one);
    broken_record(&one);
    drains_in_order(&one);
    begun_records();
    halves(argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 500);
    idp_tls_context_drop(context);
    certs_end(folder);
    return 0;
}
