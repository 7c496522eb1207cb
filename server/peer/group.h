/* SPDX-License-Identifier: Apache-2.0 */
/* group.h -- nodes under failover agents: the record that these keep of them,
 * and what a node says of itself to an agent.
 *
 * Types alone. The record's revision (R: the mod_revision of its key in etcd)
 * is no part of it; a decision is made on one revision and compares it. */
#ifndef IDS_PEER_GROUP_H
#define IDS_PEER_GROUP_H

#include "server/peer/endpoint.h"
#include "server/peer/name.h"

#include <stdbool.h>
#include <stdint.h>

/* A primary, and as many replicas as it may have. */
#define IDS_GROUP_NODES_MAX 5
#define IDS_GROUP_ID_BYTES  37 /* a UUID as text, with the 0 at its end */
/* Those that have a place in a report: members, and newcomers. */
#define IDS_GROUP_SEEN_MAX  (2 * IDS_GROUP_NODES_MAX)

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

typedef struct ids_group {
    ids_group_id id;
    uint64_t epoch;
    ids_group_member primary;
    ids_group_member isr[IDS_GROUP_NODES_MAX]; /* the primary is one */
    uint32_t isr_count;
    ids_group_why why;
    ids_node_name by; /* whose agent wrote it */
} ids_group;

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
    uint64_t lead_epoch; /* in which it leads, or led last */
    uint32_t min_in_sync;
    bool leading;
    bool had_replica; /* its records may be elsewhere, newer */
    ids_report_peer peer[IDS_GROUP_SEEN_MAX]; /* of a primary */
    uint32_t peer_count;
} ids_report;

#endif
