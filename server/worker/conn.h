/* SPDX-License-Identifier: Apache-2.0 */
/* conn.h -- one connection: its name, its life, what it holds.
 *
 * What leaves is output.h's, what comes is the line's (reader.h); sockets are
 * the driver's. Between two wake-ups a connection holds memory only for a
 * partial frame (which grows with what has arrived, never with what was
 * announced) and for unsent output. */
#ifndef IDS_CONN_H
#define IDS_CONN_H

#include "proto/bytes.h"
#include "server/access/credentials.h"
#include "server/base/list.h"
#include "server/core/shard.h"
#include "server/worker/shared.h"
#include "server/worker/who.h"

typedef struct ids_worker ids_worker;

/* Where a connection is in its life. It only goes on to what its row in conn.c
 * names (ids_conn_become). That its other end sends no more (ended) may come to
 * pass in each of them. */
typedef enum ids_conn_life {
    IDS_CONN_SERVED,  /* its requests are carried out as they come */
    IDS_CONN_STALLED, /* some lie in its input until output or forwarded
                         requests have left */
    IDS_CONN_NEW,     /* nothing tells yet who speaks */
    IDS_CONN_MOVING,  /* goes to loop move_to, with its unread input */
    IDS_CONN_PEER,    /* another server: its magic was read, the driver takes it
                       * off the worker, with the input behind it */
    IDS_CONN_CLOSING, /* nothing is read; closed when the output has left */
    IDS_CONN_DRAINING, /* so, and not before its waiters have heard of the end
                        */
    IDS_CONN_DEAD,     /* closed as soon as the driver looks */
    IDS_CONN_LIVES
} ids_conn_life;

/* What may leave: output.c's. */
typedef struct ids_conn_out {
    idp_bytes bytes;
    size_t at;        /* what is before it was sent */
    ids_shared *body; /* the rest of a reply, which leaves before the bytes from
                       * body_before on; NULL: none */
    size_t body_before, body_at; /* body_at: so much of it was sent */
    ids_deferred_list later;     /* replies that are to be written */
} ids_conn_out;

/* Replies that are held: output.c's, and the gate's (commit_gate.h). */
typedef struct ids_conn_gated {
    idp_bytes bytes;
    size_t at;
    uint32_t replies; /* in bytes and later */
    ids_deferred_list later;
} ids_conn_gated;

/* Requests at other loops that come back soon: forward.c's. */
typedef struct ids_conn_forwards {
    uint32_t count;
    uint32_t awaited; /* of these, how many the output still waits for */
    uint64_t since_ms;
    ids_listed in_line;
    size_t bytes;         /* their frames */
    uint32_t reply_bytes; /* the largest reply to one, of late */
} ids_conn_forwards;

/* Its next request finds no room to forward: dispatch.c's. */
typedef struct ids_conn_room {
    bool is_wanted;
    uint32_t loop, bytes; /* for room there, and such a frame */
    ids_listed in_line;
} ids_conn_room;

/* What it sends, and what that may be: the line's. */
typedef struct ids_conn_reading {
    idp_bytes in;
    size_t need;       /* reading in again before it has so many is vain */
    uint64_t received; /* bytes, ever */
    uint32_t asked;    /* whole requests, ever */
    uint64_t skip;     /* payload bytes of an oversized result yet to come */
    bool oversize;     /* the frame at in's head had such a result */
    bool alone;        /* what came last was one small request and no more */
    bool gathered; /* its request is served with those of others: gather.h */
    bool admitted; /* no secret is demanded, or it was shown */
    bool local;    /* from this machine: loopback, or a unix socket */
    bool served;   /* a request was carried out: no longer fresh */
    bool surplus;  /* one too many: its first request hears LIMIT, unless it
                    * is an operator's from this machine */
    const char *refusal; /* its first request hears DENIED and this; NULL: it is
                          * served. Whoever refuses it owns the text */
    uint8_t denials;     /* wrong secrets shown */
    uint32_t move_to;
    uint32_t move_msgid;      /* of the hello that is answered there */
    ids_verifier *verifier;   /* what let it in; NULL: no secret is demanded */
    ids_credentials *version; /* that this is of */
    bool revoked;             /* its verifier is gone, and so will it be */
    ids_listed in_revoked;
} ids_conn_reading;

