/* SPDX-License-Identifier: Apache-2.0 */
/* match.h -- POST /match: a match costs points, once per Idempotency-Key.
 * GET /matches: how often it was played here. GET /health. */
#ifndef EXAMPLE_MATCH_H
#define EXAMPLE_MATCH_H

#include "client/examples/once.h"
#include "client/examples/web.h"

#include <stdatomic.h>
#include <stdbool.h>

typedef struct match_service {
    const char *name;        /* answers carry it as X-Backend */
    const char *ledger_path; /* shared with the other instances */
    bool rehearse;           /* obey X-Rehearse, see match.c */
    once once;               /* how it asks the store */
    atomic_uint played;      /* how often the handler began */
} match_service;

/* A web_handler; ctx is the match_service. */
void match_handle(void *ctx, const web_request *request, web_answer *answer);

#endif
