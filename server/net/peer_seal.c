/* SPDX-License-Identifier: Apache-2.0 */
/* peer_seal.c -- see peer_seal.h. */
#include "server/net/peer_seal.h"

#include "proto/tls/tls.h"
#include "server/base/log.h"
#include "server/net/peer_tls.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

ids_seal *ids_peer_seal_dial(ids_tls *tls, const char *endpoint) {
    char host[IDS_ENDPOINT_BYTES];
    const char *port;
    ids_seal *seal = calloc(1, sizeof *seal);
    if (!seal || !ids_endpoint_split(endpoint, host, &port)) {
        free(seal);
        return NULL;
    }
    idp_tls_context *context = ids_peer_tls_hold(tls);
    seal->tls = idp_tls_connect(context, host, IDP_TLS_VERIFY_FULL);
    idp_tls_context_drop(context);
    if (seal->tls)
        return seal;
    free(seal);
    return NULL;
}

ids_link_way ids_peer_seal_way(ids_tls *tls, const ids_seal *seal,
                               const ids_who *who) {
    if (!seal)
        return IDS_LINK_PLAIN;
    if (tls->peer_tls != IDS_TLS_PEERS_ON)
        return IDS_LINK_TLS;
    idp_tls_why why;
    idp_tls_context *context = ids_peer_tls_hold(tls);
    bool is_good = idp_tls_peer_is_of(seal->tls, context, &why);
    idp_tls_context_drop(context);
    if (is_good)
        return IDS_LINK_TLS;
    ids_log_who(IDS_LOG_WARN, "another node's certificate is not good", who,
                why.text);
    return IDS_LINK_BAD_CERT;
}

/* The bytes of one link ---------------------------------------------------- */

/* Nothing of it is left behind: so its room is larger than what comes. */
idp_slice ids_peer_seal_read(ids_net *net, ids_seal *seal, const uint8_t *bytes,
                             size_t len) {
    uint8_t *room = ids_seal_room(net);
    idp_slice came = {bytes, len};
    assert(room && len <= IDS_PEER_SEAL_BYTES);
    if (!len)
        idp_tls_eof(seal->tls);
    size_t got = idp_tls_read(seal->tls, &came, room, IDS_SEAL_BYTES);
    assert(got < IDS_SEAL_BYTES);
    return (idp_slice){room, got};
}

/* One send; false: the socket takes no more for now, or is at its end. */
static bool send_some(int fd, const uint8_t *bytes, size_t len, size_t *sent,
                      bool *is_good) {
    ssize_t took = send(fd, bytes, len, MSG_NOSIGNAL);
    *is_good = took >= 0 || errno == EAGAIN || errno == EINTR;
    *sent = took > 0 ? (size_t)took : 0;
    return *sent == len;
}

static bool send_kept(ids_seal *seal, int fd, bool *is_good) {
    size_t sent;
    *is_good = true;
    if (seal->out_at == seal->out.len)
        return true;
    bool all = send_some(fd, seal->out.ptr + seal->out_at,
                         seal->out.len - seal->out_at, &sent, is_good);
    seal->out_at += sent;
    if (all) {
        idp_bytes_free(&seal->out);
        seal->out_at = 0;
    }
    return all;
}

bool ids_peer_seal_send(ids_net *net, ids_seal *seal, int fd,
                        idp_slice *plain) {
    bool is_good;
    size_t len, sent;
    uint8_t *room = ids_seal_room(net);
    assert(room);
    room += IDS_SEAL_BYTES; /* the first half is what is read into */
    if (!send_kept(seal, fd, &is_good))
        return is_good;
    while ((len = idp_tls_write(seal->tls, plain, room, IDS_SEAL_BYTES)) > 0) {
        if (send_some(fd, room, len, &sent, &is_good))
            continue;
        return is_good && idp_bytes_append(&seal->out, room + sent, len - sent);
    }
    return true;
}

ids_peer_seal_state ids_peer_seal_state_of(const ids_seal *seal) {
    switch (idp_tls_state_of(seal->tls)) {
    case IDP_TLS_HANDSHAKE:
        return IDS_PEER_SEAL_SHAKES;
    case IDP_TLS_UP:
        return IDS_PEER_SEAL_UP;
    case IDP_TLS_ENDED:
        return IDS_PEER_SEAL_OVER;
    case IDP_TLS_FAILED:
        break;
    }
    switch (idp_tls_fault_of(seal->tls)) {
    case IDP_TLS_EXPIRED:
    case IDP_TLS_NOT_YET_VALID:
    case IDP_TLS_WRONG_NAME:
    case IDP_TLS_UNKNOWN_ISSUER:
    case IDP_TLS_BAD_CERT:
    case IDP_TLS_REFUSED:
        return IDS_PEER_SEAL_BAD_CERT;
    case IDP_TLS_NOT_TLS:
        return IDS_PEER_SEAL_PLAIN;
    case IDP_TLS_NO_FAULT:
    case IDP_TLS_CUT_OFF:
    case IDP_TLS_FLOOD:
    case IDP_TLS_PROTOCOL:
    case IDP_TLS_NO_MEMORY:
        break;
    }
    return IDS_PEER_SEAL_OVER;
}

const char *ids_peer_seal_why(const ids_seal *seal) {
    return idp_tls_why_of(seal->tls);
}
