/* SPDX-License-Identifier: Apache-2.0 */
/* limits_maker.h -- namespaces' limits, made from what a person wrote: settings
 * of one version, that shards borrow (server/core/ns_limits.h).
 *
 * One section a namespace, its rows as texts, whoever read them. Each call
 * that fails says why in one sentence, and the maker is of no use then. */
#ifndef IDS_LIMITS_MAKER_H
#define IDS_LIMITS_MAKER_H

#include "server/core/ns_limits.h"

typedef struct ids_limits_maker ids_limits_maker;

/* NULL: no memory. */
ids_limits_maker *ids_limits_maker_new(void);
void ids_limits_maker_free(ids_limits_maker *maker);

/* A namespace's section begins. "*" is each one that is not named; its bytes
 * may stand as %XX, so that "%2A" is the namespace "*". Named twice, over
 * IDP_NS_BYTES_MAX, more than IDS_NAMED_LIMITS_MAX of them: false. */
bool ids_limits_section(ids_limits_maker *maker, const char *name,
                        uint32_t line, char *why, size_t why_cap);

/* One row of it: max_records (0..10^15), max_memory (bytes, or with k, m, g,
 * t; up to 2^50), rate (1..10^7 claims a second), burst (1 up to a day of the
 * rate; a second of it if there is none), max_ttl (ms, or with s, m, h, d:
 * up to 366d), max_result (as max_memory). */
bool ids_limits_row(ids_limits_maker *maker, const char *key, const char *value,
                    char *why, size_t why_cap);

/* The section is over: its burst needs a rate, and fits it. After the last
 * section: end. Only then the rest. */
bool ids_limits_section_ends(ids_limits_maker *maker, char *why,
                             size_t why_cap);
void ids_limits_end(ids_limits_maker *maker);

/* How many sections; NULL has none. They are sorted by name, "*" comes last. */
uint32_t ids_limits_count(const ids_limits_maker *maker);

/* One section as a line of a settings file, without its end; returns the line
 * that it began in. */
#define IDS_LIMITS_TEXT_BYTES 512
uint32_t ids_limits_print(const ids_limits_maker *maker, uint32_t at,
                          char to[static IDS_LIMITS_TEXT_BYTES]);

/* Whether both say the same; NULL says nothing. */
bool ids_limits_same(const ids_limits_maker *a, const ids_limits_maker *b);

/* What has come, for so many shards; one block, to be freed by free. NULL: no
 * memory. maker NULL: no namespace has limits. */
ids_ns_limits_table *ids_limits_make(const ids_limits_maker *maker,
                                     uint32_t shards);

#endif
