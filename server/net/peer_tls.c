/* SPDX-License-Identifier: Apache-2.0 */
/* peer_tls.c -- see peer_tls.h. */
#include "server/net/peer_tls.h"

#include "proto/tls/tls.h"
#include "server/base/log.h"

#include <assert.h>
#include <string.h>

/* The system's authorities take 45 ms to be read: who has no peer has no use
 * for them. */
idp_tls_context *ids_peer_tls_load(const ids_config *config,
                                   char why[static IDS_TLS_WHY_BYTES]) {
    idp_tls_why reason;
    bool is_own = config->peer_cert != NULL;
    const char *ca = config->peer_ca ? config->peer_ca : config->tls_ca;
    const idp_tls_settings settings = {
        .cert_file = is_own ? config->peer_cert : config->tls_cert,
        .key_file = is_own ? config->peer_key : config->tls_key,
        .ca_file = ca,
        .system_ca = !ca && ids_config_has_peer(config),
        .any_purpose = ca != NULL,
        .min_version =
            config->tls_min == IDS_TLS_MIN_1_2 ? IDP_TLS_1_2 : IDP_TLS_1_3};
    idp_tls_context *context = idp_tls_context_new(&settings, &reason);
    memcpy(why, reason.text, sizeof reason.text);
    return context;
}

idp_tls_context *ids_peer_tls_hold(ids_tls *tls) {
    pthread_mutex_lock(&tls->lock);
    idp_tls_context *context = idp_tls_context_hold(tls->peers);
    pthread_mutex_unlock(&tls->lock);
    return context;
}

/* In which way a node is dialled ------------------------------------------- */

/* Its entry; one that is new takes the place of the one that is oldest. */
static ids_tls_node *node_of(ids_tls *tls, const char *endpoint) {
    for (uint32_t i = 0; i < IDS_TLS_NODES; i++)
        if (strcmp(tls->nodes[i].at, endpoint) == 0)
            return &tls->nodes[i];
    ids_tls_node *node = &tls->nodes[tls->nodes_next++ % IDS_TLS_NODES];
    *node = (ids_tls_node){.way = IDS_TLS_NODE_TRIES};
    assert(strlen(endpoint) < sizeof node->at);
    memcpy(node->at, endpoint, strlen(endpoint) + 1);
    return node;
}

bool ids_peer_tls_is_wanted(ids_tls *tls, const char *endpoint, bool is_first) {
    if (!tls || tls->peer_tls == IDS_TLS_PEERS_OFF)
        return false;
    if (tls->peer_tls == IDS_TLS_PEERS_ON)
        return true;
    pthread_mutex_lock(&tls->lock);
    ids_tls_node *node = node_of(tls, endpoint);
    bool is_plain = node->way == IDS_TLS_NODE_FALLS_BACK ||
                    (node->way == IDS_TLS_NODE_PLAIN && !is_first);
    if (is_first && node->way != IDS_TLS_NODE_HAS_TLS)
        node->way = is_plain ? IDS_TLS_NODE_PLAIN : IDS_TLS_NODE_TRIES;
    pthread_mutex_unlock(&tls->lock);
    return !is_plain;
}

void ids_peer_tls_shook(ids_tls *tls, const char *endpoint) {
    pthread_mutex_lock(&tls->lock);
    node_of(tls, endpoint)->way = IDS_TLS_NODE_HAS_TLS;
    pthread_mutex_unlock(&tls->lock);
}

bool ids_peer_tls_falls_back(ids_tls *tls, const char *endpoint,
                             const char *why) {
    pthread_mutex_lock(&tls->lock);
    ids_tls_node *node = node_of(tls, endpoint);
    bool falls_back = tls->peer_tls == IDS_TLS_PEERS_OPTIONAL &&
                      node->way != IDS_TLS_NODE_HAS_TLS;
    bool is_news = !node->is_told;
    if (falls_back) {
        node->way = IDS_TLS_NODE_FALLS_BACK;
        node->is_told = true;
    }
    pthread_mutex_unlock(&tls->lock);
    if (falls_back && is_news)
        ids_log(IDS_LOG_WARN, "the link between the nodes is plain",
                "at=%s reason=\"%s\"", endpoint, why);
    return falls_back;
}
