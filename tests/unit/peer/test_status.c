/* SPDX-License-Identifier: Apache-2.0 */
/* test_status.c -- what a node says of itself, in its first steps. */
#include "server/peer/peer.h"

#include <criterion/criterion.h>
#include <string.h>

static bool proposed;
static ids_endpoint dialled;

static void propose(void *ctx, const ids_decision *next) {
    (void)ctx, (void)next;
    proposed = true;
}

static void fill(void *ctx, void *to, size_t len) {
    (void)ctx;
    memset(to, 7, len);
}

static void dial(void *ctx, ids_link *link) {
    (void)ctx;
    dialled = link->dialled_to;
}

static void hang_up(void *ctx, ids_link *link) {
    (void)ctx, (void)link;
}

static uint64_t lead(void *ctx, uint32_t loop, uint64_t epoch) {
    (void)ctx, (void)epoch;
    return 10 * loop;
}

static uint64_t clock_epoch(void *ctx) {
    (void)ctx;
    return 0;
}

static ids_peer *make(const ids_decision *now, bool primary) {
    ids_peer_config config = {.node = 1,
                              .incarnation = 11,
                              .life = 111,
                              .primary = primary,
                              .epoch_min = 1000,
                              .loops = 2,
                              .places = 1,
                              .mode = IDS_MODE_SYNC,
                              .min_in_sync = 1,
                              .ring_bytes = 4096,
                              .advertise = {"a:7117"},
                              .heartbeat_ms = 20,
                              .silence_ms = 90,
                              .redial_ms = 25,
                              .stall_ms = 60,
                              .decisions = {NULL, propose},
                              .driver = {.random = fill,
                                         .dial = dial,
                                         .hang_up = hang_up,
                                         .lead = lead,
                                         .clock_epoch = clock_epoch}};
    return ids_peer_new(&config, now, 5000);
}

static void says(const ids_peer *peer, const char *text) {
    ids_peer_status s;
    ids_peer_status_get(peer, &s);
    cr_assert(strstr(s.state, text) != NULL, "it says: %s", s.state);
}

Test(status, a_primary_without_a_replica_serves_alone_and_says_so) {
    const ids_decision none = {0};
    ids_peer *peer = make(&none, true);
    ids_peer_status s;
    cr_assert(proposed);
    cr_assert_eq(ids_peer_serves(peer, false), IDP_E_NOT_PRIMARY);
    cr_assert(ids_peer_decided_stops_world(peer));
    ids_peer_decided(peer, 5001);
    cr_assert_eq(ids_peer_serves(peer, false), IDP_OK);
    says(peer, "it never had a replica");
    ids_peer_keep(peer, 1, 11, (idp_slice){(const uint8_t *)"x", 1});
    ids_peer_took(peer, 1);
    ids_peer_status_get(peer, &s);
    cr_assert_eq(s.epoch, 1025, "the first of a node with bits 1");
    cr_assert_eq(s.member_count, 1);
    cr_assert_str_eq(s.member[0].text, "a:7117");
    cr_assert_eq(s.lag.ops, 0, "nobody lacks it");
    cr_assert_eq(ids_commit_index_watermark(&peer->commit_indexes[1]),
                 UINT64_MAX);
    ids_peer_tick(peer, 6000);
    cr_assert_not(ids_endpoint_is_set(&dialled), "there is nobody to ask");
    ids_peer_free(peer);
}

/* A restarted primary asks where its replica was last. */
Test(status, a_restarted_primary_dials_the_other_and_does_not_lead) {
    const ids_decision old = {.version = 4,
                              .epoch = 1000,
                              .role = IDS_ROLE_PRIMARY,
                              .self = {1, 10},
                              .replica = {{2, 20}},
                              .had_replica = true,
                              .other_at = {"b:7117"}};
    ids_peer *peer = make(&old, true);
    ids_endpoint at;
    says(peer, "starting");
    cr_assert_not(ids_peer_decided_stops_world(peer));
    ids_peer_decided(peer, 5001);
    ids_peer_tick(peer, 5002);
    cr_assert_str_eq(dialled.text, "b:7117");
    cr_assert_eq(ids_peer_serves(peer, true), IDP_E_NOT_PRIMARY);
    says(peer, "may lose changes");
    ids_peer_primary_at(peer, &at);
    cr_assert_not(ids_endpoint_is_set(&at), "it has not heard from it yet");
    ids_peer_free(peer);
}

/* That has decided, at 5001, that node 2 is its replica. */
static ids_peer *primary_with_member(void) {
    const ids_decision none = {0};
    ids_peer *peer = make(&none, true);
    ids_decision with;
    ids_decide_start(&none, (ids_member){1, 11}, true, 1000, &with);
    ids_decide_admit(&with, 0, (ids_member){2, 20}, &peer->proposed);
    peer->proposed.version = peer->known.version + 1; /* its start, with that */
    ids_peer_decided(peer, 5001);
    return peer;
}

