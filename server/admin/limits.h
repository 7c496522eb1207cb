/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h -- namespaces' limits, made from what a person wrote: settings of
 * one version, that shards borrow (server/core/limits.h).
 *
 * One section a namespace, its rows as texts, whoever read them. Each call
 * that fails says why in one sentence, and the maker is of no use then. */
#ifndef IDS_ADMIN_LIMITS_H
#define IDS_ADMIN_LIMITS_H

#include "server/core/limits.h"

typedef struct ids_limits_maker ids_limits_maker;

/* NULL: no memory. */
ids_limits_maker *ids_limits_maker_new(void);
void ids_limits_maker_free(ids_limits_maker *maker);

/* A namespace's section begins. "*" is each one that is not named; its bytes
 * may stand as %XX, so that "%2A" is the namespace "*". Named twice, over
 * IDP_NS_BYTES_MAX, more than IDS_NAMED_LIMITS_MAX of them: false. */
bool ids_limits_section(ids_limits_maker *maker, const char *name, char *why,
                        size_t why_cap);

/* One row of it: max_records (0..10^15), max_memory (bytes, or with k, m, g,
 * t; up to 2^50), rate (1..10^7 claims a second), burst (1 up to a day of the
 * rate; a second of it if there is none), max_ttl (ms, or with s, m, h, d:
 * up to 366d), max_result (as max_memory). */
bool ids_limits_row(ids_limits_maker *maker, const char *key, const char *value,
                    char *why, size_t why_cap);

/* Whether both say the same, once each has been made; NULL says nothing. */
bool ids_limits_same(const ids_limits_maker *a, const ids_limits_maker *b);

/* What has come, for so many shards; one block, to be freed by free. NULL: a
 * burst without a rate, or no memory. */
ids_all_limits *ids_limits_make(ids_limits_maker *maker, uint32_t shards,
                                char *why, size_t why_cap);

#endif
