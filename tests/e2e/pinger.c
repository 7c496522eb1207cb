/* SPDX-License-Identifier: Apache-2.0 */
/* pinger.c -- see pinger.h. */
#include "tests/e2e/pinger.h"

#include <time.h>

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* One connection on each loop. */
static void *ping_on(void *ctx) {
    pinger *p = ctx;
    wire w[2];
    for (int i = 0; i < 2; i++) {
        idp_hello hello;
        CHECK(wire_open(&w[i], p->port), "no connection");
        CHECK(wire_hello(&w[i], i, NULL, &hello) == 0, "no hello");
    }
    for (; !atomic_load(&p->over); p->pings++) {
        idp_request ping = {.method = IDP_PING};
        idp_reply reply;
        uint64_t from_us = now_us();
        CHECK(wire_ask(&w[p->pings % 2], &ping, &reply) && !reply.is_error,
              "no pong");
        uint64_t took_us = now_us() - from_us;
        p->longest_us = took_us > p->longest_us ? took_us : p->longest_us;
        nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
    }
    for (int i = 0; i < 2; i++)
        wire_close(&w[i]);
    return NULL;
}

void pinger_start(pinger *p, uint16_t port) {
    *p = (pinger){.port = port};
    CHECK(pthread_create(&p->thread, NULL, ping_on, p) == 0, "no thread");
}

void pinger_stop(pinger *p) {
    atomic_store(&p->over, true);
    pthread_join(p->thread, NULL);
}
