/* SPDX-License-Identifier: Apache-2.0 */
/* probe.c -- see probe.h. A thread of its own, a blocking connection per
 * loop. */
#include "bench/probe.h"

#include "bench/admin.h"
#include "proto/reply.h"
#include "proto/request.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define LOOPS_MAX 64
#define EVERY_NS  IDB_NS_PER_MS

struct idb_probe {
    idb_wire wires[LOOPS_MAX];
    uint32_t count;
    const cpu_set_t *cpus;
    pthread_t thread;
    pthread_mutex_t lock; /* of seen */
    idb_pings seen;
    atomic_bool stops, has_ended;
};

static bool pong_read(idb_wire *wire) {
    uint8_t bytes[64];
    size_t have = 0, frame;
    idp_reply reply;
    while (have < sizeof bytes) {
        ssize_t got = idb_wire_recv(wire, bytes + have, sizeof bytes - have);
        if (got <= 0)
            return false;
        have += (size_t)got;
        if (idp_reply_open(bytes, have, sizeof bytes, &reply, &frame) ==
            IDP_REPLY_WHOLE)
            return true;
    }
    return false;
}

static void count_pings(idb_probe *probe, uint64_t took_ns) {
    idb_pings *seen = &probe->seen;
    pthread_mutex_lock(&probe->lock);
    seen->count++;
    seen->slow += took_ns >= IDB_PROBE_LONG_NS;
    if (took_ns > seen->slowest_ns)
        seen->slowest_ns = took_ns;
    pthread_mutex_unlock(&probe->lock);
}

/* All loops are asked at the same moment and heard one after the other: who
 * is heard later is charged for it, so that only an upper bound comes out. */
static bool ping_all(idb_probe *probe) {
    uint8_t bytes[256];
    const idp_request ping = {.method = IDP_PING};
    size_t len = idp_request_write(bytes, sizeof bytes, &ping);
    uint64_t start_ns = idb_now_ns();
    for (uint32_t i = 0; i < probe->count; i++)
        if (!idb_wire_send(&probe->wires[i], bytes, len))
            return false;
    for (uint32_t i = 0; i < probe->count; i++) {
        if (!pong_read(&probe->wires[i]))
            return false;
        count_pings(probe, idb_now_ns() - start_ns);
    }
    return true;
}

static void *probe_main(void *arg) {
    idb_probe *probe = arg;
    if (probe->cpus)
        sched_setaffinity(0, sizeof *probe->cpus, probe->cpus);
    prctl(PR_SET_TIMERSLACK, 1000ul);
    uint64_t due_ns = idb_now_ns();
    while (!atomic_load(&probe->stops)) {
        idb_sleep_until_ns(due_ns);
        if (!ping_all(probe))
            break;
        uint64_t now_ns = idb_now_ns();
        due_ns = due_ns + EVERY_NS > now_ns ? due_ns + EVERY_NS : now_ns;
    }
    atomic_store(&probe->has_ended, true);
    return NULL;
}

static bool connect_all(idb_probe *probe, const idb_endpoint *at) {
    uint32_t loops = 1;
    for (; probe->count < loops; probe->count++)
        if (!idb_admin_connect(&probe->wires[probe->count], at, probe->count,
                               &loops) ||
            loops > LOOPS_MAX)
            return false;
    return true;
}

static void probe_free(idb_probe *probe) {
    while (probe->count > 0)
        idb_wire_close(&probe->wires[--probe->count]);
    pthread_mutex_destroy(&probe->lock);
    free(probe);
}

idb_probe *idb_probe_start(const idb_endpoint *at, const cpu_set_t *cpus) {
    idb_probe *probe = calloc(1, sizeof *probe);
    if (!probe)
        return NULL;
    probe->cpus = cpus;
    pthread_mutex_init(&probe->lock, NULL);
    if (!connect_all(probe, at) ||
        pthread_create(&probe->thread, NULL, probe_main, probe) != 0) {
        probe_free(probe);
        return NULL;
    }
    return probe;
}

idb_pings idb_probe_take(idb_probe *probe) {
    pthread_mutex_lock(&probe->lock);
    idb_pings seen = probe->seen;
    probe->seen = (idb_pings){0};
    pthread_mutex_unlock(&probe->lock);
    return seen;
}

bool idb_probe_has_seen(idb_probe *probe) {
    pthread_mutex_lock(&probe->lock);
    bool has = probe->seen.count > 0;
    pthread_mutex_unlock(&probe->lock);
    return has || atomic_load(&probe->has_ended);
}

void idb_probe_stop(idb_probe *probe) {
    if (!probe)
        return;
    atomic_store(&probe->stops, true);
    pthread_join(probe->thread, NULL);
    probe_free(probe);
}
