/* SPDX-License-Identifier: Apache-2.0 */
/* receiver.h -- one stream's end at the replica.
 *
 * Pure. It checks the numbers of what comes, hands the bodies on (route), and
 * knows up to which number all of their records are applied: that is what it
 * acknowledges. What is in a body is read where it is routed, outside of the
 * monitor, and each record goes to whoever owns the key here. Order is kept per
 * key: bodies are routed as they came, a key has one owner, and owners apply in
 * the order of routing. */
#ifndef IDS_PEER_RECEIVER_H
#define IDS_PEER_RECEIVER_H

#include "server/peer/frame.h"

/* Names a record on its way to its owner, and back when it is applied. */
typedef struct ids_batch_tag {
    uint64_t session; /* R9: of another session, it is dropped */
    uint64_t epoch;   /* R6: of a lower one, too */
    uint64_t batch;
    uint64_t number; /* of its last change; 0: records of a copy, or by key */
    uint32_t stream;
    bool staged; /* belongs to the copy that is being loaded */
} ids_batch_tag;

/* The changes of a frame, which nobody has read yet. */
typedef struct ids_body {
    ids_batch_tag tag;
    idp_slice bytes; /* borrowed of the link's input */
    uint32_t count;  /* changes in it, */
    uint32_t skip;   /* of which so many are known */
    size_t result_bytes_max;
} ids_body;

/* A frame whose records are on their way. */
typedef struct ids_batch_open {
    uint64_t last;    /* with it applied, all up to here is */
    uint32_t waiting; /* records that are not applied yet */
} ids_batch_open;

#define IDS_ROUTE_MAX   16
#define IDS_BATCHES_MAX 64 /* more frames are not read before some are done */

typedef struct ids_receiver {
    uint32_t stream;
    bool syncing;                /* the copy is being loaded */
    bool in_place;               /* by key: what comes is put where it is */
    bool begun;                  /* SYNC_BEGIN has come */
    bool ended;                  /* and so has SYNC_END */
    uint64_t routed;             /* the last number handed over */
    uint64_t applied;            /* all up to here is */
    uint64_t acked;              /* the last that was reported; see reported */
    bool reported;               /* something was, in this session */
    uint64_t copied, copy_total; /* records of a copy, come and announced */
    uint64_t mark, mark_ms;      /* what had come then; see behind.c */
    uint64_t end_batch; /* with all batches before it applied, it is whole */
    uint64_t batch_first, batch_next;
    ids_batch_open batches[IDS_BATCHES_MAX]; /* a ring */
    size_t result_bytes_max;
    void *ctx;
    /* Its records are to be put, each once, and then reported as applied. It
     * borrows from the link's input. False: no memory. */
    bool (*route)(void *ctx, const ids_body *body);
} ids_receiver;

/* The stream goes on behind a number, or begins with a full copy, or with
 * records by key. */
void ids_receiver_continue(ids_receiver *receiver, uint64_t behind);
void ids_receiver_sync(ids_receiver *receiver, bool in_place);

/* Takes an APPEND or SYNC frame; R6 and R9 are checked. False: it makes no
 * sense here, end the session. */
bool ids_receiver_frame(ids_receiver *receiver, const ids_pf *frame);

/* The next changes of a body, at most IDS_ROUTE_MAX of them, which borrow from
 * it; those that are known are passed over. Returns how many; 0: that was all,
 * or (ids_body_is_whole says) what comes next is no sound change of its epoch:
 * then the session has to end. */
uint32_t ids_body_next(ids_body *body,
                       ids_change changes[static IDS_ROUTE_MAX]);
static inline bool ids_body_is_whole(const ids_body *body) {
    return body->count == 0 && body->bytes.len == 0;
}

/* A record of this batch was applied. */
void ids_receiver_applied(ids_receiver *receiver, uint64_t batch);

/* No room for another frame: don't read. */
static inline bool ids_receiver_is_full(const ids_receiver *receiver) {
    return receiver->batch_next - receiver->batch_first == IDS_BATCHES_MAX;
}

/* The whole copy is there. */
static inline bool ids_receiver_is_whole(const ids_receiver *receiver) {
    return receiver->ended && receiver->batch_first >= receiver->end_batch;
}

#endif
