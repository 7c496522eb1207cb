/* SPDX-License-Identifier: Apache-2.0 */
/* peer_tls.h -- TLS between nodes: what is shown and believed, and which node
 * is dialled in which way.
 *
 * Where TLS is optional a node is dialled plain only while it never was TLS
 * with it: the first link of a session tries TLS, and if that fails the next
 * one is plain; the session's other links go as its first one did. Any thread.
 */
#ifndef IDS_PEER_TLS_H
#define IDS_PEER_TLS_H

#include "server/net/tls.h"

/* NULL: why is one sentence that names the file. */
struct idp_tls_context *ids_peer_tls_load(const ids_config *config,
                                          char why[static IDS_TLS_WHY_BYTES]);

/* The one of now; a reference of the caller's. */
struct idp_tls_context *ids_peer_tls_hold(ids_tls *tls);

/* Whether the next link to that node goes by TLS; tls NULL: there is none.
 * is_first: of a session. */
bool ids_peer_tls_is_wanted(ids_tls *tls, const char *endpoint, bool is_first);
/* Hands were shaken with it. */
void ids_peer_tls_shook(ids_tls *tls, const char *endpoint);
/* They were not. True: the next link is plain, which is logged here. */
bool ids_peer_tls_falls_back(ids_tls *tls, const char *endpoint,
                             const char *why);

#endif
