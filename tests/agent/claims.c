/* SPDX-License-Identifier: Apache-2.0 */
/* claims.c -- see claims.h. */
#include "tests/agent/claims.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/include/idemclient.h"
#include "tests/e2e/harness.h"

enum { TIMEOUT_MS = 120000, LEASE_MS = 60000, TTL_MS = 60000, PAUSE_MS = 2 };

struct claims {
    idem_client *client;
    pthread_t threads[CLAIM_THREADS_MAX];
    unsigned count;
    pthread_mutex_t lock; /* of all below */
    uint64_t next_key, last_us;
    claims_seen seen;
    bool ends;
};

uint64_t claims_now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t epoch_of(const idem_token *token) {
    uint64_t epoch = 0;
    for (int i = 0; i < 8; i++)
        epoch = epoch << 8 | token->bytes[i];
    return epoch;
}

static void note_claim(claims *all, uint64_t epoch) {
    uint64_t now_us = claims_now_us();
    claims_seen *seen = &all->seen;
    pthread_mutex_lock(&all->lock);
    if (epoch > seen->epoch) {
        seen->epoch = epoch;
        seen->first_us = now_us;
        seen->previous_us = all->last_us;
    }
    all->last_us = now_us;
    seen->count++;
    pthread_mutex_unlock(&all->lock);
}

static bool next_key(claims *all, char key[32]) {
    pthread_mutex_lock(&all->lock);
    snprintf(key, 32, "claim-%llu", (unsigned long long)all->next_key++);
    bool ends = all->ends;
    pthread_mutex_unlock(&all->lock);
    return !ends;
}

static void *claim_on(void *arg) {
    claims *all = arg;
    idem_answer answer = {.size = sizeof answer};
    idem_error err = {.size = sizeof err};
    char key[32];
    while (next_key(all, key)) {
        idem_args args = {.size = sizeof args,
                          .timeout_ms = TIMEOUT_MS,
                          .lease_ms = LEASE_MS,
                          .ttl_ms = TTL_MS,
                          .key = key,
                          .key_len = strlen(key)};
        int32_t code = idem_acquire(all->client, &args, &answer, &err);
        CHECK(code == 0, "%s: %s", key, err.text);
        CHECK(answer.outcome == IDEM_ACQUIRED, "%s: %s", key,
              idem_outcome_name(answer.outcome));
        note_claim(all, epoch_of(&answer.token));
        args.token = answer.token;
        code = idem_release(all->client, &args, &answer, &err);
        CHECK(code == 0, "%s: %s", key, err.text);
        e2e_sleep_ms(PAUSE_MS);
    }
    idem_answer_fini(&answer);
    return NULL;
}

claims *claims_start(const char *uri, unsigned threads) {
    idem_error err = {.size = sizeof err};
    claims *all = calloc(1, sizeof *all);
    CHECK(all != NULL && threads <= CLAIM_THREADS_MAX, "%u threads", threads);
    CHECK(idem_client_open(uri, &all->client, &err) == 0, "%s", err.text);
    pthread_mutex_init(&all->lock, NULL);
    for (; all->count < threads; all->count++)
        CHECK(pthread_create(&all->threads[all->count], NULL, claim_on, all) ==
                  0,
              "no thread");
    return all;
}

void claims_stop(claims *all) {
    pthread_mutex_lock(&all->lock);
    all->ends = true;
    pthread_mutex_unlock(&all->lock);
    for (unsigned i = 0; i < all->count; i++)
        pthread_join(all->threads[i], NULL);
    idem_client_close(all->client);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

claims_seen claims_look(claims *all) {
    pthread_mutex_lock(&all->lock);
    claims_seen seen = all->seen;
    pthread_mutex_unlock(&all->lock);
    return seen;
}
