/* SPDX-License-Identifier: Apache-2.0 */
/* deadline.h -- how long a connection may take for each thing: a place is for
 * whoever makes use of it.
 *
 *     hello, where a secret is demanded    5 s
 *     the first request, where none is     60 s
 *     the rest of half a request           15 s, and again for each 64 KiB
 *     nothing asked, nothing under way     --idle-timeout
 *     replies read, while some are there   60 s, and again for each 64 KiB
 *     HTTP: a head 10 s, a body 15 s and again for each 64 KiB, the next
 *           request 75 s
 *
 * The last is socket.c's for what has not left yet. Each connection is looked
 * at every few seconds, so that a request pays nothing for it: a deadline is
 * kept to within such a while. */
#ifndef IDS_DEADLINE_H
#define IDS_DEADLINE_H

#include "server/base/list.h"

#include <stdbool.h>
#include <stdint.h>

struct ids_net;
struct ids_socket;

#define IDS_TAKEN_MS    60000
#define IDS_TAKEN_BYTES (64 << 10)

/* One loop's connections, the next to be looked at first. */
typedef struct ids_deadlines {
    ids_list all;
    uint64_t idle_ms;   /* 0: none */
    uint64_t looked_ms; /* last */
} ids_deadlines;

/* A connection's. */
typedef struct ids_deadline {
    ids_listed in_all;
    uint64_t look_ms;  /* the next time */
    uint64_t begun_ms; /* it was taken in */
    uint64_t quiet_ms; /* since then nothing came */
    uint64_t half_ms;  /* since then there is half a request; 0: there is not */
    uint64_t half_received, received; /* by then, and at the last look */
    uint64_t stuck_ms; /* since then it is to read, or nothing is served */
    int stuck_bytes;   /* in its socket by then */
    uint32_t asked;    /* at the last look */
} ids_deadline;

/* Of the loop's thread. */
void ids_deadline_begin(struct ids_socket *socket);
void ids_deadline_end(struct ids_socket *socket);

uint64_t ids_deadline_next_ms(const struct ids_net *net);

/* Looks at some whose turn it is. */
void ids_deadline_look(struct ids_net *net);

#endif
