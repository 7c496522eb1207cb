/* SPDX-License-Identifier: Apache-2.0 */
/* cable.c -- the socket of one link between two nodes; see cable.h. */
#include "server/node/cable.h"

#include "server/log.h"
#include "server/node/partner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

ids_cable *ids_cable_new(void) {
    ids_cable *cable = calloc(1, sizeof *cable);
    if (cable)
        cable->fd = -1;
    return cable;
}

/* Its end ------------------------------------------------------------------ */

static void free_cable(ids_cable *cable) {
    ids_pbuf_fini(&cable->out);
    ids_pbuf_fini(&cable->early);
    ids_pbuf_fini(&cable->last);
    free(cable);
}

static void on_closed(uv_handle_t *handle) {
    free_cable(handle->data);
}

void ids_cable_close(ids_cable *cable) {
    ids_seat_forget(cable->seat, cable);
    if (cable->looking_up) { /* freed when that has come back */
        cable->broken = true;
        uv_cancel((uv_req_t *)&cable->lookup);
        return;
    }
    ids_places *places = cable->seat->loop->places;
    int fd = cable->fd;
    if (cable->polled) /* libuv lets go of the descriptor while it is ours */
        uv_close((uv_handle_t *)&cable->poll, on_closed);
    else
        free_cable(cable);
    if (fd >= 0) {
        close(fd);
        ids_places_leave_link(places);
    }
}

/* Watching ----------------------------------------------------------------- */

static void on_ready(uv_poll_t *handle, int status, int events);

static void watch(ids_cable *cable) {
    int want = 0;
    if (!cable->connecting && !cable->paused && !cable->over)
        want |= UV_READABLE;
    if (cable->connecting || cable->blocked)
        want |= UV_WRITABLE;
    if (!cable->polled || want == cable->events)
        return;
    cable->events = want;
    if ((want ? uv_poll_start(&cable->poll, want, on_ready)
              : uv_poll_stop(&cable->poll)) != 0)
        cable->broken = true;
}

static void send_out(ids_cable *cable) {
    size_t left = cable->out.len - cable->out_at;
    if (!left || cable->connecting || cable->fd < 0)
        return;
    ssize_t sent =
        send(cable->fd, cable->out.at + cable->out_at, left, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        cable->broken = true;
        return;
    }
    if (sent > 0)
        cable->out_at += (size_t)sent;
    cable->blocked = sent < (ssize_t)left;
    if (!cable->blocked)
        cable->out.len = cable->out_at = 0;
}

void ids_cable_settle(ids_cable *cable) {
    uint64_t now_ms = cable->seat->loop->desk->now_ms;
    if (!cable->broken && !cable->blocked)
        send_out(cable);
    if (cable->over &&
        (cable->broken || cable->connecting || cable->fd < 0 ||
         ids_cable_may_take(cable) || now_ms >= cable->patience_until_ms)) {
        ids_cable_close(cable);
        return;
    }
    watch(cable);
    if (cable->broken)
        ids_seat_call(cable->seat);
}

/* The seat's next look at it tells the peer. */
static void break_off(ids_cable *cable) {
    cable->broken = true;
    ids_seat_call(cable->seat);
}

static void learn_host(ids_cable *cable) {
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof at;
    if (getpeername(cable->fd, (struct sockaddr *)&at, &len) != 0 ||
        (at.ss_family != AF_INET && at.ss_family != AF_INET6))
        return;
    if (getnameinfo((struct sockaddr *)&at, len, cable->host,
                    sizeof cable->host, NULL, 0, NI_NUMERICHOST) != 0)
        cable->host[0] = '\0';
}

static void on_connected(ids_cable *cable) {
    int error = 0;
    socklen_t len = sizeof error;
    getsockopt(cable->fd, SOL_SOCKET, SO_ERROR, &error, &len);
    if (error) {
        ids_log(IDS_LOG_DEBUG, "the other node can't be reached",
                "at=%s reason=\"%s\"", cable->to.text, strerror(error));
        break_off(cable);
        return;
    }
    cable->connecting = false;
    learn_host(cable);
    ids_seat_call(cable->seat);
}

