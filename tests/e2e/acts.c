/* SPDX-License-Identifier: Apache-2.0 */
/* acts.c -- hostile acts against the loops: each would make one turn long, or
 * take what is everybody's; see flood.h. */
#include "proto/owner.h"
#include "tests/e2e/flood.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS 120
#define MIB     (1u << 20)

static flood f;
static char keys[8192][40];

static idp_request acquire_of(const char *key, uint32_t wait_ms) {
    idp_request request = ask_acquire(key, 60000, 600000);
    request.wait_ms = wait_ms;
    return request;
}

static void finish(void) {
    CHECK(flood_run(&f, SECONDS), "not answered in %d s", SECONDS);
    CHECK(flood_lost(&f) == 0, "%u connections were closed", flood_lost(&f));
    flood_close(&f);
}

/* Claims the key on a connection of its own; its token. */
static idp_token hold_key(wire *w, uint16_t port, const char *key) {
    idp_request request = acquire_of(key, 0);
    idp_answer answer;
    CHECK(wire_open(w, port), "no connection");
    CHECK(wire_call(w, &request, &answer) == 0, "no answer");
    CHECK(answer.outcome == IDP_OUTCOME_ACQUIRED, "the key was not free");
    return answer.token;
}

static void complete_large(wire *w, const char *key, idp_token token) {
    char *result = calloc(1, MIB);
    idp_request request = ask_complete(key, token, "");
    idp_answer answer;
    request.result = (idp_slice){(const uint8_t *)result, MIB};
    CHECK(wire_call(w, &request, &answer) == 0, "no answer");
    CHECK(answer.outcome == IDP_OUTCOME_COMPLETED && answer.kept,
          "not completed");
    free(result);
}

static void ask_often(uint16_t port, idp_method method, uint32_t clients,
                      uint32_t count) {
    flood_open(&f, port, clients);
    for (uint32_t i = 0; i < clients; i++)
        for (uint32_t k = 0; k < count; k++)
            flood_put(&f.clients[i], &(idp_request){.method = method});
    finish();
}

static void stats(uint16_t port) {
    ask_often(port, IDP_STATS, 1, 12000);
}

static void replication(uint16_t port) {
    ask_often(port, IDP_REPLICATION, 2, 12000);
}

static void pings(uint16_t port) {
    ask_often(port, IDP_PING, 64, 20000);
}

/* Each with hashes that agree in the ten bits that once chose the bucket. */
static void chosen_keys(uint16_t port) {
    idp_hello hello;
    wire w;
    uint32_t found = 0;
    CHECK(wire_open(&w, port), "no connection");
    CHECK(wire_hello(&w, -1, NULL, &hello) == 0, "no hello");
    wire_close(&w);
    for (uint64_t i = 0; found < 8192; i++) {
        char key[40];
        snprintf(key, sizeof key, "chosen-%llu", (unsigned long long)i);
        uint64_t hash =
            idp_owner_hash(hello.hash_key, text_slice(""), text_slice(key));
        if ((hash >> 32 & 0x3ff) == 0)
            memcpy(keys[found++], key, sizeof key);
    }
    flood_open(&f, port, 8);
    for (uint32_t i = 0; i < found; i++) {
        idp_request request = acquire_of(keys[i], 0);
        flood_put(&f.clients[i % 8], &request);
    }
    finish();
}

static void wait_for(uint16_t port, uint32_t clients, const char *key,
                     uint32_t each, uint32_t wait_ms) {
    flood_open(&f, port, clients);
    for (uint32_t i = 0; i < clients; i++)
        for (uint32_t k = 0; k < each; k++) {
            idp_request request = acquire_of(key, wait_ms);
            flood_put(&f.clients[i], &request);
        }
    flood_send(&f, 1000);
    e2e_sleep_ms(300); /* until they are parked, or nearly all */
}

static void large_result(uint16_t port) {
    wire w;
    idp_token token = hold_key(&w, port, "large-result");
    wait_for(port, 200, "large-result", 1, 60000);
    complete_large(&w, "large-result", token);
    finish();
    wire_close(&w);
}

static void large_replays(uint16_t port) {
    wire w;
    complete_large(&w, "large-replay", hold_key(&w, port, "large-replay"));
    wire_close(&w);
    flood_open(&f, port, 2);
    for (uint32_t i = 0; i < 2; i++)
        for (uint32_t k = 0; k < 300; k++) {
            idp_request request = acquire_of("large-replay", 0);
            flood_put(&f.clients[i], &request);
        }
    finish();
}

/* More than their loop has room for, half of it for the other one. */
static void hops(uint16_t port) {
    flood_open(&f, port, 400);
    for (uint32_t i = 0; i < 400; i++)
        for (uint32_t k = 0; k < 400; k++) {
            char key[40];
            snprintf(key, sizeof key, "hop-%u", (i * 7 + k) % 1000);
            idp_request request = acquire_of(key, 0);
            flood_put(&f.clients[i], &request);
        }
    finish();
}

/* Waits for many keys, all of which end together. */
static void waits_end(uint16_t port) {
    flood_open(&f, port, 64);
    for (uint32_t i = 0; i < 64; i++)
        for (uint32_t k = 0; k < 500; k++) {
            char key[40];
            snprintf(key, sizeof key, "wait-%u", k);
            idp_request request = acquire_of(key, 2000);
            flood_put(&f.clients[i], &request);
        }
    finish();
}

static void askers_go(uint16_t port) {
    wire w;
    hold_key(&w, port, "given-up");
    wait_for(port, 64, "given-up", 1000, 60000);
    flood_close(&f);
    wire_close(&w);
}

/* The next tokens are no secret: each release lets the next one in. */
static void release_one(uint16_t port, const char *key) {
    wire w;
    idp_token token = hold_key(&w, port, key);
    wait_for(port, 4, key, 250, 60000);
    flood_client *c = &f.clients[0];
    for (uint32_t i = 0; i < 3000; i++) {
        idp_request request = ask_release(key, token);
        token.sequence++;
        flood_put(c, &request);
    }
    for (uint32_t i = 0; i < 4; i++)
        f.clients[i].blind = i > 0;
    flood_send(&f, 3000);
    flood_close(&f);
    wire_close(&w);
}

/* Keys of both loops, nearly always: here, and by message. */
static void releases(uint16_t port) {
    static const char *const released[] = {"released-1", "released-2",
                                           "released-3", "released-4"};
    for (int i = 0; i < 4; i++)
        release_one(port, released[i]);
}

/* Records that end together. */
static void records_end(uint16_t port) {
    flood_open(&f, port, 16);
    for (uint32_t i = 0; i < 16; i++)
        for (uint32_t k = 0; k < 2000; k++) {
            char key[40];
            snprintf(key, sizeof key, "short-%u-%u", i, k);
            idp_request request = ask_acquire(key, 200, 200);
            flood_put(&f.clients[i], &request);
        }
    finish();
    e2e_sleep_ms(600);
}

const act acts[] = {
    {"12,000 stats in a pipeline", stats},
    {"24,000 questions about replication", replication},
    {"1,280,000 pings in 64 pipelines", pings},
    {"8,192 keys chosen with hello's hash_key", chosen_keys},
    {"a result of 1 MiB for 200 who wait", large_result},
    {"600 replays of 1 MiB in two pipelines", large_replays},
    {"160,000 requests for any loop, from 400", hops},
    {"32,000 waits that end together", waits_end},
    {"64 askers go that wait 1,000 times each", askers_go},
    {"12,000 releases of keys that 1,000 wait for", releases},
    {"32,000 records that end together", records_end},
};
const unsigned acts_count = sizeof acts / sizeof acts[0];
