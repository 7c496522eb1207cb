/* SPDX-License-Identifier: Apache-2.0 */
/* quota.h -- inside the world: what the shard counts by namespace, held
 * against the model's records, and what it refuses against its counts.
 *
 * A world has three namespaces. Limits are set for two of them by name, and
 * the rest's hold for the third. */
#ifndef IDT_SIM_QUOTA_H
#define IDT_SIM_QUOTA_H

#include "server/core/ledger.h"
#include "tests/lib/mem.h"

enum { WORLD_NAMESPACES = 3, WORLD_NAMED = 2 };

typedef struct world world;

typedef struct world_limits {
    ids_ns_limits of[WORLD_NAMESPACES]; /* the last: of each other one */
} world_limits;

/* One namespace, as the world knows it. */
typedef struct world_ns {
    ids_ns_counts counts;  /* the shard's, after the last step */
    uint64_t spent_units;  /* the rate is at rest from then on */
    uint32_t first_claims; /* of this step: such as make a record */
    uint32_t next_claims;
    uint32_t refused_rate;
    uint32_t retry_ms; /* said with the last of them */
} world_ns;

typedef struct world_quota {
    bool on;
    bool counted; /* at the end of the step before, what there was */
    idt_mem mem;
    ids_ledger *ledger;
    ids_ns_limits_table *limits; /* the shard's */
    world_limits said;
    world_ns of[WORLD_NAMESPACES];
    idp_token last; /* the last one granted */
    uint64_t refusals[IDS_LIMIT_TTL + 1];
    uint64_t dropped, shortened;
} world_quota;

/* False: no memory. */
bool world_quota_open(world *w, const world_limits *limits);
void world_quota_close(world *w);

/* The limits that the model asks for; NULL: there are none. */
const ids_ns_limits *world_limits_of(void *ctx, idp_slice ns);

/* Notes what the shard has just said to this request, and whether it was
 * right to refuse that. */
bool world_quota_said(world *w, const idp_request *q, idp_error error,
                      const idp_answer *answer);

/* After a step: counts, limits and rates. */
void world_quota_start(world *w);
bool world_quota_holds(world *w);

/* Its records are in another shard now. */
void world_quota_moved(world *w);

#endif
