/* SPDX-License-Identifier: Apache-2.0 */
/* role.h -- what a worker may do now: lead, drain or follow, and what it
 * tells those whose calls are not carried out.
 *
 * The driver works it out once per turn, from the node's peer, and says it with
 * ids_worker_set_role; the worker looks at its own copy, without a lock.
 * Without a peer a worker leads, and that is all. */
#ifndef IDS_ROLE_H
#define IDS_ROLE_H

#include "server/core/shard.h"

typedef enum ids_worker_role {
    IDS_LEADS,  /* calls are carried out */
    IDS_DRAINS, /* a planned switchover: waiters and new calls hear
                 * NOT_PRIMARY, what is held may still leave */
    IDS_FOLLOWS /* its records are another node's */
} ids_worker_role;

/* As much as an error's text may have, and its end. */
#define IDS_ROLE_STATE_TEXT_BYTES 201

typedef struct ids_role_state {
    ids_worker_role role;
    idp_error changing;  /* what a call hears that can change a record; OK: it
                          * is carried out */
    idp_error showing;   /* the same for one that can't (peek) */
    uint64_t lead_epoch; /* a token of a higher one is another primary's;
                          * UINT64_MAX: there is none */
    uint64_t epoch;      /* as hello and stats show it */
    char primary_at[IDS_ROLE_STATE_TEXT_BYTES];   /* host:port; "": unknown */
    char primary_http[IDS_ROLE_STATE_TEXT_BYTES]; /* the same of HTTP */
    char why[IDS_ROLE_STATE_TEXT_BYTES]; /* UNREPLICATED's text; "": its own */
    /* For stats: of the whole node. */
    uint32_t in_sync;     /* members of the in-sync set, this node among them */
    bool settings_differ; /* the other node's from this one's */
    /* See status.h, ids_peer_status. */
    bool is_in_sync, safe_to_stop, connected, is_sealed, syncing;
    uint64_t lag_ops, lag_bytes, lag_ms;
    uint64_t full_copies, joins_by_key; /* whole, at either end */
} ids_role_state;

/* The worker's own: a token of this epoch or a higher one is looked at twice,
 * and so is every call where this is 0. */
uint64_t ids_role_state_epoch_end(const ids_role_state *role_state);

/* The error that the call hears, and its text; IDP_OK: none. */
idp_error ids_role_state_refuses(const ids_role_state *role_state,
                                 const idp_request *request, const char **text);

/* Whether the same calls are refused, and with the same error; and whether all
 * else is the same too. */
bool ids_role_state_alike(const ids_role_state *a, const ids_role_state *b);
bool ids_role_state_same(const ids_role_state *a, const ids_role_state *b);

/* The text that goes with NOT_PRIMARY and UNREPLICATED; NULL: the code's. */
const char *ids_role_state_text(const ids_role_state *role_state,
                                idp_error error);

#endif
