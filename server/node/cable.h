/* SPDX-License-Identifier: Apache-2.0 */
/* cable.h -- the connection to another node that carries one link, without its
 * socket.
 *
 * It belongs to one worker, like a client's connection; the link is the peer's
 * and is looked at within the monitor only (partner.h). So it keeps what is to
 * be sent itself. The socket is the host's (host.h), which calls here when it
 * is connected, at its end, or can be written to again; bytes that came are
 * ids_seat_input's. */
#ifndef IDS_CABLE_H
#define IDS_CABLE_H

#include "server/peer/link.h"
#include "server/peer/sender.h"

/* What a node that has connected may be silent for before its first frame, and
 * for how long last words are tried to be sent. */
#define IDS_PATIENCE_MS 2000

struct ids_seat;

typedef struct ids_cable {
    struct ids_seat *seat; /* its worker's */
    void *socket;          /* the host's; NULL: none yet, or none any more */
    bool dialled;
    bool connecting, blocked;
    bool paused;   /* the peer can't take more for now */
    bool broken;   /* the socket is at its end */
    bool over;     /* the peer hung up: the rest is sent, and then no more */
    uint64_t gaps; /* of the clock, as it was read after */
    uint64_t patience_until_ms;    /* for a first word, or for the last */
    char host[IDS_ENDPOINT_BYTES]; /* of the other end; "": not known */
    ids_pbuf out;                  /* what is being sent, from out_at on */
    size_t out_at;
    ids_sender *sender; /* whose frames are made behind that; NULL: nobody's */
    ids_pbuf early;     /* accepted: bytes before it is known whose they are */
    ids_endpoint to;    /* dialled: whom */
    struct ids_cable *next; /* of its worker */
    /* The monitor's. */
    ids_link *link; /* NULL: hung up, or not the peer's yet */
    bool hung_up;
    bool met;      /* it was told which host is at the other end */
    ids_pbuf last; /* its last words */
} ids_cable;

/* NULL: no memory. */
ids_cable *ids_cable_new(void);

/* Its worker's part begins: the host dials, or goes on with its socket. */
void ids_cable_open(ids_cable *cable);

/* Sends what is there, closes it where that is due (then it is off its seat's
 * list, and gone), says what its socket shall watch for. */
void ids_cable_settle(ids_cable *cable);

/* Closes and frees it now. forget: it is off its seat's list. */
void ids_cable_close(ids_cable *cable);
void ids_cable_forget(ids_cable *cable);

static inline bool ids_cable_may_take(const ids_cable *cable) {
    return cable->out_at == cable->out.len;
}

/* The host's ----------------------------------------------------------------
 */

/* Its socket is connected to this host; "": not known. */
void ids_cable_connected(ids_cable *cable, const char *host);

/* Its socket is at its end, or can't be had. */
void ids_cable_break(ids_cable *cable);

/* Its socket takes more. */
void ids_cable_unblock(ids_cable *cable);

/* What its socket is watched for. */
static inline bool ids_cable_is_read(const ids_cable *cable) {
    return !cable->connecting && !cable->paused && !cable->over &&
           !cable->broken;
}

static inline bool ids_cable_waits_to_write(const ids_cable *cable) {
    return cable->connecting || cable->blocked;
}

#endif
