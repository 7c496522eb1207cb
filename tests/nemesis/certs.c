/* SPDX-License-Identifier: Apache-2.0 */
/* certs.c -- an authority, and a certificate for every address at which a node
 * is dialled: its own, and the proxy's ways to it. */
#include "tests/lib/tls_certs.h"
#include "tests/nemesis/pair.h"

#include <stdio.h>

static size_t name_one(char *to, size_t cap, size_t at, const char *address) {
    int len =
        snprintf(to + at, cap - at, "%sIP:%s", at > 0 ? "," : "", address);
    return at + (len > 0 ? (size_t)len : 0);
}

bool nem_pair_make_certs(const nem_pair *p) {
    char names[400] = "", at[40];
    size_t len = 0;
    for (int node = 0; node < 2; node++) {
        len = name_one(names, sizeof names, len,
                       nem_network_address(p->network, node, at));
        len = name_one(names, sizeof names, len,
                       nem_network_for_clients(p->network, node, true, at));
        len = name_one(names, sizeof names, len,
                       nem_network_for_peer(p->network, node, true, at));
    }
    certs_make(p->dir, &(cert_spec){.name = "ca", .is_authority = true});
    certs_make(p->dir,
               &(cert_spec){.name = "node", .alt = names, .issuer = "ca"});
    return len < sizeof names;
}
