/* SPDX-License-Identifier: Apache-2.0 */
/* test_decide.c -- what is decided on one read and the reports beside it. */
#include "server/agent/decide.h"
#include "server/peer/epoch.h"

#include <criterion/criterion.h>
#include <string.h>

#define ID "0b9c2f3e-1d7a-4c55-8e21-5a1f0c9d7e60"

static ids_group_member member(char name) {
    ids_group_member one = {.incarnation = 1000u + (unsigned char)name};
    one.node.text[0] = name;
    strcpy(one.at.text, "10.0.0.1:7117");
    return one;
}

/* The first leads; all of them are alive. */
static ids_group_view view_of(const char *names) {
    ids_group_view view = {.cluster = 1, .revision = 9};
    view.group =
        (ids_group){.id = {ID}, .epoch = 50, .primary = member(*names)};
    for (; *names; names++) {
        ids_group_member one = member(*names);
        ids_group_add(&view.group, &one);
        view.alive[view.alive_count++] =
            (ids_group_alive){one.node, one.incarnation};
    }
    return view;
}

static ids_report report_of(char name, bool leads) {
    return (ids_report){.id = {ID},
                        .self = member(name),
                        .epoch = 50,
                        .rev = 9,
                        .leading = leads,
                        .min_in_sync = 1,
                        .lead_epoch = leads ? 50 : 0};
}

static ids_report_peer peer_of(char name, ids_report_as as) {
    return (ids_report_peer){.who = member(name),
                             .as = as,
                             .rev = 9,
                             .session = true,
                             .whole = true,
                             .ready = true};
}

static ids_intent decide(char node, const ids_group_view *view,
                         const ids_report *own) {
    ids_agent_facts facts = {.view = view, .own = own};
    facts.node.text[0] = node;
    return ids_agent_decide(&facts);
}

Test(decide, nothing_while_all_is_well) {
    ids_group_view view = view_of("ab");
    ids_report primary = report_of('a', true), replica = report_of('b', false);
    primary.peer[primary.peer_count++] = peer_of('b', IDS_REPORT_MEMBER);
    cr_assert_eq(decide('a', &view, &primary).kind, IDS_INTENT_NOTHING);
    cr_assert_eq(decide('b', &view, &replica).kind, IDS_INTENT_NOTHING);
}

Test(decide, a_member_takes_over_with_the_others_that_are_alive) {
    ids_group_view view = view_of("abcd");
    ids_report own = report_of('b', false);
    view.alive[0].incarnation++; /* a restarted empty */
    view.alive[3].incarnation++; /* and so did d */
    own.epoch = 70;
    ids_intent intent = decide('b', &view, &own);
    cr_assert_eq(intent.kind, IDS_INTENT_PUT);
    cr_assert_eq(intent.compare, 9);
    cr_assert_eq(intent.group.why, IDS_GROUP_TAKEOVER);
    cr_assert_eq(intent.group.epoch, 71);
    cr_assert_str_eq(intent.group.primary.node.text, "b");
    cr_assert_eq(intent.group.isr_count, 2);
    cr_assert_str_eq(intent.group.isr[1].node.text, "c");
}

Test(decide, no_epoch_is_left) {
    ids_group_view view = view_of("ab");
    ids_report own = report_of('b', false);
    view.alive[0].incarnation++;
    own.epoch = IDS_EPOCH_MAX - 1;
    cr_assert_eq(decide('b', &view, &own).group.epoch, IDS_EPOCH_MAX);
    own.epoch = IDS_EPOCH_MAX;
    cr_assert_eq(decide('b', &view, &own).kind, IDS_INTENT_NOTHING);
    cr_assert_eq(decide('b', &view, &own).trouble, IDS_AGENT_TROUBLE_EPOCH);
}

Test(decide, whoever_is_no_member_takes_nothing_over) {
    ids_group_view view = view_of("ab");
    ids_report own = report_of('c', false), empty = report_of('b', false);
    view.alive[0].incarnation++;
    empty.self.incarnation++;
    cr_assert_eq(decide('c', &view, &own).kind, IDS_INTENT_NOTHING);
    cr_assert_eq(decide('b', &view, &empty).kind, IDS_INTENT_NOTHING);
    cr_assert_eq(decide('b', &view, NULL).kind, IDS_INTENT_NOTHING);
}

