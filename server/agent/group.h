/* SPDX-License-Identifier: Apache-2.0 */
/* group.h -- the record of a group of nodes that etcd has, read and compared.
 *
 * Pure. Its types, and a node's report of itself, are the peer's. */
#ifndef IDS_AGENT_GROUP_H
#define IDS_AGENT_GROUP_H

#include "server/peer/decision.h"

/* In a read; whoever is not among them counts as gone. */
#define IDS_GROUP_ALIVE_MAX 32

const char *ids_group_why_text(ids_group_why why);

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
    bool paused; /* an operator's word: nothing is decided but by his order */
} ids_group_view;

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
