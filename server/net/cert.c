/* SPDX-License-Identifier: Apache-2.0 */
/* cert.c -- see cert.h. */
#include "server/net/cert.h"

#include "proto/tls/tls.h"
#include "server/line/admit.h"
#include "server/net/seal.h"

#include <assert.h>
#include <string.h>

static bool has_name(const void *cert, ids_verifier_kind kind,
                     const char *name) {
    idp_tls_name which = kind == IDS_VERIFIER_DNS   ? IDP_TLS_NAME_DNS
                         : kind == IDS_VERIFIER_URI ? IDP_TLS_NAME_URI
                                                    : IDP_TLS_NAME_CN;
    return idp_tls_peer_has(cert, which,
                            (idp_slice){(const uint8_t *)name, strlen(name)});
}

const char *ids_cert_admit(ids_net *net, ids_conn *conn) {
    return ids_admit_cert(net->line, conn, has_name, conn->seal->tls);
}

/* Looked up once a version of the credentials: a certificate's names are read
 * for each line that names one, and its authority may be gone by then. */
static void look_up_cert(ids_net *net, const ids_conn *conn) {
    ids_seal *seal = conn->seal;
    const ids_credentials *now = net->worker->credentials;
    bool is_ambiguous = false;
    const ids_verifier *found = NULL;
    assert(now->number != 0);
    seal->cert = (ids_cert_of){.version = now->number};
    if (!ids_tls_has_signed(net->tls, seal->tls))
        return;
    found = ids_credentials_find_cert(now, has_name, seal->tls, &is_ambiguous);
    seal->cert.is_ambiguous = is_ambiguous;
    seal->cert.is_known = found != NULL;
    if (found)
        memcpy(seal->cert.id, found->id, sizeof seal->cert.id);
}

ids_cert_admits ids_cert_look(ids_net *net, const ids_conn *conn,
                              ids_verifier **verifier) {
    const ids_credentials *now = net->worker->credentials;
    ids_seal *seal = conn->seal;
    *verifier = NULL;
    if (!seal || !net->tls->http_asks || !idp_tls_peer(seal->tls).verified)
        return IDS_CERT_NONE;
    if (!now)
        return IDS_CERT_GOOD;
    if (seal->cert.version != now->number)
        look_up_cert(net, conn);
    if (seal->cert.is_ambiguous)
        return IDS_CERT_AMBIGUOUS;
    if (seal->cert.is_known)
        *verifier = ids_credentials_by_id(now, seal->cert.id);
    return *verifier ? IDS_CERT_GOOD : IDS_CERT_NONE;
}
