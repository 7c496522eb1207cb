/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c -- see wire.h. Sockets; of TLS only where it branches off. */
#include "bench/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

int idb_connect(const idb_endpoint *server) {
    struct sockaddr_in v4 = {.sin_family = AF_INET,
                             .sin_port = htons(server->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                              .sin6_port = htons(server->port)};
    const struct sockaddr *at = (const struct sockaddr *)&v4;
    socklen_t size = sizeof v4;
    if (inet_pton(AF_INET, server->host, &v4.sin_addr) != 1) {
        if (inet_pton(AF_INET6, server->host, &v6.sin6_addr) != 1) {
            errno = EINVAL;
            return -1;
        }
        at = (const struct sockaddr *)&v6;
        size = sizeof v6;
    }
    int fd = socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0)
        return -1;
    if (connect(fd, at, size) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

const char *idb_wire_open(idb_wire *wire, const idb_endpoint *at) {
    *wire = (idb_wire){.fd = idb_connect(at)};
    if (wire->fd < 0)
        return "cannot connect to the server";
    return at->tls ? idb_tls_shake(wire, at) : NULL;
}

void idb_wire_close(idb_wire *wire) {
    if (wire->tls)
        idb_tls_end(wire);
    if (wire->fd >= 0)
        close(wire->fd);
    idp_bytes_free(&wire->opened);
    *wire = (idb_wire){.fd = -1};
}

void idb_wire_patience(const idb_wire *wire, uint32_t seconds) {
    const struct timeval patience = {.tv_sec = seconds};
    setsockopt(wire->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

static bool send_all(int fd, const uint8_t *bytes, size_t len) {
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return false;
        bytes += sent > 0 ? sent : 0;
        len -= sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

bool idb_wire_send(idb_wire *wire, const void *bytes, size_t len) {
    uint8_t sealed[20480];
    idp_slice plain = {bytes, len};
    if (!wire->tls)
        return send_all(wire->fd, bytes, len);
    do {
        size_t left = plain.len;
        size_t part = idb_tls_seal(wire, &plain, sealed, sizeof sealed);
        if (!send_all(wire->fd, sealed, part))
            return false;
        if (part == 0 && plain.len == left && left > 0)
            return false; /* TLS takes no more */
    } while (plain.len > 0 || idb_tls_owes(wire));
    return true;
}

static ssize_t take_opened(idb_wire *wire, void *to, size_t cap) {
    size_t have = wire->opened.len - wire->opened_at;
    size_t len = have < cap ? have : cap;
    memcpy(to, wire->opened.ptr + wire->opened_at, len);
    idp_bytes_take(&wire->opened, &wire->opened_at, len);
    return (ssize_t)len;
}

/* Until something plain has come: handshakes' ends, tickets and new keys say
 * nothing. */
static ssize_t recv_opened(idb_wire *wire) {
    uint8_t room[IDB_TAKE_BYTES_MIN];
    for (;;) {
        ssize_t got = idb_tls_take(wire, room, sizeof room, 0);
        if (got < 0 && errno == EINPROGRESS)
            continue;
        if (got > 0 && !idp_bytes_append(&wire->opened, room, (size_t)got)) {
            errno = ENOMEM;
            return -1;
        }
        return got;
    }
}

ssize_t idb_wire_recv(idb_wire *wire, void *to, size_t cap) {
    if (!wire->tls)
        return recv(wire->fd, to, cap, 0);
    if (wire->opened.len == wire->opened_at) {
        ssize_t got = recv_opened(wire);
        if (got <= 0)
            return got;
    }
    return take_opened(wire, to, cap);
}

const char *idb_wire_why(const idb_wire *wire, const char *otherwise) {
    const char *why = wire->tls ? idb_tls_why_of(wire) : "";
    return *why ? why : otherwise;
}
