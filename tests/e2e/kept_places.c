/* SPDX-License-Identifier: Apache-2.0 */
/* kept_places.c -- a port that is crowded: with clients up to
 * --max-connections, or with strangers who say that they are another node. The
 * replica comes back all the same, and the operator is heard.
 *
 *   kept_places IDEMSTORED */
#include "tests/e2e/pair.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PLACES = 4, CROWD = 40, STRANGERS = 300, DESCRIPTORS_MAX = 160 };

static char unix_path[128];

static void hears_limit(const pair_node *node) {
    wire w;
    idp_answer answer;
    idp_request ask = ask_acquire("one-too-many", 1000, 1000);
    CHECK(wire_open(&w, node->port), "no connection");
    CHECK(wire_call(&w, &ask, &answer) == IDP_E_LIMIT, "no LIMIT");
    wire_close(&w);
}

static void fill(wire few[static PLACES], const pair_node *node) {
    for (int i = 0; i < PLACES; i++) {
        CHECK(wire_open(&few[i], node->port), "no connection");
        idp_request ping = {.method = IDP_PING};
        idp_reply reply;
        CHECK(wire_ask(&few[i], &ping, &reply) && !reply.is_error,
              "client %d is not served", i);
    }
    hears_limit(node);
}

static void operator_is_heard_there(const pair_node *node) {
    wire w;
    idp_request ask = {.method = IDP_REPLICATION};
    idp_reply reply;
    idp_replication report;
    wire_open_unix(&w, unix_path);
    CHECK(wire_ask(&w, &ask, &reply) && !reply.is_error &&
              idp_replication_read(reply.result, &report),
          "over the unix socket: no report");
    wire_close(&w);
    pair_report(node, &report);
    CHECK(strstr(report.state, "is gone") != NULL, "it says: %s", report.state);
}

/* Clients everywhere; idle ones beyond them, which are told in a second. */
static void clients_keep_nobody_out(pair *p) {
    static wire few[PLACES], more[CROWD];
    static char at_unix[160];
    snprintf(unix_path, sizeof unix_path, "%s/socket", p->folder);
    snprintf(at_unix, sizeof at_unix, "--listen=unix:%s", unix_path);
    p->a.more[0] = "--max-connections=4";
    p->a.more[1] = at_unix;
    pair_start_both(p);
    pair_kill(&p->b);
    idp_replication report;
    do {
        pair_report(&p->a, &report);
    } while (report.connected || !strstr(report.state, "is gone"));
    fill(few, &p->a);
    for (int i = 0; i < CROWD; i++)
        CHECK(wire_open(&more[i], p->a.port), "no connection");
    operator_is_heard_there(&p->a);
    pair_start(p, &p->b, &p->a);
    pair_await_in_sync(&p->a);
    hears_limit(&p->a);
    pair_kill(&p->b);
    pair_carry_out(&p->a, IDP_DETACH, false);
    for (int i = 0; i < CROWD; i++)
        wire_close(&more[i]);
    for (int i = 0; i < PLACES; i++)
        wire_close(&few[i]);
    pair_kill(&p->a);
    p->a.more[0] = p->a.more[1] = NULL;
    puts("  every place taken: the replica comes back, detach is carried out");
}

typedef struct strangers {
    pthread_t thread;
    uint16_t port;
    atomic_bool stop;
    atomic_uint come;
} strangers;

/* The magic alone; the magic and the head of a frame that will not come. */
static void *come_on(void *ctx) {
    strangers *f = ctx;
    static wire w[STRANGERS];
    char bytes[8 + 40] = "idempeer";
    bytes[8] = 100; /* of a body */
    for (unsigned i = 0; i < STRANGERS; i++)
        w[i].fd = -1;
    for (unsigned i = 0; !atomic_load(&f->stop); i = (i + 1) % STRANGERS) {
        if (w[i].fd >= 0)
            wire_close(&w[i]);
        w[i].fd = -1;
        if (wire_open(&w[i], f->port))
            wire_send(&w[i], bytes, i % 4 == 0 ? 8 : sizeof bytes);
        atomic_fetch_add(&f->come, 1);
        usleep(300);
    }
    for (unsigned i = 0; i < STRANGERS; i++)
        if (w[i].fd >= 0)
            wire_close(&w[i]);
    return NULL;
}

static void strangers_keep_nobody_out(pair *p) {
    strangers f = {.port = 0};
    remove(p->a.state);
    remove(p->b.state);
    pair_start(p, &p->a, NULL);
    f.port = p->a.port;
    CHECK(pthread_create(&f.thread, NULL, come_on, &f) == 0, "no thread");
    while (atomic_load(&f.come) < 2 * STRANGERS)
        e2e_sleep_ms(5);
    pair_start(p, &p->b, &p->a);
    pair_await_in_sync(&p->a);
    /* One that has just come is not turned away yet. */
    uint64_t until_ms = e2e_now_ms() + 60000;
    while (daemon_descriptors(&p->a.daemon) >= DESCRIPTORS_MAX)
        CHECK(e2e_now_ms() < until_ms, "%zu descriptors are open",
              daemon_descriptors(&p->a.daemon));
    pair_kill(&p->b);
    pair_start(p, &p->b, &p->a);
    pair_await_in_sync(&p->a);
    atomic_store(&f.stop, true);
    pthread_join(f.thread, NULL);
    pair_stop(&p->b);
    pair_stop(&p->a);
    printf("  %u strangers: the replica joins, and joins again\n",
           atomic_load(&f.come));
}

int main(int argc, char **argv) {
    pair p;
    CHECK(argc == 2, "usage: kept_places IDEMSTORED");
    setvbuf(stdout, NULL, _IOLBF, 0);
    pair_init(&p, argv[1], 2, 2);
    clients_keep_nobody_out(&p);
    strangers_keep_nobody_out(&p);
    pair_end(&p);
    puts("good");
    return 0;
}
