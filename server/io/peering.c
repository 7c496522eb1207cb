/* SPDX-License-Identifier: Apache-2.0 */
/* peering.c -- the life of a node that has a peer, in the daemon; see
 * peering.h. */
#include "server/io/peering.h"

#include "server/base/log.h"
#include "server/journal/fault.h"
#include "server/peer/record.h"
#include "server/storage/onrecord.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Its start ---------------------------------------------------------------- */

static bool refuse_start(const char *which, const char *why) {
    ids_log(IDS_LOG_ERROR, "can't start", "at=\"%s\" reason=\"%s\"", which,
            why);
    return false;
}

static bool read_endpoint(const char *flag, const char *words,
                          ids_endpoint *to) {
    char which[512];
    if (!words || (words[0] && words[0] != ':' &&
                   ids_endpoint_from(to, words, strlen(words))))
        return true;
    snprintf(which, sizeof which, "%s %.400s", flag, words);
    return refuse_start(which, "it is not HOST:PORT");
}

/* Who can reach the port could be the other node, and say anything. */
static bool check_secret(const ids_config *config) {
    return !ids_config_has_peer(config) || config->secret_file ||
           config->peer_secret_file || config->peer_insecure ||
           refuse_start("--replication",
                        "another node needs a --peer-secret-file (or a "
                        "--secret-file), the same on both (or --peer-insecure, "
                        "if everybody who reaches this "
                        "port may be the other node)");
}

static bool read_others(const ids_config *config, ids_peer_config *to) {
    to->others_count = (uint32_t)config->peers.count;
    assert(to->others_count <= IDS_FOLLOWERS_MAX);
    for (uint32_t i = 0; i < to->others_count; i++)
        if (!read_endpoint("--peer", config->peers.all[i], &to->others[i]))
            return false;
    return true;
}

bool ids_peering_read(ids_peering *r, const ids_config *config) {
    ids_peer_config *peer = &r->settings.peer;
    *r = (ids_peering){.config = config};
    return read_endpoint("--replicate-from", config->replicate_from,
                         &peer->replicate_from) &&
           read_others(config, peer) &&
           read_endpoint("--advertise", config->advertise, &peer->advertise) &&
           read_endpoint("--http-advertise", config->http_advertise,
                         &peer->http) &&
           check_secret(config);
}

/* Where this node is reached, unless it is told: where it listens; of a
 * wildcard only the port is known, and the other node adds what it sees. */
static bool is_reached_at(const char *listening, ids_endpoint *to) {
    const char *colon = strrchr(listening, ':');
    bool wildcard = strncmp(listening, "0.0.0.0:", 8) == 0 ||
                    strncmp(listening, "[::]:", 5) == 0;
    const char *own = wildcard ? colon : listening;
    return colon && strncmp(listening, "unix:", 5) != 0 &&
           ids_endpoint_from(to, own, strlen(own));
}

/* The first that is no unix socket; none where HTTP is not spoken. */
static void note_http(ids_peering *r, const ids_listeners *listeners) {
    char text[IDS_ADDRESS_TEXT_BYTES];
    ids_endpoint *http = &r->settings.peer.http;
    for (uint32_t i = 0; i < listeners->count && !ids_endpoint_is_set(http);
         i++) {
        if (!listeners->all[i].is_http)
            continue;
        ids_address_of(listeners->all[i].fd, text, sizeof text);
        is_reached_at(text, http);
    }
}

bool ids_peering_open(ids_peering *r, const ids_server *server,
                      const ids_listeners *listeners) {
    char listening[IDS_ADDRESS_TEXT_BYTES];
    char path[IDS_ONRECORD_PATH_BYTES], which[512], why[512];
    const ids_config *config = r->config;
    r->server = server;
    ids_address_of(listeners->all[0].fd, listening, sizeof listening);
    note_http(r, listeners);
    if (!config->advertise &&
        !is_reached_at(listening, &r->settings.peer.advertise))
        return refuse_start("--advertise",
                            "give HOST:PORT: the first --listen is "
                            "none that another node could reach");
    ids_onrecord_path(config, listening, path);
    if (!ids_decisions_open(&r->file, path, &r->recorded, why, sizeof why)) {
        snprintf(which, sizeof which, "--peer-state %.400s", path);
        return refuse_start(which, why);
    }
    r->is_open = true;
    if (config->no_agent) {
        const ids_decision as_read = r->recorded;
        ids_decide_no_agent(&as_read, &r->recorded);
    }
    return ids_onrecord_fits(config, &r->recorded, path);
}

static void take_as_restored(ids_peering *r) {
    ids_decision as_read = r->recorded;
    if (as_read.version == 0)
        return;
    ids_log(IDS_LOG_WARN, "the peer state was copied or restored",
            "at=\"--peer-state %s\" so=\"it does not lead by itself, and "
            "promoting it needs --accept-loss\"",
            r->file.path);
    ids_decide_restored(&as_read, &r->recorded);
}

static bool refuse_to_begin(const ids_peering *r) {
    char which[512], why[256];
    snprintf(which, sizeof which, "--peer-state %.400s", r->file.path);
    snprintf(why, sizeof why, "%s: its folder needs room for %d bytes%s",
             strerror(r->write_error), (int)IDS_RECORD_BYTES,
             !r->still_stands ? ""
             : ids_fault_is_room(-r->write_error)
                 ? "; what was recorded stands. Make room and start again"
                 : "; what was recorded stands");
    return refuse_start(which, why);
}

static bool begin_replicator(ids_peering *r) {
    const ids_node_driver driver = ids_peering_driver(r);
    uint32_t count = r->server->loops;
    ids_worker **workers = calloc(count, sizeof *workers);
    ids_worker_log **worker_logs = calloc(count, sizeof *worker_logs);
    bool good = workers && worker_logs;
    for (uint32_t i = 0; good && i < count; i++) {
        workers[i] = r->loops[i].worker;
        worker_logs[i] = r->loops[i].turn.worker_log;
    }
    good = good && ids_replicator_begin(&r->replicator, &r->settings, &driver,
                                        &r->recorded, workers, worker_logs);
    free(workers);
    free(worker_logs);
    return good || refuse_start("--replication-backlog", strerror(ENOMEM));
}

bool ids_peering_begin(ids_peering *r, ids_loop *loops, uint64_t incarnation) {
    if (r->file.copied || r->config->restored) {
        take_as_restored(r);
        incarnation = 0; /* whatever the folder knows of itself: a new one */
    }
    r->loops = loops;
    pthread_mutex_init(&r->lock, NULL);
    ids_barrier_init(&r->barrier, &r->replicator.quiesce);
    ids_peering_fill(r, incarnation);
    if (!begin_replicator(r))
        return false;
    r->written = r->replicator.proposal;
    r->write_error =
        ids_decisions_save(&r->file, &r->written, &r->still_stands);
    if (r->write_error)
        return refuse_to_begin(r);
    ids_replicator_start(&r->replicator, &r->recorded);
    for (uint32_t i = 0; i < r->server->loops; i++)
        ids_loop_sits(&loops[i], &r->replicator.repls[i], &r->barrier);
    return true;
}

ids_command_handler ids_peering_handler(ids_peering *r) {
    return ids_replicator_handler(&r->replicator);
}

void ids_peering_close(ids_peering *r) {
    if (!r->is_open)
        return;
    if (r->loops) {
        ids_barrier_fini(&r->barrier);
        pthread_mutex_destroy(&r->lock);
    }
    ids_replicator_close(&r->replicator);
    ids_decisions_close(&r->file);
}
