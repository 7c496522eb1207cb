/* SPDX-License-Identifier: Apache-2.0 */
/* test_rounds.c -- what an agent asks, in which order, and what it does with
 * answers that are late, doubled or missing. */
#include "server/agent/agent.h"

#include <criterion/criterion.h>
#include <string.h>

#define ID "0b9c2f3e-1d7a-4c55-8e21-5a1f0c9d7e60"

static const ids_agent_config config = {.node = {"a"}, .lease_ms = 3000};

static const ids_report report = {.id = {ID},
                                  .self = {.node = {"a"}, .incarnation = 5},
                                  .epoch = 50,
                                  .rev = 9};

/* b leads, and is gone; a is a member. */
static ids_group_view view(void) {
    ids_group_member a = report.self, b = {.node = {"b"}, .incarnation = 6};
    ids_group_view all = {.cluster = 1, .revision = 9};
    all.group = (ids_group){.id = {ID}, .epoch = 50, .primary = b};
    ids_group_add(&all.group, &b);
    ids_group_add(&all.group, &a);
    all.alive[all.alive_count++] = (ids_group_alive){a.node, a.incarnation};
    return all;
}

static ids_agent_act next(ids_agent *agent, ids_agent_act_kind kind) {
    ids_agent_act act;
    cr_assert(ids_agent_next(agent, &act));
    cr_assert_eq(act.kind, kind, "%d", act.kind);
    return act;
}

/* Up to the transaction of its takeover. */
static ids_agent_act take_over(ids_agent *agent, uint64_t now_ms) {
    ids_group_view seen = view();
    ids_agent_tick(agent, 1, now_ms);
    ids_agent_act ask = next(agent, IDS_AGENT_ASK);
    ids_agent_act read = next(agent, IDS_AGENT_READ);
    ids_agent_reported(agent, ask.call, &report, false, now_ms);
    ids_agent_seen(agent, read.call, &seen, now_ms);
    next(agent, IDS_AGENT_GRANT);
    return next(agent, IDS_AGENT_PUT);
}

Test(rounds, after_the_transaction_the_node_hears_it) {
    ids_agent *agent = ids_agent_new(&config, 100);
    ids_agent_act put = take_over(agent, 100), act;
    ids_group_view now = view();
    cr_assert_eq(put.compare, 9);
    now.revision = 12;
    now.group = put.group;
    ids_agent_put(agent, put.call, true, &now, 110);
    act = next(agent, IDS_AGENT_CONFIG);
    cr_assert_eq(act.rev, 12);
    cr_assert_eq(act.group.epoch, 51);
    ids_agent_put(agent, put.call, true, &now, 120); /* once more */
    cr_assert_not(ids_agent_next(agent, &act));
    ids_agent_free(agent);
}

Test(rounds, who_is_to_follow_another_hears_it_at_once) {
    ids_agent *agent = ids_agent_new(&config, 100);
    ids_group_view seen = view();
    ids_group_member c = {
        .node = {"c"}, .at = {"10.0.0.3:7117"}, .incarnation = 7};
    strcpy(seen.group.primary.at.text, "10.0.0.2:7117");
    ids_group_add(&seen.group, &c);
    seen.alive[seen.alive_count++] = (ids_group_alive){c.node, 7};
    ids_agent_tick(agent, 1, 100);
    ids_agent_act ask = next(agent, IDS_AGENT_ASK);
    ids_agent_act read = next(agent, IDS_AGENT_READ), act;
    ids_agent_reported(agent, ask.call, &report, false, 100);
    ids_agent_seen(agent, read.call, &seen, 100);
    next(agent, IDS_AGENT_GRANT);
    ids_agent_act put = next(agent, IDS_AGENT_PUT);
    seen.revision = 12;
    seen.group = put.group;
    ids_agent_put(agent, put.call, true, &seen, 110);
    cr_assert_str_eq(next(agent, IDS_AGENT_CONFIG).to.text, "");
    act = next(agent, IDS_AGENT_CONFIG);
    cr_assert_str_eq(act.to.text, c.at.text);
    cr_assert_eq(act.rev, 12);
    cr_assert_str_eq(next(agent, IDS_AGENT_CONFIG).to.text, "10.0.0.2:7117");
    cr_assert_not(ids_agent_next(agent, &act));
    ids_agent_free(agent);
}

Test(rounds, one_that_lost_hears_what_there_is) {
    ids_agent *agent = ids_agent_new(&config, 100);
    ids_agent_act put = take_over(agent, 100), act;
    ids_group_view now = view();
    now.revision = 11;
    now.group.epoch = 60;
    ids_agent_put(agent, put.call, false, &now, 110);
    act = next(agent, IDS_AGENT_CONFIG);
    cr_assert_eq(act.rev, 11);
    cr_assert_eq(act.group.epoch, 60);
    ids_agent_free(agent);
}

