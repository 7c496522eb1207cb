/* SPDX-License-Identifier: Apache-2.0 */
/* peer_socket.c -- the socket of a connection to another node, from its
 * beginning to its end; see peer_socket.h. */
#include "server/net/peer_socket.h"

#include "server/base/log.h"
#include "server/net/peer_seal.h"
#include "server/net/peer_tls.h"

#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef enum stage {
    UNUSED,     /* libuv knows nothing of it */
    LOOKING_UP, /* its name; it is not to be freed before that comes back */
    POLLED      /* its descriptor; the handle is to be closed first */
} stage;

struct ids_peer_socket {
    uv_poll_t poll;
    uv_getaddrinfo_t lookup;
    ids_places *places;
    ids_net *net;        /* once it is open */
    ids_peer_conn *conn; /* NULL: it went, while the name was looked up */
    stage stage;
    ids_seal *seal; /* NULL: it is plain, or not connected yet */
    bool shakes;    /* hands, as the one that has dialled */
    ids_link_way way;
    int fd;     /* -1: none yet, or none any more; else it has a place */
    int events; /* what is watched for */
};

static ids_peer_socket *peer_socket_of(const ids_peer_conn *conn) {
    ids_peer_socket *s = conn->socket;
    assert(s && (s->conn == conn || !s->conn)); /* none before it is open */
    return s;
}

ids_peer_socket *ids_peer_socket_new(ids_places *places,
                                     const ids_peer_came *came) {
    ids_peer_socket *s = calloc(1, sizeof *s);
    if (s) {
        s->places = places;
        s->fd = came->fd;
        s->seal = came->seal;
        s->way = came->way;
    } else if (came->fd >= 0) {
        ids_seal_free(came->seal);
        close(came->fd);
        ids_places_leave_link(places);
    }
    return s;
}

/* Its beginning: dialled, or accepted -------------------------------------- */

static bool poll_it(ids_peer_socket *s) {
    int on = 1;
    assert(s->stage == UNUSED && s->fd >= 0);
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (uv_poll_init(s->net->uv, &s->poll, s->fd) != 0)
        return false;
    s->poll.data = s;
    s->stage = POLLED;
    return true;
}

static bool connect_peer_socket(ids_peer_socket *s, const struct sockaddr *at,
                                socklen_t len) {
    assert(s->fd < 0);
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
    assert(s->stage == LOOKING_UP);
    if (s->conn)
        ids_net_wake_up(s->net);
    ids_peer_conn *conn = s->conn;
    s->stage = UNUSED;
    if (!conn) { /* closed meanwhile, or by what the turn began with */
        uv_freeaddrinfo(found);
        free(s);
        return;
    }
    if (status < 0)
        ids_log(IDS_LOG_WARN, "the other node's name can't be resolved",
                "at=%s reason=\"%s\"", conn->to.text, uv_strerror(status));
    if (status < 0 ||
        !connect_peer_socket(s, found->ai_addr, found->ai_addrlen) ||
        !ids_peer_socket_watch(conn))
        ids_peer_conn_break(conn);
    uv_freeaddrinfo(found);
}

/* An address at once, a name in libuv's pool. */
static bool dial_peer_socket(ids_peer_socket *s) {
    char host[IDS_ENDPOINT_BYTES];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found;
    if (!ids_endpoint_split(s->conn->to.text, host, &port))
        return false;
    if (getaddrinfo(host, port, &hints, &found) == 0) {
        bool good = connect_peer_socket(s, found->ai_addr, found->ai_addrlen);
        freeaddrinfo(found);
        return good;
    }
    hints.ai_flags = AI_NUMERICSERV;
    s->lookup.data = s;
    if (uv_getaddrinfo(s->net->uv, &s->lookup, on_looked_up, host, port,
                       &hints) != 0)
        return false;
    s->stage = LOOKING_UP;
    return true;
}

/* It is connected; of the other end's host, "" if that is not known. */
static void tell_connected(const ids_peer_socket *s) {
    char host[IDS_ENDPOINT_BYTES] = "";
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof at;
    if (getpeername(s->fd, (struct sockaddr *)&at, &len) == 0 &&
        (at.ss_family == AF_INET || at.ss_family == AF_INET6) &&
        getnameinfo((struct sockaddr *)&at, len, host, sizeof host, NULL, 0,
                    NI_NUMERICHOST) != 0)
        host[0] = '\0';
    ids_peer_conn_connected(s->conn, host, s->way);
}

