/* SPDX-License-Identifier: Apache-2.0 */
/* group.h -- what failover agents tell a server, and what it says to them:
 * encode and decode. Pure; rare, so nothing here is made for speed.
 *
 * What is told is the one parameter of `config` and `offer`, a bin that holds
 *   [id, rev, epoch, primary, [[node, incarnation, at], ...]]
 * primary and node being names, at "host:port" or "", an incarnation a str of
 * 16 hex digits. An offer has id and primary "", and one node. What a server
 * says stands in `replication`'s answer: `group`. */
#ifndef IDP_GROUP_H
#define IDP_GROUP_H

#include "proto/terms.h"

#define IDP_GROUP_NODES_MAX     5
#define IDP_GROUP_SEEN_MAX      10
#define IDP_GROUP_ID_BYTES_MAX  36
#define IDP_NODE_NAME_BYTES_MAX 63
#define IDP_NODE_AT_BYTES_MAX   255
#define IDP_TOLD_BYTES_MAX      4096

typedef struct idp_group_node {
    char node[IDP_NODE_NAME_BYTES_MAX + 1];
    char at[IDP_NODE_AT_BYTES_MAX + 1];
    uint64_t incarnation;
} idp_group_node;

typedef struct idp_told {
    char id[IDP_GROUP_ID_BYTES_MAX + 1];
    char primary[IDP_NODE_NAME_BYTES_MAX + 1];
    uint64_t rev, epoch;
    uint32_t node_count;
    idp_group_node nodes[IDP_GROUP_NODES_MAX];
} idp_told;

/* Its size; 0: cap is below IDP_TOLD_BYTES_MAX. */
size_t idp_told_write(uint8_t *to, size_t cap, const idp_told *told);
/* False: it is no such thing, or names more nodes than there may be. */
bool idp_told_read(idp_slice bytes, idp_told *told);

/* Another node, as a primary sees it. */
typedef struct idp_group_seen {
    idp_group_node who;
    char as[12]; /* "member", "offered", "candidate" */
    uint64_t rev, silent_ms;
    bool session, whole, ready, needs_copy;
} idp_group_seen;

typedef struct idp_group_standing {
    char id[IDP_GROUP_ID_BYTES_MAX + 1]; /* "": it was told of none yet */
    idp_group_node self;                 /* node "": it is under no agent */
    uint64_t rev, epoch, lead_epoch, min_in_sync;
    bool leading, had_replica;
    uint32_t seen_count;
    idp_group_seen seen[IDP_GROUP_SEEN_MAX];
} idp_group_standing;

/* At most so many bytes of a reply. */
#define IDP_STANDING_BYTES_MAX 5120
struct msgpack_packer;
void idp_standing_pack(struct msgpack_packer *packer,
                       const idp_group_standing *standing);
struct cursor;
bool idp_standing_read(struct cursor *c, idp_group_standing *standing);

#endif
