/* SPDX-License-Identifier: Apache-2.0 */
/* holders.h -- who holds claims: numbers for names, which a record has room for
 * (ids_call.by).
 *
 * One table for all workers, behind a lock that no request takes but a
 * connection's first acquire. A holder is a credential's name, what the client
 * calls itself, and its address without a port; all connections that have the
 * three in common are one. A number is used again when no connection has it
 * and every worker has since looked through all of its records (scanner.h) and
 * found none with it. Names alone, from a journal or another node, stay.
 *
 * When there are no numbers left, a claim has its credential's name alone, or
 * nobody's. */
#ifndef IDS_HOLDERS_H
#define IDS_HOLDERS_H

#include "server/core/shard.h"
#include "server/worker/who.h"

/* Of which so many are names alone. */
#define IDS_HOLDERS_MAX      IDS_BY_MAX
#define IDS_HOLDER_NAMES_MAX 1024u
/* A bit for each number. */
#define IDS_HOLDER_WORDS     ((IDS_HOLDERS_MAX + 64) / 64)
/* What is under way to another worker has come there by then. */
#define IDS_HOLDER_GRACE_MS  10000

typedef struct ids_holders ids_holders;

#define IDS_HOLDER_CLIENT_BYTES (4 * IDP_CLIENT_BYTES_MAX + 1)
#define IDS_HOLDER_FROM_BYTES   64
typedef struct ids_holder {
    char user[IDP_USER_BYTES_MAX + 1];    /* "": not known, as all of these */
    char client[IDS_HOLDER_CLIENT_BYTES]; /* printable */
    char from[IDS_HOLDER_FROM_BYTES];
} ids_holder;

/* NULL: no memory. */
ids_holders *ids_holders_new(uint32_t loops);
void ids_holders_free(ids_holders *holders);

/* A connection comes, and is to be followed by leave; 0: there is no number.
 * Any thread. */
uint32_t ids_holders_enter(ids_holders *holders, const char *user,
                           const ids_who *who, uint64_t now_ms);
void ids_holders_leave(ids_holders *holders, uint32_t by, uint64_t now_ms);

/* The number of a name alone. Any thread. */
uint32_t ids_holders_name(ids_holders *holders, idp_slice user);

/* Its credential's name, empty for none. Of a number that a record of this
 * worker's has, or one of its requests: then it holds, and there is no lock. */
idp_slice ids_holders_user(const ids_holders *holders, uint32_t by);

/* All that is known of it. */
void ids_holders_get(ids_holders *holders, uint32_t by, ids_holder *to);

/* This worker has looked through all of its records since then, and these are
 * the numbers that they have. */
void ids_holders_looked(ids_holders *holders, uint32_t loop, uint64_t since_ms,
                        const uint64_t found[static IDS_HOLDER_WORDS]);

#endif
