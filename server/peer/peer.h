/* peer.h -- one node of a pair: its role, its links, and what it may do.
 *
 * Pure: no socket, no file, no clock, no thread. Bytes of links go in and
 * out, time and randomness are arguments of the host, and so is where
 * decisions are recorded. One thread turns it; the parts that belong to a
 * loop (sender, gate, receiver) have no pointers to each other, so that a
 * host may keep each on its own loop and send the orders by mail: README.md.
 *
 * Names: a *stream* is one loop of the primary, a *link* one
 * connection for one stream, a *session* all links between two nodes from
 * their handshake to the first that breaks. */
#ifndef IDS_PEER_H
#define IDS_PEER_H

#include "proto/error.h"
#include "server/peer/gate.h"
#include "server/peer/link.h"
#include "server/peer/receiver.h"
#include "server/peer/sender.h"

typedef enum ids_mode { IDS_MODE_NONE, IDS_MODE_ASYNC, IDS_MODE_SYNC } ids_mode;

typedef struct ids_peer_host {
    void *ctx;
    void (*random)(void *ctx, void *to, size_t len);
    /* Connect this link to the other node; its HELLO is in link->out. Says
     * ids_peer_lost when it can't. */
    void (*dial)(void *ctx, ids_link *link);
    /* The link is over: what is in link->out may still leave, then close. The
     * link is freed on return. */
    void (*hang_up)(void *ctx, ids_link *link);
    /* Replica: a second, empty copy is to be loaded beside the first; it is
     * given up; it takes the first one's place, as a whole (R7). */
    bool (*aside_begin)(void *ctx);
    void (*aside_drop)(void *ctx);
    void (*aside_swap)(void *ctx);
    /* See receiver.h: put it into the owner's copy, then ids_peer_applied. */
    bool (*route)(void *ctx, const ids_parcel_tag *tag,
                  const ids_change *change);
    /* This loop's shard leads from now on: ids_shard_lead. Returns the
     * number of its last change. */
    uint64_t (*lead)(void *ctx, uint32_t loop, uint64_t epoch);
    /* Waiters hear NOT_PRIMARY; and, with pending, so do those whose reply is
     * in a gate: it is never sent (R6). With pending the shards follow. */
    void (*stand_down)(void *ctx, bool pending);
} ids_peer_host;

typedef struct ids_peer_config {
    uint64_t node;        /* not 0; the other has another */
    uint64_t incarnation; /* random, new at every start */
    bool primary;         /* started as one */
    uint64_t epoch_min;   /* for a node without a history: unix time in s */
    uint32_t loops;       /* 1..IDP_SHARDS_MAX */
    ids_mode mode;
    uint32_t min_in_sync; /* 1, 2 */
    size_t ring_bytes;
    size_t result_bytes_max;
    uint32_t held_max;     /* replies per gate */
    size_t unsent_bytes;   /* per link: over it, changes stay in the ring */
    uint32_t walk_buckets; /* of a full copy, per step */
    uint32_t join_lag;     /* changes that a joining replica may lack */
    uint64_t heartbeat_ms, silence_ms, redial_ms, stall_ms;
    ids_link_key key;
    ids_decisions decisions;
    ids_peer_host host;
} ids_peer_config;

#define IDS_LINKS_MAX (2 * IDP_SHARDS_MAX + 8)

/* What is being recorded. */
typedef enum ids_pending {
    IDS_PENDING_NONE,
    IDS_PENDING_START,
    IDS_PENDING_FOLLOW,
    IDS_PENDING_PROMOTE,
    IDS_PENDING_ADMIT,
    IDS_PENDING_DETACH,
    IDS_PENDING_ADMITTED,
    IDS_PENDING_SWITCHOVER
} ids_pending;

