/* SPDX-License-Identifier: Apache-2.0 */
/* lane.c -- see lane.h. */
#include "tests/nemesis/lane.h"

#include "tests/nemesis/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

bool nem_lane_wants(const nem_lane *lane) {
    return !lane->eof && !lane->cut && lane->len < NEM_LANE_BYTES &&
           lane->pieces_count < NEM_LANE_PIECES;
}

static bool one_in(idt_rng *rng, unsigned n) {
    return n != 0 && idt_rng_below(rng, n) == 0;
}

static void spoil(nem_lane *lane, size_t *len, const nem_harm *harm,
                  idt_rng *rng) {
    uint8_t *piece = lane->bytes + lane->len;
    if (one_in(rng, harm->flip_1_in)) {
        piece[idt_rng_below(rng, (uint32_t)*len)] ^=
            (uint8_t)(1u << idt_rng_below(rng, 8));
        atomic_fetch_add(harm->flips, 1);
    }
    if (one_in(rng, harm->cut_1_in)) {
        *len = idt_rng_below(rng, (uint32_t)*len);
        lane->cut = true;
    }
}

bool nem_lane_read(nem_lane *lane, const nem_harm *harm, uint64_t now_ms,
                   idt_rng *rng) {
    if (!nem_lane_wants(lane))
        return true;
    ssize_t n = recv(lane->in, lane->bytes + lane->len,
                     NEM_LANE_BYTES - lane->len, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    lane->eof = n == 0;
    if (n == 0)
        return true;
    size_t len = (size_t)n;
    spoil(lane, &len, harm, rng);
    uint64_t due_ms = now_ms;
    if (harm->delay_ms != 0)
        due_ms += idt_rng_below(rng, harm->delay_ms + 1);
    if (lane->pieces_count > 0 &&
        due_ms < lane->pieces[lane->pieces_count - 1].due_ms)
        due_ms = lane->pieces[lane->pieces_count - 1].due_ms;
    lane->pieces[lane->pieces_count++] = (nem_piece){due_ms, len};
    lane->len += len;
    return true;
}

static void drop(nem_lane *lane, size_t len) {
    nem_piece *first = &lane->pieces[0];
    memmove(lane->bytes, lane->bytes + len, lane->len - len);
    lane->len -= len;
    first->len -= len;
    if (first->len == 0) {
        lane->pieces_count--;
        memmove(first, first + 1, lane->pieces_count * sizeof *first);
    }
}

bool nem_lane_write(nem_lane *lane, const nem_harm *harm, uint64_t now_ms) {
    while (lane->pieces_count > 0 && lane->pieces[0].due_ms <= now_ms) {
        size_t len = lane->pieces[0].len;
        if (harm->drip_bytes != 0 && len > harm->drip_bytes)
            len = harm->drip_bytes;
        ssize_t n = len == 0 ? 0
                             : send(lane->out, lane->bytes, len,
                                    MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        drop(lane, (size_t)n);
        if (harm->drip_bytes != 0)
            break;
    }
    if (lane->pieces_count > 0)
        return true;
    if (lane->eof && !lane->ended) {
        shutdown(lane->out, SHUT_WR);
        lane->ended = true;
    }
    return !lane->cut;
}

/* --- sockets */

static bool address_of(const char *text, int port, struct sockaddr_in *at) {
    *at = (struct sockaddr_in){.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, text, &at->sin_addr) == 1;
}

static int stream(void) {
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    return fd;
}

int nem_socket_listen(const char *address) {
    struct sockaddr_in at;
    int fd = stream();
    if (fd < 0 || !address_of(address, NEM_PORT, &at) ||
        bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 64) != 0)
        return -1;
    return fd;
}

int nem_socket_accept(int listener) {
    int one = 1;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

int nem_socket_connect(const char *source, const char *target) {
    struct sockaddr_in from, to;
    int fd = stream();
    if (fd >= 0 && address_of(source, 0, &from) &&
        address_of(target, NEM_PORT, &to) &&
        bind(fd, (struct sockaddr *)&from, sizeof from) == 0 &&
        (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ||
         errno == EINPROGRESS))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int nem_socket_connected(int fd) {
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    int error = 0;
    socklen_t error_len = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
    if (error != 0)
        return -1;
    return getpeername(fd, (struct sockaddr *)&at, &len) == 0;
}

void nem_socket_close(int fd, bool reset) {
    struct linger now = {1, 0};
    if (reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

uint64_t nem_socket_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
