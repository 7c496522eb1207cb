/* SPDX-License-Identifier: Apache-2.0 */
/* peer_socket.c -- the socket of a connection to another node; see
 * peer_socket.h. */
#include "server/io/peer_socket.h"

#include "server/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct ids_peer_socket {
    uv_poll_t poll;
    uv_getaddrinfo_t lookup;
    ids_places *places;
    ids_loop *loop;   /* once it is open */
    ids_cable *cable; /* NULL: it went, while the name was looked up */
    int fd;           /* -1: none yet, or none any more */
    int events;       /* what is watched for */
    bool looking_up;  /* not to be freed yet */
    bool polled;      /* there is a handle to be closed */
};

static ids_peer_socket *socket_of(const ids_cable *cable) {
    return cable->socket;
}

ids_peer_socket *ids_peer_socket_new(ids_places *places, int fd) {
    ids_peer_socket *s = calloc(1, sizeof *s);
    if (!s && fd >= 0) {
        close(fd);
        ids_places_leave_link(places);
    }
    if (!s)
        return NULL;
    s->places = places;
    s->fd = fd;
    return s;
}

/* Its end ------------------------------------------------------------------ */

static void on_closed(uv_handle_t *handle) {
    free(handle->data);
}

/* Frees it, when libuv is through with it. */
static void let_go(ids_peer_socket *s) {
    if (s->polled) /* libuv lets go of the descriptor while it is ours */
        uv_close((uv_handle_t *)&s->poll, on_closed);
    else
        free(s);
}

void ids_peer_socket_close(ids_cable *cable) {
    ids_peer_socket *s = socket_of(cable);
    ids_places *places = s->places;
    int fd = s->fd;
    cable->socket = NULL;
    s->cable = NULL;
    if (s->looking_up) { /* freed when that has come back */
        uv_cancel((uv_req_t *)&s->lookup);
        return;
    }
    let_go(s);
    if (fd >= 0) {
        close(fd);
        ids_places_leave_link(places);
    }
}

ids_peer_socket *ids_peer_socket_part(ids_cable *cable) {
    ids_peer_socket *s = socket_of(cable);
    ids_peer_socket *next = ids_peer_socket_new(s->places, s->fd);
    cable->socket = NULL;
    s->cable = NULL;
    let_go(s);
    return next;
}

/* Watching ----------------------------------------------------------------- */

static void on_ready(uv_poll_t *handle, int status, int events);

bool ids_peer_socket_watch(ids_cable *cable) {
    ids_peer_socket *s = socket_of(cable);
    int want = 0;
    if (ids_cable_is_read(cable))
        want |= UV_READABLE;
    if (ids_cable_waits_to_write(cable))
        want |= UV_WRITABLE;
    if (!s->polled || want == s->events)
        return true;
    s->events = want;
    return (want ? uv_poll_start(&s->poll, want, on_ready)
                 : uv_poll_stop(&s->poll)) == 0;
}

size_t ids_peer_socket_send(ids_cable *cable, const uint8_t *bytes,
                            size_t len) {
    ssize_t sent = send(socket_of(cable)->fd, bytes, len, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : IDS_NODE_BROKEN;
    return (size_t)sent;
}

/* The host of the other end; "": not known. */
static void learn_host(const ids_peer_socket *s,
                       char host[static IDS_ENDPOINT_BYTES]) {
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof at;
    host[0] = '\0';
    if (getpeername(s->fd, (struct sockaddr *)&at, &len) != 0 ||
        (at.ss_family != AF_INET && at.ss_family != AF_INET6))
        return;
    if (getnameinfo((struct sockaddr *)&at, len, host, IDS_ENDPOINT_BYTES, NULL,
                    0, NI_NUMERICHOST) != 0)
        host[0] = '\0';
}

static void on_connected(ids_peer_socket *s) {
    char host[IDS_ENDPOINT_BYTES];
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        ids_log(IDS_LOG_DEBUG, "the other node can't be reached",
                "at=%s reason=\"%s\"", s->cable->to.text, strerror(error));
        ids_cable_break(s->cable);
        return;
    }
    learn_host(s, host);
    ids_cable_connected(s->cable, host);
}

