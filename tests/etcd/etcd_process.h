/* SPDX-License-Identifier: Apache-2.0 */
/* etcd_process.h -- an etcd of one member that a test starts, and the client
 * asking it. */
#ifndef TEST_ETCD_PROCESS_H
#define TEST_ETCD_PROCESS_H

#include "server/etcd/etcd.h"
#include "tests/e2e/child.h"

#define CHECK(what) \
    ((what) ? (void)0 : etcd_test_fails(__FILE__, __LINE__, #what))
_Noreturn void etcd_test_fails(const char *file, int line, const char *what);

typedef struct etcd_process {
    child child;
    char folder[64];
    char url[64];
    uint16_t port, peer_port;
    /* Files; NULL: it is plain. */
    const char *cert, *key, *client_ca;
} etcd_process;

/* Exits with 77 where there is no etcd. */
void etcd_start(etcd_process *etcd);
/* Its certificate, and who has to sign a client's. */
void etcd_start_tls(etcd_process *etcd, const char *cert, const char *key,
                    const char *client_ca);
/* The same data, and port; what it had in memory (tokens) is gone. */
void etcd_restart(etcd_process *etcd);
void etcd_stop(etcd_process *etcd);

/* A port that nobody listens at. */
uint16_t etcd_free_port(void);

/* What an administrator does: POST by curl. 0: it answered 200. */
int etcd_admin(const etcd_process *etcd, const char *token, const char *path,
               const char *body);
/* Of root; to be freed. */
char *etcd_root_token(const etcd_process *etcd);

ids_etcd *etcd_client(const char *url, const char *user, const char *password);
/* Asks, and waits for the answer. */
ids_etcd_answer etcd_ask(ids_etcd *client, const ids_agent_act *act);
ids_etcd_answer etcd_read(ids_etcd *client);
/* Once more without an answer: which may have been done, so that an epoch is
 * put once only. */
ids_etcd_answer etcd_put(ids_etcd *client, const ids_group *group,
                         uint64_t compare);
/* Asks until this is the outcome; a busy machine's etcd may not answer. */
ids_etcd_answer etcd_ask_until(ids_etcd *client, const ids_agent_act *act,
                               ids_etcd_outcome outcome);

/* A record with all fields. */
ids_group etcd_group(uint32_t members, uint64_t epoch);

#endif