bool ids_peer_socket_open(ids_net *net, ids_peer_conn *conn) {
    if (conn->dialled)
        conn->socket =
            ids_peer_socket_new(net->places, &(ids_peer_came){.fd = -1});
    ids_peer_socket *s = conn->socket;
    if (!s)
        return false;
    s->net = net;
    s->conn = conn;
    if (conn->dialled)
        return dial_peer_socket(s);
    if (s->seal && !ids_seal_room(net))
        return false;
    tell_connected(s);
    return poll_it(s);
}

/* Bytes in and out --------------------------------------------------------- */

static void on_ready(uv_poll_t *handle, int status, int events);

bool ids_peer_socket_watch(ids_peer_conn *conn) {
    ids_peer_socket *s = peer_socket_of(conn);
    bool is_read = s->shakes || ids_peer_conn_is_read(conn);
    bool waits = (!s->shakes && ids_peer_conn_waits_to_write(conn)) ||
                 (s->seal && ids_seal_waits(s->seal));
    int want = (is_read ? UV_READABLE : 0) | (waits ? UV_WRITABLE : 0);
    if (s->stage != POLLED || want == s->events)
        return true;
    s->events = want;
    return (want ? uv_poll_start(&s->poll, want, on_ready)
                 : uv_poll_stop(&s->poll)) == 0;
}

