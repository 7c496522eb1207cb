/* SPDX-License-Identifier: Apache-2.0 */
/* network.h -- where it happens: two nodes, their clients, and what lies
 * between them.
 *
 * In network namespaces that nobody else has where that is allowed (root, ip,
 * iptables): a bridge joins the nodes', the clients' and the middle's, where
 * the proxy is. They have no names: with the last process in them they are
 * gone, however it ended. Else on loopback addresses of this process' own,
 * where all that connects goes through the proxy, which does what the links
 * would. */
#ifndef NEM_NETWORK_H
#define NEM_NETWORK_H

#include "tests/nemesis/proxy.h"

#include <sys/types.h>

/* a and b are also the nodes' numbers. */
typedef enum nem_place {
    NEM_A,
    NEM_B,
    NEM_CLIENTS,
    NEM_MIDDLE,
    NEM_PLACES
} nem_place;

typedef struct nem_network {
    bool spaces; /* namespaces; else loopback */
    char prefix[16];
    int space[NEM_PLACES];
    nem_wires *wires;
    pid_t proxy;
} nem_network;

/* Says on stdout which of the two it is. False: it can't be built. */
bool nem_network_open(nem_network *network, uint64_t seed, bool loopback);
void nem_network_close(nem_network *network);

/* For a child that was just forked: it lives there from now on, and dies with
 * its parent. */
void nem_network_enter(const nem_network *network, nem_place place,
                       pid_t parent);

/* Where a node listens, where clients reach it, where its peer does. The last
 * two are the proxy's, or its own. */
const char *nem_network_address(const nem_network *network, int node,
                                char to[40]);
const char *nem_network_for_clients(const nem_network *network, int node,
                                    bool proxied, char to[40]);
const char *nem_network_for_peer(const nem_network *network, int node,
                                 bool proxied, char to[40]);

/* Its cable is out, or in again. */
void nem_network_link(nem_network *network, nem_place place, bool up);
/* Nothing that one sends arrives at the other. */
void nem_network_drop(nem_network *network, nem_place from, nem_place to);
/* Every link is up, nothing is dropped, the proxy is calm. */
void nem_network_heal(nem_network *network);

/* The wires of the proxy that lead to this node. */
nem_wire *nem_network_client_wire(nem_network *network, int node);
nem_wire *nem_network_peer_wire(nem_network *network, int node);

#endif
