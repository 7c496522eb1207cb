/* SPDX-License-Identifier: Apache-2.0 */
/* both.h -- a client's and a server's engine, and the bytes between them. */
#ifndef BOTH_H
#define BOTH_H

#include "proto/tls/tls.h"
#include "tests/lib/tls_certs.h"

#define PIPE_BYTES (1u << 20)

typedef struct side {
    idp_tls *tls;
    uint8_t in[PIPE_BYTES]; /* came, and is not read yet */
    size_t in_len;
    uint8_t heard[PIPE_BYTES]; /* plain */
    size_t heard_len;
} side;

typedef struct both {
    char folder[32];
    idp_tls_context *server_context, *client_context;
    side server, client;
    size_t chunk; /* bytes that come at a time */
} both;

typedef struct both_options {
    const char *server_cert; /* NULL: "server" */
    const char *server_ca;   /* NULL: asks for no certificate */
    const char *client_cert; /* NULL: none */
    const char *client_ca;   /* NULL: "ca" */
    const char *host;        /* NULL: "localhost" */
    idp_tls_verify verify;
    idp_tls_version server_least, client_least;
    bool any_purpose;
} both_options;

/* NULL on failure, with why. */
idp_tls_context *context_of(const char *folder, const char *cert,
                            const char *ca, const both_options *options,
                            idp_tls_version least);
both *both_begin(const both_options *options);
/* The two engines anew over the same contexts. */
void both_again(both *b, const both_options *options);
void both_end(both *b);

/* Carries bytes until none is left on either side. */
void both_pump(both *b);
void say(both *b, side *from, const void *bytes, size_t len);
void say_text(both *b, side *from, const char *text);
bool heard_is(const side *at, const char *text);
/* One engine's waiting output, into `to`. */
size_t output(side *from, uint8_t *to, size_t room);
/* Feeds bytes to one engine, and nothing to the other. */
void feed(both *b, side *to, const uint8_t *bytes, size_t len);
bool is_up(const side *at);

#endif
