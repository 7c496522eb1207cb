/* SPDX-License-Identifier: Apache-2.0 */
/* peer_seal.c -- TLS between the nodes, as server/net/peer_seal.c has it around
 * a socket: each end of a connection has an engine, chunks are what it puts
 * out. Whatever the network does to them ends the connection at most. */
#include "tests/sim/peer_net.h"

#include "proto/tls/tls.h"
#include "tests/lib/tls_certs.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { OUT_MAX = 1 << 20 };

static idp_tls_context *context; /* of each node: they are all of them */

static void make_context(void) {
    char folder[32];
    idp_tls_why why;
    certs_begin(folder);
    certs_make_usual(folder);
    certs_make(folder, &(cert_spec){.name = "node",
                                    .alt = "DNS:A,DNS:B,DNS:C,DNS:D,DNS:E",
                                    .issuer = "ca"});
    const idp_tls_settings settings = {
        .cert_file = certs_path(folder, "node.pem"),
        .key_file = certs_path(folder, "node.key"),
        .ca_file = certs_path(folder, "ca.pem"),
        .any_purpose = true};
    context = idp_tls_context_new(&settings, &why);
    if (context == NULL) {
        fprintf(stderr, "peer_sim: %s\n", why.text);
        abort();
    }
    certs_end(folder);
}

void pw_seal_say(pw_world *w, pw_link *c, int from, idp_slice plain,
                 uint64_t session) {
    static uint8_t out[OUT_MAX];
    idp_tls *tls = c->side[from].tls;
    size_t len = idp_tls_write(tls, &plain, out, sizeof out);
    assert(plain.len == 0 || idp_tls_state_of(tls) == IDP_TLS_FAILED);
    if (len > 0 && !c->closed) {
        pw_link_push(w, c, from, (idp_slice){out, len}, session);
    }
}

void pw_seal_dial(pw_world *w, pw_link *c, int node) {
    const char host[] = {pw_name(c->listener), 0};
    side *s = &c->side[node];
    if (context == NULL) {
        make_context();
    }
    s->tls = idp_tls_connect(context, host, IDP_TLS_VERIFY_FULL);
    s->shakes = true;
    assert(s->tls != NULL);
    pw_seal_say(w, c, node, (idp_slice){NULL, 0}, 0);
}

void pw_seal_accept(pw_link *c, int node) {
    side *s = &c->side[node];
    assert(s->tls == NULL);
    s->tls = idp_tls_accept(context, true);
    assert(s->tls != NULL);
}

static pw_sealed state_of(const idp_tls *tls) {
    switch (idp_tls_state_of(tls)) {
    case IDP_TLS_HANDSHAKE:
        return PW_SEAL_SHAKES;
    case IDP_TLS_UP:
        return PW_SEAL_UP;
    case IDP_TLS_ENDED:
        return PW_SEAL_OVER;
    case IDP_TLS_FAILED:
        break;
    }
    idp_tls_fault fault = idp_tls_fault_of(tls);
    return fault >= IDP_TLS_EXPIRED && fault <= IDP_TLS_REFUSED
               ? PW_SEAL_BAD_CERT
               : PW_SEAL_OVER;
}

pw_sealed pw_seal_hear(pw_world *w, pw_link *c, int to, const chunk *one,
                       uint8_t *room, size_t *len) {
    idp_tls *tls = c->side[to].tls;
    idp_slice came = {one->bytes, one->len};
    size_t room_len = one->len + PW_SEAL_ROOM;
    *len = idp_tls_read(tls, &came, room, room_len);
    assert(*len < room_len);
    pw_seal_say(w, c, to, (idp_slice){NULL, 0}, 0);
    return state_of(tls);
}

void pw_seal_free(side *s) {
    idp_tls_free(s->tls);
    s->tls = NULL;
}
