/* SPDX-License-Identifier: Apache-2.0 */
/* polls.h -- what has happened to keys, told to who asks and waits: a long
 * poll over all loops.
 *
 * The asker's loop asks each loop for its part of a page, and again every so
 * often while there is nothing to tell; nobody is told of what happens as it
 * happens, so a call costs the same whoever waits. A loop's part leaves through
 * its commit gate: what is told can't be taken back. */
#ifndef IDS_POLLS_H
#define IDS_POLLS_H

#include "server/worker/worker.h"

/* Who asks on one loop and has no answer yet; one more is LIMIT. */
#define IDS_POLLS_MAX        16u
#define IDS_POLL_AGAIN_MS    50u
/* So many events are looked at for a part; fewer where others ask by the
 * thousand. */
#define IDS_POLL_LOOKS_MAX   1024u
#define IDS_POLL_LOOKS_ASKED 256u

typedef struct ids_poll {
    uint64_t id; /* of the watcher; 0: free */
    ids_asker asker;
    uint32_t msgid;
    uint32_t round;    /* of those ever; parts of another one are late */
    uint64_t begun_ms; /* it */
    uint32_t left;     /* loops that have not told their part */
    idp_error failed;  /* a part will not come, for this */
    bool has_more;     /* a loop has not looked at all that it has */
    uint64_t until_ms; /* then there is an answer, whatever it is */
    uint64_t again_ms; /* the next round */
    uint64_t lost;
    uint64_t *at;   /* of each loop: where it goes on */
    idp_bytes rows; /* ids_event, and its bytes */
    uint32_t count; /* of rows */
} ids_poll;

/* One loop's. */
typedef struct ids_polls {
    uint32_t count, rounds;
    ids_poll all[IDS_POLLS_MAX];
} ids_polls;

/* The connection asks. */
void ids_polls_ask(ids_polls *polls, ids_worker *worker, ids_conn *conn,
                   const idp_request *request);

/* At the end of each turn in which somebody waits (count): asks again, and
 * answers. next_ms: when there is something to do; UINT64_MAX: nobody waits. */
void ids_polls_turn(ids_polls *polls, ids_worker *worker);
uint64_t ids_polls_next_ms(const ids_polls *polls);
void ids_polls_fini(ids_polls *polls);

/* Another loop asks for this one's part; another loop's part has come. */
void ids_polls_tell(ids_worker *worker, const ids_message *message,
                    const uint8_t *body);
void ids_polls_told(ids_polls *polls, ids_worker *worker,
                    const ids_message *message, const uint8_t *body);

#endif
