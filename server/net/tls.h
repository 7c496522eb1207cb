/* SPDX-License-Identifier: Apache-2.0 */
/* tls.h -- what all loops share of TLS: the certificate that new connections
 * are shown, and what is asked of those who come by TCP. Without TLS in the
 * build (IDEM_TLS=OFF) a flag that asks for it is refused. */
#ifndef IDS_TLS_H
#define IDS_TLS_H

#include "server/admin/config.h"
#include "server/net/sources.h"
#include "server/peer/endpoint.h"

#include <pthread.h>

struct idp_tls;
struct idp_tls_context;

#define IDS_TLS_WHY_BYTES 512

/* Of TLS' first record; nothing of ours begins with it. */
#define IDS_TLS_HELLO_RECORD 0x16

/* Nodes that are remembered; a node has few others. */
#define IDS_TLS_NODES 8

/* How another node was dialled last. */
typedef enum ids_tls_node_way {
    IDS_TLS_NODE_TRIES,      /* with TLS, not known whether it has it */
    IDS_TLS_NODE_FALLS_BACK, /* that failed: the next session is plain */
    IDS_TLS_NODE_PLAIN,      /* so this one is */
    IDS_TLS_NODE_HAS_TLS     /* for good */
} ids_tls_node_way;

typedef struct ids_tls_node {
    char at[IDS_ENDPOINT_BYTES];
    ids_tls_node_way way;
    bool is_told; /* that it is plain */
} ids_tls_node;

typedef struct ids_tls {
    /* Set before the loops run. */
    bool is_required;             /* who speaks plain is told to use idems:// */
    bool asks;                    /* for a client's certificate */
    bool demands;                 /* one that is good */
    bool http_asks, http_demands; /* the same over HTTP */
    ids_tls_peers peer_tls;
    ids_sources sources;
    /* The lock's: taken once a connection, and at a reload. */
    pthread_mutex_t lock;
    struct idp_tls_context *context;
    struct idp_tls_context *peers; /* peer_tls.h's, as what follows is */
    ids_tls_node nodes[IDS_TLS_NODES];
    uint32_t nodes_next;
} ids_tls;

/* What the files say: for those who come, and for links to other nodes. */
typedef struct ids_tls_contexts {
    struct idp_tls_context *clients, *peers; /* NULL: none were loaded */
} ids_tls_contexts;

/* Reads and checks the files that the flags name; off the loops' threads, once
 * they run. False: why is one sentence that names the file. */
bool ids_tls_load(ids_tls_contexts *to, const ids_config *config,
                  char why[static IDS_TLS_WHY_BYTES]);
void ids_tls_drop(ids_tls_contexts *contexts);

/* For the loops of a daemon with a certificate. False: as load says. */
bool ids_tls_open(ids_tls *tls, const ids_config *config,
                  char why[static IDS_TLS_WHY_BYTES]);
/* No loop runs any more. One that was never opened is fine. */
void ids_tls_close(ids_tls *tls);

/* Takes the contexts: who connects from now on is shown it, those who have
 * connected keep theirs. Any thread. */
void ids_tls_use(ids_tls *tls, ids_tls_contexts *next);

/* A connection's engine, by the context of now; NULL: no memory. Any thread. */
struct idp_tls *ids_tls_accept(ids_tls *tls, bool is_http);

/* Whether the certificate that came on it is good by the context of now. Any
 * thread. */
bool ids_tls_has_signed(ids_tls *tls, const struct idp_tls *engine);

/* Unix seconds at which the certificate of now ends. */
int64_t ids_tls_end_s(ids_tls *tls);

#endif
