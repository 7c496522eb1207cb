/* SPDX-License-Identifier: Apache-2.0 */
/* etcd.h -- a client of etcd for one agent: it takes what the agent wants of
 * etcd (ids_agent_act) and gives back its answers.
 *
 * libcurl and etcd's JSON gateway; nothing here blocks but ids_etcd_wait. One
 * thread. A request goes to one endpoint: whether one without an answer was
 * carried out nobody knows, and the agent asks anew. (libcurl sends it once
 * more where a connection that it had kept was closed; the compare makes that
 * harmless.) After a failure the
 * next request goes to the next endpoint. */
#ifndef IDS_ETCD_H
#define IDS_ETCD_H

#include "server/etcd/gateway.h"

#define IDS_ETCD_ENDPOINTS_MAX 8
#define IDS_ETCD_CALLS_MAX     8 /* at a time */

/* Texts are borrowed for as long as the client lives. */
typedef struct ids_etcd_config {
    const char *endpoint[IDS_ETCD_ENDPOINTS_MAX]; /* "https://host:2379",
                                                   * without a / at its end */
    uint32_t endpoint_count;                      /* 1 .. */
    const char *prefix;   /* of all keys, "/idemstore/shop/" */
    const char *user;     /* NULL: etcd asks for none */
    const char *password; /* NULL only without user */
    const char *ca;       /* file; NULL: the system's */
    const char *cert;     /* file; NULL: none is shown */
    const char *key;      /* file; NULL: in cert */
    ids_node_name node;   /* whose alive key is put */
    uint32_t lease_ms;
} ids_etcd_config;

typedef struct ids_etcd ids_etcd;

/* NULL: no memory, or libcurl can't be used. */
ids_etcd *ids_etcd_new(const ids_etcd_config *config);
void ids_etcd_free(ids_etcd *etcd); /* what is under way ends unanswered */

/* A token takes etcd a slow hash; until there is one nothing else is asked. */
#define IDS_ETCD_TOKEN_MS 5000u

/* act: one that ids_etcd_serves. Answered once, by ids_etcd_next, within
 * IDS_AGENT_CALL_MS and a little, or IDS_ETCD_TOKEN_MS if it has to get a token
 * first. As NO_ANSWER: without memory, with too many under way at once, while
 * another gets a token. */
void ids_etcd_ask(ids_etcd *etcd, const ids_agent_act *act);
/* False: nothing more for now. */
bool ids_etcd_next(ids_etcd *etcd, ids_etcd_answer *answer);
/* Blocks until there may be something, here or to be read from one of these
 * descriptors, or for wait_ms. Call it also when nothing is under way: then it
 * waits. At most IDS_ETCD_FDS_MAX. */
#define IDS_ETCD_FDS_MAX 32
void ids_etcd_wait_with(ids_etcd *etcd, const int *fds, size_t count,
                        int wait_ms);
void ids_etcd_wait(ids_etcd *etcd, int wait_ms);

#endif
