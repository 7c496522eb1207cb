/* SPDX-License-Identifier: Apache-2.0 */
/* socket.h -- a connection's socket: watched, read, written, closed.
 *
 * The same for TCP and unix sockets: libuv says when the descriptor is ready,
 * reading and sending are ours. A socket belongs to one loop; a connection that
 * moves leaves its socket behind and gets another one there. */
#ifndef IDS_SOCKET_H
#define IDS_SOCKET_H

#include "server/net/net.h"

/* Among which of its loop's connections by TCP, where there is TLS. */
typedef enum ids_counts_as {
    IDS_COUNTS_AS_NONE,
    IDS_COUNTS_AS_TLS,
    IDS_COUNTS_AS_PLAIN
} ids_counts_as;

typedef struct ids_socket {
    uv_poll_t poll;
    ids_net *net;
    ids_conn
        *conn;    /* NULL once it is closed; the socket lives a little longer */
    int events;   /* what is watched for */
    bool blocked; /* the socket took no more */
    bool is_plain; /* nothing is opened, nothing sealed; false: it is, or the
                    * first byte will tell */
    uint8_t counts_as;      /* ids_counts_as */
    size_t discarded_bytes; /* while lingering */
    ids_list *list;         /* of the loop's waits; NULL: in none */
    ids_listed in_list;
    ids_deadline deadline;
    ids_handshake handshake;
    size_t taken;      /* by a client in stalled, since then */
    uint64_t since_ms; /* it is in the list, or last made progress */
    bool postponed;    /* to the next turn, with these events */
    int postponed_events;
    ids_listed in_postponed;
} ids_socket;

/* Watches the connection's descriptor; where that fails the connection is
 * dead and closed with the next settling. */
void ids_socket_open(ids_net *net, ids_conn *conn);

/* It was not counted yet. */
void ids_socket_count(ids_socket *socket, ids_counts_as as);

/* It is served in the next turn, as if these events came then. Taken, it does
 * not wait any more; for 0 it did not. */
void ids_socket_postpone(ids_socket *socket, int events);
int ids_socket_take_postponed(ids_socket *socket);

/* It waits in that queue, and is ready: the kernel would say so again at each
 * of the forty-eight looks that libuv takes where thousands are. Nothing is
 * heard of it from here on; then it is watched again, when its turn has come,
 * for what it may do now. */
void ids_socket_rest(ids_socket *socket);
void ids_socket_watch(ids_socket *socket);

/* Closes now; why: for the log, at debug. */
void ids_socket_close(ids_socket *socket, const char *why);

/* One in surplus is told, though it has not asked. */
void ids_socket_refuse(ids_socket *socket);

/* Closes and frees a connection that is on no worker. */
void ids_socket_discard(ids_net *net, ids_conn *conn);

/* All of a loop's -----------------------------------------------------------
 *
 * flush: whatever connections the worker has marked are sent, closed or moved.
 * close: all, now. */
void ids_sockets_flush(ids_net *net);
void ids_sockets_close(ids_net *net);

#endif
