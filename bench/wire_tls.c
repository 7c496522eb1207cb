/* SPDX-License-Identifier: Apache-2.0 */
/* wire_tls.c -- a wire's TLS: moves bytes between socket and engine. */
#include "bench/wire.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What the engine may hold of a record that has not come whole. What is opened
 * is written to the front of a room and what came lies so far behind, so that
 * the one never reaches the other. */
#define HELD_BYTES (5u + 16384u + 256u)

static_assert(HELD_BYTES + 8192 <= IDB_TAKE_BYTES_MIN, "a room for both");

bool idb_tls_is_built(void) {
    return true;
}

const char *idb_tls_init(idb_tls *tls, const idb_tls_files *files, bool system,
                         idp_tls_why *why) {
    const idp_tls_settings settings = {.cert_file = files->cert,
                                       .key_file = files->key,
                                       .ca_file = files->ca,
                                       .system_ca = system && !files->ca,
                                       .min_version = IDP_TLS_1_2};
    snprintf(tls->ca, sizeof tls->ca, "%s", files->ca ? files->ca : "");
    tls->context = idp_tls_context_new(&settings, why);
    return tls->context ? NULL : why->text;
}

void idb_tls_fini(idb_tls *tls) {
    idp_tls_context_drop(tls->context);
    *tls = (idb_tls){0};
}

/* What came is opened. Bytes; 0: it ended; -1 and EINPROGRESS: nothing was
 * said to us, EPROTO: it failed. */
static ssize_t open_sealed(idb_wire *wire, idp_slice came, uint8_t *to,
                           size_t room) {
    size_t len = idp_tls_read(wire->tls, &came, to, room);
    assert(len < room);
    if (len > 0)
        return (ssize_t)len;
    idp_tls_state state = idp_tls_state_of(wire->tls);
    if (state == IDP_TLS_ENDED)
        return 0;
    errno = state == IDP_TLS_FAILED ? EPROTO : EINPROGRESS;
    return -1;
}

ssize_t idb_tls_take(idb_wire *wire, uint8_t *to, size_t room, int flags) {
    uint8_t *sealed = to + HELD_BYTES;
    assert(room >= IDB_TAKE_BYTES_MIN);
    if (idp_tls_state_of(wire->tls) == IDP_TLS_ENDED)
        return 0;
    ssize_t got = recv(wire->fd, sealed, room - HELD_BYTES, flags);
    if (got < 0)
        return -1;
    if (got == 0)
        idp_tls_eof(wire->tls);
    return open_sealed(wire, (idp_slice){sealed, (size_t)got}, to, room);
}

size_t idb_tls_seal(idb_wire *wire, idp_slice *plain, uint8_t *to,
                    size_t room) {
    return idp_tls_write(wire->tls, plain, to, room);
}

bool idb_tls_owes(const idb_wire *wire) {
    return idp_tls_wants_write(wire->tls);
}

const char *idb_tls_why_of(const idb_wire *wire) {
    return idp_tls_why_of(wire->tls);
}

const char *idb_tls_shake(idb_wire *wire, const idb_endpoint *at) {
    uint8_t room[IDB_TAKE_BYTES_MIN];
    const idb_tls *how = at->tls;
    wire->tls = idp_tls_connect(how->context, how->name ? how->name : at->host,
                                how->verify);
    if (!wire->tls)
        return "no TLS can be begun: out of memory, or --tls-name is no name";
    idb_wire_patience(wire, IDB_HANDSHAKE_SECONDS);
    while (idp_tls_state_of(wire->tls) == IDP_TLS_HANDSHAKE) {
        if (!idb_wire_send(wire, NULL, 0))
            return "the server closed the connection within the handshake";
        ssize_t got = idb_tls_take(wire, room, sizeof room, 0);
        if (got > 0 && !idp_bytes_append(&wire->opened, room, (size_t)got))
            return "out of memory";
        if (got < 0 && errno == EAGAIN)
            return "the server says nothing to a TLS handshake: is its port "
                   "plain?";
        if (got <= 0 && errno != EINPROGRESS && errno != EINTR)
            break;
    }
    idb_wire_patience(wire, 0);
    bool sent = idb_wire_send(wire, NULL, 0); /* our last word, or an alert */
    if (idp_tls_state_of(wire->tls) == IDP_TLS_UP && sent)
        return NULL;
    return idb_wire_why(wire, "the server closed the connection after the "
                              "handshake");
}

void idb_tls_end(idb_wire *wire) {
    uint8_t last[256];
    idp_tls_close(wire->tls);
    size_t len = idp_tls_write(wire->tls, NULL, last, sizeof last);
    if (wire->fd >= 0 && len > 0)
        send(wire->fd, last, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    idp_tls_free(wire->tls);
    wire->tls = NULL;
}
