/* SPDX-License-Identifier: Apache-2.0 */
/* desk.h -- one loop's place of work: its shard, its connections, its mail.
 *
 * Sans I/O: who turns the loop (libuv in io/, a plain function in a test) is
 * the host. One thread; only the mailboxes are shared with other desks. */
#ifndef IDS_DESK_H
#define IDS_DESK_H

#include "server/conn.h"
#include "server/copy.h"
#include "server/counters.h"
#include "server/house.h"
#include "server/inquiry.h"
#include "server/journal/journal.h"
#include "server/list.h"
#include "server/mail.h"
#include "server/serving.h"
#include "server/shared.h"
#include "server/tap.h"
#include "server/watch.h"

/* The host reads up to IDS_INPUT_BYTES into ids_desk_input_room; what lies
 * before it is the desk's, to put the head of a partial frame there. */
#define IDS_INPUT_BYTES    (64u << 10)
#define IDS_INPUT_HEADROOM (16u << 10)

/* While half of the buffers are in use. */
#define IDS_SPARE_INPUTS    8
#define IDS_INPUT_BYTES_LOW (2u << 10)

#define IDS_BATCH_MAX 32

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

typedef struct ids_item {
    idp_request request;
    uint64_t hash;
    ids_asker asker;
    const uint8_t *frame;
    uint32_t frame_bytes;
    uint32_t owner;
} ids_item;

typedef struct ids_slot {
    ids_conn *conn; /* NULL: free */
    uint32_t generation;
    uint32_t next_free;
} ids_slot;

/* A reply that is held; see hold.h. Its bytes are the next ones of its kind: of
 * the connection, or in the mail that is held for the asker's loop. */
typedef enum ids_held_kind {
    IDS_HELD_BYTES,
    IDS_HELD_DEFERRED, /* none yet: a reply whose rest is shared */
    IDS_HELD_MAIL
} ids_held_kind;

typedef struct ids_held {
    ids_asker asker;
    uint64_t number; /* of the change that it waits for */
    uint64_t since_ms;
    uint32_t bytes;
    uint32_t msgid;
    uint8_t kind; /* ids_held_kind */
} ids_held;

typedef struct ids_gated_mail {
    ids_parcel parcel;
    size_t at; /* what is before it has left */
} ids_gated_mail;

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

typedef struct ids_desk_host {
    void *ctx;
    /* This connection is yours from now on: watch its fd. */
    void (*adopt)(void *ctx, ids_conn *conn);
    /* There was no memory to take it in: close it. */
    void (*refuse)(void *ctx, ids_conn *conn);
    void (*notice)(void *ctx, ids_notice notice);
    /* The rest where the desk has a peer. The tap is high: take what is in it
     * and clear it. Comes in the middle of a call: no way back in here. */
    void (*tap_is_high)(void *ctx);
    /* Whether records with this tag may be put (ids_peer_is_current). Tells
     * the desk first what it may do (ids_desk_serve): it may not have heard
     * yet that it follows. */
    bool (*is_current)(void *ctx, const ids_parcel_tag *tag);
    /* A parcel was taken, and what is in it begins now: sets now_ms. NULL:
     * time stands still in a turn. */
    void (*look_at_clock)(void *ctx);
} ids_desk_host;

#define IDS_SPARE_BUFFERS 32
#define IDS_SPARE_PARCELS 16

struct ids_desk {
    const ids_house *house;
    ids_shard *shard;
    uint64_t now_ms; /* the host sets it once per wake-up */
    uint32_t index;  /* which loop */
    bool draining;
    bool drains_waiters; /* some have not heard of it yet */
    /* The commit gate: hold.h. */
    bool shut;               /* nothing leaves any more */
    bool has_changed;        /* the last call did; where rules are off */
    bool full;               /* no call is served */
    bool disk_is_full;       /* no claim is made */
    uint64_t claims_from_ms; /* nor before this */
    uint64_t changes;        /* the last change; 0 where nobody counts */
    uint64_t watermark;      /* up to which change replies may leave */
    uint64_t epoch_end;      /* of serving, see there */
    ids_journal *journal;    /* its keeper's; NULL: none */
    ids_bytes held;          /* ids_held, the oldest at held_at */
    size_t held_at;
    uint32_t held_replies;      /* marks in it */
    ids_gated_mail *gated_mail; /* per loop */
    ids_woken woken;
    ids_tap tap;
    ids_serving serving;
    ids_copy copy;
    ids_shard_config shard_config; /* for another shard like the first */
    uint8_t *input;                /* headroom and room, one block */
    ids_list dirty;                /* connections that the host must look at */
    ids_list for_hops;             /* such whose output waits for hops */
    ids_list for_room;             /* such that wait for room to hop */
    uint32_t hops;                 /* at other loops now, of all */
    uint32_t work[IDS_WORK_KINDS]; /* of this turn */
    uint32_t serve_until;          /* the connection that is served now */
    ids_parcel *opened; /* mail that is carried out in part; NULL: none */
    size_t opened_at;
    size_t buffered_bytes; /* of all its connections */
    ids_slot *slots;
    uint32_t slots_used, slots_cap, slots_free; /* free: first; ~0 none */
    ids_parcel **outgoing; /* per loop: what is being filled, or NULL */
    uint32_t *outgoing_to; /* which loops these are */
    uint32_t outgoing_count;
    ids_asker mailed_to; /* whose replies went to another loop last, */
    size_t mailed_bytes; /* and how many bytes of them this turn */
    uint32_t spare_buffers, spare_parcels;
    ids_bytes spare_buffer[IDS_SPARE_BUFFERS];
    ids_bytes spare_input[IDS_SPARE_INPUTS]; /* for large requests' */
    uint32_t spare_inputs;
    uint64_t spare_input_ms;
    ids_parcel *spare_parcel[IDS_SPARE_PARCELS];
    ids_watch watch;
    ids_counters counters;
    uint64_t asked_by_others;       /* requests that came from other loops */
    uint64_t asked, asked_since_ms; /* ids_desk_asked, as it was then */
    bool is_asked;
    ids_orders orders; /* under way; loop 0's */
    ids_inquiry inquiries[IDS_INQUIRIES];
    uint32_t inquirers; /* of all kinds, who have no answer yet */
    ids_desk_host host;
    ids_item batch[IDS_BATCH_MAX];
};

