/* SPDX-License-Identifier: Apache-2.0 */
/* gateway.h -- what the agent asks of etcd, as requests of its JSON gateway
 * (/v3/...), and the gateway's answers.
 *
 * The gateway ignores fields that it does not know, and a compare without a
 * value compares with 0; integers of 64 bits are strings; what is false, 0 or
 * empty is left out. Pure. */
#ifndef IDS_ETCD_GATEWAY_H
#define IDS_ETCD_GATEWAY_H

#include "server/agent/agent.h"

#include <stddef.h>

#define IDS_ETCD_PREFIX_BYTES   128 /* with the 0 at its end */
#define IDS_ETCD_TOKEN_BYTES    256
#define IDS_ETCD_BODY_BYTES_MAX (64u * 1024) /* of an answer */

/* What became of a request, each with its text, and what may be assumed. */
#define IDS_ETCD_OUTCOMES(X)                            \
    X(OK, "done")                                       \
    /* It may have been done, or may be done later. */  \
    X(NO_ANSWER, "no answer")                           \
    X(STRANGE, "an answer that makes no sense")         \
    /* It was not done. */                              \
    X(TOKEN, "the token is not valid, or not any more") \
    X(PASSWORD, "user or password is wrong")            \
    X(DENIED, "this user may not do that")              \
    X(REFUSED, "the request was refused")               \
    X(NO_LEASE, "there is no such lease any more")      \
    /* It was read, and can't be used. */               \
    X(RECORD, "the record in etcd can't be read: is that key another's?")

typedef enum ids_etcd_outcome {
#define X(name, text) IDS_ETCD_##name,
    IDS_ETCD_OUTCOMES(X)
#undef X
        IDS_ETCD_OUTCOME_COUNT
} ids_etcd_outcome;

const char *ids_etcd_outcome_text(ids_etcd_outcome outcome);

/* The kinds of ids_agent_act that etcd answers. */
static inline bool ids_etcd_serves(ids_agent_act_kind kind) {
    return kind != IDS_AGENT_ASK && kind != IDS_AGENT_CONFIG &&
           kind != IDS_AGENT_OFFER;
}

typedef struct ids_etcd_request {
    const char *path; /* "/v3/kv/txn" */
    char *body;       /* to be freed; NULL: no memory */
} ids_etcd_request;

/* prefix: of all keys, like "/idemstore/shop/"; node: whose alive key. */
ids_etcd_request ids_etcd_request_of(const ids_agent_act *act,
                                     const char *prefix,
                                     const ids_node_name *node,
                                     uint32_t lease_ms);
ids_etcd_request ids_etcd_request_token(const char *user, const char *password);

typedef struct ids_etcd_answer {
    uint64_t call;
    ids_agent_act_kind kind;
    ids_etcd_outcome outcome;
    bool done;           /* PUT: the compare held */
    ids_group_view view; /* READ, PUT */
    uint64_t lease;      /* GRANT, ALIVE, KEEPALIVE; 0: it is gone */
    char why[160];       /* as etcd says it; "": nothing */
} ids_etcd_answer;

/* status: of HTTP; 0: there was no answer. answer->kind is set; the rest is
 * filled in. act: what was asked. */
void ids_etcd_read_answer(ids_etcd_answer *answer, const ids_agent_act *act,
                          const char *prefix, long status, const char *body,
                          size_t len);
ids_etcd_outcome ids_etcd_read_token(char token[static IDS_ETCD_TOKEN_BYTES],
                                     long status, const char *body, size_t len);

#endif
