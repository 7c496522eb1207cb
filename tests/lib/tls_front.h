/* SPDX-License-Identifier: Apache-2.0 */
/* tls_front.h -- TLS in front of a plain server, on loopback: a thread that
 * takes connections, opens what comes, hands it on and seals the answers. */
#ifndef TLS_FRONT_H
#define TLS_FRONT_H

#include "proto/tls/tls.h"

typedef struct tls_front tls_front;

typedef struct front_config {
    const char *folder; /* of the certificates */
    const char *cert;   /* "server" */
    const char *ca;     /* asks for a client's certificate; NULL: does not */
    uint16_t upstream;  /* the plain server's port */
    bool closes;        /* each connection, at its first byte */
    const char *says;   /* instead of all this: says so, in plain. NULL: no */
    uint32_t keys_each; /* new keys after so many turns; 0: never */
} front_config;

tls_front *front_start(const front_config *config);
uint16_t front_port(const tls_front *front);
/* Connections whose hands were shaken, and how many of those showed a
 * certificate that was good. */
uint32_t front_handshakes(const tls_front *front);
uint32_t front_verified(const tls_front *front);
/* Each connection is cut, without a word, when this returns. */
void front_cut(tls_front *front);
void front_stop(tls_front *front);

#endif
