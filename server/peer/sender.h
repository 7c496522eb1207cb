/* SPDX-License-Identifier: Apache-2.0 */
/* sender.h -- one loop's stream to one replica, the primary's end.
 *
 * In two parts. The *sender* makes frames and is its loop's own, as is the ring
 * that it reads. Its *progress* is what the rest of the node knows of it, in
 * numbers, and the monitor's: ids_sender_meet, in there, is where each hears of
 * the other. So frames are made while nobody waits; who ends a session changes
 * the progress, and what is sent of it until the two have met is of a session
 * that is over: nobody takes it (R9).
 *
 * Pure. It reads the ring that its loop's changes are in, which all replicas
 * share, and writes frames when it is asked to: what the connection can't take
 * stays in the ring, so a slow replica costs nobody anything but its own
 * session. A replica that the ring has left behind gets a full copy: a walk
 * over the table in small chunks, with the changes since the walk's start in
 * between. */
#ifndef IDS_PEER_SENDER_H
#define IDS_PEER_SENDER_H

#include "server/peer/frame.h"
#include "server/peer/keys.h"
#include "server/peer/lag.h"
#include "server/peer/ring.h"

#define IDS_WALK_BUCKETS_DEFAULT 64

typedef enum ids_sending {
    IDS_SENDING_OFF,    /* nobody listens */
    IDS_SENDING_BEGIN,  /* a full copy is to begin */
    IDS_SENDING_WALK,   /* chunks, and changes in between; by key as well */
    IDS_SENDING_END,    /* the walk is over, its last changes are not out */
    IDS_SENDING_STREAM, /* changes */
    IDS_SENDING_LOST    /* it can't go on: end the session */
} ids_sending;

/* The monitor's. */
typedef struct ids_progress {
    ids_sending state;
    uint64_t session;            /* 0: none */
    uint64_t copied, copy_total; /* records of a copy, sent and in all */
    uint64_t acked;              /* by the replica, in this session */
    uint64_t reached; /* it has this much, or did so last; to be shown */
    ids_lag lag;      /* behind reached */
} ids_progress;

/* A join by key: what is sent instead of the whole table. */
typedef struct ids_sender_keys {
    bool is_on;
    const ids_key_ring *ring; /* its loop's; NULL: none */
    ids_common common;        /* up to where the replica has the same */
    idp_bytes asked;          /* keys that the replica has named, */
    uint64_t asked_session;   /* in this session */
    size_t asked_at;          /* those before are sent */
    uint64_t at, end;         /* the same of the ring */
    ids_key_filter *filter;
} ids_sender_keys;

/* Its loop's own. */
typedef struct ids_sender {
    const ids_ring *ring; /* its loop's; outlives it */
    ids_sender_keys keys;
    ids_sending state;
    uint32_t stream;
    uint32_t walk_buckets; /* per step; the owner may set it */
    uint64_t epoch;
    uint64_t session;            /* 0: none */
    ids_ring_at at;              /* what is sent next */
    uint64_t cursor;             /* of the walk */
    uint64_t whole;              /* the copy is whole with all up to this */
    uint64_t copied, copy_total; /* records of it, sent and in all */
    idp_bytes chunk;             /* records of the walk's last step */
    uint32_t chunked;            /* how many */
    bool found, no_memory;
    bool walks_next;   /* it was the changes' turn */
    idp_bytes *to;     /* where its frames go */
    ids_shard *walked; /* while a walk is on */
} ids_sender;

/* epoch: the history that begins behind the last change of the ring. */
void ids_sender_init(ids_sender *sender, uint32_t stream, uint64_t epoch,
                     const ids_ring *ring);
void ids_sender_fini(ids_sender *sender);

/* A session begins for this stream: behind a number, or with a full copy.
 * What was on is over. False: that number is not in the ring (any more). */
bool ids_sender_continue(ids_sender *sender, uint64_t session, uint64_t behind);
void ids_sender_sync(ids_sender *sender, uint64_t session);

/* The replica names keys, before its session begins for this stream. False:
 * more than it may, or no memory. by_key: it begins, with the records of those
 * and of what was changed here beyond common; the sender can't go on where this
 * loop's key ring does not reach. */
bool ids_sender_asked(ids_sender *sender, uint64_t session, idp_slice keys);
void ids_sender_by_key(ids_sender *sender, uint64_t session,
                       const ids_common *common);

/* The session is over. Ends the walk, too. */
void ids_sender_stop(ids_sender *sender);

/* Within the monitor, on its loop: the sender hears whether its session is
 * over, the progress how far it is. */
void ids_sender_meet(ids_sender *sender, ids_progress *progress);

/* The progress' own: the session that its sender was just begun with, at this
 * change of the ring; the session is over; these changes can be sent; the
 * replica has all up to this number. */
void ids_progress_begin(ids_progress *progress, const ids_sender *sender,
                        ids_lag_mark at);
void ids_progress_end(ids_progress *progress);
void ids_progress_took(ids_progress *progress, ids_lag_mark first,
                       uint64_t last);
void ids_progress_acked(ids_progress *progress, uint64_t number);

/* There is more to do in the next turn, even if there was nothing to send in
 * this one. */
static inline bool ids_sender_walks(const ids_sender *sender) {
    return sender->state == IDS_SENDING_WALK;
}

/* Appends the next frame; false: nothing to send now. May return true without
 * a frame where it got on otherwise. */
bool ids_sender_next(ids_sender *sender, ids_shard *shard, uint64_t now_ms,
                     idp_bytes *to);

#endif
