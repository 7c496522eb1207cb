/* SPDX-License-Identifier: Apache-2.0 */
/* conn_link.c -- an idem_conn's descriptor: connecting, handshake, reading and
 * writing without ever blocking, and starting over. */
#include "client/src/conn.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "client/src/port.h"
#include "client/src/sized.h"

#define SHARE_MS_FIRST 250u
#define READS_MAX      16 /* per turn, so that one connection can't hold a loop */

void idem__conn_unlink(idem_conn *conn) {
    if (conn->fd >= 0)
        idem__seal_hang_up(&conn->seal, conn->fd);
    conn->fd = -1;
    if (conn->hello_op.pending)
        idem__calls_remove(&conn->wire.calls, &conn->hello_op);
    idem__conn_wait_again(conn);
    idem__wire_reset(&conn->wire);
    conn->state = IDEM__CONN_PAUSING;
    conn->addrs_count = 0;
    conn->addrs_next = 0;
    conn->sent_on = false;
}

static void start_over(idem_conn *conn, uint64_t now_ms) {
    idem__conn_unlink(conn);
    conn->retry_at_ms = now_ms + idem__backoff_pause_ms(
                                     &conn->backoff, conn->uri.endpoints_count);
}

/* How long an address has to connect and to answer hello. Where there is
 * another one to try, address or host, one that says nothing may not eat the
 * whole time: 250 ms at first, and twice as much in every further round. */
static uint64_t share_ms(const idem_conn *conn) {
    uint32_t count = conn->uri.endpoints_count;
    uint32_t rounds = (conn->backoff.attempts - 1) / count;
    uint64_t patient_ms = SHARE_MS_FIRST << (rounds < 8 ? rounds : 8);
    bool is_last = conn->addrs_next >= conn->addrs_count && count == 1;
    return is_last || patient_ms > conn->uri.connect_timeout_ms
               ? conn->uri.connect_timeout_ms
               : patient_ms;
}

/* The next of the endpoint's addresses; false when there is none left. */
static bool conn_dial_next(idem_conn *conn, uint64_t now_ms) {
    while (conn->addrs_next < conn->addrs_count) {
        conn->fd = idem__dial(&conn->addrs[conn->addrs_next++]);
        if (conn->fd < 0)
            continue;
        conn->fd_serial++;
        conn->state = IDEM__CONN_DIALING;
        conn->dial_end_ms = now_ms + share_ms(conn);
        return true;
    }
    return false;
}

/* An address that connects and does not answer leaves the turn to the next one
 * of its name. */
static bool try_next_addr(idem_conn *conn, uint64_t now_ms) {
    if (conn->state == IDEM__CONN_UP || conn->addrs_next >= conn->addrs_count)
        return false;
    if (conn->fd >= 0)
        idem__seal_hang_up(&conn->seal, conn->fd);
    conn->fd = -1;
    if (conn->hello_op.pending)
        idem__calls_remove(&conn->wire.calls, &conn->hello_op);
    idem__wire_reset(&conn->wire);
    return conn_dial_next(conn, now_ms);
}

/* Why is told to the calls that wait until their deadline; nothing of them was
 * sent, so it is a CONNECT to them, whatever was lost, unless the server said
 * why it closes. */
static void lose_link(idem_conn *conn, int os_error, const char *why,
                      uint64_t now_ms) {
    const char *name = conn->endpoint.name;
    bool was_up = conn->state == IDEM__CONN_UP;
    if (conn->wire.said != 0)
        idem__fail_said(&conn->why, name, conn->wire.said,
                        conn->wire.said_text);
    else
        idem__fail_at(&conn->why, IDEM_E_CONNECT, (idem__where){name, os_error},
                      was_up ? "the connection to %s was lost: %s"
                             : "can't connect to %s: %s",
                      name, why);
    if (conn->wire.said == 0 && try_next_addr(conn, now_ms))
        return;
    if (!was_up)
        idem__selector_failed(&conn->selector, conn->serial);
    start_over(conn, now_ms);
}