typedef struct ids_conn {
    ids_conn_life life;
    bool ended;      /* the client sends no more */
    bool dirty;      /* in the worker's list */
    uint32_t slot;   /* its name on this worker */
    ids_asker asker; /* its name in the server: loop, slot, generation */
    ids_listed in_dirty;
    size_t unsent;    /* bytes in out, in its body, and in gated */
    uint32_t waiting; /* acquires with a wait, parked here or forwarded */
    ids_conn_out out;
    ids_conn_gated gated;
    ids_conn_forwards forwarded;
    ids_conn_room room;
    ids_conn_reading reading;
    ids_who who; /* for the log */
    uint64_t opened_ms;
    uint32_t by;   /* among those who hold claims; 0: it has no number */
    bool is_named; /* by is right, though perhaps 0 */
    /* the driver's */
    int fd;
    void *link;
    struct ids_seal *seal; /* NULL: what comes and goes is plain */
    struct ids_http *http; /* NULL: the client speaks the wire itself */
} ids_conn;

/* NULL: out of memory. It belongs to no worker yet. */
ids_conn *ids_conn_new(int fd);

/* Frees it; it must belong to no worker (ids_reader_drop). */
void ids_conn_free(ids_conn *conn);

/* This let it in, of this version, which it holds from now on. */
void ids_conn_bind(ids_conn *conn, ids_credentials *version,
                   ids_verifier *verifier);

/* It is bound to none, and admitted by none. */
void ids_conn_unbind(ids_conn *conn);

/* It goes on to this, which its life so far allows. */
void ids_conn_become(ids_conn *conn, ids_conn_life next);

/* No more requests are served; what is under way leaves, then it closes. One
 * that goes elsewhere goes: whoever gets it sees to that. */
void ids_conn_finish(ids_worker *worker, ids_conn *conn);

/* Nobody is served here who comes like this: its first request is told why. */
static inline void ids_conn_refuse(ids_conn *conn, const char *why) {
    conn->reading.refusal = why;
    conn->reading.admitted = false;
}

/* It is dead, because of a limit: closed as soon as the driver looks. */
void ids_conn_condemn(ids_worker *worker, ids_conn *conn, const char *why);

/* Replies of which no byte is written yet. */
static inline uint32_t ids_conn_unwritten(const ids_conn *conn) {
    return ids_deferred_count(&conn->out.later) +
           ids_deferred_count(&conn->gated.later);
}

/* Bytes that have not left, held or not. */
static inline size_t ids_conn_unsent(const ids_conn *conn) {
    return conn->unsent;
}

/* Its requests may be served, as far as its life goes. */
static inline bool ids_conn_is_open(const ids_conn *conn) {
    return conn->life <= IDS_CONN_STALLED;
}

static inline bool ids_conn_is_stalled(const ids_conn *conn) {
    return conn->life == IDS_CONN_STALLED;
}

static inline bool ids_conn_is_closing(const ids_conn *conn) {
    return conn->life == IDS_CONN_CLOSING || conn->life == IDS_CONN_DRAINING;
}

static inline bool ids_conn_is_dead(const ids_conn *conn) {
    return conn->life == IDS_CONN_DEAD;
}

/* Nothing that it sends is looked at any more. */
static inline bool ids_conn_is_over(const ids_conn *conn) {
    return conn->life >= IDS_CONN_CLOSING;
}

/* Nothing more will leave or come back: it can be closed. */
static inline bool ids_conn_is_done(const ids_conn *conn) {
    bool told =
        conn->life != IDS_CONN_DRAINING || conn->ended || !conn->waiting;
    return ids_conn_is_dead(conn) ||
           ((ids_conn_is_closing(conn) || conn->ended) && told &&
            !ids_conn_unsent(conn) && !ids_conn_unwritten(conn) &&
            !conn->forwarded.count);
}

#endif
