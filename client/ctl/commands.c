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

#define KEYS    "key-hex key-file "
#define WATCHED "watch count "
/* One that claims or ends a claim, or looks at one. */
#define KEYED_BY(function)                                   \
    .operands = "KEY", .operands_min = 1, .operands_max = 1, \
    .takes_key = true, .run = (function)
#define KEYED KEYED_BY(ctl_run_call)

const ctl_command ctl_commands[] = {
    {.name = "ping",
     .options = WATCHED,
     .run = ctl_run_call,
     .method = IDEM_PING,
     .help = "is the server there?"},
    {.name = "acquire",
     KEYED,
     .options = KEYS "fingerprint body nonce lease ttl wait on-orphan raw "
                     "output",
     .grant = "claim",
     .method = IDEM_ACQUIRE,
     .help = "may I? claims the key, or says what became of it"},
    {.name = "run",
     .operands = "KEY -- COMMAND",
     .operands_max = 1,
     .takes_key = true,
     .takes_rest = true,
     .options = KEYS "fingerprint body lease ttl wait on-orphan on-failure "
                     "keep-running kill-after",
     .grant = "claim",
     .run = ctl_run_run,
     .method = IDEM_ACQUIRE,
     .help = "runs a command line once; later runs print what it printed"},
    {.name = "complete",
     KEYED,
     .options = KEYS "token result result-file class ttl",
     .needs = "token",
     .grant = "claim",
     .method = IDEM_COMPLETE,
     .help = "it is done, and this is the answer"},
    {.name = "release",
     KEYED,
     .options = KEYS "token unbind",
     .needs = "token",
     .grant = "claim",
     .method = IDEM_RELEASE,
     .help = "it surely did not happen: give the key back"},
    {.name = "renew",
     KEYED,
     .options = KEYS "token lease",
     .needs = "token",
     .grant = "claim",
     .method = IDEM_RENEW,
     .help = "still working: a new lease from now"},
    {.name = "peek",
     KEYED,
     .options = KEYS WATCHED,
     .grant = "read",
     .method = IDEM_PEEK,
     .help = "what is known of the key; changes nothing"},
    {.name = "list",
     .options = WATCHED "state older prefix oldest",
     .grant = "read",
     .run = ctl_run_list,
     .help = "which records there are: what is stuck, and since when"},
    {.name = "inspect",
     .operands = "KEY",
     .operands_min = 1,
     .operands_max = 1,
     .takes_key = true,
     .options = KEYS WATCHED,
     .grant = "read",
     .run = ctl_run_inspect,
     .help = "all that is known of the key: who claimed it, and for those who "
             "may resolve its token and result"},
    {.name = "clients",
     .grant = "stats",
     .options = WATCHED,
     .run = ctl_run_clients,
     .help = "who is connected"},
    {.name = "kill",
     .operands = "ID",
     .operands_min = 1,
     .operands_max = 1,
     .grant = "admin",
     .run = ctl_run_kill,
     .help = "closes a connection that clients names: its waiters are "
             "forgotten, its claims stay"},
    {.name = "slow",
     .grant = "stats",
     .options = WATCHED,
     .run = ctl_run_slow,
     .help = "the last turns over 10 ms, and replies held for over 100 "
             "ms"},
    {.name = "watch",
     .options = "kind prefix count",
     .grant = "read",
     .run = ctl_run_watch,
     .help = "what happens to keys, a line each as it happens"},
    {.name = "resolve",
     KEYED_BY(ctl_run_resolve),
     .options = KEYS "token verb reason nonce result result-file class ttl "
                     "force",
     .needs = "token verb reason",
     .grant = "resolve",
     .help = "an operator decides what became of a claim"},
    {.name = "resolve-orphaned",
     .options = "prefix older verb reason class ttl per-second dry-run yes",
     .needs = "verb reason",
     .grant = "resolve",
     .run = ctl_run_resolve_orphaned,
     .help = "the same of all orphaned claims of the namespace; asks first"},
    {.name = "erase",
     .options = "prefix reason dry-run yes",
     .needs = "prefix reason",
     .grant = "resolve",
     .run = ctl_run_erase,
     .help = "forgets all keys of the namespace that begin so; asks first"},
    {.name = "stats",
     .options = WATCHED,
     .grant = "stats",
     .run = ctl_run_call,
     .method = IDEM_STATS,
     .help = "the server's counters and gauges"},
    {.name = "metrics",
     .options = WATCHED "open-metrics",
     .grant = "stats",
     .run = ctl_run_metrics,
     .help = "the same and how long things take, as Prometheus reads it"},
    {.name = "latency",
     .options = WATCHED,
     .grant = "stats",
     .run = ctl_run_latency,
     .help = "how long things take there, by method and cause: p50, p99 ..."},
    {.name = "replication",
     .operands = "[OTHER-URI]",
     .operands_max = 1,
     .options = WATCHED,
     .grant = "stats",
     .run = ctl_run_replication,
     .help = "who is primary, who is in sync, how far behind; or which of two "
             "has more"},
    {.name = "namespaces",
     .options = WATCHED,
     .grant = "admin",
     .run = ctl_run_namespaces,
     .help = "what the namespaces have that the settings name, and may have"},
    {.name = "promote",
     .options = "accept-loss",
     .grant = "admin",
     .run = ctl_run_admin,
     .method = IDEM_COMMAND_PROMOTE,
     .help = "makes this replica the primary"},
    {.name = "detach",
     .options = "node accept-loss",
     .grant = "admin",
     .run = ctl_run_admin,
     .method = IDEM_COMMAND_DETACH,
     .help = "lets this primary go on without its replica"},
    {.name = "switchover",
     .options = "node",
     .grant = "admin",
     .run = ctl_run_admin,
     .method = IDEM_COMMAND_SWITCHOVER,
     .help = "hands over from this primary to its replica"},
    {.name = "agent",
     .operands = "status|switchover|pause|resume|accept-loss [HOST:PORT]",
     .operands_min = 1,
     .operands_max = 2,
     .words = "status switchover pause resume accept-loss",
     .run = ctl_run_agent,
     .help = "asks an idemagent on this machine, or orders it"},
    {.name = "snapshot",
     .grant = "admin",
     .run = ctl_run_admin,
     .method = IDEM_COMMAND_SNAPSHOT,
     .help = "has this server write a snapshot of its records"},
    {.name = "backup",
     .operands = "[NAME]",
     .operands_max = 1,
     .grant = "admin",
     .run = ctl_run_admin,
     .method = IDEM_COMMAND_BACKUP,
     .help = "has this server make a backup of its folder, in its "
             "folder for backups"},
    {.name = "reload",
     .options = "dry-run force",
     .grant = "admin",
     .run = ctl_run_admin,
     .method = IDEM_COMMAND_RELOAD,
     .help = "has this server read its settings, certificates, credentials "
             "again"},
    {.name = "check",
     .operands = "DIR [OTHER-DIR]",
     .operands_min = 1,
     .operands_max = 2,
     .words = "DIR",
     .run = ctl_run_check,
     .help = "looks into a data folder, or which of two has more"},
    {.name = "credential",
     .operands = "new NAME | check FILE",
     .operands_min = 2,
     .operands_max = 2,
     .words = "new check",
     .options = "claim read resolve admin stats",
     .run = ctl_run_credential,
     .help = "makes a secret and its line; or reads a file of such lines"},
    {.name = "whoami",
     .run = ctl_run_whoami,
     .help = "which user the secret names"},
    {.name = "estimate",
     .options = "rate ttl result key-bytes",
     .needs = "rate",
     .run = ctl_run_estimate,
     .help = "how much memory and disk a load will take; asks no server"},
    {.name = "completion",
     .operands = "SHELL",
     .operands_min = 1,
     .operands_max = 1,
     .words = "bash zsh fish",
     .run = ctl_run_completion,
     .help = "prints a script that completes idemctl's words in that shell"},
    {.name = "help",
     .operands = "[COMMAND]",
     .operands_max = 1,
     .words = "COMMAND",
     .run = run_help,
     .help = "this text"},
    {.name = "?",
     .operands = "[COMMAND]",
     .operands_max = 1,
     .words = "COMMAND",
     .run = run_help,
     .help = "the same"},
    {.name = "exit", .run = run_exit, .help = "ends a session of lines"},
    {.name = "quit", .run = run_exit, .help = "the same"},
    {.name = NULL}};

const ctl_command *ctl_command_find(const char *name) {
    for (const ctl_command *row = ctl_commands; row->name != NULL; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}
