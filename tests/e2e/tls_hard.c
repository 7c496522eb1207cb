/* SPDX-License-Identifier: Apache-2.0 */
/* tls_hard.c -- what goes wrong around TLS: a client that stops reading, no
 * descriptor left, a clock that was set back to before the certificate begins.
 *
 *   tls_hard IDEMSTORED [OLD_CLOCK]
 *
 * OLD_CLOCK is a library that is preloaded; without it the clock has no story.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/e2e/hand.h"
#include "tests/e2e/harness.h"
#include "tests/lib/tls_certs.h"

#define PATIENCE_MS 120000
#define FEW         40 /* descriptors */
#define MANY        80

static const char *program;
static char folder[32];
static idp_tls_context *context;

static daemon_spec with_tls(const char *prefix) {
    return (daemon_spec){
        .program = program,
        .prefix = prefix,
        .flags = {"--threads", "1", "--log-level", "debug", "--tls", "optional",
                  "--tls-cert", certs_path(folder, "server.pem"), "--tls-key",
                  certs_path(folder, "server.key")}};
}

/* Asks without end, and reads nothing: until no more is taken of it, or it is
 * closed. */
static uint64_t asks_on(hand *h) {
    static uint8_t asked[9 * 400], out[16384];
    uint64_t sent = 0;
    for (size_t at = 0; at < sizeof asked; at += sizeof hand_ping)
        memcpy(asked + at, hand_ping, sizeof hand_ping);
    for (;;) {
        idp_slice plain = {asked, sizeof asked};
        size_t len = idp_tls_write(h->tls, &plain, out, sizeof out), at = 0;
        while (at < len) {
            struct pollfd entry = {.fd = h->fd, .events = POLLOUT};
            if (poll(&entry, 1, 1000) != 1)
                return sent;
            ssize_t part =
                send(h->fd, out + at, len - at, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (part < 0 && errno != EAGAIN)
                return sent;
            at += part > 0 ? (size_t)part : 0;
        }
        sent += sizeof asked / sizeof hand_ping;
    }
}

static void stops_reading(void) {
    daemon_t one;
    daemon_spec spec = with_tls(NULL);
    hand h, other;
    daemon_start(&one, &spec);
    bystander *by = bystander_start(one.port);
    hand_open(&other, context, one.port, "127.0.0.1");
    hand_shake(&other, 4096);
    hand_open(&h, context, one.port, "127.0.0.1");
    hand_shake(&h, 4096);
    uint64_t asked = asks_on(&h);
    bystander_is_well(by, "a client that stops reading");
    hand_is_answered(&other, 4096);
    uint64_t kept = daemon_stat(&one, "buffered_bytes");
    CHECK(kept < 4 << 20, "%llu bytes are kept", (unsigned long long)kept);
    hand_close(&h);
    hand_close(&other);
    while (daemon_stat(&one, "buffered_bytes") >= 16384)
        e2e_sleep_ms(20);
    bystander_stop(by);
    daemon_stop(&one);
    printf(
        "  a client stops reading after %llu questions: %llu bytes are kept, "
        "and none when it has gone\n",
        (unsigned long long)asked, (unsigned long long)kept);
}

/* Who is in stays; who comes learns at once that there is no room; and there is
 * again, as soon as somebody goes. */
static void no_descriptors(void) {
    char prefix[32];
    daemon_t one;
    hand in, late;
    wire idle[MANY];
    snprintf(prefix, sizeof prefix, "ulimit -n %d;", FEW);
    daemon_spec spec = with_tls(prefix);
    daemon_start(&one, &spec);
    hand_open(&in, context, one.port, "127.0.0.1");
    hand_shake(&in, 4096);
    for (int i = 0; i < MANY; i++)
        CHECK(wire_open(&idle[i], one.port), "not even a place to wait in");
    CHECK(daemon_said(&one, "connection refused: no place is left"),
          "it does not say that there is no room");
    hand_is_answered(&in, 4096);
    hand_open(&late, context, one.port, "127.0.0.1");
    hand_send(&late, (idp_slice){0}, SIZE_MAX, 4096);
    while (!late.ended && idp_tls_state_of(late.tls) == IDP_TLS_HANDSHAKE)
        hand_hear(&late);
    CHECK(late.ended && idp_tls_fault_of(late.tls) == IDP_TLS_CUT_OFF,
          "it is not closed");
    hand_close(&late);
    for (int i = 0; i < MANY; i++)
        wire_close(&idle[i]);
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    while (daemon_descriptors(&one) > FEW - 10) {
        CHECK(e2e_now_ms() < until_ms, "they do not come back");
        e2e_sleep_ms(10);
    }
    hand_open(&late, context, one.port, "127.0.0.1");
    hand_shake(&late, 4096);
    hand_is_answered(&late, 4096);
    hand_is_answered(&in, 4096);
    hand_close(&late);
    hand_close(&in);
    daemon_stop(&one);
    puts("  no descriptor is left: who is in stays, and others come in later");
}

/* Certificates of the tests begin a day ago. */
static void clock_back(const char *library) {
    char prefix[512];
    snprintf(prefix, sizeof prefix, "export LD_PRELOAD='%s' OLD_CLOCK_S=%s;",
             library, "172800");
    daemon_spec spec = with_tls(prefix);
    spec.own_listen = true;
    daemon_ends(64, "is not valid before", spec);
    snprintf(prefix, sizeof prefix, "export LD_PRELOAD='%s' OLD_CLOCK_S=%s;",
             library, "3600");
    spec.own_listen = false;
    daemon_t one;
    hand h;
    daemon_start(&one, &spec);
    hand_open(&h, context, one.port, "127.0.0.1");
    hand_shake(&h, 4096);
    hand_is_answered(&h, 4096);
    hand_close(&h);
    daemon_stop(&one);
    puts(
        "  a clock from before the certificate is named; an hour does no harm");
}

int main(int argc, char **argv) {
    idp_tls_why why;
    CHECK(argc > 1, "usage: tls_hard IDEMSTORED [OLD_CLOCK]");
    program = argv[1];
    certs_begin(folder);
    certs_make_usual(folder);
    context = idp_tls_context_new(
        &(idp_tls_settings){.ca_file = certs_path(folder, "ca.pem")}, &why);
    CHECK(context != NULL, "%s", why.text);
    stops_reading();
    no_descriptors();
    if (argc > 2 && argv[2][0] != '\0')
        clock_back(argv[2]);
    idp_tls_context_drop(context);
    certs_end(folder);
    return 0;
}
