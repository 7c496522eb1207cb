/* SPDX-License-Identifier: Apache-2.0 */
/* links.c -- the links of a node: who dials, who is accepted, who is dropped.
 *
 * Pure. What a link's end means for its session is told in sessions.c. */
#include "server/peer/halves.h"

#include "server/journal/change.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static ids_link *add_link(ids_peer *peer) {
    assert(peer->link_count <= peer->link_cap);
    assert(peer->config.places >= 1);
    /* A frame ends with the change that fills it. */
    size_t body_max = IDS_PF_APPEND_BYTES + peer->config.result_bytes_max +
                      IDS_CHANGE_BARE_BYTES_MAX;
    ids_link *link;
    if (peer->link_count ==
        IDS_LINKS_MAX + (peer->config.places - 1) * IDP_SHARDS_MAX)
        return NULL;
    if (peer->link_count == peer->link_cap) {
        uint32_t cap = peer->link_cap == 0 ? 8 : peer->link_cap * 2;
        ids_link **grown =
            realloc((void *)peer->links, cap * sizeof *peer->links);
        if (grown == NULL)
            return NULL;
        peer->links = grown;
        peer->link_cap = cap;
    }
    link = calloc(1, sizeof *link);
    if (link == NULL)
        return NULL;
    link->body_bytes_max = body_max;
    link->last_received_ms = link->last_sent_ms = peer->now_ms;
    peer->links[peer->link_count++] = link;
    assert(peer->link_count <= peer->link_cap);
    return link;
}

bool ids_peer_has_link(const ids_peer *peer, const ids_link *link) {
    for (uint32_t i = 0; i < peer->link_count; i++)
        if (peer->links[i] == link)
            return true;
    return false;
}

void ids_peer_drop_link(ids_peer *peer, ids_link *link) {
    const ids_peer_driver *driver = &peer->config.driver;
    uint32_t at = 0;
    assert(peer->link_count > 0 && link->state != IDS_LINK_CLOSED);
    while (peer->links[at] != link) {
        at++;
        assert(at < peer->link_count);
    }
    peer->links[at] = peer->links[--peer->link_count];
    link->state = IDS_LINK_CLOSED;
    driver->hang_up(driver->ctx, link);
    ids_link_fini(link);
    free(link);
}

ids_link *ids_peer_dial(ids_peer *peer, uint32_t stream, uint64_t session,
                        const ids_endpoint *to) {
    const ids_peer_driver *driver = &peer->config.driver;
    ids_link *link = add_link(peer);
    ids_link_self self = ids_peer_self(peer);
    assert((stream == 0) == (session == 0));
    assert(stream < IDP_SHARDS_MAX);
    assert(ids_endpoint_is_set(to));
    if (link == NULL)
        return NULL;
    link->dialled_to = *to;
    if (stream == 0)
        memcpy(peer->dialled_nonce, self.nonce, sizeof self.nonce);
    if (!ids_link_dial(link, &self, stream, session, &peer->config.key)) {
        ids_peer_drop_link(peer, link);
        return NULL;
    }
    driver->dial(driver->ctx, link);
    return link;
}

ids_link *ids_peer_accept(ids_peer *peer, uint64_t now_ms) {
    ids_link *link;
    ids_peer_set_now(peer, now_ms);
    link = add_link(peer);
    if (link == NULL)
        return NULL;
    link->accepted = ++peer->accepted;
    ids_link_accept(link);
    assert(!link->dialled && link->accepted > 0);
    return link;
}
