/* SPDX-License-Identifier: Apache-2.0 */
/* cable.h -- the socket of one link between two nodes.
 *
 * A cable belongs to one loop, like a connection's socket; the link that it
 * carries is the peer's and is looked at within the monitor only
 * (partner.h). So it keeps what is to be sent itself. */
#ifndef IDS_CABLE_H
#define IDS_CABLE_H

#include "server/io/loop.h"
#include "server/peer/link.h"

/* Who dials says this first: the port is the clients', too. */
#define IDS_PEER_PREFACE     "idempeer"
/* A frame's head up to its stream. */
#define IDS_CABLE_PEEK_BYTES 12

/* What a node that has connected may be silent for before its first frame, and
 * for how long last words are tried to be sent. */
#define IDS_PATIENCE_MS 2000

struct ids_seat;

typedef struct ids_cable {
    uv_poll_t poll;
    uv_getaddrinfo_t lookup;
    struct ids_seat *seat; /* its loop's */
    int fd;                /* -1: none yet, or none any more */
    int events;            /* what is watched for */
    bool dialled;
    bool connecting, blocked;
    bool paused;     /* the peer can't take more for now */
    bool looking_up; /* not to be freed yet */
    bool polled;     /* there is a handle to be closed */
    bool broken;     /* the socket is at its end */
    bool over;       /* the peer hung up: the rest is sent, and then no more */
    uint64_t gaps;   /* of the clock, as it was read after */
    uint64_t patience_until_ms;    /* for a first word, or for the last */
    char host[IDS_ENDPOINT_BYTES]; /* of the other end; "": not known */
    ids_pbuf out;                  /* what is being sent, from out_at on */
    size_t out_at;
    ids_pbuf early;  /* accepted: bytes before it is known whose they are */
    ids_endpoint to; /* dialled: whom */
    struct ids_cable *next; /* of its loop */
    /* The monitor's. */
    ids_link *link; /* NULL: hung up, or not the peer's yet */
    bool hung_up;
    bool met;      /* it was told which host is at the other end */
    ids_pbuf last; /* its last words */
} ids_cable;

/* NULL: no memory. */
ids_cable *ids_cable_new(void);

/* The loop's part begins: dials, or watches the descriptor. */
void ids_cable_open(ids_cable *cable);

/* Sends what is there, closes it where that is due (then it is off its seat's
 * list, and gone), watches for the rest. */
void ids_cable_settle(ids_cable *cable);

/* Reads once, if it is read from at all; it may be closed by that. */
void ids_cable_read(ids_cable *cable);

/* Closes it but for its descriptor, which is the caller's now. */
int ids_cable_part(ids_cable *cable);

/* Closes it now; it is freed when libuv is through with it. */
void ids_cable_close(ids_cable *cable);

static inline bool ids_cable_may_take(const ids_cable *cable) {
    return cable->out_at == cable->out.len;
}

#endif
