/* SPDX-License-Identifier: Apache-2.0 */
/* peer_seal_off.c -- what stands for peer_seal.c where the build has no TLS: no
 * world asks for it. */
#include "tests/sim/peer_net.h"

#include <stdlib.h>

void pw_seal_dial(pw_world *w, pw_link *c, int node) {
    (void)w, (void)c, (void)node;
    abort();
}

void pw_seal_accept(pw_link *c, int node) {
    (void)c, (void)node;
    abort();
}

void pw_seal_say(pw_world *w, pw_link *c, int from, idp_slice plain,
                 uint64_t session) {
    (void)w, (void)c, (void)from, (void)plain, (void)session;
    abort();
}

pw_sealed pw_seal_hear(pw_world *w, pw_link *c, int to, const chunk *one,
                       uint8_t *room, size_t *len) {
    (void)w, (void)c, (void)to, (void)one, (void)room, (void)len;
    abort();
}

void pw_seal_free(side *s) {
    (void)s;
}
