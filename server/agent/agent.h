/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h -- the failover agent of one node: what it asks etcd and nodes, and
 * when.
 *
 * Pure: no socket, clock or thread. The host carries out what ids_agent_next
 * says and hands each answer back, or NULL where there was none: then nothing
 * is known, not even failure. No safety rests on time, on a lease, or on what
 * the agent remembers: it may be stopped and started between any two calls.
 * Times are of a clock that only grows. */
#ifndef IDS_AGENT_H
#define IDS_AGENT_H

#include "server/agent/decide.h"

#define IDS_AGENT_ROUND_MS  250u /* from one round's begin to the next's */
#define IDS_AGENT_HURRY_MS  50u  /* the same, after ids_agent_hurry */
#define IDS_AGENT_CALL_MS   500u /* an answer that is later is dropped */
#define IDS_AGENT_PROBE_MS  200u /* of another node's port */
#define IDS_AGENT_LEASE_MIN 1000u
#define IDS_AGENT_LEASE_MAX 60000u

typedef struct ids_agent_config {
    ids_node_name node;  /* of the node beside it */
    uint32_t lease_ms;   /* LEASE_MIN .. LEASE_MAX */
    ids_group_id new_id; /* for a group that is created; "": none is (T0) */
    bool by_hand;        /* none is but by an operator's word: accept loss */
    ids_endpoint other[IDS_GROUP_NODES_MAX]; /* asked before one is created */
    uint32_t other_count;
} ids_agent_config;

typedef enum ids_agent_act_kind {
    IDS_AGENT_ASK,       /* N1, of .to: answered by ids_agent_reported */
    IDS_AGENT_READ,      /* config and alive at once: ids_agent_seen */
    IDS_AGENT_PUT,       /* the record, if its key's mod_revision is .compare,
                          * and else a read: ids_agent_put */
    IDS_AGENT_CONFIG,    /* N2, to .to: .rev, .group; no answer is awaited */
    IDS_AGENT_OFFER,     /* N3, to .to: .rev, .group.epoch, .member */
    IDS_AGENT_GRANT,     /* a lease of lease_ms: ids_agent_leased */
    IDS_AGENT_ALIVE,     /* alive/node = .incarnation under .lease: the same */
    IDS_AGENT_KEEPALIVE, /* of .lease: the same */
    IDS_AGENT_PAUSE,     /* the host's own, an operator's word in etcd: all */
    IDS_AGENT_RESUME     /* agents of the group decide nothing; it is over */
} ids_agent_act_kind;

typedef struct ids_agent_act {
    ids_agent_act_kind kind;
    uint64_t call;   /* to be given back with the answer */
    ids_endpoint to; /* "": the node beside it */
    uint64_t compare, rev;
    bool blind; /* PUT: without a compare; never, but for a rule that is off */
    ids_group group;
    ids_group_member member;
    uint64_t lease, incarnation;
} ids_agent_act;

typedef struct ids_agent ids_agent;

/* NULL: no memory. */
ids_agent *ids_agent_new(const ids_agent_config *config, uint64_t now_ms);
void ids_agent_free(ids_agent *agent);

/* What is to be done, one at a time; false: nothing more for now. */
bool ids_agent_next(ids_agent *agent, ids_agent_act *act);
/* When ids_agent_tick is due, at the latest. */
uint64_t ids_agent_due(const ids_agent *agent);
/* clock_epoch: ids_epoch_of the wall clock, for T0. */
void ids_agent_tick(ids_agent *agent, uint64_t clock_epoch, uint64_t now_ms);

/* report NULL: no answer; refused: nobody listens at that port. */
void ids_agent_reported(ids_agent *agent, uint64_t call,
                        const ids_report *report, bool refused,
                        uint64_t now_ms);
/* view NULL: no answer that can be used. */
void ids_agent_seen(ids_agent *agent, uint64_t call, const ids_group_view *view,
                    uint64_t now_ms);
/* done: the record stands, at view->revision. Else view has what there is
 * instead. */
void ids_agent_put(ids_agent *agent, uint64_t call, bool done,
                   const ids_group_view *view, uint64_t now_ms);
/* lease: as granted, or whose it is; 0: there is no such lease any more.
 * answered false: nothing is known of it. */
void ids_agent_leased(ids_agent *agent, uint64_t call, bool answered,
                      uint64_t lease, uint64_t now_ms);

/* Another node has hung up: the next round begins now, and one more soon after
 * it, since a process that dies may still seem to listen. Twice a second at
 * most: etcd is asked less than 10 times a second, whatever nodes do. For
 * speed only. */
void ids_agent_hurry(ids_agent *agent, uint64_t now_ms);

/* T5, T6, by hand: tried at once, and in the next rounds until etcd has
 * answered, for 5 s at the most. */
void ids_agent_wish_for(ids_agent *agent, ids_agent_wish wish, uint64_t now_ms);
ids_agent_wish ids_agent_wishes(const ids_agent *agent);

/* Of the last round that ended. */
ids_agent_trouble ids_agent_last_trouble(const ids_agent *agent);

#endif