/* What came is no TLS, or the server refuses ours: those who wait hear it. */
static void conn_lose_tls(idem_conn *conn, uint64_t now_ms) {
    idem_error why = {.size = sizeof why};
    idem__seal_fail(&conn->seal, conn->endpoint.name, &why);
    if (conn->state == IDEM__CONN_UP || why.code != IDEM_E_TLS) {
        lose_link(conn, 0, idem__seal_why(&conn->seal), now_ms);
        return;
    }
    conn->why = why;
    idem__selector_failed(&conn->selector, conn->serial);
    start_over(conn, now_ms);
    idem__conn_refuse_waiting(conn);
}

void idem__conn_begin(idem_conn *conn, uint64_t now_ms) {
    const char *why = NULL;
    conn->serial = idem__selector_get(&conn->selector, &conn->endpoint);
    conn->backoff.attempts++;
    conn->addrs_next = 0;
    conn->addrs_count =
        idem__lookup_addrs(&conn->lookup, &conn->endpoint,
                           idem_now_ms() + share_ms(conn), conn->addrs, &why);
    idem__addrs_prefer(conn->addrs, conn->addrs_count, &conn->selector.good);
    if (conn->addrs_count == 0)
        lose_link(conn, 0, why, now_ms);
    else if (!conn_dial_next(conn, now_ms))
        lose_link(conn, errno, strerror(errno), now_ms);
}

static void begin_conn_handshake(idem_conn *conn, int error, uint64_t now_ms) {
    if (error == 0) {
        idem__hello_args args =
            idem__hello_args_of(&conn->uri, conn->uri.shard);
        conn->hello_op.deadline_ms = UINT64_MAX; /* dial_end_ms is it */
        if (!idem__seal_begin(&conn->seal, &conn->uri, &conn->endpoint) ||
            idem__wire_hello(&conn->wire, &conn->hello_op, &args) != 0)
            lose_link(conn, ENOMEM, "no memory", now_ms);
        else
            conn->state = IDEM__CONN_HANDSHAKE;
        return;
    }
    idem__hang_up(conn->fd);
    conn->fd = -1;
    if (!conn_dial_next(conn, now_ms))
        lose_link(conn, error, strerror(error), now_ms);
}

/* Servers may not have the same credentials yet: the next one is tried before
 * what waits is told. */
static void fail_conn_handshake(idem_conn *conn, const idp_reply *reply,
                                uint64_t now_ms) {
    idem__fail_reply(&conn->why, conn->endpoint.name, reply);
    idem__selector_failed(&conn->selector, conn->serial);
    start_over(conn, now_ms);
    bool is_over = idem__is_final(conn->why.code);
    if (conn->why.code == IDEM_E_DENIED && conn->uri.endpoints_count > 1) {
        is_over = conn->was_denied;
        conn->was_denied = !conn->was_denied;
    }
    if (is_over)
        idem__conn_refuse_waiting(conn);
}

static void take_conn_hello(idem_conn *conn, const idp_reply *reply,
                            uint64_t now_ms) {
    if (reply->is_error) {
        fail_conn_handshake(conn, reply, now_ms);
        return;
    }
    if (!idp_hello_read(reply->result, &conn->hello)) {
        lose_link(conn, 0, "its hello is of another version", now_ms);
        return;
    }
    idem__heard_hello heard = {.serial = conn->serial,
                               .endpoint = &conn->endpoint,
                               .hello = &conn->hello,
                               .now_ms = now_ms};
    if (!idem__selector_learn(&conn->selector, &heard, &conn->why)) {
        idem__selector_failed(&conn->selector, conn->serial);
        start_over(conn, now_ms);
        return;
    }
    idem__selector_set_good(&conn->selector,
                            &conn->addrs[conn->addrs_next - 1]);
    conn->has_hello = true;
    conn->was_denied = false;
    conn->state = IDEM__CONN_UP;
    conn->why.code = 0;
    idem__wire_set_hello(&conn->wire, &conn->hello);
}

