/* SPDX-License-Identifier: Apache-2.0 */
/* config_agrees.c -- settings that are good one by one, and make no sense
 * together. */
#include "server/admin/config_value.h"

#include "server/journal/change.h"
#include "server/peer/decision.h"

#include <string.h>

static bool check_replication(ids_settings *s, ids_complaint *complaint) {
    ids_config *config = &s->config;
    bool has_other = config->replicate_from || config->peers.count > 0;
    if (config->replication == IDS_REPLICATION_UNSET && has_other)
        config->replication = IDS_REPLICATION_SYNC;
    if (config->replication == IDS_REPLICATION_NONE && has_other)
        return ids_settings_refuse(
            s, config->replicate_from ? "--replicate-from" : "--peer",
            complaint,
            ": a replica can't run with --replication none; take async or "
            "sync");
    if (config->agent && config->replication != IDS_REPLICATION_SYNC)
        return ids_settings_refuse(s, "--agent", complaint,
                                   ": needs --replication sync: in another "
                                   "mode no replica is ever in sync");
    if (config->agent && config->no_agent)
        return ids_settings_refuse(s, "--no-agent", complaint,
                                   ": give one of the two, not --agent as "
                                   "well");
    if (config->peers.count > IDS_FOLLOWERS_MAX)
        return ids_settings_refuse(s, "--peer", complaint,
                                   ": at most %d of them", IDS_FOLLOWERS_MAX);
    if (config->min_in_sync > 1 && config->replication != IDS_REPLICATION_SYNC)
        return ids_settings_refuse(s, "--min-in-sync", complaint,
                                   " %llu: needs --replication sync",
                                   (unsigned long long)config->min_in_sync);
    if (config->min_in_sync > 1 + ids_config_replicas(config))
        return ids_settings_refuse(
            s, "--min-in-sync", complaint,
            " %llu: needs as many nodes, and a primary takes one replica for "
            "each --peer; give --peer %llu times",
            (unsigned long long)config->min_in_sync,
            (unsigned long long)config->min_in_sync - 1);
    if (config->hold_claims_ms && config->replicate_from)
        return ids_settings_refuse(
            s, "--hold-claims", complaint,
            ": a replica takes no claims anyway; give one of the two, not "
            "--replicate-from as well");
    return true;
}

static bool check_audit(const ids_settings *s, ids_complaint *complaint) {
    const char *how = s->config.redact_keys;
    if (strcmp(how, "none") != 0 && strcmp(how, "hash") != 0)
        return ids_settings_refuse(s, "--redact-keys", complaint,
                                   "%.40s is neither none nor hash", how);
    if (s->config.audit_log[0] == '\0')
        return ids_settings_refuse(s, "--audit-log", complaint,
                                   "a file, stderr or none");
    return true;
}

static bool check_checks(const ids_settings *s, ids_complaint *complaint) {
    const ids_config *config = &s->config;
    if (config->compare && !config->check)
        return ids_settings_refuse(s, "--compare", complaint,
                                   " %.200s: needs --check, and a --data-dir "
                                   "to compare it with",
                                   config->compare);
    return true;
}

static bool check_node(const ids_settings *s, ids_complaint *complaint) {
    const char *node = s->config.node;
    ids_node_name name;
    if (node && !ids_node_name_from(
                    &name, (idp_slice){(const uint8_t *)node, strlen(node)}))
        return ids_settings_refuse(s, "--node", complaint,
                                   " %.80s: must be 1 to %d letters, digits, "
                                   "'.', '_' or '-'",
                                   node, IDS_NODE_NAME_BYTES - 1);
    return true;
}

/* What is larger would fit no replica's backlog, and each such change would
 * cost a full copy; or no connection's buffer. */
