/* SPDX-License-Identifier: Apache-2.0 */
/* report.c -- what a node says of itself to a failover agent (N1): all of it at
 * one time.
 *
 * Pure, and it only looks. */
#include "server/peer/halves.h"

#include <assert.h>
#include <string.h>

/* A member that has just been named may still begin its session. */
#define GRACE_MS 400

/* It is connected, and nobody else is in its place. */
static void fill_report_peer(const ids_peer *peer, const ids_follower *f,
                             ids_member who, ids_report_peer *to) {
    bool here = f->session.id != 0 && ids_is_member(f->session.other, who);
    uint64_t heard_ms =
        here && f->heard_ms > f->put_ms ? f->heard_ms : f->put_ms;
    assert(heard_ms <= peer->now_ms);
    to->who.incarnation = who.incarnation;
    if (here)
        to->who.node = f->session.other_name;
    if (here)
        to->who.at = f->at;
    to->session = here || (to->as != IDS_REPORT_CANDIDATE &&
                           peer->now_ms < f->put_ms + GRACE_MS);
    to->silent_ms = peer->now_ms - heard_ms;
    to->needs_copy = here && f->copying.is_on;
    to->whole = here && ids_primary_is_whole(peer, f);
    assert(peer->leading && who.node != 0);
    assert(!to->whole || to->session);
}

static void add_to_report(const ids_peer *peer, const ids_follower *f,
                          ids_report_as as, ids_member who,
                          ids_report *report) {
    uint32_t place = ids_primary_place(peer, f);
    ids_report_peer *to = &report->peer[report->peer_count];
    assert(report->peer_count < IDS_GROUP_SEEN_MAX);
    assert(place < peer->config.places && who.incarnation != 0);
    *to = (ids_report_peer){.as = as};
    if (as == IDS_REPORT_MEMBER)
        to->who.node = peer->known.replica_name[place];
    else
        to->who.node = f->session.other_name;
    fill_report_peer(peer, f, who, to);
    if (as == IDS_REPORT_OFFERED) {
        to->rev = f->offer_rev;
        to->ready = to->whole && ids_primary_caught_up(peer, f, 0, true);
        to->ready = to->ready || IDS_RULE_OFF(JOINS_WHOLE);
    }
    if (to->who.node.text[0] != '\0')
        report->peer_count++;
}

static void add_place(const ids_peer *peer, const ids_follower *f,
                      ids_report *report) {
    ids_member member = ids_primary_member(peer, f);
    bool here = f->session.id != 0;
    assert(!f->joining || f->joiner.node != 0);
    if (member.node != 0)
        add_to_report(peer, f, IDS_REPORT_MEMBER, member, report);
    if (f->joining)
        add_to_report(peer, f, IDS_REPORT_OFFERED, f->joiner, report);
    else if (here && !ids_is_member(member, f->session.other))
        add_to_report(peer, f, IDS_REPORT_CANDIDATE, f->session.other, report);
}

void ids_peer_report(const ids_peer *peer, ids_report *report) {
    const ids_decision *known = &peer->known;
    *report = (ids_report){.id = known->group,
                           .self = {.node = peer->config.name,
                                    .incarnation = peer->config.incarnation,
                                    .at = peer->config.advertise},
                           .epoch = ids_peer_epoch(peer),
                           .rev = known->rev,
                           .leading = peer->leading,
                           .lead_epoch = ids_peer_led(peer),
                           .min_in_sync = peer->config.min_in_sync,
                           .had_replica = known->had_replica};
    assert(report->lead_epoch <= report->epoch);
    assert(known->rev == 0 || known->group.text[0] != '\0');
    for (uint32_t i = 0; peer->leading && i < peer->config.places; i++)
        add_place(peer, &peer->follower[i], report);
}
