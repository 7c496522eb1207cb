/* SPDX-License-Identifier: Apache-2.0 */
/* server.h -- what all loops of one daemon share.
 *
 * Filled before the first loop starts and only read from then on, but for
 * the mailboxes and what says that it leaves. */
#ifndef IDS_SERVER_H
#define IDS_SERVER_H

#include "proto/owner.h"
#include "server/access/access.h"
#include "server/core/mix.h"
#include "server/core/receipt.h"
#include "server/worker/commands.h"
#include "server/worker/holders.h"
#include "server/worker/mailbox.h"
#include "server/worker/pools.h"
#include "server/worker/secret.h"

typedef struct ids_server {
    uint32_t loops; /* and shards: 1..IDP_SHARDS_MAX */
    uint8_t hash_key[IDP_HASH_KEY_BYTES];
    ids_mix_key mix_key; /* random; hello does not tell it */
    uint64_t epoch;
    ids_access *access;            /* who gets in; NULL: everybody */
    ids_holders *holders;          /* who holds claims; NULL: nobody notes it */
    struct ids_walks *walks;       /* of list; NULL: there is none */
    struct ids_watchers *watchers; /* of events; NULL: there are none */
    struct ids_slow_log *slow;     /* NULL: nobody keeps it */
    uint64_t scan_interval_ms; /* a look through all records takes so long; 0:
                                * nobody looks */
    /* They key the links to other nodes, now and next; NULL or len 0: none. */
    const ids_secret *peer_secret;
    const char *version;
    /* At the start, until a loop hears of others: see ids_loop_limits. */
    const ids_ns_limits_table *namespaces;
    ids_ledger *ledger;
    ids_pools *pools; /* what records may take; NULL: ids_line_config says */
    size_t result_bytes_max;
    uint32_t pending_max;      /* waiting, and forwarded, per connection */
    size_t buffer_bytes_max;   /* per loop, at first: see ids_loop_limits */
    size_t unsent_bytes_max;   /* per connection; over it, it is closed */
    ids_command_handler peer;  /* promote, detach, switchover, replication */
    ids_command_handler store; /* snapshot */
    ids_command_handler reload;
    bool takes_peers;          /* another server may connect */
    const char *http_says;     /* to HTTP where it is not spoken: where it is;
                                * NULL: nowhere */
    ids_mailbox *mailboxes;    /* one per loop */
    const atomic_bool *leaves; /* it is going down, and serves on for a while;
                                * NULL: it never is */
    /* Wakes a sleeping loop. Any thread. */
    void (*wake)(void *ctx, uint32_t loop);
    void *wake_ctx;
} ids_server;

/* Which loop owns the key, and its hash there. */
static inline uint64_t ids_server_hash(const ids_server *server, idp_slice ns,
                                       idp_slice key, uint32_t *owner) {
    uint64_t hash = idp_owner_hash(server->hash_key, ns, key);
    *owner = server->loops > 1 ? idp_owner_shard(hash, server->loops) : 0;
    return ids_mix_hash(&server->mix_key, hash);
}

/* The same for a record that is there: a receipt is at its key's owner. */
static inline uint64_t ids_server_hash_record(const ids_server *server,
                                              idp_slice ns, idp_slice key,
                                              uint32_t *owner) {
    return ids_server_hash(server, ids_receipt_hashed_ns(ns), key, owner);
}

/* Over this a connection is not read until some of it has left. */
#define IDS_UNSENT_BYTES_HIGH    (256u << 10)
/* Requests' bytes at other loops, per connection; the same holds. */
#define IDS_FORWARDED_BYTES_HIGH (256u << 10)
/* What a connection may send before it has shown the secret. */
#define IDS_STRANGER_BYTES_MAX   (4u << 10)

#endif
