/* SPDX-License-Identifier: Apache-2.0 */
/* check.c -- whether what was asked for is whole and within its limits, in the
 * words of the command line: the library's own are its fields' names. */
#include "client/ctl/ctl.h"

#include <string.h>

static bool has_key(const ctl_command *command) {
    return command->takes_key;
}

static bool check_key(ctl_ask *ask) {
    if (ask->args.key != NULL && ask->operand_count > 0)
        return ctl_why(ask, "%s: the key is given twice, as %s and as KEY",
                       ask->command->name,
                       ctl_ask_gives(ask, "key-hex") ? "--key-hex"
                                                     : "--key-file");
    if (ask->operand_count > 0) {
        ask->args.key = ask->operands[0];
        ask->args.key_len = strlen(ask->operands[0]);
    }
    if (ask->args.key == NULL)
        return ctl_why(ask,
                       "%s needs KEY (one with zero bytes: --key-hex or "
                       "--key-file)",
                       ask->command->name);
    if (ask->args.key_len == 0)
        return ctl_why(ask, "KEY is empty; a key has 1 to %d bytes",
                       IDEM_KEY_BYTES_MAX);
    if (ask->args.key_len > IDEM_KEY_BYTES_MAX)
        return ctl_why(ask, "KEY has %zu bytes; a key has 1 to %d",
                       ask->args.key_len, IDEM_KEY_BYTES_MAX);
    return true;
}

static bool check_namespace(ctl_ask *ask) {
    if (ask->args.ns_len <= CTL_NS_BYTES_MAX)
        return true;
    return ctl_why(ask, "--namespace has %zu bytes; at most %d",
                   ask->args.ns_len, CTL_NS_BYTES_MAX);
}

static bool check_deadlines(ctl_ask *ask) {
    bool has_lease = ctl_ask_gives(ask, "lease");
    uint64_t lease_ms = has_lease ? ask->args.lease_ms : IDEM_LEASE_MS_DEFAULT;
    if (ask->command->method != IDEM_ACQUIRE || ask->args.ttl_ms == 0 ||
        ask->args.ttl_ms >= lease_ms)
        return true;
    return ctl_why(ask, has_lease
                            ? "--ttl is shorter than --lease: the record "
                              "would end before its holder is done"
                            : "--ttl is shorter than the lease, which is 30s "
                              "unless --lease says otherwise");
}

static bool check_outputs(ctl_ask *ask) {
    if (ask->raw && ask->json)
        return ctl_why(ask, "--raw and --json: give one of the two");
    if (ask->raw && ask->output != NULL)
        return ctl_why(ask, "--raw and --output: give one of the two");
    return true;
}

/* A token may also come from this session: call.c. */
static bool check_needs(ctl_ask *ask) {
    const ctl_command *command = ask->command;
    for (size_t row = 0; ctl_options[row].name != NULL; row++)
        if (ctl_list_has(command->needs, ctl_options[row].name) &&
            ask->given[row] == NULL &&
            !(ask->has_session && strcmp(ctl_options[row].name, "token") == 0))
            return ctl_why(
                ask, "%s needs --%s%s", command->name, ctl_options[row].name,
                command->takes_key ? ", which acquire has printed" : "");
    return true;
}

static bool check_watch(ctl_ask *ask) {
    if (ask->watch_count == 0 || ask->watch_ms > 0 ||
        !ctl_list_has(ask->command->options, "watch"))
        return true;
    return ctl_why(ask, "--count goes with --watch");
}

static bool check_rest(ctl_ask *ask) {
    if (!ask->command->takes_rest || ask->rest_count > 0)
        return true;
    return ctl_why(ask,
                   "%s needs a command behind --: idemctl %s KEY -- "
                   "COMMAND [ARG ...]",
                   ask->command->name, ask->command->name);
}

bool ctl_ask_check(ctl_ask *ask) {
    const ctl_command *command = ask->command;
    if (command == NULL || ask->help)
        return true;
    if (has_key(command) ? !check_key(ask)
                         : ask->operand_count < command->operands_min)
        return has_key(command) ? false
                                : ctl_why(ask, "%s needs %s", command->name,
                                          command->operands);
    return check_namespace(ask) && check_deadlines(ask) && check_outputs(ask) &&
           check_needs(ask) && check_watch(ask) && check_rest(ask);
}
