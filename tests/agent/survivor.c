/* SPDX-License-Identifier: Apache-2.0 */
/* survivor.c -- three nodes and many records: the primary is killed while it is
 * busy. The one that takes over and the one that survives have the same again
 * without a full copy, and calls are answered.
 *
 *   survivor IDEMSTORED IDEMAGENT RECORDS
 *
 * With two million records it is the measurement of docs/failover.md. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/agent/group.h"
#include "tests/e2e/harness.h"

enum { NODES = 3, WINDOW = 128, LEASE_MS = 3600000, FILLERS = 4 };

typedef struct filler {
    pthread_t thread;
    uint16_t port;
    uint32_t from, to; /* keys; to 0: until it is cut off */
} filler;

static atomic_uint busy;

static bool send_some(wire *w, uint32_t from, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        char key[24];
        snprintf(key, sizeof key, "key-%u", from + i);
        idp_request request = ask_acquire(key, LEASE_MS, 24 * 3600000);
        if (!wire_send_request(w, &request))
            return false;
    }
    return true;
}

static bool hear_some(wire *w, uint32_t count) {
    idp_reply reply;
    for (uint32_t i = 0; i < count; i++)
        if (!wire_reply(w, &reply))
            return false;
    return true;
}

static void *fill(void *arg) {
    const filler *mine = arg;
    wire w;
    CHECK(wire_open(&w, mine->port), "the primary does not listen");
    for (uint32_t at = mine->from; mine->to == 0 || at < mine->to;
         at += WINDOW) {
        if (!send_some(&w, at, WINDOW) || !hear_some(&w, WINDOW)) {
            CHECK(mine->to == 0, "it was cut off as it filled the store");
            break;
        }
        atomic_fetch_add(&busy, mine->to == 0);
    }
    wire_close(&w);
    return NULL;
}

static void fill_store(uint16_t port, uint32_t records) {
    filler of[FILLERS];
    uint32_t each = records / FILLERS;
    for (uint32_t i = 0; i < FILLERS; i++) {
        of[i] = (filler){.port = port, .from = i * each, .to = (i + 1) * each};
        CHECK(pthread_create(&of[i].thread, NULL, fill, &of[i]) == 0,
              "no thread");
    }
    for (uint32_t i = 0; i < FILLERS; i++)
        pthread_join(of[i].thread, NULL);
}

static uint64_t stat_of(test_group *g, int at, const char *name) {
    const daemon_t node = {.port = group_node(g, at)->port};
    return daemon_stat(&node, name);
}

/* A claim at this node: with its answer every member has it. */
static bool is_granted(wire *w, const char *key) {
    idp_request request = ask_acquire(key, LEASE_MS, 24 * 3600000);
    idp_answer answer;
    return wire_call(w, &request, &answer) == 0 &&
           answer.outcome == IDP_OUTCOME_ACQUIRED;
}

static void await_grant(uint16_t port) {
    wire w;
    CHECK(wire_open(&w, port), "the new primary does not listen");
    for (int tries = 0;; tries++) {
        char key[24];
        snprintf(key, sizeof key, "after-%d", tries);
        if (is_granted(&w, key))
            break;
        CHECK(tries < 60000, "nothing is granted any more");
        e2e_sleep_ms(2);
    }
    wire_close(&w);
}

/* What came last is in both as soon as it was answered, and nothing else ends.
 */
static void both_have_the_same(test_group *g, int a, int b) {
    uint64_t ours = stat_of(g, a, "records"), theirs = stat_of(g, b, "records");
    for (int tries = 0; ours != theirs && tries < 600; tries++) {
        e2e_sleep_ms(100);
        ours = stat_of(g, a, "records");
        theirs = stat_of(g, b, "records");
    }
    CHECK(ours == theirs, "%c has %llu records, %c has %llu", 'a' + a,
          (unsigned long long)ours, 'a' + b, (unsigned long long)theirs);
    printf("both have %llu records\n", (unsigned long long)ours);
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 64;
    uint32_t records = (uint32_t)atoi(argv[3]);
    test_group *g = group_start(&(test_group_spec){.idemstored = argv[1],
                                                   .idemagent = argv[2],
                                                   .nodes = NODES,
                                                   .max_memory = "2g"});
    int was = group_primary(g);
    fill_store(group_node(g, was)->port, records);
    filler last = {.port = group_node(g, was)->port, .from = 100000000};
    CHECK(pthread_create(&last.thread, NULL, fill, &last) == 0, "no thread");
    for (int tries = 0; atomic_load(&busy) < 20; tries++) {
        CHECK(tries < 60000, "it is not busy");
        e2e_sleep_ms(1);
    }
    group_await_whole(g);
    uint64_t copies[NODES];
    for (int i = 0; i < NODES; i++)
        copies[i] = stat_of(g, i, "full_copies_total");
    uint64_t killed_ms = e2e_now_ms();
    group_kill(&group_node(g, was)->node);
    int is = group_await_another(g, was), survivor = NODES - was - is;
    await_grant(group_node(g, is)->port);
    uint64_t took_ms = e2e_now_ms() - killed_ms;
    pthread_join(last.thread, NULL);
    printf(
        "%u records: %c is killed, %c leads, %c survives; a claim is granted "
        "after %llu ms\n",
        records, 'a' + was, 'a' + is, 'a' + survivor,
        (unsigned long long)took_ms);
    CHECK(stat_of(g, survivor, "joins_by_key_total") >= 1,
          "%c did not join by key", 'a' + survivor);
    CHECK(stat_of(g, survivor, "full_copies_total") == copies[survivor],
          "%c loaded a full copy", 'a' + survivor);
    both_have_the_same(g, is, survivor);
    group_stop(g);
    return 0;
}
