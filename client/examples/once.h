/* SPDX-License-Identifier: Apache-2.0 */
/* once.h -- around a handler that must not run twice: what docs/http.md says,
 * for the HTTP server of web.h. */
#ifndef EXAMPLE_ONCE_H
#define EXAMPLE_ONCE_H

#include "client/examples/web.h"
#include "client/include/idemclient_http.h"
#include "client/include/idemclient_watch.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Who is authenticated, NUL-terminated, as long as the request lives. NULL:
 * nobody, which is a 401. */
typedef const char *once_principal(const void *ctx, const web_request *request);

/* What a service decides once, and what it counts. */
typedef struct once {
    idem_client *client;   /* shared by all threads */
    uint32_t lease_ms;     /* how long a handler may be silent */
    uint32_t wait_ms;      /* > 0: a duplicate waits for the answer */
    uint64_t ttl_ms;       /* how long an answer is replayed; 0: a day */
    uint32_t answer_bytes; /* a longer one is stored without its body */
    once_principal *principal;
    const void *principal_ctx;
    bool for_anyone;              /* in so many words: there is no principal */
    bool open;                    /* on_unavailable = open */
    atomic_uint let_through;      /* requests, while the store was away */
    atomic_uint_fast64_t told_ms; /* when that was last logged */
} once;

/* What a handler is told. */
typedef struct once_claim {
    const char *key; /* the store's: for a unique column of your own */
    char token[2 * IDEM_TOKEN_BYTES + 1]; /* fencing; "" with no claim: the
                                           * store is away, the service open */
    uint32_t attempt;                     /* 1 for the first; 0 with no claim */
    int32_t previous; /* above 1: how the one before ended */
} once_claim;

/* Does the work and fills in the answer. IDEM_HTTP_HANDLER; or
 * IDEM_HTTP_RETRYABLE: surely nothing happened; or IDEM_HTTP_LOST: nobody
 * knows. */
typedef int32_t once_handler(void *ctx, const once_claim *claim,
                             web_answer *answer);

/* Answers the request: with the handler's answer, or with an earlier one. */
void once_handle(once *o, const web_request *request, once_handler *handler,
                 void *ctx, web_answer *answer);

/* How it stands with the store, as JSON. */
void once_health(once *o, web_answer *answer);

#endif
