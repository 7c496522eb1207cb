/* SPDX-License-Identifier: Apache-2.0 */
/* policy.h -- who may ask what over HTTP, before a credential is looked at.
 *
 * Pure. A browser is no client: who has a page of his own open in one must not
 * reach a port that trusts this machine, whether by a name of his that points
 * here or by a form. */
#ifndef IDS_HTTP_POLICY_H
#define IDS_HTTP_POLICY_H

#include "server/http/call.h"

#define IDS_HTTP_HOSTS_MAX 16

typedef struct ids_http_policy {
    const char *hosts[IDS_HTTP_HOSTS_MAX]; /* --http-host; borrowed */
    uint32_t hosts_count;
    bool demands_secret; /* there are credentials, or a secret */
} ids_http_policy;

/* Where it comes from. */
typedef struct ids_http_from {
    bool is_local; /* from this machine */
    bool has_cert; /* by a connection whose certificate lets it in */
} ids_http_from;

/* The console alone is a page that may ask: from its own host, and with a
 * secret or a certificate. It is served to whoever could show one, since
 * nothing is in it.
 *
 * secret: what the header shows; ptr NULL where it shows none, and then none is
 * needed. False: problem says why not. */
bool ids_http_may_ask(const ids_http_policy *policy, ids_http_from from,
                      ids_http_route route, const ids_http_head *head,
                      idp_slice *secret, ids_http_problem *problem);

/* Whether it may look at keys and clients, and send them away: a credential
 * says so; where there are none, a unix socket whose other side is root's or
 * the daemon's own user. A proxy on this machine is no such one. */
bool ids_http_may_look(const ids_http_policy *policy, bool is_own_user,
                       ids_http_route route, ids_http_problem *problem);

#endif
