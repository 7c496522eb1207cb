/* link.h -- a connection's socket: watched, read, written, closed.
 *
 * The same for TCP and unix sockets: libuv says when the descriptor is ready,
 * reading and sending are ours. A link belongs to one loop; a connection that
 * moves leaves its link behind and gets another one there. */
#ifndef IDS_LINK_H
#define IDS_LINK_H

#include "server/io/loop.h"

typedef struct ids_link {
    uv_poll_t poll;
    ids_loop *loop;
    ids_conn *conn; /* NULL once it is closed; the link lives a little longer */
    int events;     /* what is watched for */
    bool blocked;   /* the socket took no more */
    size_t discarded_bytes; /* while lingering */
    ids_waitlist *list;     /* NULL: in none */
    struct ids_link *prev, *next;
    uint64_t since_ms; /* it is in the list, or last made progress */
} ids_link;

/* Watches the connection's descriptor; where that fails the connection is
 * dead and closed with the next settling. */
void ids_link_open(ids_loop *loop, ids_conn *conn);

/* Sends what can be sent, then does what the connection's state asks for. */
void ids_link_settle(ids_loop *loop, ids_conn *conn);

/* Closes now; why: for the log, at debug. */
void ids_link_close(ids_link *link, const char *why);

/* Reads what has come a last time, and has it closed when its replies left. */
void ids_link_drain(ids_link *link);

/* Closes and frees a connection that is on no desk. */
void ids_link_discard(ids_loop *loop, ids_conn *conn);

#endif
