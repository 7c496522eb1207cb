/* SPDX-License-Identifier: Apache-2.0 */
/* cert.h -- whose client certificate it is that came on a connection: the whole
 * of it is let in by that, or, over HTTP, each request that shows no secret. */
#ifndef IDS_CERT_H
#define IDS_CERT_H

#include "server/net/net.h"

/* Whose it is, of the credentials of one version. */
typedef struct ids_cert_of {
    uint64_t version; /* 0: it was not looked up yet */
    bool is_ambiguous, is_known;
    uint8_t id[IDS_VERIFIER_BYTES]; /* its verifier's, if it is known */
} ids_cert_of;

/* It is verified: the connection is bound to whose it is. Static text: why it
 * is not served at all. */
const char *ids_cert_admit(ids_net *net, ids_conn *conn);

typedef enum ids_cert_admits {
    IDS_CERT_NONE, /* none that is good, or nobody's */
    IDS_CERT_GOOD,
    IDS_CERT_AMBIGUOUS /* that of two credentials: it is let in by neither */
} ids_cert_admits;

/* Over HTTP: what it is good for now. verifier: whose it is; NULL where it is
 * good and there are no credentials. */
ids_cert_admits ids_cert_look(ids_net *net, const ids_conn *conn,
                              ids_verifier **verifier);

#endif
