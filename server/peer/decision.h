/* SPDX-License-Identifier: Apache-2.0 */
/* decision.h -- who is primary, in which epoch, and who may become it.
 *
 * Pure. A decision is a small record that only grows (version, epoch); it is
 * worth nothing before it is recorded. Where it is recorded stands behind
 * ids_decisions: today a file of this node's, written when its operator says
 * so; an arbiter like etcd would be a second one, with the same rules. */
#ifndef IDS_PEER_DECISION_H
#define IDS_PEER_DECISION_H

#include "server/peer/endpoint.h"
#include "server/peer/group.h"
#include "server/peer/name.h"

#include <stdbool.h>
#include <stdint.h>

/* Replicas of one primary, at most. */
#define IDS_FOLLOWERS_MAX 4

_Static_assert(IDS_GROUP_NODES_MAX == 1 + IDS_FOLLOWERS_MAX,
               "who is in a group has a place");

typedef struct ids_member {
    uint64_t node;        /* of its name, never another's; 0: nobody */
    uint64_t incarnation; /* of its memory (R5): see ids_decide_start */
} ids_member;

static inline bool ids_is_member(ids_member a, ids_member b) {
    return a.node == b.node && a.incarnation == b.incarnation;
}

/* A number that only grows. */
static inline void ids_raise(uint64_t *number, uint64_t to) {
    if (to > *number)
        *number = to;
}

/* Where the records of a history come from: nodes whose histories began in
 * the same epoch have, or had, the same records. */
typedef struct ids_origin {
    uint64_t epoch; /* of the first primary; 0: not known */
    bool by_word;   /* an operator promoted that one; else it led by itself */
} ids_origin;

typedef enum ids_role { IDS_ROLE_REPLICA, IDS_ROLE_PRIMARY } ids_role;

/* Were its records in a data folder? */
typedef enum ids_kept { IDS_KEPT_UNKNOWN, IDS_KEPT_NO, IDS_KEPT_YES } ids_kept;

typedef struct ids_decision {
    uint64_t kept_in[2]; /* whoever keeps it: in which file, beside which other
                          * one (server/journal/identity.h); 0: unknown */
    uint64_t version;    /* one more with every record */
    uint64_t epoch;      /* the highest that is known */
    ids_role role;       /* of this node, in that epoch */
    ids_member self;
    /* On a primary: the other members of its in-sync set, each in its place.
     * One that is empty has node 0. */
    ids_member replica[IDS_FOLLOWERS_MAX];
    ids_node_name replica_name[IDS_FOLLOWERS_MAX]; /* or "" */
    /* On a replica: in which epoch, and as whom, it was told that it is in
     * sync. It is so in no other epoch. */
    uint64_t admitted_epoch;
    ids_member admitted;
    uint64_t admitted_version; /* of the primary's decision */
    bool had_replica;          /* its data may be elsewhere, too */
    ids_endpoint other_at;     /* where the other node was, last; or empty */
    ids_node_name name;        /* of self; or "" */
    /* The highest epoch that this node, of this name, led in: nobody else has,
     * or both have to stop (R6). */
    uint64_t led_epoch;
    /* Of what it leads with, or was told to be in sync with. */
    ids_origin origin;
    /* How it was started last; 0: that is not known. */
    uint8_t mode; /* ids_mode */
    uint8_t kept; /* ids_kept */
    /* Under failover agents: which group it was told of, "": none; and the
     * highest revision of that one's record. */
    ids_group_id group;
    uint64_t rev;
} ids_decision;

/* Why an operator's command is refused, each with its text. */
#define IDS_VERDICTS(X)                                                   \
    X(OK, "done")                                                         \
    X(NOT_IN_SYNC, "not in sync, changes may be lost; see --accept-loss") \
    X(EPOCH_TOO_LOW, "that epoch is not above the highest known")         \
    X(EPOCH_TOO_HIGH, "that epoch is over a year ahead of the clock")     \
    X(NOT_PRIMARY, "not the primary")                                     \
    X(IS_PRIMARY, "already the primary")                                  \
    X(NO_REPLICA, "there is no such replica in the in-sync set")          \
    X(BUSY, "another decision is being recorded; ask again")              \
    X(MIN_IN_SYNC, "the in-sync set would be below --min-in-sync")        \
    X(WHICH, "several replicas are in the in-sync set; name one")         \
    X(AGENT, "failover agents decide here; see idemctl agent")            \
    X(NO_AGENT, "this server is under no failover agent; see --agent")    \
    X(GROUP, "that is the record of another group than this server's")    \
    X(OLD, "a later revision or epoch is known here")                     \
    X(LED, "that epoch was led before; take a new one")                   \
    X(NO_PLACE, "it names more nodes than this server has places for")    \
    X(NOT_WHOLE, "that node is not connected, or lacks records")

