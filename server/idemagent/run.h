/* SPDX-License-Identifier: Apache-2.0 */
/* run.h -- the agent, what it asks, and what it is asked: one thread's. */
#ifndef IDA_RUN_H
#define IDA_RUN_H

#include "server/idemagent/callers.h"

#include <signal.h>

#define IDA_COUNTED(X)                                                        \
    X(READS, "etcd_reads", "reads of etcd that were answered")                \
    X(PUTS, "transactions", "transactions that etcd carried out")             \
    X(LOST_PUTS, "transactions_lost", "transactions that another was before") \
    X(ETCD_FAILURES, "etcd_failures",                                         \
      "requests that etcd did not carry out, "                                \
      "or that got no answer")                                                \
    X(NODE_FAILURES, "node_failures", "questions that a node did not answer") \
    X(TAKEOVERS, "takeovers", "transactions by which this node was to lead")  \
    X(COMMANDS, "commands", "commands that were given to nodes")

typedef enum ida_counted {
#define X(name, metric, help) IDA_COUNT_##name,
    IDA_COUNTED(X)
#undef X
        IDA_COUNTED_COUNT
} ida_counted;

typedef struct ida_agent {
    const ida_config *config;
    ids_agent *agent;
    ids_etcd *etcd;
    ida_callers *callers;
    uint64_t now_ms;
    /* As last heard; 0 ms: never. */
    ids_group_view view;
    ids_report own;
    uint64_t view_ms, own_ms;
    ids_etcd_outcome etcd_outcome; /* of the last answer */
    char etcd_why[160], node_why[IDA_CALLED_WHY_BYTES];
    char ordered[160]; /* what became of the last order */
    bool awaits_order;
    uint64_t counted[IDA_COUNTED_COUNT];
    /* What the log was told last. */
    ids_agent_trouble logged_trouble;
    bool logged_etcd, logged_node, logged_paused;
    uint64_t logged_rev;
    char logged_would[256];
} ida_agent;

/* False: why says what could not be had. */
bool ida_agent_open(ida_agent *agent, const ida_config *config,
                    char why[static IDA_WHY_BYTES]);
void ida_agent_close(ida_agent *agent);

/* Does what is due, waits for at most wait_ms, or until one of these can be
 * read, and takes what has come. */
void ida_agent_turn(ida_agent *agent, const int *fds, size_t count,
                    int wait_ms);

/* An operator's. switchover: the node beside this agent shall lead. */
typedef enum ida_order {
    IDA_ORDER_SWITCHOVER,
    IDA_ORDER_ACCEPT_LOSS,
    IDA_ORDER_PAUSE,
    IDA_ORDER_RESUME
} ida_order;
void ida_agent_order(ida_agent *agent, ida_order order);

/* Does it decide, as far as it is known? why: what it lacks. */
bool ida_agent_is_ready(const ida_agent *agent, char why[static IDA_WHY_BYTES]);

#endif
