/* SPDX-License-Identifier: Apache-2.0 */
/* group.h -- a group as it is run: nodes, an agent beside each, and an etcd,
 * all processes of a test. */
#ifndef TEST_AGENT_GROUP_H
#define TEST_AGENT_GROUP_H

#include "server/agent/group.h"
#include "tests/e2e/child.h"

#define TEST_NODES_MAX 3

typedef struct test_node {
    child node, agent;
    uint16_t port, http;
} test_node;

typedef struct test_group test_group;

typedef struct test_group_spec {
    const char *idemstored, *idemagent;
    int nodes;              /* 2 .. */
    const char *max_memory; /* of a node; NULL: 64m */
    /* A folder with ca, node, etcd and agent .pem and .key, as seen from
     * anywhere: all of it speaks TLS, and nothing else. NULL: plain. */
    const char *certs;
} test_group_spec;

/* Starts all, and waits until each node is in sync. Exits with 77 where there
 * is no etcd. */
test_group *group_start(const test_group_spec *spec);
void group_stop(test_group *group);

test_node *group_node(test_group *group, int at); /* 0.. */
/* For libidemclient: all nodes. Until group_stop. */
const char *group_uri(const test_group *group);

/* What etcd has; waits for etcd. */
ids_group_view group_view(test_group *group);
/* Whose turn it is: the primary, by the record. */
int group_primary(test_group *group);
/* Waits until another than this one leads, by the record and by its own word;
 * which one. */
int group_await_another(test_group *group, int than);
/* Until all nodes are in sync, by the record. */
void group_await_whole(test_group *group);

bool group_is_whole(test_group *group);

/* A process is started again; the same port, an empty memory. */
void group_restart_node(test_group *group, int at);
void group_restart_agent(test_group *group, int at);
/* SIGKILL. */
void group_kill(child *one);
/* All of etcd stands still, or goes on. */
void group_etcd_stands(test_group *group, bool still);
/* What etcd was ever asked, by its own count, without what it was asked for
 * this. */
uint64_t group_etcd_requests(const test_group *group);

unsigned group_size(const test_group *group);

/* This agent's file of settings. Until the next call. */
const char *group_settings(const test_group *group, int at);

/* POST to this node's agent, as idemctl agent does. */
void group_order(test_group *group, int at, const char *order);

#endif