static bool check_limits(const ids_settings *s, ids_complaint *complaint) {
    const ids_config *config = &s->config;
    unsigned long long result = config->result_bytes_max;
    if (ids_config_has_peer(config) &&
        result + IDS_CHANGE_BARE_BYTES_MAX > config->ring_bytes / 4)
        return ids_settings_refuse(s, "--max-result", complaint,
                                   " %llu: --replication-backlog %llu must be "
                                   "at least four times as much, and a little",
                                   result,
                                   (unsigned long long)config->ring_bytes);
    if (config->memory_bytes_max && result > config->memory_bytes_max)
        return ids_settings_refuse(
            s, "--max-result", complaint,
            " %llu: --max-memory %llu must be as much", result,
            (unsigned long long)config->memory_bytes_max);
    if (config->buffer_bytes_max && result > config->buffer_bytes_max)
        return ids_settings_refuse(
            s, "--max-result", complaint,
            " %llu: --max-buffers %llu must be as much", result,
            (unsigned long long)config->buffer_bytes_max);
    return true;
}

/* Which setting of TLS is there that says nothing without a certificate. */
static const char *idle_tls_flag(const ids_config *config) {
    if (config->tls_key)
        return "--tls-key";
    if (config->tls_ca)
        return "--tls-ca";
    if (config->tls)
        return "--tls";
    if (config->tls_clients)
        return "--tls-clients";
    if (config->http_tls_clients)
        return "--http-tls-clients";
    if (config->peer_tls > IDS_TLS_PEERS_OFF)
        return "--peer-tls";
    if (config->peer_cert)
        return "--peer-cert";
    if (config->peer_key)
        return "--peer-key";
    if (config->peer_ca)
        return "--peer-ca";
    return config->tls_min != IDS_TLS_MIN_1_3 ? "--tls-min" : NULL;
}

/* Which asks for certificates that nobody is named for who could sign them. */
static const char *asks_without_ca(const ids_config *config) {
    if (config->tls_ca)
        return NULL;
    if (config->tls_clients > IDS_TLS_CLIENTS_NO)
        return "--tls-clients";
    return config->http_tls_clients > IDS_TLS_CLIENTS_NO ? "--http-tls-clients"
                                                         : NULL;
}

static bool check_tls(ids_settings *s, ids_complaint *complaint) {
    ids_config *config = &s->config;
    const char *idle = config->tls_cert ? NULL : idle_tls_flag(config);
    if (idle)
        return ids_settings_refuse(s, idle, complaint,
                                   ": there is no TLS without --tls-cert; name "
                                   "the certificate's file, or leave this out");
    if (!config->tls_cert) {
        config->peer_tls = IDS_TLS_PEERS_OFF;
        return true;
    }
    if (config->peer_key && !config->peer_cert)
        return ids_settings_refuse(s, "--peer-key", complaint,
                                   ": needs --peer-cert, the certificate that "
                                   "it is for");
    if (config->peer_tls == IDS_TLS_PEERS_ON && !config->peer_ca &&
        !config->tls_ca)
        return ids_settings_refuse(s, "--peer-tls", complaint,
                                   " on: needs --peer-ca (or --tls-ca), the "
                                   "file of those who sign nodes' "
                                   "certificates");
    const char *asks = asks_without_ca(config);
    if (asks)
        return ids_settings_refuse(s, asks, complaint,
                                   ": needs --tls-ca, the file of those who "
                                   "sign clients' certificates");
    if (!config->peer_tls)
        config->peer_tls = IDS_TLS_PEERS_OPTIONAL;
    if (!config->tls)
        config->tls = IDS_TLS_REQUIRED;
    if (!config->tls_clients)
        config->tls_clients =
            config->tls_ca ? IDS_TLS_CLIENTS_REQUIRED : IDS_TLS_CLIENTS_NO;
    if (!config->http_tls_clients)
        config->http_tls_clients =
            config->tls_ca ? IDS_TLS_CLIENTS_OPTIONAL : IDS_TLS_CLIENTS_NO;
    return true;
}

bool ids_config_agrees(ids_settings *settings, ids_complaint *complaint) {
    return check_replication(settings, complaint) &&
           check_node(settings, complaint) &&
           check_limits(settings, complaint) &&
           check_audit(settings, complaint) && check_tls(settings, complaint) &&
           check_checks(settings, complaint);
}
