/* SPDX-License-Identifier: Apache-2.0 */
/* peer_conn.h -- the connection to another node that carries one link, without
 * its socket.
 *
 * It belongs to one worker, like a client's connection; the link is the peer's
 * and is looked at within the monitor only (replicator.h). So it keeps what is
 * to be sent itself. The socket is the driver's (driver.h), which calls here
 * when it is connected, at its end, or can be written to again; bytes that came
 * are ids_repl_input's. */
#ifndef IDS_PEER_CONN_H
#define IDS_PEER_CONN_H

#include "server/peer/link.h"
#include "server/peer/sender.h"

/* What a node that has connected may be silent for before its first frame, and
 * for how long last words are tried to be sent. */
#define IDS_PATIENCE_MS 2000

struct ids_repl;

typedef struct ids_peer_conn {
    struct ids_repl *repl; /* its worker's */
    void *socket;          /* the driver's; NULL: none yet, or none any more */
    bool dialled;
    bool is_first; /* dialled: others of its session follow it */
    bool connecting, blocked;
    ids_link_way way;
    bool paused;   /* the peer can't take more for now */
    bool broken;   /* the socket is at its end */
    bool over;     /* the peer hung up: the rest is sent, and then no more */
    uint64_t gaps; /* of the clock, as it was read after */
    uint64_t patience_until_ms;    /* for a first word, or for the last */
    char host[IDS_ENDPOINT_BYTES]; /* of the other end; "": not known */
    idp_bytes out;                 /* what is being sent, from out_at on */
    size_t out_at;
    ids_sender *sender; /* whose frames are made behind that; NULL: nobody's */
    idp_bytes early;    /* accepted: bytes before it is known whose they are */
    ids_endpoint to;    /* dialled: whom */
    struct ids_peer_conn *next; /* of its worker */
    /* The monitor's. */
    ids_link *link; /* NULL: hung up, or not the peer's yet */
    bool hung_up;
    bool met;       /* it was told which host is at the other end */
    idp_bytes last; /* its last words */
} ids_peer_conn;

/* NULL: no memory. */
ids_peer_conn *ids_peer_conn_new(void);

/* Its worker's part begins: the driver dials, or goes on with its socket. */
void ids_peer_conn_open(ids_peer_conn *conn);

/* Sends what is there, closes it where that is due (then it is off its worker's
 * list, and gone), says what its socket shall watch for. */
void ids_peer_conn_flush(ids_peer_conn *conn);

/* Closes and frees it now. forget: it is off its worker's list. */
void ids_peer_conn_close(ids_peer_conn *conn);
void ids_peer_conn_forget(ids_peer_conn *conn);

static inline bool ids_peer_conn_may_take(const ids_peer_conn *conn) {
    return conn->out_at == conn->out.len;
}

/* The driver's --------------------------------------------------------------
 */

/* Its socket is connected to this host ("": not known), in this way. */
void ids_peer_conn_connected(ids_peer_conn *conn, const char *host,
                             ids_link_way way);

/* Its socket is at its end, or can't be had. */
void ids_peer_conn_break(ids_peer_conn *conn);
/* So, for what this way is called. */
void ids_peer_conn_give_up(ids_peer_conn *conn, ids_link_way way);

/* Its socket takes more. */
void ids_peer_conn_unblock(ids_peer_conn *conn);

/* What its socket is watched for. */
static inline bool ids_peer_conn_is_read(const ids_peer_conn *conn) {
    return !conn->connecting && !conn->paused && !conn->over && !conn->broken;
}

static inline bool ids_peer_conn_waits_to_write(const ids_peer_conn *conn) {
    return conn->connecting || conn->blocked;
}

#endif