Test(decide, a_lost_member_is_detached_but_not_below_what_is_wanted) {
    ids_group_view view = view_of("ab");
    ids_report own = report_of('a', true);
    own.peer[own.peer_count++] = peer_of('b', IDS_REPORT_MEMBER);
    own.peer[0].silent_ms = IDS_AGENT_SILENT_MS;
    cr_assert_eq(decide('a', &view, &own).kind, IDS_INTENT_NOTHING);
    own.peer[0].silent_ms++;
    ids_intent intent = decide('a', &view, &own);
    cr_assert_eq(intent.kind, IDS_INTENT_PUT);
    cr_assert_eq(intent.group.why, IDS_GROUP_DETACH);
    cr_assert_eq(intent.group.isr_count, 1);
    cr_assert_eq(intent.group.epoch, 50);
    own.min_in_sync = 2;
    cr_assert_eq(decide('a', &view, &own).kind, IDS_INTENT_NOTHING);
}

Test(decide, who_is_whole_is_offered_and_admitted_once_ready_at_this_revision) {
    ids_group_view view = view_of("a");
    ids_report own = report_of('a', true);
    own.peer[own.peer_count++] = peer_of('b', IDS_REPORT_CANDIDATE);
    ids_intent intent = decide('a', &view, &own);
    cr_assert_eq(intent.kind, IDS_INTENT_OFFER);
    cr_assert_str_eq(intent.offered.node.text, "b");
    own.peer[0].as = IDS_REPORT_OFFERED;
    own.peer[0].ready = false;
    cr_assert_eq(decide('a', &view, &own).kind, IDS_INTENT_NOTHING);
    own.peer[0].ready = true;
    own.peer[0].rev = 8;
    cr_assert_eq(decide('a', &view, &own).kind, IDS_INTENT_NOTHING);
    own.peer[0].rev = 9;
    intent = decide('a', &view, &own);
    cr_assert_eq(intent.group.why, IDS_GROUP_ADMIT);
    cr_assert_eq(intent.group.isr_count, 2);
    own.peer[0].session = false;
    cr_assert_eq(decide('a', &view, &own).group.why, IDS_GROUP_TOUCH);
}

Test(decide, a_node_that_was_told_less_hears_what_etcd_has) {
    ids_group_view view = view_of("ab");
    ids_report own = report_of('b', false);
    own.rev = 8;
    cr_assert(decide('b', &view, &own).tell_own);
    own.rev = 9;
    cr_assert_not(decide('b', &view, &own).tell_own);
}

Test(decide, no_decision_on_a_record_that_is_anothers_or_older) {
    ids_group_view view = view_of("ab");
    ids_report own = report_of('b', false);
    view.alive_count = 0;
    strcpy(own.id.text, "11111111-1d7a-4c55-8e21-5a1f0c9d7e60");
    ids_intent intent = decide('b', &view, &own);
    cr_assert_eq(intent.trouble, IDS_AGENT_TROUBLE_GROUP);
    cr_assert_eq(intent.kind, IDS_INTENT_NOTHING);
    own = report_of('b', false);
    own.rev = 10;
    intent = decide('b', &view, &own);
    cr_assert_eq(intent.trouble, IDS_AGENT_TROUBLE_BEHIND);
    cr_assert_eq(intent.kind, IDS_INTENT_NOTHING);
    cr_assert_not(intent.tell_own);
}

Test(decide, a_group_is_created_when_nobody_can_be_forgotten) {
    ids_group_view view = {.cluster = 1};
    ids_report own = {.self = member('a'), .epoch = 7, .min_in_sync = 1};
    ids_agent_facts facts = {.view = &view,
                             .own = &own,
                             .node = {"a"},
                             .new_id = {ID},
                             .clock_epoch = 1 << 20,
                             .others_epoch = 1 << 21};
    ids_intent intent = ids_agent_decide(&facts);
    cr_assert_eq(intent.kind, IDS_INTENT_PUT);
    cr_assert_eq(intent.compare, 0);
    cr_assert_gt(intent.group.epoch, 1 << 21);
    facts.others_missing = true;
    intent = ids_agent_decide(&facts);
    cr_assert_eq(intent.trouble, IDS_AGENT_TROUBLE_OTHERS);
    cr_assert_eq(intent.kind, IDS_INTENT_NOTHING);
    facts.others_missing = false;
    facts.others_have_history = true;
    intent = ids_agent_decide(&facts);
    cr_assert_eq(intent.trouble, IDS_AGENT_TROUBLE_HISTORY);
    cr_assert_eq(intent.kind, IDS_INTENT_NOTHING);
}
