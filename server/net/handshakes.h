/* SPDX-License-Identifier: Apache-2.0 */
/* handshakes.h -- whose TLS handshake is under way on a loop, who waits for
 * room, and who goes to make some.
 *
 * A handshake costs a signature and some 50 KB, and nobody knows yet who asks
 * for it. So there are IDS_HANDSHAKES_MAX at a time, for IDS_HANDSHAKE_MS each
 * from the first byte on. Whoever finds no room waits without a byte of it
 * being read: those first whose source has shaken hands within the last hour.
 * Of strangers the one that waits longest and the last that came have turns: no
 * crowd that sits in front of somebody, or comes behind him all the time, keeps
 * him out. Room is made by one that has not moved for IDS_HANDSHAKE_STUCK_MS,
 * or, for a source of which few are under way, by one of a source of which many
 * are.
 *
 * Pure: time is an argument, sockets are the caller's. */
#ifndef IDS_HANDSHAKES_H
#define IDS_HANDSHAKES_H

#include "server/base/list.h"

#include <stdbool.h>
#include <stdint.h>

#define IDS_HANDSHAKES_MAX      64u
#define IDS_HANDSHAKES_A_SOURCE 8u /* where there is no room for all */
#define IDS_HANDSHAKE_MS        5000u
#define IDS_HANDSHAKE_STUCK_MS  1000u

typedef enum ids_handshake_state {
    IDS_HANDSHAKE_NONE, /* not begun, or over */
    IDS_HANDSHAKE_WAITS,
    IDS_HANDSHAKE_UNDER_WAY
} ids_handshake_state;

/* A connection's. */
typedef struct ids_handshake {
    uint64_t source; /* ids_source_of */
    uint64_t begun_ms;
    uint64_t moved_ms; /* a whole record has come */
    uint64_t records;  /* by then */
    uint8_t state;     /* ids_handshake_state */
    bool is_known;     /* its source has shaken hands of late */
    ids_listed in_list;
} ids_handshake;

/* A loop's. */
typedef struct ids_handshakes {
    ids_list under_way;
    uint32_t count;
    ids_list known, strangers; /* who wait, the first that came first */
    bool is_last_next; /* of strangers, the last that came has its turn */
} ids_handshakes;

/* One begins (its source and is_known are set). True: it is under way; *goes
 * has to be closed for it first, or is NULL. False: it waits. */
bool ids_handshakes_begin(ids_handshakes *all, ids_handshake *one,
                          uint64_t now_ms, ids_handshake **goes);

/* One that waits is under way now, as above; NULL: none can be. */
ids_handshake *ids_handshakes_next(ids_handshakes *all, uint64_t now_ms,
                                   ids_handshake **goes);

/* So many whole records have come of it. */
void ids_handshakes_moved(ids_handshake *one, uint64_t records,
                          uint64_t now_ms);

/* It is over, or its connection is. One that is in no list is fine. */
void ids_handshakes_leave(ids_handshakes *all, ids_handshake *one);

/* One whose time is over, under way or not; NULL: none is. */
ids_handshake *ids_handshakes_late(const ids_handshakes *all, uint64_t now_ms);

/* When one is late, or room can be made; UINT64_MAX: there is nothing to be
 * done. */
uint64_t ids_handshakes_due_ms(const ids_handshakes *all, uint64_t now_ms);

#endif