/* As long as its member is silent a primary answers nothing, reads neither. */
Test(status, a_primary_that_misses_its_member_waits) {
    ids_peer *peer = primary_with_member();
    ids_peer_tick(peer, 5060);
    cr_assert_eq(ids_peer_serves(peer, true), IDP_OK);
    ids_peer_tick(peer, 5061);
    cr_assert_eq(ids_peer_serves(peer, true), IDP_E_UNREPLICATED);
    says(peer, "Changes wait");
    ids_peer_free(peer);
}

/* Time in which this node did nothing is not on its clock; for its member's
 * word it counts, since another may have been promoted in it. */
Test(status, a_primary_that_stood_still_asks_before_it_serves) {
    ids_peer *peer = primary_with_member();
    ids_peer_stood_still(peer, 30);
    cr_assert_eq(ids_peer_serves(peer, true), IDP_OK, "not for long");
    ids_peer_stood_still(peer, 30);
    cr_assert_eq(ids_peer_serves(peer, true), IDP_E_UNREPLICATED);
    ids_peer_stood_still(peer, UINT64_MAX);
    cr_assert_eq(ids_peer_serves(peer, true), IDP_E_UNREPLICATED);
    ids_peer_free(peer);
}

/* The member on record, as a memory that it never was told of: a place that
 * is waited for, and empty. */
Test(status, a_member_without_its_memory_is_not_in_sync) {
    ids_peer *peer = primary_with_member();
    ids_peer_status s;
    peer->follower[0].session.other = (ids_member){2, 20};
    ids_peer_status_get(peer, &s);
    cr_assert(s.in_sync, "as it was lost");
    cr_assert_eq(s.member_count, 2);
    cr_assert_not(s.connected);
    cr_assert_not(s.safe_to_stop);
    peer->follower[0].session.other = (ids_member){2, 21};
    ids_peer_status_get(peer, &s);
    cr_assert_not(s.in_sync);
    cr_assert(s.waits && s.forgetful);
    cr_assert_eq(s.member_count, 1);
    cr_assert_not(s.safe_to_stop);
    says(peer, "restarted without its memory");
    ids_peer_free(peer);
}

/* Its session ends while the admission is being written: that may be on record
 * by then, so replies wait. Once it surely is not nobody is waited for. */
Test(status, an_admission_that_is_refused_by_the_disk_holds_nothing_up) {
    const ids_decision none = {0};
    ids_peer *peer = make(&none, true);
    ids_decision with;
    ids_peer_decided(peer, 5001);
    ids_link *link = ids_peer_accept(peer, 5002);
    ids_link *links[] = {link};
    cr_assert_not_null(link);
    ids_follower *f = &peer->follower[0];
    link->session = 7;
    f->session =
        (ids_session){.id = 7, .stream = links, .streams = 1, .other = {2, 20}};
    f->joiner = f->session.other;
    f->joining = true;
    peer->commit_indexes[0].joining[0] = peer->commit_indexes[1].joining[0] = 5;
    ids_decide_admit(&peer->known, 0, f->joiner, &with);
    peer->proposed = with;
    peer->pending = IDS_PENDING_ADMIT;
    ids_peer_lost(peer, link, 5003);
    cr_assert_eq(f->session.id, 0);
    cr_assert_eq(ids_commit_index_watermark(&peer->commit_indexes[0]), 5);
    cr_assert_eq(ids_peer_undecided(peer, 5004), IDS_PENDING_ADMIT);
    cr_assert_eq(ids_commit_index_watermark(&peer->commit_indexes[0]),
                 UINT64_MAX);
    cr_assert_eq(ids_commit_index_watermark(&peer->commit_indexes[1]),
                 UINT64_MAX);
    cr_assert_eq(ids_peer_serves(peer, false), IDP_OK);
    cr_assert_eq(peer->known.replica[0].node, 0, "it is no member");
    f->session.stream = NULL;
    ids_peer_free(peer);
}

/* What is left of the session in which it followed is none of a primary's. */
Test(status, who_was_just_promoted_has_nobody_connected) {
    const ids_decision old = {.version = 4,
                              .epoch = 1000,
                              .role = IDS_ROLE_REPLICA,
                              .self = {1, 11},
                              .admitted_epoch = 1000,
                              .admitted = {1, 11},
                              .had_replica = true,
                              .other_at = {"b:7117"}};
    ids_peer *peer = make(&old, false);
    ids_peer_status s;
    ids_link to = {.dialled = true, .last_received_ms = 5000};
    ids_link *links[] = {&to};
    ids_peer_decided(peer, 5001);
    peer->upstream = (ids_session){
        .id = 7, .stream = links, .streams = 1, .streams_open = 1};
    ids_peer_status_get(peer, &s);
    cr_assert(s.connected);
    cr_assert_eq(ids_peer_promote(peer, 1001, false), IDS_DECIDING_OK);
    ids_peer_decided(peer, 5002);
    ids_peer_status_get(peer, &s);
    cr_assert_eq(s.role, IDS_ROLE_PRIMARY);
    cr_assert_not(s.connected);
    cr_assert_not(s.safe_to_stop);
    cr_assert_eq(s.lag.ops, 0);
    peer->upstream = (ids_session){.id = 0};
    ids_peer_free(peer);
}