static void on_readable(ids_cable *cable) {
    ids_desk *desk = cable->seat->loop->desk;
    uint8_t *room = ids_desk_input_room(desk);
    ssize_t got = recv(cable->fd, room, IDS_INPUT_BYTES, 0);
    if (got > 0) {
        ids_loop_look(cable->seat->loop);
        ids_seat_input(cable->seat, cable, room, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        break_off(cable);
    }
}

void ids_cable_read(ids_cable *cable) {
    if (cable->polled && !cable->connecting && !cable->paused && !cable->over &&
        !cable->broken)
        on_readable(cable);
}

static void on_ready(uv_poll_t *handle, int status, int events) {
    ids_cable *cable = handle->data;
    ids_loop_turn(cable->seat->loop);
    if (uv_is_closing((uv_handle_t *)handle))
        return; /* by what the turn began with */
    if (cable->connecting) {
        on_connected(cable);
        return;
    }
    if (status < 0) {
        break_off(cable);
        return;
    }
    if (events & UV_WRITABLE) {
        cable->blocked = false;
        send_out(cable);
        ids_seat_call(cable->seat);
    }
    if (!cable->broken && (events & UV_READABLE))
        on_readable(cable);
}

/* Its beginning ------------------------------------------------------------ */

static bool poll_it(ids_cable *cable) {
    int on = 1;
    setsockopt(cable->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (uv_poll_init(&cable->seat->loop->uv, &cable->poll, cable->fd) != 0)
        return false;
    cable->poll.data = cable;
    cable->polled = true;
    return true;
}

static bool connect_to(ids_cable *cable, const struct sockaddr *at,
                       socklen_t len) {
    cable->fd =
        socket(at->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (cable->fd < 0)
        return false;
    ids_places_add_link(cable->seat->loop->places);
    if (!poll_it(cable))
        return false;
    cable->connecting = true;
    return connect(cable->fd, at, len) == 0 || errno == EINPROGRESS;
}

static void on_looked_up(uv_getaddrinfo_t *lookup, int status,
                         struct addrinfo *found) {
    ids_cable *cable = lookup->data;
    cable->looking_up = false;
    if (cable->broken) { /* closed meanwhile */
        uv_freeaddrinfo(found);
        free_cable(cable);
        return;
    }
    ids_loop_turn(cable->seat->loop);
    if (status < 0)
        ids_log(IDS_LOG_WARN, "the other node's name can't be resolved",
                "at=%s reason=\"%s\"", cable->to.text, uv_strerror(status));
    if (status < 0 || !connect_to(cable, found->ai_addr, found->ai_addrlen))
        break_off(cable);
    else
        watch(cable);
    uv_freeaddrinfo(found);
}

static bool dial(ids_cable *cable) {
    char host[IDS_ENDPOINT_BYTES];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found;
    bool good;
    if (!ids_endpoint_split(cable->to.text, host, &port))
        return false;
    if (getaddrinfo(host, port, &hints, &found) == 0) {
        good = connect_to(cable, found->ai_addr, found->ai_addrlen);
        freeaddrinfo(found);
        return good;
    }
    hints.ai_flags = AI_NUMERICSERV;
    cable->lookup.data = cable;
    cable->looking_up = uv_getaddrinfo(&cable->seat->loop->uv, &cable->lookup,
                                       on_looked_up, host, port, &hints) == 0;
    return cable->looking_up;
}

int ids_cable_part(ids_cable *cable) {
    int fd = cable->fd;
    cable->fd = -1;
    ids_cable_close(cable);
    return fd;
}

void ids_cable_open(ids_cable *cable) {
    if (!cable->dialled)
        learn_host(cable);
    if (cable->dialled ? !dial(cable) : !poll_it(cable))
        break_off(cable);
    else
        watch(cable);
}