static void on_readable(ids_peer_socket *s) {
    uint8_t *room = ids_desk_input_room(s->loop->desk);
    ssize_t got = recv(s->fd, room, IDS_INPUT_BYTES, 0);
    if (got > 0) {
        ids_loop_look(s->loop);
        ids_seat_input(s->cable->seat, s->cable, room, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        ids_cable_break(s->cable);
    }
}

void ids_peer_socket_read(ids_cable *cable) {
    ids_peer_socket *s = socket_of(cable);
    if (s->polled && ids_cable_is_read(cable))
        on_readable(s);
}

static void on_ready(uv_poll_t *handle, int status, int events) {
    ids_peer_socket *s = handle->data;
    ids_loop_turn(s->loop);
    if (!s->cable)
        return; /* closed by what the turn began with */
    if (s->cable->connecting) {
        on_connected(s);
        return;
    }
    if (status < 0) {
        ids_cable_break(s->cable);
        return;
    }
    if (events & UV_WRITABLE)
        ids_cable_unblock(s->cable);
    if (!s->cable->broken && (events & UV_READABLE))
        on_readable(s);
}

/* Its beginning ------------------------------------------------------------ */

static bool poll_it(ids_peer_socket *s) {
    int on = 1;
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (uv_poll_init(&s->loop->uv, &s->poll, s->fd) != 0)
        return false;
    s->poll.data = s;
    s->polled = true;
    return true;
}

static bool connect_to(ids_peer_socket *s, const struct sockaddr *at,
                       socklen_t len) {
    s->fd =
        socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0)
        return false;
    ids_places_add_link(s->places);
    return poll_it(s) && (connect(s->fd, at, len) == 0 || errno == EINPROGRESS);
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status,
                         struct addrinfo *found) {
    ids_peer_socket *s = lookup->data;
    if (s->cable)
        ids_loop_turn(s->loop);
    ids_cable *cable = s->cable;
    s->looking_up = false;
    if (!cable) { /* closed meanwhile */
        uv_freeaddrinfo(found);
        free(s);
        return;
    }
    if (status < 0)
        ids_log(IDS_LOG_WARN, "the other node's name can't be resolved",
                "at=%s reason=\"%s\"", cable->to.text, uv_strerror(status));
    if (status < 0 || !connect_to(s, found->ai_addr, found->ai_addrlen) ||
        !ids_peer_socket_watch(cable))
        ids_cable_break(cable);
    uv_freeaddrinfo(found);
}

static bool dial(ids_peer_socket *s) {
    char host[IDS_ENDPOINT_BYTES];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found;
    bool good;
    if (!ids_endpoint_split(s->cable->to.text, host, &port))
        return false;
    if (getaddrinfo(host, port, &hints, &found) == 0) {
        good = connect_to(s, found->ai_addr, found->ai_addrlen);
        freeaddrinfo(found);
        return good;
    }
    hints.ai_flags = AI_NUMERICSERV;
    s->lookup.data = s;
    s->looking_up = uv_getaddrinfo(&s->loop->uv, &s->lookup, on_looked_up, host,
                                   port, &hints) == 0;
    return s->looking_up;
}

bool ids_peer_socket_open(ids_loop *loop, ids_cable *cable) {
    char host[IDS_ENDPOINT_BYTES];
    if (cable->dialled)
        cable->socket = ids_peer_socket_new(loop->places, -1);
    ids_peer_socket *s = cable->socket;
    if (!s)
        return false;
    s->loop = loop;
    s->cable = cable;
    if (cable->dialled)
        return dial(s);
    learn_host(s, host);
    ids_cable_connected(cable, host);
    return poll_it(s);
}
