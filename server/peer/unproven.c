/* SPDX-License-Identifier: Apache-2.0 */
/* unproven.c -- links that have not shown the secret: few, and the one that
 * may be the member's is the last to go.
 *
 * Pure. Whoever reaches the port can come and say nothing, or say that it is
 * another node; what that costs is bounded here, and keeps nobody out. */
#include "server/peer/halves.h"

#include <assert.h>
#include <string.h>

/* A network, as far as one sender may choose its address: all of IPv4, the
 * first half of IPv6. Text as getnameinfo writes it, so that two groups may
 * look different and be one: then both count. */
static bool is_same_source(const char *a, const char *b) {
    size_t groups = 0, at = 0;
    if (strchr(a, ':') == NULL)
        return strcmp(a, b) == 0;
    while (a[at] != '\0' && a[at] == b[at] && groups < 4)
        groups += a[at++] == ':';
    return groups == 4 || (a[at] == '\0' && b[at] == '\0');
}

static bool is_host_of(const ids_endpoint *at, const char *host) {
    char own[IDS_ENDPOINT_BYTES];
    const char *port;
    return ids_endpoint_split(at->text, own, &port) && strcmp(own, host) == 0;
}

bool ids_peer_knows_host(const ids_peer *peer, const char *host) {
    for (uint32_t i = 0; i < peer->config.places && host[0] != '\0'; i++)
        if (strcmp(peer->follower[i].host, host) == 0)
            return true;
    for (uint32_t i = 0; i < peer->config.others_count; i++)
        if (is_host_of(&peer->config.others[i], host))
            return true;
    return is_host_of(&peer->other_at, host) ||
           is_host_of(&peer->known.other_at, host) ||
           is_host_of(&peer->config.replicate_from, host);
}

/* A stream of the session knows its name, which no stranger does. */
static bool is_unproven(const ids_peer *peer, const ids_link *link) {
    bool named = ids_peer_has_session_of(peer, link->session);
    return !link->dialled && !named &&
           (link->state == IDS_LINK_ACCEPTED ||
            link->state == IDS_LINK_OFFERED);
}

/* What speaks for it: the less, the sooner it goes. */
static int worth(const ids_peer *peer, const ids_link *link) {
    assert(!link->dialled);
    return (ids_peer_knows_host(peer, link->seen_host) ? 4 : 0) +
           (link->state == IDS_LINK_OFFERED ? 2 : 0) +
           (link->state == IDS_LINK_OFFERED &&
            ids_decision_place(&peer->known, link->other.member.node) <
                IDS_FOLLOWERS_MAX);
}

static uint32_t count_links_of(const ids_peer *peer, const char *source) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < peer->link_count; i++)
        count += is_unproven(peer, peer->links[i]) &&
                 is_same_source(source, peer->links[i]->seen_host);
    return count;
}

/* Whom nothing speaks for; then who is one of many; then the oldest. */
static bool goes_first(const ids_peer *peer, const ids_link *a,
                       const ids_link *b) {
    int more = worth(peer, a) - worth(peer, b);
    uint32_t many_a = count_links_of(peer, a->seen_host);
    uint32_t many_b = count_links_of(peer, b->seen_host);
    if (more != 0)
        return more < 0;
    return many_a != many_b ? many_a > many_b : a->accepted < b->accepted;
}

/* The first to go: of this source, or of all (NULL). count: of how many. */
static ids_link *least_proven(const ids_peer *peer, const char *source,
                              uint32_t *count) {
    ids_link *found = NULL;
    *count = 0;
    for (uint32_t i = 0; i < peer->link_count; i++) {
        ids_link *link = peer->links[i];
        if (!is_unproven(peer, link) ||
            (source != NULL && !is_same_source(source, link->seen_host)))
            continue;
        ++*count;
        if (found == NULL || goes_first(peer, link, found))
            found = link;
    }
    assert((found == NULL) == (*count == 0));
    assert(*count <= peer->link_count);
    return found;
}

void ids_peer_make_room(ids_peer *peer, const char *host) {
    uint32_t count;
    ids_link *first = least_proven(peer, host, &count);
    if (count < IDS_UNPROVEN_PER_SOURCE) {
        first = least_proven(peer, NULL, &count);
        if (count < IDS_UNPROVEN_MAX)
            return;
    }
    assert(first != NULL && !first->dialled);
    assert(first->state != IDS_LINK_OPEN);
    ids_peer_fault(peer, first);
}
