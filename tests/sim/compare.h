/* SPDX-License-Identifier: Apache-2.0 */
/* compare.h -- inside the world: what the shard said, held against what the
 * model said. */
#ifndef IDT_COMPARE_H
#define IDT_COMPARE_H

#include "tests/sim/world.h"

/* Keeps the first failure; returns false. */
__attribute__((format(printf, 2, 3))) bool world_fail(world *w,
                                                      const char *format, ...);
__attribute__((format(printf, 2, 3))) void world_trace(world *w,
                                                       const char *format, ...);

/* What the shard calls the model's token. One that neither of them ever
 * granted stays as it is. */
idp_token world_token(const world *w, idp_token model_token);

/* The model's answer against the shard's. */
bool world_same_answer(world *w, const char *who, const idp_answer *model,
                       const idp_answer *shard);

/* The wakes of one step, per key in their order (any_order: drained). Traces
 * them, shows them to the checker from the at-th on. */
bool world_match_wakes(world *w, bool any_order);

/* The parked call of that msgid; NULL: none. */
world_parked *world_find_parked(world *w, uint32_t msgid);

/* Notes the change record (the shard's hook), then holds the last one of a
 * key against the model's record. */
void world_on_change(void *ctx, const ids_change *change);
void world_keep_shadow(world *w, uint32_t key, const ids_change *change);
uint32_t world_key_of(const world *w, idp_slice ns, idp_slice key);
bool world_same_shadow(world *w, uint32_t key);

#endif
