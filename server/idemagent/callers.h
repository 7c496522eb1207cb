/* SPDX-License-Identifier: Apache-2.0 */
/* callers.h -- what the agent asks of nodes: each in threads of its own, since
 * one that hangs must not hold up what is asked of etcd.
 *
 * One thread calls these; the answers wait until it takes them. */
#ifndef IDA_CALLERS_H
#define IDA_CALLERS_H

#include "server/idemagent/config.h"

#define IDA_CALLED_WHY_BYTES 256

typedef struct ida_called {
    ids_agent_act_kind kind; /* ASK, CONFIG, OFFER */
    uint64_t call;           /* of an ASK */
    ids_endpoint to;         /* "": the node beside this agent */
    bool answered;           /* ASK: report is there; else: it was done */
    bool refused;            /* nobody listens there */
    ids_report report;
    char why[IDA_CALLED_WHY_BYTES]; /* it failed, or was refused; or "" */
} ida_called;

typedef struct ida_callers ida_callers;

/* NULL: no memory, or no descriptor. */
ida_callers *ida_callers_new(const ida_config *config);
/* What is under way is waited for: some seconds at the most. */
void ida_callers_free(ida_callers *callers);

/* ASK, CONFIG, OFFER. An ASK is answered once; so are the others, unless the
 * node is told the same already. */
void ida_callers_ask(ida_callers *callers, const ids_agent_act *act);
/* Readable once there is an answer. */
int ida_callers_fd(const ida_callers *callers);
bool ida_callers_next(ida_callers *callers, ida_called *called);

/* The connections on which nothing is under way: one becomes readable when its
 * node hangs up, or dies. At most IDA_CALLERS_IDLE_MAX. */
#define IDA_CALLERS_IDLE_MAX 10
size_t ida_callers_idle(ida_callers *callers, int fds[IDA_CALLERS_IDLE_MAX]);
/* True, once, for each of another node that did. */
bool ida_callers_hung_up(ida_callers *callers);

#endif
