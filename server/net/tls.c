/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c -- see tls.h. */
#include "server/net/tls.h"

#include "proto/tls/tls.h"
#include "server/net/peer_tls.h"

#include <assert.h>
#include <string.h>

static_assert(IDS_TLS_WHY_BYTES >= IDP_TLS_WHY_BYTES, "a sentence finds room");

/* Another node comes to the clients' port, too: where nothing is asked of
 * clients its certificate is asked for as what it is. */
static const char *ca_of(const ids_config *config) {
    return config->tls_ca ? config->tls_ca : config->peer_ca;
}

static idp_tls_context *load_clients(const ids_config *config,
                                     char why[static IDS_TLS_WHY_BYTES]) {
    idp_tls_why reason;
    const idp_tls_settings settings = {
        .cert_file = config->tls_cert,
        .key_file = config->tls_key,
        .ca_file = ca_of(config),
        .min_version =
            config->tls_min == IDS_TLS_MIN_1_2 ? IDP_TLS_1_2 : IDP_TLS_1_3};
    idp_tls_context *context = idp_tls_context_new(&settings, &reason);
    memcpy(why, reason.text, sizeof reason.text);
    return context;
}

bool ids_tls_load(ids_tls_contexts *to, const ids_config *config,
                  char why[static IDS_TLS_WHY_BYTES]) {
    *to = (ids_tls_contexts){.clients = load_clients(config, why)};
    if (to->clients)
        to->peers = ids_peer_tls_load(config, why);
    if (to->peers)
        return true;
    ids_tls_drop(to);
    return false;
}

void ids_tls_drop(ids_tls_contexts *contexts) {
    idp_tls_context_drop(contexts->clients);
    idp_tls_context_drop(contexts->peers);
    *contexts = (ids_tls_contexts){0};
}

bool ids_tls_open(ids_tls *tls, const ids_config *config,
                  char why[static IDS_TLS_WHY_BYTES]) {
    ids_tls_contexts contexts;
    if (!ids_tls_load(&contexts, config, why))
        return false;
    tls->is_required = config->tls == IDS_TLS_REQUIRED;
    tls->asks = config->tls_clients > IDS_TLS_CLIENTS_NO ||
                (config->peer_tls == IDS_TLS_PEERS_ON && ca_of(config) != NULL);
    tls->demands = config->tls_clients == IDS_TLS_CLIENTS_REQUIRED;
    tls->http_asks = config->http_tls_clients > IDS_TLS_CLIENTS_NO;
    tls->http_demands = config->http_tls_clients == IDS_TLS_CLIENTS_REQUIRED;
    tls->peer_tls = config->peer_tls;
    tls->context = contexts.clients;
    tls->peers = contexts.peers;
    pthread_mutex_init(&tls->lock, NULL);
    return true;
}

void ids_tls_close(ids_tls *tls) {
    if (!tls->context)
        return;
    idp_tls_context_drop(tls->context);
    idp_tls_context_drop(tls->peers);
    tls->context = tls->peers = NULL;
    pthread_mutex_destroy(&tls->lock);
}

/* A reference of the caller's. */
static idp_tls_context *hold_context(ids_tls *tls) {
    pthread_mutex_lock(&tls->lock);
    idp_tls_context *context = idp_tls_context_hold(tls->context);
    pthread_mutex_unlock(&tls->lock);
    return context;
}

void ids_tls_use(ids_tls *tls, ids_tls_contexts *next) {
    assert(idp_tls_context_has_cert(next->clients));
    pthread_mutex_lock(&tls->lock);
    ids_tls_contexts before = {tls->context, tls->peers};
    tls->context = next->clients;
    tls->peers = next->peers;
    pthread_mutex_unlock(&tls->lock);
    *next = (ids_tls_contexts){0};
    ids_tls_drop(&before);
}

idp_tls *ids_tls_accept(ids_tls *tls, bool is_http) {
    idp_tls_context *context = hold_context(tls);
    idp_tls *engine =
        idp_tls_accept(context, is_http ? tls->http_asks : tls->asks);
    idp_tls_context_drop(context);
    return engine;
}

bool ids_tls_has_signed(ids_tls *tls, const idp_tls *engine) {
    idp_tls_why why;
    idp_tls_context *context = hold_context(tls);
    bool has = idp_tls_peer_is_of(engine, context, &why);
    idp_tls_context_drop(context);
    return has;
}

int64_t ids_tls_end_s(ids_tls *tls) {
    idp_tls_context *context = hold_context(tls);
    int64_t end_s = idp_tls_context_end_s(context);
    idp_tls_context_drop(context);
    return end_s;
}
