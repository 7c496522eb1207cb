/* SPDX-License-Identifier: Apache-2.0 */
/* group.h -- the record of a group of nodes that etcd has, and what a node
 * says of itself.
 *
 * Pure. The record's revision (R: the mod_revision of its key) is no part of
 * it; a decision is made on one revision and compares it. */
#ifndef IDS_AGENT_GROUP_H
#define IDS_AGENT_GROUP_H

#include "server/peer/decision.h"

#define IDS_GROUP_NODES_MAX (1 + IDS_FOLLOWERS_MAX)
#define IDS_GROUP_ID_BYTES  37 /* a UUID as text, with the 0 at its end */
/* Those that have a place in a report: members, and newcomers. */
#define IDS_GROUP_SEEN_MAX  (2 * IDS_GROUP_NODES_MAX)
/* In a read; whoever is not among them counts as gone. */
#define IDS_GROUP_ALIVE_MAX 32

typedef struct ids_group_id {
    char text[IDS_GROUP_ID_BYTES]; /* "": none */
} ids_group_id;

typedef struct ids_group_member {
    ids_node_name node;
    uint64_t incarnation; /* not 0 */
    ids_endpoint at;      /* of its port; "": not known */
} ids_group_member;

/* Why a record was written, as it says itself. */
#define IDS_GROUP_WHYS(X)       \
    X(CREATE, "create")         \
    X(TAKEOVER, "takeover")     \
    X(SWITCHOVER, "switchover") \
    X(ADMIT, "admit")           \
    X(DETACH, "detach")         \
    X(TOUCH, "touch")           \
    X(ACCEPT_LOSS, "accept-loss")

typedef enum ids_group_why {
#define X(name, text) IDS_GROUP_##name,
    IDS_GROUP_WHYS(X)
#undef X
        IDS_GROUP_WHY_COUNT
} ids_group_why;

const char *ids_group_why_text(ids_group_why why);

typedef struct ids_group {
    ids_group_id id;
    uint64_t epoch;
    ids_group_member primary;
    ids_group_member isr[IDS_GROUP_NODES_MAX]; /* the primary is one */
    uint32_t isr_count;
    ids_group_why why;
    ids_node_name by; /* whose agent wrote it */
} ids_group;

/* A key of a node that renews it: alive/NODE. */
typedef struct ids_group_alive {
    ids_node_name node;
    uint64_t incarnation;
} ids_group_alive;

/* One read of etcd: all of it at one time. */
typedef struct ids_group_view {
    uint64_t cluster;  /* header.cluster_id */
    uint64_t revision; /* R; 0: there is no record, and group is empty */
    ids_group group;
    ids_group_alive alive[IDS_GROUP_ALIVE_MAX];
    uint32_t alive_count;
} ids_group_view;

/* What another node is to the one that reports. */
typedef enum ids_report_as {
    IDS_REPORT_MEMBER,   /* replies wait for it */
    IDS_REPORT_OFFERED,  /* and for this one, until a later revision */
    IDS_REPORT_CANDIDATE /* it could be offered */
} ids_report_as;

typedef struct ids_report_peer {
    ids_group_member who;
    ids_report_as as;
    uint64_t rev;        /* of the offer */
    uint64_t silent_ms;  /* since it was heard last, or put in */
    uint64_t lagging_ms; /* the agent's: for how long it is not whole */
    bool session;        /* it has one, or may still begin it */
    bool whole;          /* all streams are at the primary's number */
    bool ready;          /* offered: it has all that any reply left with */
    bool needs_copy;     /* only a full copy can reach it */
} ids_report_peer;

/* A node's answer, in one step under its monitor. Who reads it sees to it that
 * no node of it is without a name or an incarnation. */
typedef struct ids_report {
    ids_group_id id; /* of the group that it was told of; "": of none */
    ids_group_member self;
    uint64_t epoch, rev; /* the highest that it took */
    uint64_t lead_epoch;
    uint32_t min_in_sync;
    bool leading;
    bool had_replica; /* its records may be elsewhere, newer */
    ids_report_peer peer[IDS_GROUP_SEEN_MAX]; /* of a primary */
    uint32_t peer_count;
} ids_report;

bool ids_group_same_node(const ids_node_name *a, const ids_node_name *b);
/* The node and its memory: one that restarted empty is another. */
bool ids_group_same_member(const ids_group_member *a,
                           const ids_group_member *b);
/* Of this node, whatever its incarnation; NULL: it is no member. */
const ids_group_member *ids_group_find(const ids_group *group,
                                       const ids_node_name *node);
bool ids_group_has(const ids_group *group, const ids_group_member *member);
/* Takes the place of the node's older incarnation. False: it is full. */
bool ids_group_add(ids_group *group, const ids_group_member *member);
void ids_group_remove(ids_group *group, const ids_node_name *node);
/* The primary is a member, no node is one twice, nothing is left out, the epoch
 * is one (IDS_EPOCH_MAX). */
bool ids_group_is_sound(const ids_group *group);

/* Its agent renews the key of this very incarnation. */
bool ids_group_is_alive(const ids_group_view *view,
                        const ids_group_member *member);
/* 0: it has no key. */
uint64_t ids_group_alive_as(const ids_group_view *view,
                            const ids_node_name *node);

#endif
