/* SPDX-License-Identifier: Apache-2.0 */
/* config.h -- the settings of idemagent: one file, KEY = VALUE. */
#ifndef IDA_CONFIG_H
#define IDA_CONFIG_H

#include "server/agent/agent.h"
#include "server/etcd/etcd.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct ida_config {
    ids_agent_config agent; /* without new_id */
    bool creates;           /* a group that there is not yet */
    ids_etcd_config etcd;
    const char *server;     /* HOST:PORT of the node beside it */
    ids_endpoint advertise; /* where others reach that node; "": as it says */
    const char *secret_file, *tls_ca, *tls_cert, *tls_key; /* NULL: none */
    const char *tls_server_name;
    bool tls;
    const char *http; /* where it listens; NULL: nowhere */
    bool dry_run;
    char prefix[IDS_ETCD_PREFIX_BYTES];
    char *password; /* its own */
    void *cfg;      /* what the texts are in */
} ida_config;

#define IDA_WHY_BYTES 512

/* False: why says which line, and what it may be. In either case fini is due.
 */
bool ida_config_read(ida_config *config, const char *path,
                     char why[static IDA_WHY_BYTES]);
void ida_config_fini(ida_config *config);
/* Each key with what it is, for --help. */
void ida_config_print_keys(void);

#endif
