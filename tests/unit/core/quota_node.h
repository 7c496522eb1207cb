/* SPDX-License-Identifier: Apache-2.0 */
/* quota_node.h -- some shards of one node, that share what a namespace may
 * have; and calls of them. */
#ifndef UNIT_CORE_QUOTA_NODE_H
#define UNIT_CORE_QUOTA_NODE_H

#include "server/core/ledger.h"
#include "tests/unit/core/world.h"

enum { SHARDS = 8 };

extern idt_mem mems[SHARDS + 1];

typedef struct node {
    ids_ledger *ledger;
    ids_ns_limits_table *limits;
    ids_shard *shards[SHARDS];
    uint64_t now_ms;
} node;

/* The first is of the namespace "shop", the other of each other one. */
ids_ns_limits_table *new_limits(ids_ns_limits shop, ids_ns_limits others);
ids_ns_limits of_records(uint64_t max);
ids_ledger *new_ledger(void);
ids_shard_config shard_config(void);

void node_open(node *n, ids_ns_limits shop, ids_ns_limits others);

/* Nothing may be left of it: no memory, and nothing pinned or leased. */
void node_close(node *n);

idp_error call(ids_shard *shard, idp_request *q, uint64_t now_ms,
               idp_answer *answer);

/* Granted, or refused. */
idp_error claim(ids_shard *shard, const char *ns, uint64_t key, uint64_t now_ms,
                idp_token *token);
void drop(ids_shard *shard, const char *ns, uint64_t key, uint64_t now_ms,
          idp_token token);

typedef struct looked {
    const char *ns;
    ids_ns_counts counts;
    uint32_t namespaces;
    uint64_t others;
} looked;

/* What a namespace has in the shard, and how many it knows. */
looked look(const ids_shard *shard, const char *ns);

#endif
