/* SPDX-License-Identifier: Apache-2.0 */
/* slow_disk.c -- a disk that does not come back from a sync: what shows a
 * record waits for it, and nothing else does.
 *
 *   slow_disk IDEMSTORED [SLOW_SYNC_LIBRARY] */
#include "client/include/idemclient.h"
#include "tests/e2e/harness.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/slow-disk-XXXXXX";
static char gate[64];

static void stop_syncs(void) {
    FILE *file = fopen(gate, "we");
    CHECK(file != NULL, "can't make %s", gate);
    fclose(file);
}

static void go_on(void) {
    unlink(gate);
}

static void start(daemon_t *one, const char *program, const char *library) {
    static char prefix[512], data[64];
    snprintf(prefix, sizeof prefix, "export LD_PRELOAD='%s' SLOW_SYNC='%s';",
             library, gate);
    snprintf(data, sizeof data, "%s/data", folder);
    const daemon_spec spec = {.program = program,
                              .prefix = prefix,
                              .flags = {"--threads", "2", "--data-dir", data,
                                        "--fsync", "always", NULL}};
    daemon_start(one, &spec);
}

static bool is_pong(const idp_reply *reply) {
    return !reply->is_error && idp_pong_read(reply->result);
}

/* Keys of both loops: with one of them the request is forwarded. */
static void ping_behind_a_held_acquire(const daemon_t *one) {
    for (int i = 0; i < 8; i++) {
        char key[32];
        wire w;
        idp_reply reply;
        idp_request ping = {.method = IDP_PING};
        snprintf(key, sizeof key, "held-%d", i);
        idp_request acquire = ask_acquire(key, 60000, 60000);
        CHECK(wire_open(&w, one->port), "no connection");
        stop_syncs();
        CHECK(wire_send_request(&w, &acquire), "not taken");
        CHECK(wire_send_request(&w, &ping), "not taken");
        CHECK(wire_reply(&w, &reply) && is_pong(&reply),
              "the first reply is not the ping's");
        CHECK(wire_ask(&w, &ping, &reply) && is_pong(&reply), "no pong");
        idp_request stats = {.method = IDP_STATS};
        CHECK(wire_ask(&w, &stats, &reply) && !reply.is_error, "no stats");
        go_on();
        CHECK(wire_reply(&w, &reply) && reply.msgid == acquire.msgid &&
                  !reply.is_error,
              "the acquire was not answered when the disk was there again");
        wire_close(&w);
    }
    puts("  a ping, stats: answered while an acquire waits for the disk");
}

typedef struct caller {
    idem_client *client;
    pthread_t thread;
    int32_t code;
    idem_error err;
} caller;

static void *acquire(void *ctx) {
    caller *c = ctx;
    const idem_args args = {
        .size = sizeof args, .key = "slow", .key_len = 4, .timeout_ms = 60000};
    c->err.size = sizeof c->err;
    c->code = idem_acquire(c->client, &args, NULL, &c->err);
    return NULL;
}

/* It pings a server that is silent for long, and believes what it hears. */
static void the_client_library_stays(const daemon_t *one) {
    caller c = {0};
    char uri[128];
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/shop", one->port);
    CHECK(idem_client_open(uri, &c.client, &c.err) == 0, "%s", c.err.text);
    CHECK(idem_ping(c.client, NULL, NULL, NULL) == 0, "no pong");
    stop_syncs();
    CHECK(pthread_create(&c.thread, NULL, acquire, &c) == 0, "no thread");
    while (daemon_stat(one, "replies_in_commit_wait") == 0)
        e2e_sleep_ms(10);
    uint64_t connections = daemon_stat(one, "connections_total");
    uint64_t asked = daemon_stat(one, "requests_total"), own = 2;
    while (daemon_stat(one, "requests_total") < asked + own + 5) {
        own++; /* the look itself is one */
        e2e_sleep_ms(100);
    }
    /* Each look at stats was a connection of its own. */
    uint64_t now = daemon_stat(one, "connections_total");
    CHECK(now - connections <= own + 2, "the client has connected anew: %llu",
          (unsigned long long)(now - connections));
    go_on();
    pthread_join(c.thread, NULL);
    CHECK(c.code == 0, "%s", c.err.text);
    idem_client_close(c.client);
    puts("  libidemclient waits for the disk, on the connections that it has");
}

int main(int argc, char **argv) {
    daemon_t one;
    CHECK(argc > 1, "slow_disk IDEMSTORED [SLOW_SYNC_LIBRARY]");
    if (argc < 3)
        return 0; /* nothing can be preloaded under a sanitizer */
    CHECK(mkdtemp(folder) != NULL, "no folder");
    snprintf(gate, sizeof gate, "%s/gate", folder);
    start(&one, argv[1], argv[2]);
    ping_behind_a_held_acquire(&one);
    the_client_library_stays(&one);
    daemon_stop(&one);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}
