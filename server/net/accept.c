/* SPDX-License-Identifier: Apache-2.0 */
/* accept.c -- the listening sockets: who comes is dealt out evenly. */
#include "server/net/accept.h"

#include "proto/reply.h"
#include "server/base/log.h"
#include "server/line/reader.h"
#include "server/net/address.h"
#include "server/net/http.h"
#include "server/net/socket.h"
#include "server/worker/reply.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_A_TURN 64
#define PAUSE_MS       100
#define SAY_EVERY_MS   1000

/* Keepalive: a client that vanished is noticed within two minutes. */
#define KEEP_IDLE_S  60
#define KEEP_EVERY_S 10
#define KEEP_COUNT   6

static int open_spare(void) {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void set_options(int fd, int family) {
    int on = 1, idle = KEEP_IDLE_S, every = KEEP_EVERY_S, count = KEEP_COUNT;
    if (family == AF_UNIX)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

static void say_to_client(ids_acceptor *acceptor, const char *why) {
    uint64_t now = acceptor->net->worker->now_ms;
    if (acceptor->logged_ms && now - acceptor->logged_ms < SAY_EVERY_MS)
        return;
    acceptor->logged_ms = now ? now : 1;
    ids_log(IDS_LOG_WARN, "connection refused: no place is left",
            "reason=\"%s\"", why);
}

/* There was no descriptor for it, or no memory. */
static void say_not_accepted(ids_acceptor *acceptor, const char *why) {
    acceptor->net->worker->counters.of[IDS_REFUSED_AT_ACCEPT_TOTAL]++;
    say_to_client(acceptor, why);
}

/* It has said nothing yet, or begins TLS: a word in plain would tell it that
 * none is spoken here. */
static bool may_want_tls(const ids_acceptor *acceptor, int fd,
                         const ids_address *from) {
    uint8_t first;
    return acceptor->net->tls && from->at.ss_family != AF_UNIX &&
           (recv(fd, &first, 1, MSG_PEEK) != 1 ||
            first == IDS_TLS_HELLO_RECORD);
}

/* Too many even of those who are only told that they are too many: a word to
 * nobody's request, and the end. */
static void turn_away_accepted(const ids_acceptor *acceptor, int fd,
                               const ids_address *from) {
    uint8_t reply[IDP_ERROR_REPLY_BYTES_MAX];
    if (may_want_tls(acceptor, fd, from)) {
        close(fd);
        return;
    }
    size_t len = idp_error_write(reply, sizeof reply, 0, IDP_E_LIMIT,
                                 IDS_TOO_MANY_CONNECTIONS);
    ssize_t sent = send(fd, reply, len, MSG_NOSIGNAL);
    (void)sent;
    shutdown(fd, SHUT_WR);
    close(fd);
}

/* From this machine an operator comes, and from where the other node was, it.
 */
static bool is_kept_for(const ids_acceptor *acceptor, const ids_address *from) {
    char host[NI_MAXHOST];
    const struct sockaddr *at = (const struct sockaddr *)&from->at;
    if (ids_address_is_local(from))
        return true;
    return acceptor->net->repl &&
           getnameinfo(at, from->len, host, sizeof host, NULL, 0,
                       NI_NUMERICHOST) == 0 &&
           ids_repl_knows_host(acceptor->net->repl, host);
}

/* False: there is no place, and the descriptor is closed. */
static bool take_place(ids_acceptor *acceptor, int fd, const ids_address *from,
                       bool *surplus) {
    ids_places *places = acceptor->net->places;
    *surplus = !ids_places_take(places);
    if (!*surplus)
        return true;
    say_to_client(acceptor, "--max-connections is reached");
    bool is_kept = is_kept_for(acceptor, from);
    acceptor->net->worker->counters.of[IDS_REFUSED_SURPLUS_TOTAL] += !is_kept;
    if (ids_places_take_surplus(places, is_kept))
        return true;
    turn_away_accepted(acceptor, fd, from);
    return false;
}

/* NULL: no memory. */
static ids_conn *new_conn(const ids_acceptor *acceptor, int fd, bool is_http) {
    ids_conn *conn = ids_conn_new(fd);
    if (conn && is_http)
        conn->http = ids_http_new(acceptor->net->worker->server);
    if (conn && is_http && !conn->http) {
        ids_conn_free(conn);
        return NULL;
    }
    return conn;
}

static void deal(ids_acceptor *acceptor, int fd, const ids_address *from,
                 bool is_http) {
    ids_net *net = acceptor->net;
    bool surplus;
    if (!take_place(acceptor, fd, from, &surplus))
        return;
    ids_conn *conn = new_conn(acceptor, fd, is_http);
    if (!conn) {
        close(fd);
        ids_places_leave(net->places, surplus);
        say_not_accepted(acceptor, strerror(ENOMEM));
        return;
    }
    conn->reading.local = ids_address_is_local(from);
    ids_who_set(&conn->who, fd, (const struct sockaddr *)&from->at);
    conn->reading.surplus = surplus;
    uint32_t to = acceptor->next_loop++ % net->worker->server->loops;
    if (!ids_reader_give(net->line, conn, to))
        ids_socket_discard(net, conn);
}

static void on_pause_over(uv_timer_t *handle);

static void pause_accepting(ids_acceptor *acceptor) {
    for (uint32_t i = 0; i < acceptor->count; i++)
        uv_poll_stop(&acceptor->sockets[i].poll);
    uv_timer_start(&acceptor->pause, on_pause_over, PAUSE_MS, 0);
}

/* No descriptor is left. The spare one is given up, so that the newcomer can
 * be accepted and closed: it learns at once, and the loop does not spin. */
static bool shed_one(ids_acceptor *acceptor, int fd) {
    if (acceptor->spare_fd < 0)
        return false;
    close(acceptor->spare_fd);
    int shed = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (shed >= 0)
        close(shed);
    acceptor->spare_fd = open_spare();
    return shed >= 0;
}

/* True: go on accepting. */
static bool accept_failed(ids_acceptor *acceptor, int fd, int error) {
    if (error == EAGAIN)
        return false;
    if (error == EINTR || error == ECONNABORTED)
        return true;
    say_not_accepted(acceptor, strerror(error));
    if ((error == EMFILE || error == ENFILE) && shed_one(acceptor, fd))
        return true;
    pause_accepting(acceptor);
    return false;
}

static void on_newcomers(uv_poll_t *handle, int status, int events) {
    ids_accept_socket *socket = handle->data;
    ids_acceptor *acceptor = socket->acceptor;
    (void)events;
    ids_net_wake_up(acceptor->net);
    if (status < 0) {
        say_to_client(acceptor, uv_strerror(status));
        pause_accepting(acceptor);
        return;
    }
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        ids_address from = {.len = sizeof from.at};
        int fd = accept4(socket->listener->fd, (struct sockaddr *)&from.at,
                         &from.len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            set_options(fd, from.at.ss_family);
            deal(acceptor, fd, &from, socket->listener->is_http);
        } else if (!accept_failed(acceptor, socket->listener->fd, errno)) {
            break;
        }
    }
    ids_sockets_flush(acceptor->net);
}

static void on_pause_over(uv_timer_t *handle) {
    ids_acceptor *acceptor = handle->data;
    if (acceptor->spare_fd < 0)
        acceptor->spare_fd = open_spare();
    for (uint32_t i = 0; i < acceptor->count; i++)
        uv_poll_start(&acceptor->sockets[i].poll, UV_READABLE, on_newcomers);
}

int ids_acceptor_init(ids_acceptor *acceptor, ids_net *net) {
    assert(net->worker->index == 0); /* the one that takes places */
    *acceptor = (ids_acceptor){.net = net, .spare_fd = open_spare()};
    acceptor->pause.data = acceptor;
    return uv_timer_init(net->uv, &acceptor->pause);
}

int ids_acceptor_add(ids_acceptor *acceptor, ids_listener *listener) {
    assert(acceptor->count < IDS_ACCEPT_SOCKETS_MAX);
    ids_accept_socket *socket = &acceptor->sockets[acceptor->count];
    int error = uv_poll_init(acceptor->net->uv, &socket->poll, listener->fd);
    if (error)
        return error;
    socket->acceptor = acceptor;
    socket->listener = listener;
    socket->poll.data = socket;
    acceptor->count++;
    return uv_poll_start(&socket->poll, UV_READABLE, on_newcomers);
}

void ids_acceptor_close(ids_acceptor *acceptor) {
    for (uint32_t i = 0; i < acceptor->count; i++) {
        ids_accept_socket *socket = &acceptor->sockets[i];
        uv_close((uv_handle_t *)&socket->poll, NULL);
        ids_listener_close(socket->listener);
    }
    acceptor->count = 0;
    uv_close((uv_handle_t *)&acceptor->pause, NULL);
    if (acceptor->spare_fd >= 0)
        close(acceptor->spare_fd);
    acceptor->spare_fd = -1;
}
