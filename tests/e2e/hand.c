/* SPDX-License-Identifier: Apache-2.0 */
/* hand.c -- see hand.h. */
#include "tests/e2e/hand.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/e2e/harness.h"

#define PATIENCE_MS 120000

void hand_open(hand *h, idp_tls_context *context, uint16_t port,
               const char *from) {
    int on = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in own = {.sin_family = AF_INET};
    *h = (hand){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    CHECK(h->fd >= 0, "no socket: %s", strerror(errno));
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    inet_pton(AF_INET, from, &own.sin_addr);
    setsockopt(h->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    CHECK(bind(h->fd, (struct sockaddr *)&own, sizeof own) == 0, "no %s", from);
    CHECK(connect(h->fd, (struct sockaddr *)&at, sizeof at) == 0,
          "not connected: %s", strerror(errno));
    h->tls = idp_tls_connect(context, "localhost", IDP_TLS_VERIFY_FULL);
    CHECK(h->tls != NULL, "no engine");
}

void hand_close(hand *h) {
    idp_tls_free(h->tls);
    close(h->fd);
}

size_t hand_send(hand *h, idp_slice plain, size_t most, size_t step) {
    static uint8_t out[65536];
    size_t len = idp_tls_write(h->tls, &plain, out, sizeof out);
    len = len < most ? len : most;
    for (size_t at = 0; at < len; at += step) {
        size_t part = len - at < step ? len - at : step;
        if (send(h->fd, out + at, part, MSG_NOSIGNAL) != (ssize_t)part)
            break;
    }
    return len;
}

void hand_hear(hand *h) {
    static uint8_t in[65536];
    struct pollfd entry = {.fd = h->fd, .events = POLLIN};
    CHECK(poll(&entry, 1, PATIENCE_MS) == 1, "nothing comes");
    ssize_t got = recv(h->fd, in, sizeof in, 0);
    h->ended = got <= 0;
    if (h->ended) {
        idp_tls_eof(h->tls);
        return;
    }
    idp_slice came = {in, (size_t)got};
    size_t took, room;
    do {
        room = sizeof h->heard - h->heard_len;
        took = idp_tls_read(h->tls, &came, h->heard + h->heard_len, room);
        h->heard_len += took;
    } while (took == room && room > 0);
}

void hand_shake(hand *h, size_t step) {
    hand_send(h, (idp_slice){0}, SIZE_MAX, step);
    while (idp_tls_state_of(h->tls) == IDP_TLS_HANDSHAKE)
        hand_hear(h);
    CHECK(idp_tls_state_of(h->tls) == IDP_TLS_UP, "%s", idp_tls_why_of(h->tls));
    hand_send(h, (idp_slice){0}, SIZE_MAX, step);
}

/* [0, 1, "ping", []] and its answer, [1, 1, nil, "pong"]. */
const uint8_t hand_ping[9] = {0x94, 0, 1, 0xa4, 'p', 'i', 'n', 'g', 0x90};
static const uint8_t pong[] = {0x94, 1, 1, 0xc0, 0xa4, 'p', 'o', 'n', 'g'};

void hand_hears_pong(hand *h) {
    while (h->heard_len < sizeof pong && !h->ended)
        hand_hear(h);
    CHECK(h->heard_len == sizeof pong &&
              memcmp(h->heard, pong, sizeof pong) == 0,
          "%zu bytes came: %s", h->heard_len, idp_tls_why_of(h->tls));
    h->heard_len = 0;
}

void hand_is_answered(hand *h, size_t step) {
    hand_send(h, (idp_slice){hand_ping, sizeof hand_ping}, SIZE_MAX, step);
    hand_hears_pong(h);
}

void hand_ends_in_order(hand *h) {
    while (!h->ended && idp_tls_state_of(h->tls) == IDP_TLS_UP)
        hand_hear(h);
    CHECK(idp_tls_state_of(h->tls) == IDP_TLS_ENDED && !idp_tls_was_cut(h->tls),
          "it ends without a word");
}