typedef enum ids_deciding {
#define X(name, text) IDS_DECIDING_##name,
    IDS_VERDICTS(X)
#undef X
        IDS_DECIDING_COUNT
} ids_deciding;

const char *ids_deciding_text(ids_deciding verdict);

/* Each writes the next decision, or says why there is none.
 *
 * start: this process begins, with a memory of this incarnation: a new one,
 * or, if it has all that the last process answered for, the same (R5). A
 * primary whose in-sync set was itself alone is then in sync with its own
 * epoch: nobody else may have gone on without loss. primary: it was started
 * as one. It becomes one by itself only as long as there never was a replica
 * that might know more; in an epoch above all it has been in, and of at least
 * epoch_min (the unix time, as ids_epoch_of says it). */
void ids_decide_start(const ids_decision *now, ids_member self, bool primary,
                      uint64_t epoch_min, ids_decision *next);

/* What is on record was copied, or put back from a copy: since it was written
 * anything may have been decided. It keeps its name and what it knows of
 * epochs; it does not lead by itself, and may not be promoted without loss. */
void ids_decide_restored(const ids_decision *now, ids_decision *next);

/* Promotion to an epoch that the operator names. has_copy_of: the epoch of
 * the history that this node's copy is of; 0: it has none. */
ids_deciding ids_decide_promote(const ids_decision *now, uint64_t epoch,
                                uint64_t has_copy_of, bool accept_loss,
                                ids_decision *next);

/* The primary's in-sync set: with this replica in this place, whoever had it;
 * without this one (0: the only one that there is). */
ids_deciding ids_decide_admit(const ids_decision *now, uint32_t place,
                              ids_member replica, ids_decision *next);
ids_deciding ids_decide_detach(const ids_decision *now, uint64_t node,
                               uint32_t min_in_sync, ids_decision *next);

/* How many replicas it names; and in which place this node is, which is
 * IDS_FOLLOWERS_MAX if it is in none. */
uint32_t ids_decision_members(const ids_decision *decision);
uint32_t ids_decision_place(const ids_decision *decision, uint64_t node);

/* N2, under agents: the record of the group, as etcd has it at rev, which names
 * self as its primary, or another node. replica: whom self waits for then, in
 * their places. Nothing is judged here: see ids_peer_config. */
void ids_decide_told(const ids_decision *now, const ids_group *group,
                     uint64_t rev, bool leads,
                     const ids_group_member replica[static IDS_FOLLOWERS_MAX],
                     ids_decision *next);

/* The operator's word: no agent decides any more. It forgets the group, and
 * leads by itself no more than before. */
void ids_decide_no_agent(const ids_decision *now, ids_decision *next);

/* Where the other node is, which is not part of these rules; and whether it
 * is a replica that may come to know of this node's data. */
void ids_decide_whereabouts(const ids_decision *now, bool has_replica,
                            ids_decision *next);

/* A replica is told that it is in sync with records of this origin. */
void ids_decide_admitted(const ids_decision *now, uint64_t epoch,
                         uint64_t version, ids_origin origin,
                         ids_decision *next);

/* A replica has heard that it is in sync no more. */
void ids_decide_disowned(const ids_decision *now, ids_decision *next);

/* The epoch of the history that a memory of this incarnation holds whole
 * from the start; 0: none. */
uint64_t ids_decision_kept_epoch(const ids_decision *now, ids_member self);

/* No longer primary, or never was: there is an epoch as high as this. */
void ids_decide_follow(const ids_decision *now, uint64_t epoch,
                       ids_decision *next);

/* Might it be promoted without loss? */
bool ids_decision_is_in_sync(const ids_decision *now, uint64_t has_copy_of);

/* Where decisions are recorded. propose is a compare-and-set on the version:
 * next replaces the recorded decision of version next->version - 1. The
 * answer comes later, by ids_peer_decided. */
typedef struct ids_decisions {
    void *ctx;
    void (*propose)(void *ctx, const ids_decision *next);
} ids_decisions;

#endif
