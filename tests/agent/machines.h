/* SPDX-License-Identifier: Apache-2.0 */
/* machines.h -- three machines, each with a node, its agent and a member of
 * etcd, in network namespaces of their own; one more for the clients; and a
 * bridge between them, where the test itself is.
 *
 * The namespaces have no names: with the last process in them they are gone. */
#ifndef TEST_AGENT_MACHINES_H
#define TEST_AGENT_MACHINES_H

#include "server/agent/group.h"
#include "server/etcd/etcd.h"

#include <sys/types.h>

enum { MACHINES = 3, MACHINE_OF_CLIENTS = MACHINES, PLACES };

/* What runs on a machine. */
typedef enum part { PART_NODE, PART_AGENT, PART_ETCD, PARTS } part;

typedef struct process {
    pid_t pid; /* 0: it does not run */
    bool stopped;
    uint64_t stopped_ns;
} process;

typedef struct machines {
    const char *idemstored, *idemagent;
    const char *clock;   /* a library that shifts a node's wall clock; NULL */
    unsigned memory_mib; /* of a node; 0: 64 */
    bool journal, auth;
    char dir[128];
    int space[PLACES];
    process at[MACHINES][PARTS];
    process stranger; /* another etcd, where the clients are */
    ids_etcd *etcd;   /* asks all members */
} machines;

static inline char machine_name(int at) {
    return (char)('a' + at);
}

/* dir, idemstored and so on are set. Nothing runs yet. False: it can't be built
 * here; why is said. */
bool machines_open(machines *m);
void machines_close(machines *m);

/* For a child that was just forked: it lives there from now on, and dies with
 * its parent. */
void machines_enter(const machines *m, int place, pid_t parent);

/* --- processes */

bool machines_start(machines *m, int at, part what);
/* The agent asks the stranger, until it is started anew. */
bool machines_start_astray(machines *m, int at);
bool machines_start_stranger(machines *m);
void machines_kill(machines *m, int at, part what);
void machines_stop(machines *m, int at, part what);
void machines_continue(machines *m, int at, part what);
/* One has ended by itself: which one is said. */
bool machines_one_died(machines *m);
/* The end of each log. */
void machines_tell(const machines *m);
/* Users, and that etcd asks for one. */
bool machines_ask_for_users(machines *m);

/* --- the network */

void machines_cable(machines *m, int place, bool in);
/* A rule of iptables on that machine: "INPUT -p tcp --dport 7117 -j DROP". */
void machines_rule(machines *m, int place, const char *rule);
/* All cables are in, and no rule is left. */
void machines_calm(machines *m);

/* --- the rest */

/* By how much this node's wall clock is off from now on. */
void machines_set_clock(machines *m, int at, int64_t seconds);
/* A copy of its data, as it is now; and back, where the node is dead. */
bool machines_keep_folder(machines *m, int at);
bool machines_put_folder_back(machines *m, int at);

/* What etcd has; false: it has not answered for a while. */
bool machines_view(machines *m, ids_group_view *view);
/* Whose member of etcd leads it; -1: none, as far as they say. */
int machines_etcd_leader(const machines *m);
/* idemctl agent's orders. */
bool machines_order(const machines *m, int at, const char *order);

#endif