/* Hands out what has arrived. False when the link is no more. */
static bool deliver_replies(idem_conn *conn, uint64_t now_ms) {
    const uint64_t here = conn->generation;
    for (;;) {
        idem__op *op = NULL;
        idp_reply reply = {0};
        switch (idem__wire_next(&conn->wire, &op, &reply)) {
        case IDEM__NEXT_NONE:
            return true;
        case IDEM__NEXT_BROKEN:
            lose_link(conn, 0, "it does not speak idemstore's protocol",
                      now_ms);
            return false;
        case IDEM__NEXT_REPLY:
            break;
        }
        if (op != &conn->hello_op) {
            idem__conn_answer(conn, (idem__queued_call *)op, &reply, now_ms);
            if (idem__fork_is_copy(here))
                return false; /* the callback has forked: this is the child */
            continue;
        }
        take_conn_hello(conn, &reply, now_ms);
        if (conn->state != IDEM__CONN_UP)
            return false;
    }
}

/* What the last bytes said was handed out, and the link is there still. */
static void conn_lose_opened(idem_conn *conn, idem__opened opened,
                             uint64_t now_ms) {
    if (opened == IDEM__OPENED_FAILED)
        conn_lose_tls(conn, now_ms);
    else
        lose_link(conn, 0, "it was closed", now_ms);
}

static void read_in(idem_conn *conn, uint64_t now_ms) {
    for (int reads = 0; reads < READS_MAX; reads++) {
        size_t room = 0;
        uint8_t *to = idem__seal_room(&conn->seal, &conn->wire, &room);
        if (to == NULL) {
            lose_link(conn, ENOMEM, "no memory for a reply", now_ms);
            return;
        }
        ssize_t got = recv(conn->fd, to, room, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got == 0 && !idem__seal_eof(&conn->seal)) {
            conn_lose_tls(conn, now_ms);
            return;
        }
        if (got <= 0) {
            lose_link(conn, got < 0 ? errno : 0,
                      got < 0 ? strerror(errno) : "it was closed", now_ms);
            return;
        }
        idem__opened opened =
            idem__seal_came(&conn->seal, &conn->wire, (size_t)got);
        if (!deliver_replies(conn, now_ms))
            return;
        if (opened != IDEM__OPENED)
            conn_lose_opened(conn, opened, now_ms);
        if (opened != IDEM__OPENED || (size_t)got < room)
            return;
    }
}

static void write_link(idem_conn *conn, uint64_t now_ms) {
    idem__buffer *out = idem__seal_out(&conn->seal, &conn->wire);
    for (;;) {
        if (!idem__seal_fill(&conn->seal, &conn->wire)) {
            lose_link(conn, ENOMEM, "no memory", now_ms);
            return;
        }
        if (idem__buffer_len(out) == 0)
            break;
        ssize_t sent = send(conn->fd, out->bytes + out->at,
                            idem__buffer_len(out), IDEM__NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN)
            return;
        if (sent < 0) {
            lose_link(conn, errno, strerror(errno), now_ms);
            return;
        }
        idem__seal_sent(&conn->seal, &conn->wire, (size_t)sent);
    }
    idem__buffer_reset(out);
}

/* A host that comes late finds what has come meanwhile before any deadline
 * counts: what is there to be read is looked for, whether it said so or not. */
static bool is_something_due(const idem_conn *conn, uint64_t now_ms) {
    return conn->wire.calls.next_ms <= now_ms ||
           (conn->state != IDEM__CONN_UP && now_ms >= conn->dial_end_ms);
}

static void process_dialing(idem_conn *conn, uint32_t ready, uint64_t now_ms) {
    bool is_due = now_ms >= conn->dial_end_ms;
    if ((ready & IDEM_WRITE) != 0 ||
        (is_due && idem__poll(conn->fd, POLLOUT, 0)))
        begin_conn_handshake(conn, idem__dial_error(conn->fd), now_ms);
    else if (is_due)
        begin_conn_handshake(conn, ETIMEDOUT, now_ms);
}

