/* SPDX-License-Identifier: Apache-2.0 */
/* test_unproven.c -- who goes when too many come that have not shown the
 * secret. */
#include "server/peer/peer.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static ids_link *gone[IDS_LINKS_MAX];
static uint32_t gone_count;

static void propose(void *ctx, const ids_decision *next) {
    (void)ctx, (void)next;
}

static void fill(void *ctx, void *to, size_t len) {
    (void)ctx;
    memset(to, 7, len);
}

static void hang_up(void *ctx, ids_link *link) {
    (void)ctx;
    gone[gone_count++] = link;
}

static uint64_t lead(void *ctx, uint32_t loop, uint64_t epoch) {
    (void)ctx, (void)loop, (void)epoch;
    return 0;
}

static ids_peer *primary(void) {
    ids_peer_config config = {
        .node = 1,
        .incarnation = 11,
        .life = 111,
        .primary = true,
        .epoch_min = 1000,
        .loops = 1,
        .places = 1,
        .mode = IDS_MODE_SYNC,
        .min_in_sync = 1,
        .ring_bytes = 4096,
        .decisions = {NULL, propose},
        .driver = {.random = fill, .hang_up = hang_up, .lead = lead}};
    const ids_decision none = {0};
    ids_peer *peer = ids_peer_new(&config, &none, 1);
    ids_peer_decided(peer, 1);
    return peer;
}

static ids_link *comes(ids_peer *peer, const char *host) {
    ids_peer_make_room(peer, host);
    ids_link *link = ids_peer_accept(peer, 2);
    cr_assert_not_null(link);
    ids_link_set_seen_host(link, host);
    return link;
}

Test(unproven, the_oldest_of_all_goes_and_there_are_never_more) {
    ids_peer *peer = primary();
    ids_link *all[3 * IDS_UNPROVEN_MAX];
    for (uint32_t i = 0; i < 3 * IDS_UNPROVEN_MAX; i++) {
        char host[32];
        snprintf(host, sizeof host, "10.0.%u.1", i);
        all[i] = comes(peer, host);
        cr_assert_leq(peer->link_count, IDS_UNPROVEN_MAX);
    }
    cr_assert_eq(gone_count, 2 * IDS_UNPROVEN_MAX);
    for (uint32_t i = 0; i < gone_count; i++)
        cr_assert_eq(gone[i], all[i]);
    ids_peer_free(peer);
}

Test(unproven, one_source_has_its_share) {
    ids_peer *peer = primary();
    ids_link *other = comes(peer, "10.0.0.2");
    for (uint32_t i = 0; i < 100; i++)
        comes(peer, "10.0.0.1");
    cr_assert_eq(peer->link_count, IDS_UNPROVEN_PER_SOURCE + 1);
    for (uint32_t i = 0; i < 2 * IDS_UNPROVEN_PER_SOURCE; i++) {
        char host[64];
        snprintf(host, sizeof host, "2001:db8:1:2:%u::1", i);
        comes(peer, host);
        cr_assert_leq(peer->link_count, IDS_UNPROVEN_MAX);
    }
    for (uint32_t i = 0; i < gone_count; i++)
        cr_assert_neq(gone[i], other, "it is not its neighbours' bill");
    ids_peer_free(peer);
}

/* From where the replica was, and after a word, one stays longest. */
Test(unproven, who_may_be_the_replica_goes_last) {
    ids_peer *peer = primary();
    peer->other_at = (ids_endpoint){"10.0.0.9:7117"};
    ids_link *known = comes(peer, "10.0.0.9");
    ids_link *spoke = comes(peer, "10.0.0.8");
    spoke->state = IDS_LINK_OFFERED;
    for (uint32_t i = 0; i < 5 * IDS_UNPROVEN_MAX; i++) {
        char host[32];
        snprintf(host, sizeof host, "10.1.%u.1", i);
        comes(peer, host);
    }
    for (uint32_t i = 0; i < gone_count; i++)
        cr_assert(gone[i] != known && gone[i] != spoke);
    cr_assert(ids_peer_knows_host(peer, "10.0.0.9"));
    cr_assert_not(ids_peer_knows_host(peer, "10.0.0.90"));
    cr_assert_not(ids_peer_knows_host(peer, "10.0.0"));
    cr_assert_not(ids_peer_knows_host(peer, ""));
    peer->other_at = (ids_endpoint){"[2001:db8::1]:7117"};
    cr_assert(ids_peer_knows_host(peer, "2001:db8::1"));
    ids_peer_free(peer);
}
