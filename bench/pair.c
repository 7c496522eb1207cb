/* SPDX-License-Identifier: Apache-2.0 */
/* pair.c -- when the second server has everything that the first one has. */
#include "bench/admin.h"
#include "bench/spawn.h"

#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_NS (300 * IDB_NS_PER_S)
#define LOOK_US     5000

static bool replica_has_all(const idb_node *replica, uint64_t records) {
    idp_replication seen;
    return idb_admin_replication(&replica->at, &seen) && seen.connected &&
           !seen.syncing && idb_admin_stat(&replica->at, "records") >= records;
}

static bool idem_is_in_sync(const idb_server *server) {
    idp_replication seen;
    if (!idb_admin_replication(&server->primary.at, &seen) || !seen.connected ||
        seen.syncing)
        return false;
    if (seen.in_sync_count > server->spec->replicas)
        return true;
    if (server->spec->replication != IDB_REPLICATION_ASYNC)
        return false;
    /* Nobody is confirmed there: what the replicas say of themselves counts. */
    uint64_t records = idb_admin_stat(&server->primary.at, "records");
    for (uint32_t i = 0; i < server->spec->replicas; i++)
        if (!replica_has_all(&server->replicas[i], records))
            return false;
    return true;
}

static bool redis_is_in_sync(const idb_server *server) {
    static const char ask[] = "INFO replication\r\n";
    char said[8192];
    size_t have = 0;
    idb_wire wire;
    ssize_t got = 0;
    said[0] = '\0';
    if (!idb_wire_open(&wire, &server->primary.at)) {
        idb_wire_patience(&wire, 5);
        got = idb_wire_send(&wire, ask, sizeof ask - 1);
    }
    while (got > 0 && have < sizeof said - 1 &&
           !strstr(said, "repl_backlog_histlen")) {
        got = idb_wire_recv(&wire, said + have, sizeof said - 1 - have);
        have += got > 0 ? (size_t)got : 0;
        said[have] = '\0';
    }
    idb_wire_close(&wire);
    return strstr(said, "state=online") != NULL;
}

bool idb_pair_is_in_sync(const idb_server *server) {
    return strcmp(server->spec->target->name, "idem") == 0
               ? idem_is_in_sync(server)
               : redis_is_in_sync(server);
}

const char *idb_pair_await(const idb_server *server, char *why, size_t cap) {
    uint64_t until_ns = idb_now_ns() + PATIENCE_NS;
    while (idb_now_ns() < until_ns) {
        if (idb_pair_is_in_sync(server))
            return NULL;
        usleep(LOOK_US);
    }
    snprintf(why, cap, "the replica does not come into sync");
    return why;
}
