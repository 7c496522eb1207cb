/* SPDX-License-Identifier: Apache-2.0 */
/* match.h -- POST /match: a match costs points, once per Idempotency-Key. */
#ifndef EXAMPLE_MATCH_H
#define EXAMPLE_MATCH_H

#include "client/examples/web.h"
#include "client/include/idemclient_http.h"

#include <stdbool.h>

typedef struct match_service {
    const char *name;        /* answers carry it as X-Backend */
    const char *ledger_path; /* shared with the other instances */
    idem_client *client;     /* shared by all threads */
    uint32_t lease_ms;       /* how long a handler may take */
    uint32_t wait_ms;        /* > 0: a duplicate waits for the answer */
    bool rehearse;           /* obey X-Rehearse, see match.c */
} match_service;

/* A web_handler; ctx is the match_service. */
void match_handle(void *ctx, const web_request *request, web_answer *answer);

#endif
