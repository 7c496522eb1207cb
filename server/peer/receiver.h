/* SPDX-License-Identifier: Apache-2.0 */
/* receiver.h -- one stream's end at the replica.
 *
 * Pure. It checks what comes, hands each record to whoever owns the key here
 * (route), and knows up to which number all of them are applied: that is what
 * it acknowledges. Other loops apply; order is kept per key, since a key has
 * one owner and owners apply in the order of routing. */
#ifndef IDS_PEER_RECEIVER_H
#define IDS_PEER_RECEIVER_H

#include "server/peer/frame.h"

/* Names a record on its way to its owner, and back when it is applied. */
typedef struct ids_parcel_tag {
    uint64_t session; /* R9: of another session, it is dropped */
    uint64_t epoch;   /* R6: of a lower one, too */
    uint64_t batch;
    uint32_t stream;
    bool aside; /* belongs to the copy that is being loaded */
} ids_parcel_tag;

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
    bool begun;                  /* SYNC_BEGIN has come */
    bool ended;                  /* and so has SYNC_END */
    uint64_t routed;             /* the last number handed over */
    uint64_t applied;            /* all up to here is */
    uint64_t acked;              /* the last that was told; see told */
    bool told;                   /* something was, in this session */
    uint64_t copied, copy_total; /* records of a copy, come and announced */
    uint64_t mark, mark_ms;      /* what had come then; see behind.c */
    uint64_t end_batch; /* with all batches before it applied, it is whole */
    uint64_t batch_first, batch_next;
    ids_batch_open batches[IDS_BATCHES_MAX]; /* a ring */
    size_t result_bytes_max;
    void *ctx;
    /* 1..IDS_ROUTE_MAX changes in a row, so that their owner may fetch them
     * all at once. They borrow until it returns. False: no memory. */
    bool (*route)(void *ctx, const ids_parcel_tag *tag,
                  const ids_change *changes, uint32_t count);
} ids_receiver;

/* The stream goes on behind a number, or begins with a full copy. */
void ids_receiver_continue(ids_receiver *receiver, uint64_t behind);
void ids_receiver_sync(ids_receiver *receiver);

/* Takes an APPEND or SYNC frame; R6 and R9 are checked. False: it makes no
 * sense here, end the session. */
bool ids_receiver_frame(ids_receiver *receiver, const ids_pf *frame);

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
