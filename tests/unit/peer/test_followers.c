/* SPDX-License-Identifier: Apache-2.0 */
/* test_followers.c -- a primary with two places: what each of its followers
 * may rely on, and what it costs when one is slow, silent or gone. */
#include "server/peer/peer.h"

#include <criterion/criterion.h>
#include <string.h>

enum { NOW = 5000, STALL_MS = 60, SILENCE_MS = 90 };

typedef struct guest {
    ids_link own; /* a replica's end */
    ids_link *at; /* the primary's; NULL: it has hung up */
    uint64_t acked;
} guest;

static guest b, c, d;
static uint8_t drawn;

static void propose(void *ctx, const ids_decision *next) {
    (void)ctx, (void)next;
}

static void fill(void *ctx, void *to, size_t len) {
    (void)ctx;
    memset(to, ++drawn, len);
}

static char dialled[8]; /* to whom, one after the other: b, c, ... */

static void dial(void *ctx, ids_link *link) {
    size_t len = strlen(dialled);
    (void)ctx;
    if (len + 1 < sizeof dialled)
        dialled[len] = link->dialled_to.text[0];
}

static void hang_up(void *ctx, ids_link *link) {
    (void)ctx;
    for (int i = 0; i < 3; i++) {
        guest *each = (guest *[]){&b, &c, &d}[i];
        if (each->at != link)
            continue;
        ids_link_take(&each->own, link->out.ptr, link->out.len);
        each->at = NULL;
    }
}

static uint64_t lead(void *ctx, uint32_t loop, uint64_t epoch) {
    (void)ctx, (void)loop, (void)epoch;
    return 10;
}

static void stand_down(void *ctx, bool pending) {
    (void)ctx, (void)pending;
}

static uint64_t clock_epoch(void *ctx) {
    (void)ctx;
    return 0;
}

static ids_peer *primary(uint32_t min_in_sync) {
    const ids_decision none = {0};
    ids_peer_config config = {.node = 1,
                              .incarnation = 11,
                              .life = 111,
                              .primary = true,
                              .epoch_min = 1000,
                              .loops = 1,
                              .places = 2,
                              .mode = IDS_MODE_SYNC,
                              .min_in_sync = min_in_sync,
                              .ring_bytes = 4096,
                              .unsent_bytes = 8192,
                              .result_bytes_max = 1000,
                              .advertise = {"a:7117"},
                              .heartbeat_ms = 20,
                              .silence_ms = SILENCE_MS,
                              .redial_ms = 25,
                              .stall_ms = STALL_MS,
                              .decisions = {NULL, propose},
                              .driver = {.random = fill,
                                         .dial = dial,
                                         .hang_up = hang_up,
                                         .lead = lead,
                                         .stand_down = stand_down,
                                         .clock_epoch = clock_epoch}};
    ids_peer *peer = ids_peer_new(&config, &none, NOW);
    ids_peer_decided(peer, NOW);
    return peer;
}

static void end(ids_peer *peer) {
    ids_peer_free(peer);
    ids_link_fini(&b.own);
    ids_link_fini(&c.own);
    ids_link_fini(&d.own);
    b = c = d = (guest){.at = NULL};
}

static void tell(ids_peer *peer, guest *g) {
    if (g->at != NULL)
        ids_peer_input(peer, g->at, g->own.out.ptr, g->own.out.len,
                       peer->now_ms);
    g->own.out.len = 0;
}

/* What the primary says next to this one, of frames of this kind. */
static bool hears(guest *g, ids_pf_kind kind, ids_pf *frame) {
    if (g->at != NULL) {
        cr_assert(ids_link_take(&g->own, g->at->out.ptr, g->at->out.len));
        g->at->out.len = 0;
    }
    while (ids_link_next(&g->own, frame) == IDS_PF_WHOLE)
        if (frame->kind == kind)
            return true;
    return false;
}

static ids_link_way way; /* in which they come */

/* Up to the proof. False: it is turned away. */
static bool comes(ids_peer *peer, guest *g, uint64_t node) {
    ids_link_self self = {.member = {node, 10 * node},
                          .at = {":7117"},
                          .life = node,
                          .result_bytes_max = 1000};
    const ids_link_key no_key = {.set = false};
    ids_pf frame;
    memset(self.nonce, (int)node, sizeof self.nonce);
    ids_link_fini(&g->own);
    *g = (guest){.own = {.body_bytes_max = 1 << 16},
                 .at = ids_peer_accept(peer, peer->now_ms)};
    g->at->way = way;
    ids_link_set_seen_host(g->at, (char[]){(char)('a' + node - 1), 0});
    cr_assert(ids_link_dial(&g->own, &self, 0, 0, &no_key));
    tell(peer, g);
    if (!hears(g, IDS_PF_WELCOME, &frame) ||
        ids_link_welcomed(&g->own, &frame, &no_key) != IDS_REFUSAL_NONE)
        return false;
    tell(peer, g);
    return g->at != NULL && hears(g, IDS_PF_HEARTBEAT, &frame);
}

