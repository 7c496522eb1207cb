/* SPDX-License-Identifier: Apache-2.0 */
/* role.c -- what a worker may do now; see role.h. */
#include "server/worker/role.h"

#include <string.h>

static bool refuses_all(const ids_role_state *role_state) {
    return role_state->role != IDS_LEADS || role_state->changing != IDP_OK ||
           role_state->showing != IDP_OK;
}

uint64_t ids_role_state_epoch_end(const ids_role_state *role_state) {
    if (refuses_all(role_state))
        return 0;
    return role_state->lead_epoch == UINT64_MAX ? UINT64_MAX
                                                : role_state->lead_epoch + 1;
}

const char *ids_role_state_text(const ids_role_state *role_state,
                                idp_error error) {
    if (error == IDP_E_NOT_PRIMARY)
        return role_state->primary_at;
    if (error == IDP_E_UNREPLICATED && role_state->why[0])
        return role_state->why;
    return NULL;
}

bool ids_role_state_alike(const ids_role_state *a, const ids_role_state *b) {
    return a->role == b->role && a->changing == b->changing &&
           a->showing == b->showing && a->lead_epoch == b->lead_epoch;
}

bool ids_role_state_same(const ids_role_state *a, const ids_role_state *b) {
    return ids_role_state_alike(a, b) && a->epoch == b->epoch &&
           a->in_sync == b->in_sync && a->is_in_sync == b->is_in_sync &&
           a->safe_to_stop == b->safe_to_stop && a->connected == b->connected &&
           a->is_sealed == b->is_sealed && a->syncing == b->syncing &&
           a->settings_differ == b->settings_differ &&
           a->lag_ops == b->lag_ops && a->lag_bytes == b->lag_bytes &&
           a->lag_ms == b->lag_ms && a->full_copies == b->full_copies &&
           a->joins_by_key == b->joins_by_key &&
           strcmp(a->primary_at, b->primary_at) == 0 &&
           strcmp(a->primary_http, b->primary_http) == 0 &&
           strcmp(a->why, b->why) == 0;
}

idp_error ids_role_state_refuses(const ids_role_state *role_state,
                                 const idp_request *request,
                                 const char **text) {
    bool shows = request->method == IDP_PEEK || request->method == IDP_LIST ||
                 request->method == IDP_INSPECT ||
                 request->method == IDP_EVENTS;
    idp_error error = shows ? role_state->showing : role_state->changing;
    if (role_state->role != IDS_LEADS ||
        request->token.epoch > role_state->lead_epoch)
        error = IDP_E_NOT_PRIMARY;
    *text = ids_role_state_text(role_state, error);
    return error;
}
