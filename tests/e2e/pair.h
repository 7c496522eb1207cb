/* SPDX-License-Identifier: Apache-2.0 */
/* pair.h -- two daemons that replicate, and what one asks them. */
#ifndef TEST_PAIR_H
#define TEST_PAIR_H

#include "proto/commands.h"
#include "tests/e2e/harness.h"

#define PAIR_MORE 12

typedef struct pair_node {
    daemon_t daemon;
    uint16_t port; /* the same in every life */
    char threads[8];
    char state[256]; /* its --peer-state */
    char listen[32];
    char data_dir[256]; /* "": none */
    const char *secret_file;
    const char *more[PAIR_MORE]; /* flags; NULL: no more */
    const char *prefix;          /* shell words before it, or NULL */
} pair_node;

typedef struct pair {
    const char *program;
    char folder[64];
    pair_node a, b;
} pair;

/* A folder for what they keep; nothing is started. */
void pair_init(pair *p, const char *program, unsigned a_threads,
               unsigned b_threads);
/* Both get a --data-dir. */
void pair_keep(pair *p);
/* Stops both and removes the folder. */
void pair_end(pair *p);

/* of NULL: as a primary. On the port that it had before, if it had one. */
void pair_start(pair *p, pair_node *node, const pair_node *of);
/* A, and B as its replica, until they are in sync. */
void pair_start_both(pair *p);
void pair_kill(pair_node *node);
void pair_stop(pair_node *node);

/* Over connections of their own: a whole job, which must work; a claim, and
 * wire_call's code, or wire_call_confirmed's. */
void pair_do_once(const pair_node *node, const char *key);
int pair_claim(const pair_node *node, const char *key);
int pair_claim_confirmed(const pair_node *node, const char *key);

/* How replication stands; asked over a connection of its own. */
void pair_report(const pair_node *node, idp_replication *report);

/* Waits until it says so. */
void pair_await_in_sync(const pair_node *node);
void pair_await_role(const pair_node *node, const char *role);

/* Until all that it has changed by now is on its medium; more may follow. */
void pair_await_synced(const pair_node *node);

/* Until its log, or its report, has this text. */
void pair_await_log(const pair_node *node, const char *text);
void pair_await_state(const pair_node *node, const char *text);

/* An operator's order; the whole answer. */
idp_command_outcome pair_command(const pair_node *node, idp_method order,
                                 bool accept_loss, char *text, size_t cap);
/* The same, and it must not be refused. */
void pair_carry_out(const pair_node *node, idp_method order, bool accept_loss);

#endif