static void says(ids_peer *peer, guest *g, ids_pf_kind kind, uint64_t number) {
    cr_assert(ids_link_say(&g->own, kind, peer->lead_epoch, number, 0));
    tell(peer, g);
}

static void acks(ids_peer *peer, guest *g, uint64_t number) {
    g->acked = number;
    says(peer, g, IDS_PF_ACK, number);
}

static void makes(ids_peer *peer, uint64_t number) {
    static const uint8_t bytes[200];
    ids_peer_keep(peer, 0, number, (idp_slice){bytes, sizeof bytes});
    ids_peer_took(peer, 0);
}

/* Its loop has a turn. */
static void sends(ids_peer *peer, guest *g) {
    ids_sender *sender = ids_peer_pump(peer, g->at, peer->now_ms);
    while (sender && ids_sender_next(sender, NULL, peer->now_ms, &g->at->out))
        ;
    ids_peer_took(peer, 0);
}

/* It follows, has all, is admitted and knows it. */
static void joins(ids_peer *peer, guest *g, uint64_t node) {
    ids_pf frame = {.kind = IDS_PF_HEARTBEAT};
    cr_assert(comes(peer, g, node));
    says(peer, g, IDS_PF_START, g->own.offer.last);
    acks(peer, g, g->own.offer.last);
    for (int i = 0; i < 4 && !hears(g, IDS_PF_ADMIT, &frame); i++) {
        ids_peer_tick(peer, peer->now_ms);
        if (peer->pending != IDS_PENDING_NONE)
            ids_peer_decided(peer, peer->now_ms);
    }
    cr_assert_eq(frame.kind, IDS_PF_ADMIT);
    says(peer, g, IDS_PF_ADMIT, frame.number);
}

static ids_peer *with_two(uint32_t min_in_sync) {
    ids_peer *peer = primary(min_in_sync);
    joins(peer, &b, 2);
    joins(peer, &c, 3);
    cr_assert_eq(ids_decision_members(&peer->known), 2);
    return peer;
}

static uint64_t watermark(const ids_peer *peer) {
    return ids_commit_index_watermark(&peer->commit_indexes[0]);
}

static void look(const ids_peer *peer, ids_peer_status *s, const char *text) {
    ids_peer_status_get(peer, s);
    cr_assert(strstr(s->state, text) != NULL, "it says: %s", s->state);
}

Test(followers, a_reply_waits_for_each_of_them) {
    ids_peer *peer = with_two(1);
    ids_peer_status s;
    makes(peer, 11);
    cr_assert_eq(watermark(peer), 10);
    acks(peer, &b, 11);
    cr_assert_eq(watermark(peer), 10, "b's word is not c's");
    acks(peer, &c, 11);
    cr_assert_eq(watermark(peer), 11);
    look(peer, &s,
         "The replica at b:7117 is in sync. The replica at c:7117 is in sync.");
    cr_assert(s.in_sync && s.connected && s.safe_to_stop);
    cr_assert_eq(s.member_count, 3);
    cr_assert_str_eq(s.member[2].text, "c:7117");
    cr_assert_eq(s.follower_count, 2);
    cr_assert_eq(s.follower[1].member.incarnation, 30);
    end(peer);
}

static void comes_by(ids_peer *peer, ids_link_way by, ids_refusal_why why) {
    way = by;
    cr_assert_eq(comes(peer, &b, 2), why == IDS_REFUSAL_NONE);
    cr_assert_eq(peer->refusal.why, why);
    if (b.at)
        ids_peer_lost(peer, b.at, peer->now_ms);
}

Test(followers, who_comes_plain_where_tls_is_on_is_turned_away) {
    ids_peer *peer = primary(1);
    comes_by(peer, IDS_LINK_PLAIN, IDS_REFUSAL_NONE);
    comes_by(peer, IDS_LINK_BAD_CERT, IDS_REFUSAL_BAD_CERT);
    peer->config.wants_tls = true;
    comes_by(peer, IDS_LINK_PLAIN, IDS_REFUSAL_NO_TLS);
    comes_by(peer, IDS_LINK_BAD_CERT, IDS_REFUSAL_BAD_CERT);
    way = IDS_LINK_TLS;
    joins(peer, &b, 2);
    ids_peer_status s;
    look(peer, &s, "The replica at b:7117 is in sync.");
    cr_assert(s.connected && s.is_sealed);
    end(peer);
}

