/* SPDX-License-Identifier: Apache-2.0 */
/* desk.h -- what one worker is to its node: its shard, its commit gate, its
 * role, its mail, and the names of those who are answered.
 *
 * The desk holds these parts, and each is its own file's; who needs one alone
 * takes that one. What reads requests stands above it, in the line (line.h).
 * One thread; only the mailboxes are shared with other desks. */
#ifndef IDS_DESK_H
#define IDS_DESK_H

#include "server/conn.h"
#include "server/copy.h"
#include "server/counters.h"
#include "server/held.h"
#include "server/house.h"
#include "server/journal/journal.h"
#include "server/mail.h"
#include "server/orders.h"
#include "server/serving.h"
#include "server/tap.h"

/* What one turn of a loop does, by kind. A unit is some 100 to 250 ns: a
 * request, a waiter that is looked at, a piece of mail, 1 KiB of any of these.
 * What is over the bound is left for the next turn, in its order. */
typedef enum ids_work {
    IDS_WORK_SERVE, /* requests, and reading them */
    IDS_WORK_WAKE,  /* waiters: of requests, of mail, of what is due */
    IDS_WORK_MAIL,
    IDS_WORK_SEND,
    IDS_WORK_DUE, /* records that ended, replies let go, a snapshot's step */
    IDS_WORK_KINDS
} ids_work;

#define IDS_WORK_A_TURN 4096u /* of each kind */
#define IDS_WORK_A_CONN 1024u /* of one connection's requests */
#define IDS_WORK_READ   4u    /* a system call and what goes with it */
#define IDS_WORK_SEND_1 8u

typedef enum ids_notice { IDS_NOTICE_DRAIN, IDS_NOTICE_STOP } ids_notice;

typedef struct ids_slot {
    ids_conn *conn; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
} ids_slot;

/* The names of its connections: see ids_desk_name. */
typedef struct ids_slots {
    ids_slot *all;
    uint32_t used, cap;
    uint32_t free; /* the first; ~0: none */
} ids_slots;

/* A result that those who wait for it get, while it is decided: shared.h. */
typedef struct ids_woken {
    ids_shared *rest; /* NULL: none */
    idp_answer answer;
    ids_bytes others; /* on other loops: ids_woken_asker */
} ids_woken;

typedef struct ids_woken_asker {
    ids_asker asker;
    uint32_t msgid;
} ids_woken_asker;

/* Mail for other loops. */
#define IDS_SPARE_PARCELS 16
typedef struct ids_post {
    ids_parcel **to; /* per loop: what is being filled, or NULL */
    uint32_t *loops; /* which loops these are */
    uint32_t count;
    uint32_t spares;
    ids_parcel *spare[IDS_SPARE_PARCELS];
    /* Whose replies went to another loop last, and how many bytes of them this
     * turn. */
    ids_asker last_asker;
    size_t last_bytes;
} ids_post;

/* How many requests come. */
typedef struct ids_pace {
    uint64_t by_others;      /* requests that came from other loops, ever */
    uint64_t seen, since_ms; /* ids_desk_asked, as it was then */
    bool is_high;
} ids_pace;

/* The rest where the desk has a peer. */
typedef struct ids_desk_host {
    void *ctx;
    /* The tap is high: take what is in it and clear it. Comes in the middle of
     * a call: no way back in here. */
    void (*tap_is_high)(void *ctx);
    /* Whether records with this tag may be put (ids_peer_is_current). Tells
     * the desk first what it may do (ids_desk_serve): it may not have heard
     * yet that it follows. */
    bool (*is_current)(void *ctx, const ids_parcel_tag *tag);
} ids_desk_host;

struct ids_desk {
    const ids_house *house;
    ids_shard *shard;
    uint64_t now_ms; /* the host sets it once per wake-up */
    uint32_t index;  /* which loop */
    bool draining;
    ids_hold hold;      /* the commit gate */
    uint64_t epoch_end; /* of serving, see there */
    ids_serving serving;
    ids_journal *journal; /* its keeper's; NULL: none */
    ids_tap tap;
    ids_copy copy;
    ids_slots slots;
    ids_list dirty;    /* connections that the host must look at */
    ids_list for_hops; /* such whose output waits for hops */
    uint32_t hops;     /* at other loops now, of all */
    ids_buffers buffers;
    ids_woken woken;
    ids_post post;
    uint32_t work[IDS_WORK_KINDS]; /* of this turn */
    ids_counters counters;
    ids_pace pace;
    ids_orders orders;             /* under way; loop 0's */
    ids_shard_config shard_config; /* for another shard like the first */
    ids_desk_host host;
};

