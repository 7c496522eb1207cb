/* SPDX-License-Identifier: Apache-2.0 */
/* claims.c -- the claims of a session: whose token "complete KEY" means. */
#include "client/ctl/ctl.h"

#include <stdlib.h>
#include <string.h>

static bool is_same_claim(const ctl_claim *claim, const idem_args *args) {
    return claim->has_ns == (args->ns != NULL) &&
           claim->ns_len == args->ns_len && claim->key_len == args->key_len &&
           (args->key == NULL || args->key_len == 0 ||
            memcmp(claim->key, args->key, args->key_len) == 0) &&
           (args->ns == NULL || args->ns_len == 0 ||
            memcmp(claim->ns, args->ns, args->ns_len) == 0);
}

static ctl_claim *find_claim(const ctl_session *session,
                             const idem_args *args) {
    for (size_t i = 0; i < session->claims_count; i++)
        if (is_same_claim(&session->claims[i], args))
            return &session->claims[i];
    return NULL;
}

/* A place for one more; the oldest goes when there is none. NULL: no memory. */
static ctl_claim *make(ctl_session *session) {
    if (session->claims == NULL)
        session->claims = calloc(CTL_CLAIMS_MAX, sizeof *session->claims);
    if (session->claims == NULL)
        return NULL;
    if (session->claims_count == CTL_CLAIMS_MAX)
        memmove(session->claims, session->claims + 1,
                --session->claims_count * sizeof *session->claims);
    return &session->claims[session->claims_count++];
}

void ctl_claims_add(ctl_session *session, const ctl_ask *ask,
                    const idem_token *token) {
    const idem_args *args = &ask->args;
    ctl_claim *claim = find_claim(session, args);
    if (claim == NULL)
        claim = make(session);
    if (claim == NULL)
        return; /* --token still does it */
    claim->has_ns = args->ns != NULL;
    claim->ns_len = args->ns_len;
    claim->key_len = args->key_len;
    claim->token = *token;
    if (args->ns != NULL && args->ns_len > 0)
        memcpy(claim->ns, args->ns, args->ns_len);
    if (args->key != NULL && args->key_len > 0)
        memcpy(claim->key, args->key, args->key_len);
}

bool ctl_claims_find(const ctl_session *session, ctl_ask *ask) {
    const ctl_claim *claim = find_claim(session, &ask->args);
    if (claim == NULL)
        return ctl_why(ask,
                       "%s needs --token: this session has not acquired that "
                       "key",
                       ask->command->name);
    ask->args.token = claim->token;
    return true;
}
