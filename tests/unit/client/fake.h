/* SPDX-License-Identifier: Apache-2.0 */
/* fake.h -- a small server for the client's tests: one thread that speaks the
 * wire and does what a script says. It keeps no record of anything. */
#ifndef FAKE_H
#define FAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/reply.h"
#include "proto/request.h"

typedef struct fake_server fake_server;

typedef enum fake_action {
    FAKE_ANSWER,  /* with .answer */
    FAKE_REFUSE,  /* with .error and .text */
    FAKE_MUTE,    /* say nothing, now or ever */
    FAKE_HANG_UP, /* close the connection instead */
    FAKE_HOLD,    /* keep .answer until .hold of them are kept, then say them
                   * all, the last one first */
    FAKE_DRIP, /* the same, but said in their order, with a pause before each */
    FAKE_BABBLE, /* send bytes that are no reply */
    FAKE_CUT,    /* send half of .answer, then reset the connection */
    FAKE_GONE,   /* hang up, and listen no more */
    FAKE_STOP /* read and say nothing more on any connection, as if stopped by
               * a signal: the kernel still takes what comes */
} fake_action;

typedef struct fake_reply {
    fake_action action;
    idp_answer answer;
    idp_error error;
    const char *text;
    uint32_t hold;
} fake_reply;

/* Called on the server's thread for every request but hello and ping. link:
 * which connection, 1 for the first one ever. */
typedef void fake_script(void *ctx, uint64_t link, const idp_request *request,
                         fake_reply *reply);

typedef struct fake_config {
    fake_script *script;
    void *ctx;
    uint32_t shards;           /* 0: 1 */
    uint64_t result_bytes_max; /* 0: 1 MiB */
    uint64_t pending_max;
    const char *secret;  /* hello must bring it; NULL: none */
    const char *path;    /* a unix socket; NULL: loopback */
    uint16_t port;       /* 0: any */
    bool refuse_hello;   /* close every connection at once, */
    idp_error last_word; /* having said this of it; 0: nothing */
    const char *role;    /* NULL: primary */
    uint64_t epoch;
} fake_config;

fake_server *fake_start(const fake_config *config);
uint16_t fake_port(const fake_server *fake);
/* Connections that were ever accepted, and hellos that were answered. */
uint64_t fake_links(fake_server *fake);
void fake_stop(fake_server *fake);
/* FAKE_STOP from outside. */
void fake_freeze(fake_server *fake);

/* "idem://127.0.0.1:PORT/t?OPTIONS" in a static buffer per thread. */
const char *fake_uri(const fake_server *fake, const char *options);

/* The answers that tests need most. */
idp_answer fake_acquired(uint64_t sequence);
idp_answer fake_completed(bool kept);
idp_answer fake_replay(const void *result, size_t len);

#endif