typedef struct ids_desk_config {
    const ids_house *house;
    uint32_t index;
    ids_desk_host host;
    size_t memory_bytes_max; /* the shard's, where the house has no pools */
    uint32_t waiters_max;
    uint32_t waiters_per_key_max;
    uint32_t clock_cut_ms; /* see ids_shard_config */
    bool is_kept;          /* a journal will be there before the first call */
    bool is_replicated;    /* the node has a peer: the desk follows until it is
                            * told to lead */
    ids_mem mem;
} ids_desk_config;

/* NULL: out of memory. */
ids_desk *ids_desk_new(const ids_desk_config *config);

/* Its connections must have been dropped. */
void ids_desk_free(ids_desk *desk);

static inline uint8_t *ids_desk_input_room(ids_desk *desk) {
    return desk->input + IDS_INPUT_HEADROOM;
}

/* Connections. adopt gives the connection a name on this desk and serves
 * what it brought along; false: out of memory, it is still the caller's.
 * drop takes the name away and forgets it here and at other loops; it is
 * the caller's again. */
bool ids_desk_adopt(ids_desk *desk, ids_conn *conn);
void ids_desk_drop(ids_desk *desk, ids_conn *conn);

/* Its waiters are dropped, here and at other loops. */
void ids_desk_forget(ids_desk *desk, ids_conn *conn);

/* NULL when the asker is not on this desk, or gone. */
ids_conn *ids_desk_find(const ids_desk *desk, ids_asker asker);

/* Hands a connection that is on no desk to a loop (which may be this one). On
 * false (out of memory) it is still the caller's. */
bool ids_desk_give(ids_desk *desk, ids_conn *conn, uint32_t loop);

/* The next connection that the host must look at: it has output, or shall be
 * closed or moved. NULL: no more. */
ids_conn *ids_desk_next_dirty(ids_desk *desk);
void ids_desk_mark(ids_desk *desk, ids_conn *conn);

/* Mail. The parcel that is being filled for a loop; NULL: out of memory. */
ids_parcel *ids_desk_parcel(ids_desk *desk, uint32_t loop);

/* A parcel for later, and back again: hold.c's. */
ids_parcel *ids_desk_new_parcel(ids_desk *desk);
void ids_desk_set_outgoing(ids_desk *desk, uint32_t loop, ids_parcel *parcel);
void ids_desk_recycle(ids_desk *desk, ids_parcel *parcel);

/* Posts what was filled. False: a box was full, call again soon. */
bool ids_desk_post(ids_desk *desk);

/* Takes and carries out what has come. */
void ids_desk_take_mail(ids_desk *desk);

/* Gives notice to every loop but this one. */
void ids_desk_tell_others(ids_desk *desk, ids_notice notice);

/* A turn begins: its work is none yet. Connections that waited for room to hop
 * are served on. */
void ids_desk_begin_turn(ids_desk *desk);

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

/* So much of a connection may be read now: less while buffers fill up, since
 * what can't be served at once is kept; 0: nothing, until room to hop has come
 * for those who stand in line for it. */
size_t ids_desk_read_max(const ids_desk *desk);

/* Whether the connection that is served may have another request served. */
static inline bool ids_desk_serves(const ids_desk *desk) {
    return desk->work[IDS_WORK_SERVE] + desk->work[IDS_WORK_WAKE] <
           desk->serve_until;
}

/* There is more to do, without anything new: the next turn should come soon.
 */
bool ids_desk_has_more(const ids_desk *desk);

/* Does what time has made due, of its shard's records at most so many; and
 * when there is next something to do. */
void ids_desk_tick(ids_desk *desk, uint32_t steps_max);
uint64_t ids_desk_next_ms(const ids_desk *desk);

/* Stops serving: waiters hear SHUTTING_DOWN, and so does who asks now. */
void ids_desk_drain(ids_desk *desk);

/* Requests, ever: of its own connections, and by mail of other loops'. */
static inline uint64_t ids_desk_asked(const ids_desk *desk) {
    return desk->counters.of[IDS_REQUESTS_TOTAL] + desk->asked_by_others;
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
