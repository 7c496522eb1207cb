/* SPDX-License-Identifier: Apache-2.0 */
/* peer_settings.c -- who this node is and how it goes about it: what the peer
 * is configured with. */
#include "server/io/peering.h"

#include "server/admin/limits_maker.h"
#include "server/base/log.h"
#include "server/peer/frame.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define HEARTBEAT_MS    250
#define SILENCE_MS      2000
#define STALL_MS        1000
#define REDIAL_MS       100
/* Under an agent it may hear of its new primary before that one leads, and a
 * new primary serves nobody before its followers are there. */
#define AGENT_REDIAL_MS 25
/* A step of a full copy, and what one turn hands to a link: well under a
 * millisecond of work. */
#define WALK_BUCKETS    256
#define UNSENT_BYTES    (256u << 10)
#define JOIN_LAG        1024

/* The name in the flags, the one on file, or a new one. */
static void name_node(const ids_peering *r, ids_peer_config *to) {
    const ids_decision *recorded = &r->recorded;
    const char *given = r->config->node;
    bool is_named = recorded->name.text[0] != '\0';
    uint64_t drawn = recorded->self.node;
    while (drawn == 0)
        randombytes_buf(&drawn, sizeof drawn);
    to->name = is_named ? recorded->name : ids_node_name_of(drawn);
    if (given)
        ids_node_name_from(&to->name,
                           (idp_slice){(const uint8_t *)given, strlen(given)});
    to->node = ids_node_number(&to->name);
    if (recorded->self.node != 0 && recorded->self.node != to->node)
        ids_log(IDS_LOG_WARN, "this node has another name than the file says",
                "node=%s was=%s", to->name.text,
                is_named ? recorded->name.text
                         : ids_node_name_of(recorded->self.node).text);
}

static void hash_namespaces(crypto_generichash_state *hash,
                            const ids_limits_maker *namespaces) {
    char text[IDS_LIMITS_TEXT_BYTES];
    uint32_t count = ids_limits_count(namespaces);
    for (uint32_t i = 0; i < count; i++) {
        ids_limits_print(namespaces, i, text);
        crypto_generichash_update(hash, (const uint8_t *)text,
                                  strlen(text) + 1);
    }
}

/* A file of credentials, as it holds now. (--secret-file may hold a word that
 * can be guessed, and who asks is not known yet.) */
static void hash_credentials(crypto_generichash_state *hash,
                             const ids_peering *r) {
    if (!r->config->credentials)
        return;
    ids_credentials *now = ids_access_take(r->server->access);
    uint64_t digest = ids_credentials_digest(now);
    ids_credentials_drop(now);
    crypto_generichash_update(hash, (const uint8_t *)&digest, sizeof digest);
}

/* Of what should be the same on both nodes, so that a promotion changes nothing
 * for clients: what was so at the start; the namespaces and the credentials of
 * now. */
static uint64_t settings_of(const ids_peering *r,
                            const ids_limits_maker *namespaces) {
    const ids_config *config = r->config;
    char text[256];
    crypto_generichash_state all;
    uint8_t hash[crypto_generichash_BYTES];
    uint64_t digest = 0;
    int len =
        snprintf(text, sizeof text, "%d %d %d %llu %llu %llu %llu %llu",
                 (int)config->replication, config->data_dir != NULL,
                 (int)config->fsync, (unsigned long long)config->min_in_sync,
                 (unsigned long long)config->result_bytes_max,
                 (unsigned long long)config->pending_max,
                 (unsigned long long)config->waiters_max,
                 (unsigned long long)config->waiters_per_key_max);
    crypto_generichash_init(&all, NULL, 0, sizeof hash);
    crypto_generichash_update(&all, (const uint8_t *)text,
                              (unsigned long long)len);
    hash_namespaces(&all, namespaces);
    hash_credentials(&all, r);
    crypto_generichash_final(&all, hash, sizeof hash);
    memcpy(&digest, hash, sizeof digest);
    return digest & IDS_PF_NUMBER_MAX;
}

void ids_peering_take_settings(ids_peering *r, const ids_config *next) {
    if (r->is_open)
        ids_replicator_set_settings(&r->replicator,
                                    settings_of(r, next->namespaces));
}

/* The current one, and the one behind it. */
static void take_secrets(const ids_secret *secrets, ids_link_key *key) {
    if (!secrets)
        return;
    ids_link_key_from(key, (idp_slice){secrets[0].bytes, secrets[0].len});
    if (secrets[1].len)
        ids_link_key_next(key, (idp_slice){secrets[1].bytes, secrets[1].len});
}

void ids_peering_fill(ids_peering *r, uint64_t incarnation) {
    static const ids_mode modes[] = {IDS_MODE_NONE, IDS_MODE_NONE,
                                     IDS_MODE_ASYNC, IDS_MODE_SYNC};
    const ids_config *config = r->config;
    const ids_server *server = r->server;
    ids_peer_config *to = &r->settings.peer;
    name_node(r, to);
    randombytes_buf(&to->life, sizeof to->life);
    to->settings = settings_of(r, config->namespaces);
    snprintf(to->program, sizeof to->program, "%s", server->version);
    to->epoch_built = ids_epoch_of(IDEM_BUILT_UNIX_S * 1000ull);
    to->incarnation = incarnation;
    while (to->incarnation == 0)
        randombytes_buf(&to->incarnation, sizeof to->incarnation);
    to->primary = config->replicate_from == NULL;
    to->epoch_min = server->epoch;
    to->loops = server->loops;
    to->places = ids_config_replicas(config);
    to->under_agent = config->agent;
    memcpy(to->hash_key, server->hash_key, sizeof to->hash_key);
    to->mode = modes[config->replication];
    to->wants_tls = config->peer_tls == IDS_TLS_PEERS_ON;
    to->is_kept = config->data_dir != NULL;
    to->any_origin = config->accept_change;
    to->min_in_sync = (uint32_t)config->min_in_sync;
    to->ring_bytes = config->ring_bytes;
    to->result_bytes_max = config->result_bytes_max;
    to->unsent_bytes = UNSENT_BYTES;
    to->walk_buckets = WALK_BUCKETS;
    to->join_lag = JOIN_LAG;
    to->heartbeat_ms = HEARTBEAT_MS;
    to->silence_ms = SILENCE_MS;
    to->redial_ms = config->agent ? AGENT_REDIAL_MS : REDIAL_MS;
    to->stall_ms = STALL_MS;
    take_secrets(server->peer_secret, &to->key);
    r->settings.key_rings_bytes = config->agent ? IDS_KEY_RINGS_BYTES : 0;
    r->settings.commit_wait_ms = config->commit_wait_ms;
    r->settings.tick_ms = IDS_REPLICATOR_TICK_MS;
    r->settings.busy_ms = IDS_REPLICATOR_BUSY_MS;
    r->settings.effect_ms = IDS_REPLICATOR_EFFECT_MS;
    r->settings.record_path = r->file.path;
}
