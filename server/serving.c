/* SPDX-License-Identifier: Apache-2.0 */
/* serving.c -- what a worker may do now; see serving.h. */
#include "server/serving.h"

#include <string.h>

static bool refuses_all(const ids_serving *serving) {
    return serving->stance != IDS_LEADS || serving->changing != IDP_OK ||
           serving->showing != IDP_OK;
}

uint64_t ids_serving_epoch_end(const ids_serving *serving) {
    if (refuses_all(serving))
        return 0;
    return serving->lead_epoch == UINT64_MAX ? UINT64_MAX
                                             : serving->lead_epoch + 1;
}

const char *ids_serving_text(const ids_serving *serving, idp_error error) {
    if (error == IDP_E_NOT_PRIMARY)
        return serving->primary_at;
    if (error == IDP_E_UNREPLICATED && serving->why[0])
        return serving->why;
    return NULL;
}

bool ids_serving_alike(const ids_serving *a, const ids_serving *b) {
    return a->stance == b->stance && a->changing == b->changing &&
           a->showing == b->showing && a->lead_epoch == b->lead_epoch;
}

bool ids_serving_same(const ids_serving *a, const ids_serving *b) {
    return ids_serving_alike(a, b) && a->epoch == b->epoch &&
           a->in_sync == b->in_sync && a->safe_to_stop == b->safe_to_stop &&
           a->connected == b->connected && a->syncing == b->syncing &&
           a->lag_ops == b->lag_ops && a->lag_bytes == b->lag_bytes &&
           a->lag_ms == b->lag_ms &&
           strcmp(a->primary_at, b->primary_at) == 0 &&
           strcmp(a->why, b->why) == 0;
}

idp_error ids_serving_refuses(const ids_serving *serving,
                              const idp_request *request, const char **text) {
    idp_error error =
        request->method == IDP_PEEK ? serving->showing : serving->changing;
    if (serving->stance != IDS_LEADS ||
        request->token.epoch > serving->lead_epoch)
        error = IDP_E_NOT_PRIMARY;
    *text = ids_serving_text(serving, error);
    return error;
}
