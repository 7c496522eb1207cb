/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c -- the command table. To add a command, add a row; where it is
 * one call of the library, its function is ctl_run_call. */
#include "client/ctl/ctl.h"

#include <string.h>

static ctl_exit run_help(ctl_session *session, ctl_ask *ask) {
    (void)session;
    if (ask->operand_count == 0) {
        ctl_help(stdout);
        return CTL_EXIT_DONE;
    }
    const ctl_command *command = ctl_command_find(ask->operands[0]);
    if (command == NULL) {
        ctl_no_such_command(ask, ask->operands[0]);
        return ctl_usage_error(ask);
    }
    ctl_help_command(stdout, command);
    return CTL_EXIT_DONE;
}

static ctl_exit run_exit(ctl_session *session, ctl_ask *ask) {
    (void)ask;
    session->leave = true;
    return CTL_EXIT_DONE;
}

#define KEYS "key-hex key-file "

const ctl_command ctl_commands[] = {
    {"ping", ctl_run_call, IDEM_PING, 0, 0, "", "", "", "is the server there?"},
    {"acquire", ctl_run_call, IDEM_ACQUIRE, 1, 1, "KEY",
     KEYS "fingerprint body nonce lease ttl wait on-orphan raw output", "",
     "may I? claims the key, or says what became of it"},
    {"complete", ctl_run_call, IDEM_COMPLETE, 1, 1, "KEY",
     KEYS "token result result-file class ttl", "token",
     "it is done, and this is the answer"},
    {"release", ctl_run_call, IDEM_RELEASE, 1, 1, "KEY", KEYS "token unbind",
     "token", "it surely did not happen: give the key back"},
    {"renew", ctl_run_call, IDEM_RENEW, 1, 1, "KEY", KEYS "token lease",
     "token", "still working: a new lease from now"},
    {"peek", ctl_run_call, IDEM_PEEK, 1, 1, "KEY", KEYS, "",
     "what is known of the key; changes nothing"},
    {"stats", ctl_run_call, IDEM_STATS, 0, 0, "", "", "",
     "the server's counters and gauges"},
    {"metrics", ctl_run_metrics, 0, 0, 0, "", "open-metrics", "",
     "the same and how long things take, as Prometheus reads it"},
    {"replication", ctl_run_replication, 0, 0, 1, "[OTHER-URI]", "", "",
     "who is primary, who is in sync, how far behind; or which of two has "
     "more"},
    {"namespaces", ctl_run_namespaces, 0, 0, 0, "", "", "",
     "what the namespaces have that the settings name, and may have"},
    {"promote", ctl_run_admin, IDEM_COMMAND_PROMOTE, 0, 0, "", "accept-loss",
     "", "makes this replica the primary"},
    {"detach", ctl_run_admin, IDEM_COMMAND_DETACH, 0, 0, "", "accept-loss", "",
     "lets this primary go on without its replica"},
    {"switchover", ctl_run_admin, IDEM_COMMAND_SWITCHOVER, 0, 0, "", "", "",
     "hands over from this primary to its replica"},
    {"snapshot", ctl_run_admin, IDEM_COMMAND_SNAPSHOT, 0, 0, "", "", "",
     "has this server write a snapshot of its records"},
    {"reload", ctl_run_admin, IDEM_COMMAND_RELOAD, 0, 0, "", "dry-run force",
     "", "has this server read its settings, certificates, credentials again"},
    {"check", ctl_run_check, 0, 1, 2, "DIR [OTHER-DIR]", "", "",
     "looks into a data folder, or which of two has more"},
    {"credential", ctl_run_credential, 0, 2, 2, "new NAME | check FILE",
     "claim read resolve admin stats", "",
     "makes a secret and its line; or reads a file of such lines"},
    {"whoami", ctl_run_whoami, 0, 0, 0, "", "", "",
     "which user the secret names"},
    {"help", run_help, 0, 0, 1, "[COMMAND]", "", "", "this text"},
    {"?", run_help, 0, 0, 1, "[COMMAND]", "", "", "the same"},
    {"exit", run_exit, 0, 0, 0, "", "", "", "ends a session of lines"},
    {"quit", run_exit, 0, 0, 0, "", "", "", "the same"},
    {.name = NULL}};

const ctl_command *ctl_command_find(const char *name) {
    for (const ctl_command *row = ctl_commands; row->name != NULL; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}