typedef struct ids_peer {
    ids_peer_config config;
    ids_decision known;    /* as recorded */
    ids_decision proposed; /* if pending */
    ids_pending pending;
    bool overtaken;      /* a higher epoch was seen since it was proposed */
    bool leading;        /* the role in effect */
    uint64_t lead_epoch; /* the one that it leads in */
    uint64_t seen_epoch; /* the highest that anyone spoke of */
    uint64_t now_ms;
    uint64_t redial_at_ms;
    uint64_t lost_at_ms; /* since when there is no session */
    ids_link **links;    /* of the session, and in handshake */
    uint32_t link_count, link_cap;

    uint64_t session;       /* 0: none */
    uint64_t session_epoch; /* the primary's in it */
    ids_link **stream;      /* of the session, per stream; NULL: not open */
    uint32_t streams;       /* of the session */
    uint32_t streams_open;  /* replica: welcomed; primary: started */

    /* Primary. */
    ids_sender *senders; /* per loop, once it has led */
    ids_gate *gates;     /* per loop */
    ids_member other;    /* whose session it is */
    bool *heard_ack;     /* per loop, in this session */
    ids_member joiner;   /* joining: who it is, also once it is gone */
    bool joining;        /* gates wait for it, it is no member yet */
    bool told;           /* ADMIT was said in this session */
    uint64_t switch_epoch, switch_until_ms; /* 0: none is under way */

    /* Replica. */
    ids_receiver *receivers; /* per stream of the session */
    bool dialled_rest;       /* the session's other streams */
    bool started, syncing;
    uint64_t copy_of;  /* the epoch of the history that the copy is of */
    uint64_t *copy_at; /* per stream of it: all up to here is in it */
    uint32_t copy_streams;
    bool disowned; /* the primary said: you are not in sync */
    uint64_t admit_epoch, admit_version; /* told, to be recorded; 0: none */
} ids_peer;

/* now: as recorded by the last process, or zeros. NULL: no memory. Begins
 * with recording the start, and nothing is served before: propose is called
 * in here, and answered after it. */
ids_peer *ids_peer_new(const ids_peer_config *config, const ids_decision *now,
                       uint64_t now_ms);
void ids_peer_free(ids_peer *peer);

/* The proposed decision is on record. */
void ids_peer_decided(ids_peer *peer, uint64_t now_ms);

/* Links. accept: someone has connected; NULL: too many, or no memory. */
ids_link *ids_peer_accept(ids_peer *peer, uint64_t now_ms);
void ids_peer_input(ids_peer *peer, ids_link *link, const uint8_t *bytes,
                    size_t len, uint64_t now_ms);
void ids_peer_lost(ids_peer *peer, ids_link *link, uint64_t now_ms);

/* Does what time has made due. To be called every few ms. */
void ids_peer_tick(ids_peer *peer, uint64_t now_ms);

/* Fills the link's out with what its stream has to say, up to its bound. For
 * a primary, shard is the stream's. Call it at the end of each turn. */
void ids_peer_pump(ids_peer *peer, ids_link *link, ids_shard *shard,
                   uint64_t now_ms);

/* A change of this loop's shard. */
void ids_peer_take(ids_peer *peer, uint32_t loop, const ids_change *change);

/* May a call be carried out? IDP_OK, NOT_PRIMARY, UNREPLICATED. shows: it
 * can't change anything (peek). */
idp_error ids_peer_serves(const ids_peer *peer, uint32_t loop, bool shows);

/* Records on their way to their owners. A parcel that is not current is
 * dropped instead of applied. */
bool ids_peer_is_current(const ids_peer *peer, const ids_parcel_tag *tag);
void ids_peer_applied(ids_peer *peer, const ids_parcel_tag *tag);

/* A shard that holds a copy: what is in progress stays (R12). */
void ids_peer_prepare_copy(ids_shard *shard);

/* The operator's orders. OK: it is being recorded (or, for a switchover,
 * under way); whether it came to pass is seen in ids_peer_status. */
ids_deciding ids_peer_promote(ids_peer *peer, uint64_t epoch, bool accept_loss);
ids_deciding ids_peer_detach(ids_peer *peer);
ids_deciding ids_peer_switchover(ids_peer *peer, uint64_t epoch);

typedef struct ids_peer_status {
    ids_role role;
    uint64_t epoch;
    bool in_sync;   /* primary: with a replica; replica: may be promoted */
    bool connected; /* a session with all its streams */
    bool syncing;   /* a full copy is being made */
    uint64_t lag_ops, lag_bytes; /* primary */
} ids_peer_status;

void ids_peer_status_get(const ids_peer *peer, ids_peer_status *status);

#endif