/* Begins it, but for its shard and what that tells: whoever composes it adds
 * that (line.c). False: out of memory. */
bool ids_desk_init(ids_desk *desk, const ids_house *house, uint32_t index,
                   const ids_desk_host *host);

/* Its connections must have been dropped. */
void ids_desk_fini(ids_desk *desk);

/* Connections. name gives one a name on this desk (false: out of memory), and
 * unname takes it away. */
bool ids_desk_name(ids_desk *desk, ids_conn *conn);
void ids_desk_unname(ids_desk *desk, ids_conn *conn);

/* NULL when the asker is not on this desk, or gone. */
ids_conn *ids_desk_find(const ids_desk *desk, ids_asker asker);

/* The next connection that the host must look at: it has output, or shall be
 * closed or moved. NULL: no more. */
ids_conn *ids_desk_next_dirty(ids_desk *desk);
void ids_desk_mark(ids_desk *desk, ids_conn *conn);
void ids_desk_unmark(ids_desk *desk, ids_conn *conn);

/* Mail. The parcel that is being filled for a loop; NULL: out of memory. */
ids_parcel *ids_desk_parcel(ids_desk *desk, uint32_t loop);

/* The parcel for a reply to another loop, held or not; NULL: no memory. Once
 * the reply is in it, ids_desk_mailed with the parcel's length before. */
ids_parcel *ids_desk_reply_parcel(ids_desk *desk, uint32_t loop,
                                  ids_showing shows);
void ids_desk_mailed(ids_desk *desk, uint32_t loop, const ids_parcel *parcel,
                     size_t before);

/* The parcel was carried out: it is kept for the next one, or freed. */
void ids_desk_recycle(ids_desk *desk, ids_parcel *parcel);

/* One entry without a body. False: no memory. */
bool ids_desk_mail_word(ids_desk *desk, uint32_t loop, ids_mail_kind kind,
                        uint64_t word);

/* Posts what was filled. False: a box was full, call again soon. */
bool ids_desk_post(ids_desk *desk);

/* Gives notice to every loop but this one. */
void ids_desk_tell_others(ids_desk *desk, ids_notice notice);

static inline bool ids_desk_may(const ids_desk *desk, ids_work kind) {
    return desk->work[kind] < IDS_WORK_A_TURN;
}
static inline void ids_desk_worked(ids_desk *desk, ids_work kind,
                                   uint32_t units, size_t bytes) {
    desk->work[kind] += units + (uint32_t)(bytes >> 10);
}
static inline bool ids_desk_may_read(const ids_desk *desk) {
    return desk->work[IDS_WORK_SERVE] + desk->work[IDS_WORK_WAKE] <
           IDS_WORK_A_TURN;
}

/* There is more to do at once: connections to be looked at, replies that may
 * leave. */
static inline bool ids_desk_has_more(const ids_desk *desk) {
    return desk->dirty.head || ids_hold_has_more(&desk->hold);
}

/* Requests, ever: of its own connections, and by mail of other loops'. */
static inline uint64_t ids_desk_asked(const ids_desk *desk) {
    return desk->counters.of[IDS_REQUESTS_TOTAL] + desk->pace.by_others;
}

/* They come, thousands a second. Then what need not be done at once is done
 * in smaller pieces, so that the next call waits less. */
bool ids_desk_is_asked(ids_desk *desk);

/* This desk's counters, the shard's among them. */
void ids_desk_count(const ids_desk *desk, ids_counters *counters);

/* Where the sequences of this loop's tokens begin, in each epoch. */
uint64_t ids_desk_sequence(uint32_t index);

/* The loop itself as an asker. */
ids_asker ids_desk_asker(uint32_t index);

static inline uint32_t ids_asker_loop(ids_asker asker) {
    return (uint32_t)(asker >> 54);
}

#endif