Test(followers, one_more_than_there_are_places_is_turned_away) {
    ids_peer *peer = with_two(1);
    ids_peer_status s;
    ids_pf frame;
    cr_assert_not(comes(peer, &d, 4));
    cr_assert_eq(peer->refusal.why, IDS_REFUSAL_PLACE_TAKEN);
    ids_peer_lost(peer, c.at, peer->now_ms);
    cr_assert_not(comes(peer, &d, 4), "c is away, and its place is its own");
    cr_assert_eq(ids_peer_detach(peer, 0), IDS_DECIDING_WHICH);
    cr_assert_eq(ids_peer_detach(peer, 4), IDS_DECIDING_NO_REPLICA);
    cr_assert_eq(ids_peer_detach(peer, 3), IDS_DECIDING_OK);
    ids_peer_decided(peer, peer->now_ms);
    makes(peer, 11);
    acks(peer, &b, 11);
    cr_assert_eq(watermark(peer), 11, "b is waited for, and nobody else");
    look(peer, &s,
         "The replica at b:7117 is in sync. The replica at c:7117 was detached "
         "and does not know it: do not promote that one.");
    cr_assert_not(hears(&b, IDS_PF_DETACHED, &frame), "it was not b");
    cr_assert(comes(peer, &d, 4));
    end(peer);
}

Test(followers, the_end_of_one_session_is_not_that_of_another) {
    ids_peer *peer = with_two(1);
    makes(peer, 11);
    ids_peer_lost(peer, b.at, peer->now_ms);
    cr_assert_not_null(c.at);
    acks(peer, &c, 11);
    cr_assert_eq(watermark(peer), 10, "b is gone, and a member");
    joins(peer, &b, 2);
    end(peer);
}

Test(followers, it_serves_while_each_of_them_is_heard) {
    ids_peer *peer = with_two(1);
    ids_peer_status s;
    ids_peer_tick(peer, NOW + STALL_MS - 1);
    acks(peer, &b, 10);
    cr_assert_eq(ids_peer_serves(peer, true), IDP_OK);
    ids_peer_tick(peer, NOW + STALL_MS);
    cr_assert_eq(ids_peer_serves(peer, true), IDP_E_UNREPLICATED);
    look(peer, &s, "Changes wait: the replica at c:7117 is gone.");
    cr_assert(s.in_sync && !s.connected && !s.safe_to_stop);
    cr_assert(s.follower[0].connected && s.follower[1].is_silent);
    cr_assert_str_eq(s.other_at.text, "c:7117", "of whom to hear first");
    acks(peer, &c, 10);
    cr_assert_eq(ids_peer_serves(peer, true), IDP_OK);
    end(peer);
}

/* The ring is one for all: what a slow one lacks costs it its own session. */
Test(followers, who_is_left_behind_by_the_ring_alone_loses_its_session) {
    ids_peer *peer = with_two(1);
    ids_pf frame;
    for (uint64_t n = 11; n <= 60; n++) {
        makes(peer, n);
        sends(peer, &b);
        cr_assert_not_null(b.at);
        cr_assert(hears(&b, IDS_PF_APPEND, &frame));
        acks(peer, &b, n);
    }
    sends(peer, &c);
    sends(peer, &c);
    cr_assert_null(c.at, "what it needs next is not there any more");
    cr_assert_not_null(b.at);
    cr_assert_eq(watermark(peer), 10, "it is a member all the same");
    end(peer);
}

Test(followers, no_change_is_made_with_fewer_than_the_least) {
    ids_peer *peer = primary(3);
    cr_assert_eq(ids_peer_serves(peer, false), IDP_E_UNREPLICATED);
    joins(peer, &b, 2);
    cr_assert_eq(ids_peer_serves(peer, false), IDP_E_UNREPLICATED);
    cr_assert_eq(ids_peer_serves(peer, true), IDP_OK);
    joins(peer, &c, 3);
    cr_assert_eq(ids_peer_serves(peer, false), IDP_OK);
    cr_assert_eq(ids_peer_detach(peer, 3), IDS_DECIDING_MIN_IN_SYNC);
    end(peer);
}