Test(rounds, without_an_answer_nothing_is_known_and_nobody_is_told) {
    ids_agent *agent = ids_agent_new(&config, 100);
    ids_agent_act put = take_over(agent, 100), act;
    ids_group_view now = view();
    ids_agent_tick(agent, 1, 100 + IDS_AGENT_CALL_MS);
    next(agent, IDS_AGENT_ASK); /* it begins anew */
    next(agent, IDS_AGENT_READ);
    now.revision = 12;
    ids_agent_put(agent, put.call, true, &now, 700); /* too late */
    cr_assert_not(ids_agent_next(agent, &act));
    ids_agent_free(agent);
}

Test(rounds, the_key_is_renewed_only_while_the_node_answers) {
    ids_agent *agent = ids_agent_new(&config, 0);
    ids_agent_act act, read = {.call = 0};
    uint64_t now = 0;
    take_over(agent, now);
    ids_agent_leased(agent, 3, true, 77, now);
    act = next(agent, IDS_AGENT_ALIVE);
    cr_assert_eq(act.lease, 77);
    cr_assert_eq(act.incarnation, 5);
    ids_agent_leased(agent, act.call, true, 77, now);
    for (now = IDS_AGENT_CALL_MS; now < 6000; now += IDS_AGENT_CALL_MS) {
        ids_agent_tick(agent, 1, now);
        while (ids_agent_next(agent, &act)) {
            cr_assert_neq(act.kind, IDS_AGENT_KEEPALIVE);
            if (act.kind == IDS_AGENT_READ)
                read = act;
        }
        ids_agent_seen(agent, read.call, NULL, now);
    }
    ids_agent_free(agent);
}

Test(rounds, another_cluster_decides_nothing) {
    ids_agent *agent = ids_agent_new(&config, 0);
    ids_agent_act put = take_over(agent, 0), act;
    ids_group_view other = view();
    ids_agent_put(agent, put.call, false, &other, 10);
    while (ids_agent_next(agent, &act))
        ;
    other.cluster = 2;
    ids_agent_tick(agent, 1, 400);
    ids_agent_act ask = next(agent, IDS_AGENT_ASK);
    ids_agent_act read = next(agent, IDS_AGENT_READ);
    ids_agent_reported(agent, ask.call, &report, false, 400);
    ids_agent_seen(agent, read.call, &other, 400);
    while (ids_agent_next(agent, &act))
        cr_assert(act.kind != IDS_AGENT_PUT && act.kind != IDS_AGENT_CONFIG);
    cr_assert_eq(ids_agent_last_trouble(agent), IDS_AGENT_TROUBLE_CLUSTER);
    ids_agent_free(agent);
}

/* A round in which nobody answers and nothing is found: when is the next? */
static uint64_t idle_round(ids_agent *agent, uint64_t now_ms) {
    ids_agent_act act;
    ids_group_view seen = view();
    seen.alive[seen.alive_count++] =
        (ids_group_alive){seen.group.primary.node, 6};
    seen.group.isr_count = 1; /* b alone: a waits */
    ids_agent_tick(agent, 1, now_ms);
    ids_agent_act ask = next(agent, IDS_AGENT_ASK);
    ids_agent_act read = next(agent, IDS_AGENT_READ);
    ids_agent_reported(agent, ask.call, &report, false, now_ms);
    ids_agent_seen(agent, read.call, &seen, now_ms);
    while (ids_agent_next(agent, &act)) {
        cr_assert_neq(act.kind, IDS_AGENT_PUT);
        ids_agent_leased(agent, act.call, false, 0, now_ms);
    }
    return ids_agent_due(agent);
}

Test(rounds, a_node_that_hangs_up_is_asked_for_at_once_and_again) {
    ids_agent *agent = ids_agent_new(&config, 1000);
    cr_assert_eq(idle_round(agent, 1000), 1000 + IDS_AGENT_ROUND_MS);
    ids_agent_hurry(agent, 1100);
    cr_assert_eq(ids_agent_due(agent), 1100);
    cr_assert_eq(idle_round(agent, 1100), 1150);
    cr_assert_eq(idle_round(agent, 1150), 1150 + IDS_AGENT_ROUND_MS);
    ids_agent_free(agent);
}

Test(rounds, nodes_that_hang_up_all_the_time_do_not_wear_etcd_out) {
    ids_agent *agent = ids_agent_new(&config, 0);
    unsigned rounds = 0;
    for (uint64_t now = 0; now < 10000; now += 10) {
        ids_agent_hurry(agent, now);
        if (ids_agent_due(agent) > now)
            continue;
        idle_round(agent, now);
        rounds++;
    }
    cr_assert_leq(rounds, 85); /* of 10 s; a keepalive a second is beside it */
    cr_assert_geq(rounds, 40);
    ids_agent_free(agent);
}

Test(rounds, an_order_is_tried_at_once) {
    ids_agent *agent = ids_agent_new(&config, 1000);
    idle_round(agent, 1000);
    ids_agent_wish_for(agent, IDS_AGENT_SWITCHOVER, 1010);
    cr_assert_eq(ids_agent_due(agent), 1010);
    ids_agent_free(agent);
}
