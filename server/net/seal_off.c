/* SPDX-License-Identifier: Apache-2.0 */
/* seal_off.c -- seal.h and tls.h in a daemon without TLS (IDEM_TLS=OFF): a
 * certificate is refused at the start, so that no connection comes to have it.
 */
#include "server/net/peer_seal.h"
#include "server/net/peer_tls.h"

#include <assert.h>
#include <stdio.h>

bool ids_tls_load(ids_tls_contexts *to, const ids_config *config,
                  char why[static IDS_TLS_WHY_BYTES]) {
    *to = (ids_tls_contexts){0};
    snprintf(why, IDS_TLS_WHY_BYTES,
             "--tls-cert %.200s: this idemstored was built without TLS "
             "(IDEM_TLS=OFF)",
             config->tls_cert);
    return false;
}

void ids_tls_drop(ids_tls_contexts *contexts) {
    assert(!contexts->clients && !contexts->peers);
    (void)contexts;
}

bool ids_tls_open(ids_tls *tls, const ids_config *config,
                  char why[static IDS_TLS_WHY_BYTES]) {
    ids_tls_contexts contexts;
    (void)tls;
    return ids_tls_load(&contexts, config, why);
}

void ids_tls_close(ids_tls *tls) {
    assert(!tls->context);
    (void)tls;
}

void ids_tls_use(ids_tls *tls, ids_tls_contexts *next) {
    assert(!tls && !next);
    (void)tls;
    (void)next;
}

struct idp_tls *ids_tls_accept(ids_tls *tls, bool is_http) {
    assert(!tls);
    (void)tls;
    (void)is_http;
    return NULL;
}

bool ids_seal_cert_holds(ids_tls *tls, const ids_conn *conn) {
    assert(!tls && !conn->seal);
    (void)tls;
    (void)conn;
    return false;
}

ids_cert_admits ids_cert_look(ids_net *net, const ids_conn *conn,
                              ids_verifier **verifier) {
    assert(!net->tls && !conn->seal);
    (void)net;
    (void)conn;
    *verifier = NULL;
    return IDS_CERT_NONE;
}

int64_t ids_tls_end_s(ids_tls *tls) {
    assert(!tls);
    (void)tls;
    return 0;
}

/* Of a connection that has TLS: there is none. */

uint8_t *ids_seal_room(ids_net *net) {
    return net->sealing;
}

bool ids_seal_begin(ids_net *net, ids_conn *conn) {
    assert(!net->tls);
    return conn->seal != NULL;
}

ids_opened ids_seal_came(ids_net *net, ids_conn *conn, size_t len) {
    (void)len;
    return ids_seal_cut(net, conn);
}

ids_opened ids_seal_cut(ids_net *net, ids_conn *conn) {
    assert(!net->tls && !conn->seal);
    (void)net;
    (void)conn;
    return IDS_OPENED_FAILED;
}

idp_slice ids_seal_output(ids_net *net, ids_conn *conn) {
    assert(!net->tls && !conn->seal);
    (void)net;
    (void)conn;
    return (idp_slice){0};
}

void ids_seal_sent(ids_net *net, ids_conn *conn, idp_slice out, size_t sent) {
    assert(!net->tls && !conn->seal);
    assert(sent <= out.len);
    (void)net;
    (void)conn;
    (void)out;
    (void)sent;
}

bool ids_seal_close(ids_seal *seal) {
    assert(!seal);
    return seal != NULL;
}

uint64_t ids_seal_records(const ids_seal *seal) {
    assert(!seal);
    return seal != NULL;
}

bool ids_seal_waits(const ids_seal *seal) {
    assert(!seal);
    return seal != NULL;
}

void ids_seal_forget(ids_net *net, ids_conn *conn) {
    assert(!net->tls && !conn->seal);
    (void)net;
    (void)conn;
}

void ids_seal_free(ids_seal *seal) {
    assert(!seal);
    (void)seal;
}

/* Of a link that has TLS: there is none. */

bool ids_peer_tls_is_wanted(ids_tls *tls, const char *endpoint, bool is_first) {
    assert(!tls);
    (void)endpoint;
    (void)is_first;
    return tls != NULL;
}

ids_seal *ids_peer_seal_dial(ids_tls *tls, const char *endpoint) {
    assert(!tls);
    (void)tls;
    (void)endpoint;
    return NULL;
}

void ids_peer_tls_shook(ids_tls *tls, const char *endpoint) {
    assert(!tls);
    (void)tls;
    (void)endpoint;
}

bool ids_peer_tls_falls_back(ids_tls *tls, const char *endpoint,
                             const char *why) {
    assert(!tls);
    (void)endpoint;
    (void)why;
    return tls != NULL;
}

ids_link_way ids_peer_seal_way(ids_tls *tls, const ids_seal *seal,
                               const ids_who *who) {
    assert(!tls && !seal);
    (void)tls;
    (void)seal;
    (void)who;
    return IDS_LINK_PLAIN;
}

idp_slice ids_peer_seal_read(ids_net *net, ids_seal *seal, const uint8_t *bytes,
                             size_t len) {
    assert(!net->tls && !seal);
    (void)net;
    (void)seal;
    return (idp_slice){bytes, len};
}

bool ids_peer_seal_send(ids_net *net, ids_seal *seal, int fd,
                        idp_slice *plain) {
    assert(!net->tls && !seal);
    (void)net;
    (void)fd;
    (void)plain;
    return seal != NULL;
}

ids_peer_seal_state ids_peer_seal_state_of(const ids_seal *seal) {
    assert(!seal);
    (void)seal;
    return IDS_PEER_SEAL_OVER;
}

const char *ids_peer_seal_why(const ids_seal *seal) {
    assert(!seal);
    (void)seal;
    return "";
}
