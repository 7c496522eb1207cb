/* SPDX-License-Identifier: Apache-2.0 */
/* pair.h -- the two daemons as processes, and the operator's hands: idemctl,
 * used as docs/replication.md says. */
#ifndef NEM_PAIR_H
#define NEM_PAIR_H

#include "tests/nemesis/network.h"

typedef struct nem_node {
    int number; /* 0 is a, 1 is b */
    pid_t pid;  /* 0: not running */
    bool stopped;
    unsigned lives;
    uint64_t stopped_ns;
} nem_node;

typedef struct nem_pair {
    nem_network *network;
    const char *daemon;
    const char *ctl;
    char dir[128];  /* logs, state, the secret */
    bool alone;     /* a is all there is, and nothing is replicated */
    bool async;     /* replies wait for nobody: what is answered may be lost */
    bool journal;   /* both with --data-dir */
    bool proxied;   /* their peers go through the proxy */
    bool advertise; /* clients are sent to the proxy */
    bool tls;       /* all that anybody says is sealed */
    unsigned threads[2];
    nem_node node[2];
} nem_pair;

static inline char nem_name(int node) {
    return node == 0 ? 'a' : 'b';
}

/* Starts it, as a replica of the other one or with its plain flags. */
bool nem_node_start(nem_pair *p, int node, bool replica);
void nem_node_kill(nem_pair *p, int node);
void nem_node_stop(nem_pair *p, int node);
void nem_node_continue(nem_pair *p, int node);
/* It has ended by itself: that is never right. Also when a sanitizer spoke. */
bool nem_node_died(nem_pair *p, int node);
/* The last lines of its log. */
void nem_node_tell(const nem_pair *p, int node);
void nem_pair_end(nem_pair *p);

/* What idemctl replication says of a node. */
typedef struct nem_status {
    bool heard; /* it answered */
    bool primary;
    uint64_t epoch;
    unsigned in_sync; /* members of the in-sync set */
    char state[200];
} nem_status;

/* Certificates for where the network's addresses are, in dir. Once it is open,
 * and where the build has TLS (certs.c, certs_off.c); false: it has none. */
bool nem_pair_make_certs(const nem_pair *p);

nem_status nem_ask_status(const nem_pair *p, int node);

/* An order to this node; says what idemctl says. */
bool nem_command(const nem_pair *p, int node, const char *order, char *said,
                 size_t said_cap);

/* The same, by a process of its own, which is to be waited for. */
pid_t nem_command_aside(const nem_pair *p, int node, const char *order);

/* idem://... for clients, this node first. */
void nem_pair_uri(const nem_pair *p, int first, bool proxied, char *to,
                  size_t cap);

#endif
