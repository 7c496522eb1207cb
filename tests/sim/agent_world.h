/* SPDX-License-Identifier: Apache-2.0 */
/* agent_world.h -- one world of agents: up to five nodes (a model of what
 * failover demands of one), the agents beside them as they ship, a model of
 * etcd, clients, an operator, and all that goes wrong; on one virtual clock,
 * from one seed. */
#ifndef IDT_AGENT_WORLD_H
#define IDT_AGENT_WORLD_H

#include "server/agent/agent.h"
#include "server/agent/mutant.h"
#include "tests/lib/rng.h"

enum {
    AW_NODES_MAX = IDS_GROUP_NODES_MAX,
    AW_AGENTS_MAX = 2 * AW_NODES_MAX,
    AW_KEYS = 2048,
    AW_CHANGES_MAX = 4096, /* of one leadership */
    AW_CLIENTS = 6,
    AW_HELD_MAX = 64,
    AW_MESSAGES_MAX = 512,
    AW_EPOCHS_MAX = 512,
    AW_OLD_MAX = 8, /* versions of etcd that a read may show */
    AW_STEP_MS = 5,
    AW_CHAOS_MS = 24000,
    AW_HEAL_MS = 12000,
    AW_QUIET_MS = 6000, /* then, in some worlds, etcd alone is away */
    AW_AWAY_MS = 12000,
    AW_BACK_MS = 72000,
    AW_CALM_MS = 2000, /* the last part of it: nothing is decided any more */
    AW_LEASE_MS = 3000,
    AW_TRACE_LINES = 60,
    AW_TRACE_COLUMNS = 200
};

typedef enum aw_keeps { AW_MEMORY, AW_EVERYSEC, AW_ALWAYS } aw_keeps;

/* A follower's session with a primary. */
typedef struct aw_session {
    bool on, copying, by_key;
    int primary;
    uint64_t incarnation, epoch; /* of the primary */
    uint64_t copied_at, heard_ms;
    uint64_t at; /* it has the primary's changes up to here */
} aw_session;

/* Whom a primary's replies wait for. */
typedef struct aw_slot {
    bool on, offered, was_whole;
    int node;
    uint64_t incarnation, rev, put_ms;
    uint64_t acked;
} aw_slot;

typedef struct aw_held {
    bool on, grant, inherited;
    int client;
    uint32_t key, change;
    uint64_t number;
} aw_held;

typedef struct aw_node {
    /* On its medium. */
    ids_group_id id;
    uint64_t rev, epoch;
    bool had_replica;
    bool alone; /* it leads by itself, until it hears of another */
    int dials;  /* the primary that it was told of; -1: none */
    /* Its memory. */
    bool up;
    aw_keeps keeps;
    uint64_t incarnation, starts_at, paused_until;
    uint32_t has[AW_KEYS]; /* the change of this key; 0: none */
    bool leading;
    uint64_t lead_epoch, number, passed;
    uint32_t key_of[AW_CHANGES_MAX]; /* by number, of this leadership */
    uint64_t number_of[AW_KEYS];     /* in this leadership; 0: inherited */
    aw_slot slot[2 * AW_NODES_MAX];
    aw_held held[AW_HELD_MAX];
    aw_session session;
} aw_node;

typedef struct aw_alive {
    uint64_t incarnation, lease; /* lease 0: there is no key */
} aw_alive;

typedef struct aw_etcd_state {
    uint64_t revision, mod;
    ids_group group;
    aw_alive alive[AW_NODES_MAX];
} aw_etcd_state;

typedef struct aw_etcd {
    aw_etcd_state now, old[AW_OLD_MAX];
    uint64_t versions; /* of old, in all */
    uint64_t cluster;
    uint64_t lease_ends[64]; /* by lease id; 0: there is none */
    uint64_t leases;
    uint64_t gone_until;
    aw_etcd_state backup;
} aw_etcd;

typedef struct aw_agent {
    ids_agent *agent; /* NULL: it does not run */
    uint32_t life;
    int node;
    uint64_t starts_at, paused_until; /* starts_at UINT64_MAX: never */
    uint64_t etcd_cut_until, node_cut_until;
    bool never; /* it does not come back */
} aw_agent;

typedef enum aw_where {
    AW_TO_ETCD,
    AW_FROM_ETCD,
    AW_TO_NODE,
    AW_FROM_NODE
} aw_where;

typedef struct aw_message {
    uint64_t at, seq;
    aw_where where;
    int agent, node;
    uint32_t life;
    ids_agent_act act; /* what is asked, or was */
    bool answered, done, refused;
    uint64_t lease;
    ids_group_view view;
    ids_report report;
} aw_message;

typedef struct aw_client {
    bool calls;
    uint32_t key;
    uint64_t until, next;
} aw_client;