size_t ids_peer_socket_send(ids_peer_conn *conn, const uint8_t *bytes,
                            size_t len) {
    ids_peer_socket *s = peer_socket_of(conn);
    if (s->seal) {
        idp_slice plain = {bytes, len};
        return ids_peer_seal_send(s->net, s->seal, s->fd, &plain)
                   ? len - plain.len
                   : IDS_NODE_BROKEN;
    }
    ssize_t sent = send(s->fd, bytes, len, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : IDS_NODE_BROKEN;
    return (size_t)sent;
}

static void read_peer_plain(ids_peer_socket *s) {
    uint8_t *room = ids_line_input_room(s->net->line);
    ssize_t got = recv(s->fd, room, IDS_INPUT_BYTES, 0);
    if (got > 0) {
        ids_net_read_clock(s->net);
        ids_repl_input(s->conn->repl, s->conn, room, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        ids_peer_conn_break(s->conn);
    }
}

/* With TLS ----------------------------------------------------------------- */

/* Hands were not shaken. */
static void give_up_tls(ids_peer_socket *s, ids_peer_seal_state state) {
    ids_peer_conn *conn = s->conn;
    const char *at = conn->to.text, *why = ids_peer_seal_why(s->seal);
    s->shakes = false;
    if (ids_peer_tls_falls_back(s->net->tls, at, why) ||
        state == IDS_PEER_SEAL_OVER) {
        ids_log(IDS_LOG_DEBUG, "no TLS with the other node",
                "at=%s reason=\"%s\"", at, why);
        ids_peer_conn_break(conn);
        return;
    }
    ids_log(IDS_LOG_WARN, "no TLS with the other node", "at=%s reason=\"%s\"",
            at, why);
    ids_peer_conn_give_up(conn, state == IDS_PEER_SEAL_PLAIN
                                    ? IDS_LINK_NO_TLS
                                    : IDS_LINK_BAD_CERT);
}

static void end_tls(ids_peer_socket *s, ids_peer_seal_state state) {
    const char *why = ids_peer_seal_why(s->seal);
    if (s->shakes) {
        give_up_tls(s, state);
        return;
    }
    if (*why)
        ids_log(IDS_LOG_WARN, "TLS with the other node failed",
                "at=%s reason=\"%s\"", s->conn->host, why);
    ids_peer_conn_break(s->conn);
}

/* What waits; false: the socket is at its end. */
static bool send_sealed(ids_peer_socket *s) {
    idp_slice nothing = {NULL, 0};
    return ids_peer_seal_send(s->net, s->seal, s->fd, &nothing);
}

/* What was said is heard last: the link may move to another loop with it. */
static void hear(ids_peer_socket *s, const uint8_t *bytes, size_t len) {
    idp_slice said = ids_peer_seal_read(s->net, s->seal, bytes, len);
    ids_peer_seal_state state = ids_peer_seal_state_of(s->seal);
    bool is_sent = send_sealed(s);
    if (s->shakes && state == IDS_PEER_SEAL_UP) {
        s->shakes = false;
        s->way = IDS_LINK_TLS;
        ids_peer_tls_shook(s->net->tls, s->conn->to.text);
        tell_connected(s);
    }
    if (said.len)
        ids_repl_input(s->conn->repl, s->conn, said.ptr, said.len);
    if (s->conn && (state > IDS_PEER_SEAL_UP || !is_sent))
        end_tls(s, state);
}

static void read_peer_sealed(ids_peer_socket *s) {
    uint8_t *room = ids_line_input_room(s->net->line);
    ssize_t got = recv(s->fd, room, IDS_PEER_SEAL_BYTES, 0);
    if (got > 0)
        ids_net_read_clock(s->net);
    if (got >= 0)
        hear(s, room, (size_t)got);
    else if (errno != EAGAIN && errno != EINTR)
        ids_peer_conn_break(s->conn);
    if (s->conn && !ids_peer_socket_watch(s->conn))
        ids_peer_conn_break(s->conn);
}

static void shake_peer(ids_peer_socket *s) {
    ids_net *net = s->net;
    ids_peer_conn *conn = s->conn;
    s->seal =
        ids_seal_room(net) ? ids_peer_seal_dial(net->tls, conn->to.text) : NULL;
    s->shakes = s->seal != NULL;
    if (!s->seal || !send_sealed(s) || !ids_peer_socket_watch(conn))
        ids_peer_conn_break(conn);
}

/* Ready -------------------------------------------------------------------- */

static void read_peer_once(ids_peer_socket *s) {
    if (s->seal)
        read_peer_sealed(s);
    else
        read_peer_plain(s);
}

void ids_peer_socket_read(ids_peer_conn *conn) {
    ids_peer_socket *s = peer_socket_of(conn);
    if (s->stage == POLLED && ids_peer_conn_is_read(conn))
        read_peer_once(s);
}

/* What came of the dialling. */
static void on_dialled(ids_peer_socket *s) {
    const ids_peer_conn *conn = s->conn;
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        ids_log(IDS_LOG_DEBUG, "the other node can't be reached",
                "at=%s reason=\"%s\"", conn->to.text, strerror(error));
        ids_peer_conn_break(s->conn);
    } else if (ids_peer_tls_is_wanted(s->net->tls, conn->to.text,
                                      conn->is_first)) {
        shake_peer(s);
    } else {
        tell_connected(s);
    }
}

static void on_peer_writable(ids_peer_socket *s) {
    if (s->seal && !send_sealed(s))
        ids_peer_conn_break(s->conn);
    else if (s->seal && ids_seal_waits(s->seal))
        return;
    else if (!s->shakes)
        ids_peer_conn_unblock(s->conn);
}

static void on_ready(uv_poll_t *handle, int status, int events) {
    ids_peer_socket *s = handle->data;
    ids_net_wake_up(s->net);
    if (!s->conn)
        return; /* closed by what the turn began with */
    if (s->conn->connecting && !s->shakes) {
        on_dialled(s);
        return;
    }
    if (status < 0) {
        ids_peer_conn_break(s->conn);
        return;
    }
    if (events & UV_WRITABLE)
        on_peer_writable(s);
    if (!s->conn->broken && (events & UV_READABLE))
        read_peer_once(s);
    if (s->conn && s->seal && !ids_peer_socket_watch(s->conn))
        ids_peer_conn_break(s->conn);
}

/* Its end ------------------------------------------------------------------ */

static void on_peer_closed(uv_handle_t *handle) {
    free(handle->data);
}

/* The peer connection's no more. Freed at once, or when libuv is through with
 * it: libuv has let go of the descriptor on return, while it is ours. */
static void part_socket(ids_peer_socket *s, ids_peer_conn *conn) {
    conn->socket = NULL;
    s->conn = NULL;
    s->seal = NULL;
    if (s->stage == POLLED)
        uv_close((uv_handle_t *)&s->poll, on_peer_closed);
    else if (s->stage == LOOKING_UP)
        uv_cancel((uv_req_t *)&s->lookup);
    else
        free(s);
}

void ids_peer_socket_close(ids_peer_conn *conn) {
    ids_peer_socket *s = peer_socket_of(conn);
    ids_places *places = s->places;
    int fd = s->fd;
    ids_seal_free(s->seal);
    part_socket(s, conn);
    if (fd >= 0) {
        close(fd);
        ids_places_leave_link(places);
    }
}

ids_peer_socket *ids_peer_socket_part(ids_peer_conn *conn) {
    ids_peer_socket *s = peer_socket_of(conn);
    ids_peer_socket *next = ids_peer_socket_new(
        s->places,
        &(ids_peer_came){.fd = s->fd, .seal = s->seal, .way = s->way});
    part_socket(s, conn);
    return next;
}
