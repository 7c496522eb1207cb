/* SPDX-License-Identifier: Apache-2.0 */
/* flood.h -- many connections that send all they have and read what comes, in
 * one thread: what hostile clients are made of.
 *
 * An act is one kind of hostility: acts.c has them by name. */
#ifndef TEST_FLOOD_H
#define TEST_FLOOD_H

#include "tests/e2e/harness.h"

#define FLOOD_MAX 512

typedef struct flood_client {
    wire w;
    uint8_t *out;
    size_t out_len, out_cap, out_at;
    uint32_t sent, replies;
    bool lost;  /* the server closed it */
    bool blind; /* it never reads */
} flood_client;

typedef struct flood {
    uint32_t count;
    flood_client clients[FLOOD_MAX];
} flood;

void flood_open(flood *f, uint16_t port, uint32_t count);
void flood_close(flood *f);

/* Puts a request among what the client is to send. */
void flood_put(flood_client *c, idp_request *request);

/* Sends and reads until each that reads has its replies, but for those that are
 * lost; false: it took longer than so many seconds. */
bool flood_run(flood *f, unsigned seconds_max);
/* The same, without waiting for a reply: all is sent, or taken no further. */
void flood_send(flood *f, unsigned ms);
uint32_t flood_lost(const flood *f);

/* Hostile acts, for a daemon at this port with two loops or more. */
typedef struct act {
    const char *name;
    void (*perform)(uint16_t port);
} act;

extern const act acts[];
extern const unsigned acts_count;

#endif
