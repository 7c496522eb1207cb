/* SPDX-License-Identifier: Apache-2.0 */
/* decide.h -- what an agent decides on one read of etcd and the reports that
 * it has beside it: the transactions T0 to T6, an offer, or commands.
 *
 * Pure. The set a primary waits for contains, at every moment, the set in
 * etcd: who is taken away is taken from etcd first, who is added is offered
 * first. A decision that is made on something old fails by its compare. */
#ifndef IDS_AGENT_DECIDE_H
#define IDS_AGENT_DECIDE_H

#include "server/agent/group.h"

/* A report older than this decides nothing. */
#define IDS_AGENT_REPORT_MS  1000u
/* A member, silent for so long, is lost (T2). */
#define IDS_AGENT_SILENT_MS  600u
/* And one that is not whole for so long. */
#define IDS_AGENT_LAGGING_MS 2000u

/* What an operator asked this node's agent for. */
typedef enum ids_agent_wish {
    IDS_AGENT_NO_WISH,
    IDS_AGENT_SWITCHOVER, /* T5: this node shall lead */
    IDS_AGENT_ACCEPT_LOSS /* T6: this node shall lead, whatever is lost */
} ids_agent_wish;

/* Why no decision is made (A6), each with its text. */
#define IDS_AGENT_TROUBLES(X)                                                \
    X(NONE, "none")                                                          \
    X(CLUSTER, "etcd is another cluster than before")                        \
    X(GROUP, "etcd has another group's record than this node")               \
    X(BEHIND, "etcd's record is older than what this node was told")         \
    X(HISTORY, "no record yet, and a node had a replica: create it by hand") \
    X(OTHERS, "no record yet, and not every other node answers")             \
    X(EPOCH, "no epoch is left: a clock was far ahead once")                 \
    X(READ, "etcd does not answer")                                          \
    X(NODE, "this node does not answer")

typedef enum ids_agent_trouble {
#define X(name, text) IDS_AGENT_TROUBLE_##name,
    IDS_AGENT_TROUBLES(X)
#undef X
        IDS_AGENT_TROUBLE_COUNT
} ids_agent_trouble;

const char *ids_agent_trouble_text(ids_agent_trouble trouble);

typedef struct ids_agent_facts {
    ids_node_name node;         /* whose agent this is */
    const ids_group_view *view; /* what etcd has, in this round's read */
    const ids_report *own;      /* NULL: none that is young enough */
    const ids_report *primary;  /* of the recorded primary, if it was asked */
    bool refused;               /* its port did */
    ids_agent_wish wish;
    /* T0: */
    ids_group_id new_id;
    bool by_hand;
    uint64_t clock_epoch;  /* ids_epoch_of the wall clock */
    uint64_t others_epoch; /* the highest that any other reachable node knows */
    bool others_missing;   /* one of them did not answer */
    bool others_have_history; /* one of those leads, or had a replica */
} ids_agent_facts;

typedef enum ids_intent_kind {
    IDS_INTENT_NOTHING,
    IDS_INTENT_PUT,   /* group, if R is still compare */
    IDS_INTENT_OFFER, /* N3, to who speaks: the primary */
} ids_intent_kind;

typedef struct ids_intent {
    ids_intent_kind kind;
    ids_agent_trouble trouble;
    uint64_t compare; /* 0: there is none */
    ids_group group;
    ids_group_member offered;
    /* The config that etcd has goes to the own node, and to the primary. */
    bool tell_own, tell_primary;
} ids_intent;

/* Whether the primary has to be asked before: for its word, or because its
 * port may refuse. */
bool ids_agent_must_ask(const ids_agent_facts *facts);

ids_intent ids_agent_decide(const ids_agent_facts *facts);

#endif
