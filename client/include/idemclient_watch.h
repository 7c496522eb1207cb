/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_watch.h -- what an idem_client does meanwhile: how its connections
 * stand, whether changes wait for the replica, and its counters. For logs,
 * metrics and health checks; nothing here asks a server. */
#ifndef IDEMCLIENT_WATCH_H
#define IDEMCLIENT_WATCH_H

#include "idemclient.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a client stands. */
typedef struct idem_status {
    uint32_t size;        /* sizeof(idem_status) */
    int32_t changes_wait; /* 1: the primary takes changes and confirms none, as
                           * while its replica is silent, and none was
                           * confirmed since */
    uint32_t connections; /* that are up */
    uint32_t events_lost; /* that nobody took in time */
    uint64_t epoch;       /* of the primary; 0: none was met */
    /* Ever: */
    uint64_t calls;
    uint64_t repeats;      /* attempts after the first one of a call */
    uint64_t connects;     /* whose hello was answered */
    uint64_t losses;       /* connections that were up */
    uint64_t follows;      /* another primary than before */
    uint64_t unreplicated; /* attempts that were answered so */
    uint64_t timeouts;     /* calls that ended with TIMEOUT */
    uint64_t failed_fast;  /* calls that ended with CHANGES_WAIT */
    char primary[IDEM_ENDPOINT_BYTES]; /* "host:port"; "": none was met */
} idem_status;

#define IDEM_STATUS_INIT IDEM__SIZED(idem_status)
IDEM_API void idem_status_init(idem_status *status, size_t status_size);

/* Any thread; does not block. Errors: ARGUMENT, MEMORY. */
IDEM_API int32_t idem_client_status(idem_client *client, idem_status *status);

enum { /* idem_event.event */
       IDEM_EVENT_CONNECTED = 901,
       IDEM_EVENT_LOST = 902,         /* a connection that was up */
       IDEM_EVENT_NEW_PRIMARY = 903,  /* another one than before is followed */
       IDEM_EVENT_CHANGES_WAIT = 904, /* idem_status.changes_wait is 1 now, */
       IDEM_EVENT_CHANGES_GO_ON = 905 /* and 0 again */
};

/* Something has happened. A line for a log is in text. */
typedef struct idem_event {
    uint32_t size;      /* of the library's idem_event: what lies behind it is
                         * not there */
    int32_t event;      /* IDEM_EVENT_... */
    int32_t is_trouble; /* 1: worth a warning */
    int32_t shard;      /* CONNECTED, LOST: the connection's; -1: any */
    uint64_t epoch;     /* of the server, where it told */
    char endpoint[IDEM_ENDPOINT_BYTES];
    char text[256]; /* one sentence; no key, result or secret */
} idem_event;

/* It borrows the event until it returns. It runs on a thread that is in a call
 * of the client's, one event at a time and in their order, with no lock of the
 * library's held; a call waits for it. It may not throw (C++17 refuses it at
 * compile time), call the client, or return in a child that it has forked. */
typedef void (*idem_event_fn)(void *ctx, const idem_event *event) IDEM_NOEXCEPT;

/* From now on events go there; NULL: nowhere. Events come with the calls: a
 * connection that nobody uses is lost when the next call finds it so. Of a
 * burst the first 16 are kept. Any thread. */
IDEM_API int32_t idem_client_watch(idem_client *client, idem_event_fn on_event,
                                   void *ctx);

#ifdef __cplusplus
}
#endif
#endif