Test(followers, a_switchover_waits_until_the_others_have_yielded) {
    ids_peer *peer = with_two(1);
    ids_pf frame;
    ids_peer_status s;
    makes(peer, 11);
    acks(peer, &c, 11);
    cr_assert_eq(ids_peer_switchover(peer, 9000, 3), IDS_DECIDING_OK);
    ids_peer_tick(peer, NOW);
    cr_assert_not(hears(&b, IDS_PF_DETACHED, &frame), "it lacks a change");
    acks(peer, &b, 11);
    ids_peer_tick(peer, NOW);
    cr_assert(hears(&b, IDS_PF_DETACHED, &frame));
    cr_assert_eq(peer->pending, IDS_PENDING_NONE, "b may lead already");
    says(peer, &b, IDS_PF_DETACHED, 1);
    ids_peer_tick(peer, NOW);
    cr_assert_eq(peer->pending, IDS_PENDING_SWITCHOVER);
    ids_peer_decided(peer, NOW);
    cr_assert(hears(&c, IDS_PF_SWITCHOVER, &frame));
    cr_assert_eq(frame.number, 9000);
    cr_assert_not(hears(&b, IDS_PF_SWITCHOVER, &frame));
    cr_assert_eq(ids_peer_serves(peer, true), IDP_E_NOT_PRIMARY);
    look(peer, &s,
         "It has handed over to the node at c:7117, and has not seen that one "
         "lead. If it does not serve: idemctl promote, there.");
    end(peer);
}

/* Who has yielded is a member again, and is told so. */
Test(followers, a_switchover_that_comes_to_nothing_is_taken_back) {
    ids_peer *peer = with_two(1);
    ids_pf frame;
    ids_peer_status s;
    cr_assert_eq(ids_peer_switchover(peer, 9000, 3), IDS_DECIDING_OK);
    ids_peer_tick(peer, NOW);
    cr_assert(hears(&b, IDS_PF_DETACHED, &frame));
    ids_peer_lost(peer, c.at, NOW);
    says(peer, &b, IDS_PF_DETACHED, 1);
    for (uint64_t later = 50; later < 2 * SILENCE_MS; later += 50) {
        ids_peer_tick(peer, NOW + later);
        cr_assert_neq(peer->switch_epoch, 0);
        acks(peer, &b, 10); /* it is heard */
    }
    ids_peer_tick(peer, NOW + 2 * SILENCE_MS);
    cr_assert_eq(peer->switch_epoch, 0);
    cr_assert(hears(&b, IDS_PF_ADMIT, &frame));
    look(peer, &s, "The replica at b:7117 is in sync, and about to know it.");
    says(peer, &b, IDS_PF_ADMIT, frame.number);
    look(peer, &s,
         "The replica at b:7117 is in sync. Changes wait: the "
         "replica at c:7117 is gone.");
    end(peer);
}

Test(followers, while_too_few_are_in_sync_nothing_new_leaves) {
    ids_peer *peer = primary(2);
    makes(peer, 11); /* a claim that has ended by itself */
    cr_assert_eq(ids_peer_watermark(peer, 0), 10, "what it began with may");
    joins(peer, &b, 2);
    cr_assert_eq(ids_peer_watermark(peer, 0), 11);
    makes(peer, 12);
    cr_assert_eq(ids_peer_watermark(peer, 0), 11);
    acks(peer, &b, 12);
    cr_assert_eq(ids_peer_watermark(peer, 0), 12);
    cr_assert_eq(ids_peer_detach(peer, 0), IDS_DECIDING_MIN_IN_SYNC);
    end(peer);
}

/* R5: its memory has outlived its process, and its place in it has not. */
Test(followers, a_member_that_comes_back_hears_how_far_it_was) {
    ids_peer *peer = with_two(1);
    makes(peer, 11);
    makes(peer, 12);
    acks(peer, &b, 11);
    acks(peer, &c, 12);
    ids_peer_lost(peer, b.at, peer->now_ms);
    cr_assert(comes(peer, &b, 2));
    cr_assert_eq(b.own.offer.from, 12, "the first that it may lack");
    ids_peer_lost(peer, c.at, peer->now_ms);
    cr_assert(comes(peer, &c, 3));
    cr_assert_eq(c.own.offer.from, 13);
    end(peer);
}

Test(followers, it_asks_those_who_are_not_here_whether_there_is_a_newer_one) {
    ids_peer *peer = with_two(1);
    const char *const at[] = {"a:7117", "b:7117", "c:7117", "d:7117"};
    for (uint32_t i = 0; i < 4; i++)
        ids_endpoint_from(&peer->config.others[i], at[i], 6);
    peer->config.others_count = 4;
    memset(dialled, 0, sizeof dialled);
    ids_peer_tick(peer, peer->now_ms + 1);
    cr_assert_str_eq(dialled, "d", "it dials %s", dialled);
    ids_peer_lost(peer, c.at, peer->now_ms);
    for (int i = 0; i < 3; i++) {
        ids_peer_lost(peer, peer->links[peer->link_count - 1], peer->now_ms);
        peer->redial_at_ms = 0;
        ids_peer_tick(peer, peer->now_ms + 1);
    }
    cr_assert(strchr(dialled, 'c') != NULL && strchr(dialled, 'b') == NULL &&
                  strchr(dialled, 'a') == NULL,
              "it dials %s", dialled);
    end(peer);
}
