/* SPDX-License-Identifier: Apache-2.0 */
/* text.c -- the agent's metrics and its state, as text. */
#include "server/idemagent/http.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { METRICS_BYTES = 8192 };

static size_t put_metric(char *text, size_t at, const char *name,
                         const char *type, const char *help, uint64_t value) {
    return at + (size_t)snprintf(text + at, METRICS_BYTES - at,
                                 "# HELP idemagent_%s %s\n"
                                 "# TYPE idemagent_%s %s\n"
                                 "idemagent_%s %" PRIu64 "\n",
                                 name, help, name, type, name, value);
}

char *ida_text_metrics(const ida_agent *a) {
    static const char *const names[] = {
#define X(name, metric, help) (metric "_total"),
        IDA_COUNTED(X)
#undef X
    };
    static const char *const helps[] = {
#define X(name, metric, help) (help),
        IDA_COUNTED(X)
#undef X
    };
    char why[IDA_WHY_BYTES];
    char *text = malloc(METRICS_BYTES);
    size_t at = 0;
    if (!text)
        return NULL;
    at = put_metric(text, at, "ready", "gauge", "1: it decides",
                    ida_agent_is_ready(a, why));
    at = put_metric(text, at, "paused", "gauge",
                    "1: an operator has paused the agents of this group",
                    a->view.paused);
    at = put_metric(text, at, "trouble", "gauge",
                    "0, or why nothing is decided: see docs/failover.md",
                    ids_agent_last_trouble(a->agent));
    at = put_metric(text, at, "revision", "gauge", "of the record in etcd",
                    a->view.revision);
    at = put_metric(text, at, "epoch", "gauge", "of that record",
                    a->view.group.epoch);
    at = put_metric(text, at, "in_sync", "gauge",
                    "nodes that it names as in sync", a->view.group.isr_count);
    at = put_metric(text, at, "alive", "gauge",
                    "nodes whose agents renew their key", a->view.alive_count);
    at = put_metric(text, at, "leading", "gauge", "1: the node beside it leads",
                    a->own.leading);
    for (int i = 0; i < IDA_COUNTED_COUNT; i++)
        at = put_metric(text, at, names[i], "counter", helps[i], a->counted[i]);
    return text;
}

static json_t *member(const ids_group_member *m) {
    return json_pack("{s:s, s:s}", "node", m->node.text, "at", m->at.text);
}

static json_t *record(const ids_group_view *view) {
    json_t *isr = json_array(), *alive = json_array();
    const ids_group *group = &view->group;
    for (uint32_t i = 0; i < group->isr_count; i++)
        json_array_append_new(isr, member(&group->isr[i]));
    for (uint32_t i = 0; i < view->alive_count; i++)
        json_array_append_new(alive, json_string(view->alive[i].node.text));
    return json_pack("{s:I, s:I, s:s, s:o, s:o, s:o, s:s, s:s}", "revision",
                     (json_int_t)view->revision, "epoch",
                     (json_int_t)group->epoch, "id", group->id.text, "primary",
                     member(&group->primary), "in_sync", isr, "alive", alive,
                     "why",
                     view->revision ? ids_group_why_text(group->why) : "none",
                     "by", group->by.text);
}

char *ida_text_status(const ida_agent *a) {
    static const char *const wishes[] = {"none", "switchover", "accept-loss"};
    char why[IDA_WHY_BYTES] = "";
    bool ready = ida_agent_is_ready(a, why);
    json_t *own = json_pack(
        "{s:s, s:b, s:I, s:I, s:b}", "node", a->own.self.node.text, "leading",
        a->own.leading, "revision", (json_int_t)a->own.rev, "epoch",
        (json_int_t)a->own.epoch, "had_replica", a->own.had_replica);
    json_t *all = json_pack(
        "{s:s, s:b, s:s, s:b, s:b, s:s, s:s, s:s, s:o, s:o}", "node",
        a->config->agent.node.text, "ready", ready, "lacks", ready ? "" : why,
        "paused", a->view.paused, "dry_run", a->config->dry_run, "wish",
        wishes[ids_agent_wishes(a->agent)], "trouble",
        ids_agent_trouble_text(ids_agent_last_trouble(a->agent)), "ordered",
        a->ordered, "record", record(&a->view), "server", own);
    char *text = all ? json_dumps(all, JSON_INDENT(2)) : NULL;
    json_decref(all);
    return text;
}
