/* SPDX-License-Identifier: Apache-2.0 */
/* status.h -- what a node tells its operator of itself, as types. peer.h has
 * what fills them.
 *
 * Pure. No rule looks at it but where it says so. */
#ifndef IDS_PEER_STATUS_H
#define IDS_PEER_STATUS_H

#include "server/peer/decision.h"
#include "server/peer/refusal.h"

typedef enum ids_mode { IDS_MODE_NONE, IDS_MODE_ASYNC, IDS_MODE_SYNC } ids_mode;

/* What is being recorded. */
typedef enum ids_pending {
    IDS_PENDING_NONE,
    IDS_PENDING_START,
    IDS_PENDING_FOLLOW,
    IDS_PENDING_PROMOTE,
    IDS_PENDING_ADMIT,
    IDS_PENDING_DETACH,
    IDS_PENDING_ADMITTED,
    IDS_PENDING_DISOWNED,
    IDS_PENDING_SWITCHOVER,
    IDS_PENDING_WHEREABOUTS,
    IDS_PENDING_TOLD /* N2, of a node that goes on as what it is */
} ids_pending;

/* What became of the last replica that was detached. */
typedef enum ids_parting {
    IDS_PARTING_NONE,
    IDS_PARTING_REPORTED,  /* it is connected and was told */
    IDS_PARTING_CONFIRMED, /* and has it on record: it will refuse */
    IDS_PARTING_UNHEARD    /* it may still take itself for a member */
} ids_parting;

/* A full copy, at either end: under way, or the last one. */
typedef struct ids_copying {
    bool is_on;
    bool is_sent;                   /* this node's records, not the other's */
    uint64_t begun, done, given_up; /* how many, since the node began */
    uint64_t records, total;        /* N of M; of the last, once it is over */
    uint64_t since_ms, took_ms;
} ids_copying;

/* How far the other node is behind. */
typedef struct ids_peer_lag {
    uint64_t ops, bytes;
    uint64_t ms; /* since the oldest change that it lacks was made */
} ids_peer_lag;

#define IDS_STATE_BYTES 512

/* One of a primary's replicas. */
typedef struct ids_follower_status {
    ids_member member;  /* as on record, or who is or was connected */
    ids_node_name name; /* or "" */
    ids_endpoint at;    /* or empty */
    bool waits;         /* it is on record: replies wait for it */
    bool in_sync;       /* and as the memory that is on record */
    bool forgetful;     /* or it has come back without that */
    bool connected, syncing, settings_differ;
    bool is_sealed;     /* its links are TLS */
    bool is_here;       /* there is a session with the one on record */
    bool is_silent;     /* on record, and not heard of for stall_ms */
    bool knows;         /* in sync, connected, and has that on record itself */
    bool slow_disk;     /* ids_peer_is_slow */
    uint64_t behind_ms; /* its medium lacks the oldest change for so long */
    ids_parting parting;
    ids_copying copying;
    uint64_t joined_by_key; /* so often, since this node began */
    ids_peer_lag lag;
} ids_follower_status;

/* Of a primary with several replicas what stands here is of them all: in_sync
 * and connected, if each member is; syncing, waits, forgetful and slow_disk, if
 * one is; lag, behind_ms and copying of the one that is worst off. */
typedef struct ids_peer_status {
    ids_role role;
    ids_mode mode;
    uint64_t epoch;
    ids_member self, other;              /* other.node 0: none was seen */
    ids_node_name self_name, other_name; /* or "" */
    bool settings_differ; /* this node's from the other's, as last seen */
    /* Primary: with the member on record, in this session or as it was lost;
     * not with one that has come back without the memory that is on record.
     * Replica: it may be promoted. */
    bool in_sync;
    /* A session in the direction of its role, with all its streams, and the
     * other end was heard of within stall_ms. */
    bool connected;
    bool
        is_sealed; /* and the links are TLS: of a primary, each connected one */
    bool syncing;  /* a full copy is being made, or loaded */
    /* If this node is stopped now, for good, nothing is lost that was
     * acknowledged, and the other leads or may be promoted. One failure at a
     * time: the other has to stay. */
    bool safe_to_stop;
    bool waits;     /* primary: for its member, come what may */
    bool forgetful; /* and that has come back without its memory */
    bool slow_disk; /* the replica's: ids_peer_is_slow */
    uint64_t behind_ms;
    ids_copying copying;
    bool joins_by_key;      /* a replica: at this moment */
    uint64_t joined_by_key; /* so often, at either end, since this node began */
    bool had_replica, disowned;
    ids_parting parting;
    ids_pending pending;
    uint32_t streams; /* ids_peer_stream_lag knows so many */
    ids_peer_lag lag; /* ops and bytes: of all; ms: of the one behind most */
    uint32_t follower_count; /* of a primary: places that somebody has or had */
    ids_follower_status follower[IDS_FOLLOWERS_MAX];
    /* The in-sync set as this node knows it, the primary first: addresses, or
     * "node" and a number in hex. */
    uint32_t member_count;
    ids_endpoint member[1 + IDS_FOLLOWERS_MAX];
    ids_endpoint primary_at, other_at; /* or empty */
    /* The last time that a node was turned away here, or this one elsewhere;
     * NONE once a session has begun with it. refused_ms: so long ago. */
    ids_refusal refusal;
    uint64_t refused_ms;
    char state[IDS_STATE_BYTES]; /* a plain sentence for the operator */
} ids_peer_status;

#endif