static void process_link(idem_conn *conn, uint32_t ready, uint64_t now_ms) {
    const uint64_t here = conn->generation;
    if (conn->state == IDEM__CONN_DIALING) {
        process_dialing(conn, ready, now_ms);
        return;
    }
    if ((ready & IDEM_READ) != 0 || is_something_due(conn, now_ms))
        read_in(conn, now_ms);
    if (idem__fork_is_copy(here))
        return;
    if (conn->state == IDEM__CONN_HANDSHAKE && now_ms >= conn->dial_end_ms)
        lose_link(conn, ETIMEDOUT, "it does not answer", now_ms);
    if (conn->sent_on &&
        (conn->wire.calls.count == 0 || now_ms >= conn->drain_end_ms))
        start_over(conn, now_ms);
}

void idem_conn_process(idem_conn *conn, uint32_t ready, uint64_t now_ms) {
    if (!idem__conn_be_here(conn, now_ms))
        return;
    const uint64_t here = conn->generation;
    conn->busy = true;
    if (conn->state == IDEM__CONN_PAUSING && now_ms >= conn->retry_at_ms)
        idem__conn_begin(conn, now_ms);
    if (conn->state != IDEM__CONN_PAUSING)
        process_link(conn, ready, now_ms);
    if (!idem__fork_is_copy(here))
        idem__conn_tick(conn, now_ms);
    if (idem__fork_is_copy(here))
        return; /* a callback has forked: the child begins anew */
    if (conn->state == IDEM__CONN_UP)
        idem__conn_send_waiting(conn, now_ms);
    if (conn->state >= IDEM__CONN_HANDSHAKE)
        write_link(conn, now_ms);
    conn->busy = false;
}

/* ------------------------------------------------------- what a host asks */

int32_t idem_conn_fd(const idem_conn *conn) {
    return idem__fork_is_copy(conn->generation) ? -1 : conn->fd;
}

uint64_t idem_conn_fd_serial(const idem_conn *conn) {
    return conn->fd_serial + idem__fork_is_copy(conn->generation);
}

uint32_t idem_conn_wanted(const idem_conn *conn) {
    if (conn->state == IDEM__CONN_PAUSING ||
        idem__fork_is_copy(conn->generation))
        return 0;
    if (conn->state == IDEM__CONN_DIALING)
        return IDEM_WRITE;
    return idem__seal_has_output(&conn->seal, &conn->wire)
               ? IDEM_READ | IDEM_WRITE
               : IDEM_READ;
}

int32_t idem_conn_timeout_ms(const idem_conn *conn, uint64_t now_ms) {
    uint64_t next_ms = conn->wire.calls.next_ms;
    if (idem__fork_is_copy(conn->generation))
        return 0;
    if (conn->waiting.next_ms < next_ms)
        next_ms = conn->waiting.next_ms;
    if (conn->state == IDEM__CONN_PAUSING && conn->retry_at_ms < next_ms)
        next_ms = conn->retry_at_ms;
    bool linking = conn->state == IDEM__CONN_DIALING ||
                   conn->state == IDEM__CONN_HANDSHAKE;
    if (linking && conn->dial_end_ms < next_ms)
        next_ms = conn->dial_end_ms;
    if (conn->sent_on && conn->drain_end_ms < next_ms)
        next_ms = conn->drain_end_ms;
    return idem__sleep_ms(next_ms, now_ms);
}

int32_t idem_conn_info(const idem_conn *conn, idem_info *info) {
    if (idem__sized_check(&idem__info_layout, info, "info", NULL) != 0)
        return IDEM_E_ARGUMENT;
    if (!conn->has_hello || idem__fork_is_copy(conn->generation))
        return IDEM_E_CONNECT;
    idem__info_fill(&conn->hello, conn->endpoint.name, info);
    return 0;
}

void idem_conn_last_error(const idem_conn *conn, idem_error *err) {
    idem__error_copy(err, &conn->why);
}
