/* SPDX-License-Identifier: Apache-2.0 */
/* peer_config.h -- what a world of peer_world.h is like: drawn from its seed.
 */
#ifndef SIM_PEER_CONFIG_H
#define SIM_PEER_CONFIG_H

#include "server/peer/peer.h"

typedef struct pw_config {
    ids_mode mode;
    uint32_t ttl_more_ms; /* of a claim, beside its lease: at most */
    bool lasts;           /* records do, and nodes are away for longer */
    uint32_t clients, keys, min_in_sync, ring_bytes, key_rings_bytes, join_lag,
        unsent_bytes;
    uint32_t percent_lost;  /* of messages between clients and nodes */
    uint32_t percent_cut;   /* of chunks: the connection ends in the middle */
    uint32_t percent_flip;  /* of chunks: a bit is another one */
    uint32_t percent_stale; /* of chunks: one of another session goes first */
    uint32_t percent_crash; /* of what the nemesis does */
    uint32_t delay_ms;
    uint32_t window; /* chunks under way per connection and direction */
    uint64_t chaos_ms;
    uint64_t wait_record_ms;
    uint32_t clock_step_ms; /* nodes see no less of the time */
    bool secret;
    int nodes;
    uint32_t places; /* of replicas: one, and a third node wants it; or all */
    bool lists;      /* each node is told where all others are */
    bool backups;    /* of what a node keeps: taken, and put back */
    bool clash;      /* at the end two nodes lead in one epoch */
} pw_config;

#endif
