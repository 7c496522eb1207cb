/* SPDX-License-Identifier: Apache-2.0 */
/* run.c -- see run.h: what the agent wants goes out, what comes back goes to
 * it, and people hear of what changes. */
#include "server/idemagent/run.h"

#include "server/base/log.h"
#include "server/peer/epoch.h"

#include <assert.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { FRESH_MS = 3000 };

static uint64_t monotonic_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t unix_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void draw_id(ids_group_id *id) {
    uint8_t b[16];
    randombytes_buf(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(id->text, sizeof id->text,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
             "%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10],
             b[11], b[12], b[13], b[14], b[15]);
}

bool ida_agent_open(ida_agent *a, const ida_config *config,
                    char why[static IDA_WHY_BYTES]) {
    ids_agent_config agent = config->agent;
    *a = (ida_agent){.config = config, .now_ms = monotonic_ms()};
    draw_id(&agent.new_id);
    agent.by_hand = !config->creates;
    a->agent = ids_agent_new(&agent, a->now_ms);
    a->etcd = ids_etcd_new(&config->etcd);
    a->callers = ida_callers_new(config);
    a->logged_etcd = a->logged_node = true;
    snprintf(why, IDA_WHY_BYTES, "no memory, or no descriptors");
    return a->agent && a->etcd && a->callers;
}

void ida_agent_close(ida_agent *a) {
    ids_etcd_free(a->etcd);
    ida_callers_free(a->callers);
    ids_agent_free(a->agent);
}

/* --- what goes out -------------------------------------------------------- */

static void members_of(const ids_group *group, char *to, size_t cap) {
    size_t at = 0;
    to[0] = '\0';
    for (uint32_t i = 0; i < group->isr_count && at < cap; i++)
        at += (size_t)snprintf(to + at, cap - at, "%s%s", i ? "," : "",
                               group->isr[i].node.text);
}

/* The agent hears nothing, as if nobody had answered. */
static void say_would(ida_agent *a, const ids_agent_act *act) {
    char text[sizeof a->logged_would], members[400];
    members_of(&act->group, members, sizeof members);
    if (act->kind == IDS_AGENT_PUT)
        snprintf(text, sizeof text,
                 "write %s: %s leads %.120s in epoch %" PRIu64,
                 ids_group_why_text(act->group.why),
                 act->group.primary.node.text, members, act->group.epoch);
    else if (act->kind == IDS_AGENT_OFFER)
        snprintf(text, sizeof text, "offer %s to the primary",
                 act->member.node.text);
    else
        snprintf(text, sizeof text, "tell %.120s of revision %" PRIu64,
                 act->to.text[0] ? act->to.text : "the own node", act->rev);
    if (strcmp(text, a->logged_would) == 0)
        return;
    snprintf(a->logged_would, sizeof a->logged_would, "%s", text);
    ids_log(IDS_LOG_INFO, "dry run", "would=\"%s\"", text);
}

static bool is_read_only(ids_agent_act_kind kind) {
    return kind == IDS_AGENT_ASK || kind == IDS_AGENT_READ;
}

static void only_say(ida_agent *a, const ids_agent_act *act) {
    if (act->kind == IDS_AGENT_PUT) {
        say_would(a, act);
        ids_agent_put(a->agent, act->call, false, NULL, a->now_ms);
    } else if (ids_etcd_serves(act->kind))
        ids_agent_leased(a->agent, act->call, false, 0, a->now_ms);
    else
        say_would(a, act);
}

static void begin_act(ida_agent *a, const ids_agent_act *act) {
    if (a->config->dry_run && !is_read_only(act->kind))
        only_say(a, act);
    else if (ids_etcd_serves(act->kind))
        ids_etcd_ask(a->etcd, act);
    else {
        a->counted[IDA_COUNT_COMMANDS] += act->kind != IDS_AGENT_ASK;
        ida_callers_ask(a->callers, act);
    }
}

/* --- what comes back ------------------------------------------------------ */

static void note_put(ida_agent *a, const ids_etcd_answer *said) {
    char members[400];
    const ids_group *group = &said->view.group;
    members_of(group, members, sizeof members);
    a->counted[said->done ? IDA_COUNT_PUTS : IDA_COUNT_LOST_PUTS]++;
    if (!said->done) {
        ids_log(IDS_LOG_INFO, "another was before: nothing was written",
                "revision=%" PRIu64, said->view.revision);
        return;
    }
    bool leads =
        strcmp(group->primary.node.text, a->config->agent.node.text) == 0 &&
        (group->why == IDS_GROUP_TAKEOVER ||
         group->why == IDS_GROUP_SWITCHOVER ||
         group->why == IDS_GROUP_ACCEPT_LOSS);
    a->counted[IDA_COUNT_TAKEOVERS] += leads;
    ids_log(leads ? IDS_LOG_WARN : IDS_LOG_INFO, "decided",
            "what=%s primary=%s in_sync=%s epoch=%" PRIu64 " revision=%" PRIu64,
            ids_group_why_text(group->why), group->primary.node.text, members,
            group->epoch, said->view.revision);
}

static void hear_etcd(ida_agent *a, const ids_etcd_answer *said) {
    bool good = said->outcome == IDS_ETCD_OK;
    bool gone = said->outcome == IDS_ETCD_NO_LEASE;
    const ids_group_view *view = good ? &said->view : NULL;
    a->etcd_outcome = said->outcome;
    snprintf(a->etcd_why, sizeof a->etcd_why, "%s", said->why);
    a->counted[IDA_COUNT_ETCD_FAILURES] += !good && !gone;
    if (view && (said->kind == IDS_AGENT_READ || said->kind == IDS_AGENT_PUT)) {
        a->view = *view;
        a->view_ms = a->now_ms;
    }
    if (said->kind == IDS_AGENT_READ) {
        a->counted[IDA_COUNT_READS] += good;
        ids_agent_seen(a->agent, said->call, view, a->now_ms);
    } else if (said->kind == IDS_AGENT_PUT) {
        if (good)
            note_put(a, said);
        ids_agent_put(a->agent, said->call, said->done, view, a->now_ms);
    } else if (said->kind == IDS_AGENT_PAUSE || said->kind == IDS_AGENT_RESUME)
        snprintf(a->ordered, sizeof a->ordered, "%s: %s: %s",
                 good ? "done" : "not done",
                 said->kind == IDS_AGENT_PAUSE ? "paused" : "resumed",
                 ids_etcd_outcome_text(said->outcome));
    else
        ids_agent_leased(a->agent, said->call, good || gone,
                         good ? said->lease : 0, a->now_ms);
}

/* Where others reach the node beside this agent, if it only knows its port. */
static void complete_at(const ida_config *config, ids_report *report) {
    const char *at = report->self.at.text;
    if (ids_endpoint_is_set(&config->advertise))
        report->self.at = config->advertise;
    else if (at[0] == '\0' || at[0] == ':')
        ids_endpoint_from(&report->self.at, config->server,
                          strlen(config->server));
}

static void hear_report(ida_agent *a, ida_called *said) {
    bool own = said->to.text[0] == '\0';
    if (own && said->answered) {
        complete_at(a->config, &said->report);
        a->own = said->report;
        a->own_ms = a->now_ms;
    }
    a->counted[IDA_COUNT_NODE_FAILURES] += !said->answered;
    if (own)
        snprintf(a->node_why, sizeof a->node_why, "%s", said->why);
    ids_agent_reported(a->agent, said->call,
                       said->answered ? &said->report : NULL, said->refused,
                       a->now_ms);
}

static void hear_node(ida_agent *a, ida_called *said) {
    if (said->kind == IDS_AGENT_ASK)
        hear_report(a, said);
    else if (!said->answered)
        ids_log(IDS_LOG_INFO, "a command was not carried out",
                "node=%s command=%s reason=\"%s\"",
                said->to.text[0] ? said->to.text : "own",
                said->kind == IDS_AGENT_OFFER ? "offer" : "config", said->why);
}

/* --- what people hear ----------------------------------------------------- */

static bool is_fresh(const ida_agent *a, uint64_t at_ms) {
    return at_ms != 0 && a->now_ms - at_ms < FRESH_MS;
}

static void say_connections(ida_agent *a) {
    bool etcd = is_fresh(a, a->view_ms), node = is_fresh(a, a->own_ms);
    if (etcd != a->logged_etcd && (etcd || a->etcd_outcome != IDS_ETCD_OK))
        ids_log(etcd ? IDS_LOG_INFO : IDS_LOG_ERROR,
                etcd ? "etcd answers"
                     : "etcd does not answer: nothing is decided",
                "reason=\"%s: %s\"", ids_etcd_outcome_text(a->etcd_outcome),
                a->etcd_why);
    if (node != a->logged_node && (node || a->node_why[0]))
        ids_log(node ? IDS_LOG_INFO : IDS_LOG_ERROR,
                node ? "the node answers" : "the node does not answer",
                "server=%s reason=\"%s\"", a->config->server, a->node_why);
    if (etcd || a->etcd_outcome != IDS_ETCD_OK)
        a->logged_etcd = etcd;
    if (node || a->node_why[0])
        a->logged_node = node;
}

/* Its order is through: etcd has answered it, or it has got too old. */
static void look_at_order(ida_agent *a) {
    bool is_on = ids_agent_wishes(a->agent) != IDS_AGENT_NO_WISH;
    bool leads = strcmp(a->view.group.primary.node.text,
                        a->config->agent.node.text) == 0;
    if (!a->awaits_order || is_on)
        return;
    a->awaits_order = false;
    snprintf(a->ordered, sizeof a->ordered, "%s",
             leads ? "done: the node beside this agent leads, by the record"
                   : "not done: the node beside this agent is not in sync, or "
                     "another was before; look at the record");
}

static void say_news(ida_agent *a) {
    ids_agent_trouble trouble = ids_agent_last_trouble(a->agent);
    char members[400];
    look_at_order(a);
    say_connections(a);
    if (trouble != a->logged_trouble && trouble != IDS_AGENT_TROUBLE_READ &&
        trouble != IDS_AGENT_TROUBLE_NODE) {
        if (trouble != IDS_AGENT_TROUBLE_NONE)
            ids_log(IDS_LOG_WARN, "nothing is decided", "reason=\"%s\"",
                    ids_agent_trouble_text(trouble));
        a->logged_trouble = trouble;
    }
    if (a->view.paused != a->logged_paused)
        ids_log(IDS_LOG_WARN, a->view.paused ? "paused" : "resumed", NULL);
    a->logged_paused = a->view.paused;
    if (a->view.revision == a->logged_rev)
        return;
    a->logged_rev = a->view.revision;
    members_of(&a->view.group, members, sizeof members);
    ids_log(IDS_LOG_INFO, "the record",
            "revision=%" PRIu64 " primary=%s in_sync=%s epoch=%" PRIu64
            " what=%s by=%s",
            a->view.revision, a->view.group.primary.node.text, members,
            a->view.group.epoch, ids_group_why_text(a->view.group.why),
            a->view.group.by.text);
}

bool ida_agent_is_ready(const ida_agent *a, char why[static IDA_WHY_BYTES]) {
    ids_agent_trouble trouble = ids_agent_last_trouble(a->agent);
    bool good = false;
    if (!is_fresh(a, a->view_ms))
        snprintf(why, IDA_WHY_BYTES, "etcd does not answer: %s: %s",
                 ids_etcd_outcome_text(a->etcd_outcome), a->etcd_why);
    else if (!is_fresh(a, a->own_ms))
        snprintf(why, IDA_WHY_BYTES,
                 "the node at %.200s does not answer: %.240s",
                 a->config->server, a->node_why);
    else if (strcmp(a->own.self.node.text, a->config->agent.node.text) != 0)
        snprintf(why, IDA_WHY_BYTES, "the node at %.255s is %s, not %s",
                 a->config->server, a->own.self.node.text,
                 a->config->agent.node.text);
    else if (trouble != IDS_AGENT_TROUBLE_NONE &&
             trouble != IDS_AGENT_TROUBLE_READ &&
             trouble != IDS_AGENT_TROUBLE_NODE)
        snprintf(why, IDA_WHY_BYTES, "%s", ids_agent_trouble_text(trouble));
    else
        good = true;
    return good;
}

/* --- a turn --------------------------------------------------------------- */

static void say_all(ida_agent *a) {
    ids_agent_act act;
    ids_agent_tick(a->agent, ids_epoch_of(unix_ms()), a->now_ms);
    while (ids_agent_next(a->agent, &act))
        begin_act(a, &act);
}

void ida_agent_turn(ida_agent *a, const int *fds, size_t count, int wait_ms) {
    int all[IDS_ETCD_FDS_MAX];
    ids_etcd_answer etcd;
    ida_called node;
    a->now_ms = monotonic_ms();
    say_all(a);
    uint64_t due_ms = ids_agent_due(a->agent);
    uint64_t left_ms = due_ms > a->now_ms ? due_ms - a->now_ms : 0;
    if (left_ms < (uint64_t)wait_ms)
        wait_ms = (int)left_ms;
    all[0] = ida_callers_fd(a->callers);
    size_t all_count = 1 + ida_callers_idle(a->callers, all + 1);
    assert(all_count + count <= IDS_ETCD_FDS_MAX);
    memcpy(all + all_count, fds, count * sizeof *fds);
    ids_etcd_wait_with(a->etcd, all, all_count + count, wait_ms);
    a->now_ms = monotonic_ms();
    if (ida_callers_hung_up(a->callers))
        ids_agent_hurry(a->agent, a->now_ms);
    while (ids_etcd_next(a->etcd, &etcd))
        hear_etcd(a, &etcd);
    while (ida_callers_next(a->callers, &node))
        hear_node(a, &node);
    say_all(a);
    say_news(a);
}

void ida_agent_order(ida_agent *a, ida_order order) {
    static const char *const names[] = {"switchover", "accept-loss", "pause",
                                        "resume"};
    ids_log(IDS_LOG_WARN, "ordered", "what=%s", names[order]);
    snprintf(a->ordered, sizeof a->ordered, "under way: %s", names[order]);
    if (order == IDA_ORDER_SWITCHOVER || order == IDA_ORDER_ACCEPT_LOSS) {
        ids_agent_wish_for(a->agent,
                           order == IDA_ORDER_SWITCHOVER
                               ? IDS_AGENT_SWITCHOVER
                               : IDS_AGENT_ACCEPT_LOSS,
                           a->now_ms);
        a->awaits_order = true;
        return;
    }
    const ids_agent_act act = {
        .kind = order == IDA_ORDER_PAUSE ? IDS_AGENT_PAUSE : IDS_AGENT_RESUME};
    begin_act(a, &act);
}
