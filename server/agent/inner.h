/* SPDX-License-Identifier: Apache-2.0 */
/* inner.h -- the agent's own state, for its files. */
#ifndef IDS_AGENT_INNER_H
#define IDS_AGENT_INNER_H

#include "server/agent/agent.h"

#include <assert.h>

enum {
    IDS_AGENT_ACTS_MAX = 16,
    IDS_AGENT_WISH_MS = 5000,
    IDS_AGENT_HURRIES_MS = 500
};

/* One call that is answered at most once; id 0: none is under way. */
typedef struct ids_agent_call {
    uint64_t id, sent_ms;
} ids_agent_call;

typedef enum ids_agent_stage {
    IDS_AGENT_RESTS,   /* until the next round */
    IDS_AGENT_GATHERS, /* own report, etcd's read */
    IDS_AGENT_PROBES,  /* the primary, or before a creation all others */
    IDS_AGENT_PUTS     /* a transaction is under way */
} ids_agent_stage;

/* Since when a member of a primary is seen not to be whole. */
typedef struct ids_agent_lag {
    ids_node_name node;
    uint64_t incarnation, since_ms;
} ids_agent_lag;

typedef struct ids_agent_lease {
    ids_agent_call call;
    ids_agent_act_kind asks; /* while call is under way */
    uint64_t id;             /* 0: none */
    uint64_t renewed_ms;     /* as that was asked for */
    uint64_t incarnation;    /* as was put last; 0: not yet, or not sure */
} ids_agent_lease;

struct ids_agent {
    ids_agent_config config;
    ids_agent_act acts[IDS_AGENT_ACTS_MAX];
    uint32_t act_count;
    uint64_t calls; /* in all */
    ids_agent_stage stage;
    uint64_t round_ms; /* when this round began */
    uint64_t next_ms;
    uint64_t hurries_until_ms, may_hurry_ms;
    uint64_t clock_epoch, cluster;
    ids_agent_trouble trouble;

    ids_agent_call own_call, read_call, put_call;
    ids_agent_call probe_call[IDS_GROUP_NODES_MAX];
    ids_report own, primary;
    uint64_t own_ms; /* when it was asked for what it said; see has_own */
    bool has_own, has_view, has_primary, refused;
    uint64_t others_epoch;
    bool others_missing, others_have_history;
    ids_group_view view;
    ids_agent_lag lag[IDS_GROUP_SEEN_MAX];
    ids_agent_lease lease;

    ids_group putting;
    uint64_t put_compare;
    bool put_for_primary;
    ids_endpoint put_primary_at; /* who hears of it, beside the own node */
    ids_agent_wish wish;
    uint64_t wish_until_ms;
};

/* acts.c */
ids_agent_act *ids_agent_say(ids_agent *agent, ids_agent_act_kind kind);
ids_agent_act *ids_agent_call_out(ids_agent *agent, ids_agent_call *call,
                                  ids_agent_act_kind kind, uint64_t now_ms);
/* True, once, for the answer to what is under way. */
static inline bool ids_agent_is_answer(ids_agent_call *call, uint64_t id) {
    bool is = id != 0 && call->id == id;
    if (is)
        call->id = 0;
    return is;
}

/* alive.c: A2. Called as soon as a round has what it gathers. */
void ids_agent_keep_alive(ids_agent *agent, uint64_t now_ms);

/* round.c */
void ids_agent_begin_round(ids_agent *agent, uint64_t now_ms);
/* What was asked for is there, or is not waited for any longer. */
void ids_agent_go_on(ids_agent *agent, uint64_t now_ms);
void ids_agent_end_round(ids_agent *agent, uint64_t next_ms);

#endif