/* Percent, drawn per world. */
typedef struct aw_odds {
    uint32_t lost, late, doubled, old, command_lost, command_late,
        command_doubled, by_key;
} aw_odds;

typedef struct aw_tally {
    uint64_t calls, grants, replays, faults, loss_accepted, promotions,
        whys[IDS_GROUP_WHY_COUNT], refused, late, doubled, old_reads,
        leases_ended, troubles[IDS_AGENT_TROUBLE_COUNT], offers, quiet;
} aw_tally;

typedef struct aw_world {
    uint64_t seed, now, seq;
    idt_rng rng;
    bool failed, heals, tracing, from_pair, restored, by_hand;
    bool quiet, must_serve; /* etcd is away for a minute, and nothing else */
    char failure[256];
    char (*trace)[AW_TRACE_COLUMNS];
    uint64_t traced;
    int nodes, agents;
    uint32_t min_in_sync;
    aw_odds odds;
    aw_node node[AW_NODES_MAX];
    aw_agent agent[AW_AGENTS_MAX];
    uint64_t cut_until[AW_NODES_MAX][AW_NODES_MAX]; /* between nodes */
    aw_etcd etcd;
    aw_message *message[AW_MESSAGES_MAX];
    uint32_t message_count;
    aw_client client[AW_CLIENTS];
    /* What the checker knows. */
    uint32_t acknowledged[AW_KEYS];
    uint64_t answered_in[AW_KEYS]; /* the highest epoch in which it was */
    uint32_t changes;              /* in all: each has its own */
    uint64_t led[AW_EPOCHS_MAX];
    uint32_t led_count;
    bool loss_is_due;    /* whoever leads next, then or later, has it */
    uint64_t loss_epoch; /* in which loss was accepted last */
    uint64_t served_ms, calm_revision, next_fault, leaderless_ms;
    /* The operator's, who looked, and writes later. */
    bool thinks;
    uint64_t thought_ms, thought_mod;
    int thought_of;
    aw_tally tally;
    struct pw_world *peers; /* whose nodes they are: see peer_agents.c */
    ids_group group_was;    /* and the record before the last */
} aw_world;

/* agent_world.c */
bool aw_run(aw_world *w, uint64_t seed); /* false: it says why */
bool aw_fail(aw_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void aw_say(aw_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
uint32_t aw_below(aw_world *w, uint32_t bound);
bool aw_chance(aw_world *w, uint32_t percent);
uint32_t aw_between(aw_world *w, uint32_t low, uint32_t high);

/* agent_post.c: what is under way, and what becomes of it */
aw_message *aw_post(aw_world *w, const aw_message *message, uint64_t delay_ms);
void aw_deliver(aw_world *w);
void aw_forget_messages(aw_world *w);
void aw_agent_asks(aw_world *w, int agent, const ids_agent_act *act);

/* agent_etcd.c */
void aw_etcd_begin(aw_world *w);
void aw_etcd_take(aw_world *w, aw_message *message);
void aw_etcd_tick(aw_world *w);
void aw_etcd_end_lease(aw_world *w, int node);
/* By the operator's hand, with a compare. */
bool aw_etcd_put(aw_world *w, const ids_group *group, uint64_t compare,
                 bool blind);

/* agent_node.c: N1 to N3, and a node's life */
void aw_node_name(int node, ids_group_member *member);
int aw_node_of(const char *name);
void aw_node_start(aw_world *w, int node);
void aw_node_crash(aw_world *w, int node);
void aw_node_take(aw_world *w, aw_message *message);
void aw_node_stand_down(aw_world *w, int node);
static inline bool aw_node_acts(const aw_world *w, int node) {
    return w->node[node].up && w->node[node].paused_until <= w->now;
}

/* agent_repl.c: sessions, copies, replies that wait */
bool aw_is_linked(const aw_world *w, int a, int b);
bool aw_has_session(const aw_world *w, int primary, int follower);
void aw_repl_tick(aw_world *w, int node);
void aw_node_call(aw_world *w, int node, int client, uint32_t key);

/* agent_check.c: clients, and what they must never see */
void aw_clients_tick(aw_world *w);
void aw_check_reply(aw_world *w, int node, const aw_held *held);
void aw_check_promotion(aw_world *w, int node);
void aw_check_put(aw_world *w, const ids_group *was, const ids_group *group,
                  bool seen);
void aw_check_end(aw_world *w);

/* agent_faults.c */
void aw_faults_tick(aw_world *w);
void aw_heal(aw_world *w);
void aw_operator_tick(aw_world *w);
bool aw_has_agent(const aw_world *w, int node);

/* agent_host.c */
void aw_agent_start(aw_world *w, int agent);
void aw_agent_crash(aw_world *w, int agent);
void aw_agent_tick(aw_world *w, int agent);

#endif
