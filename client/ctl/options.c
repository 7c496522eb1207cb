/* SPDX-License-Identifier: Apache-2.0 */
/* options.c -- the option table. To add an option, add a row: where a command
 * reads it by ctl_ask_text or ctl_ask_gives, it needs nothing else. */
#include "client/ctl/read.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

bool ctl_why(ctl_ask *ask, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(ask->why, sizeof ask->why, format, args);
    va_end(args);
    return false;
}

/* The defaults are the library's; help repeats them. */
static_assert(IDEM_LEASE_MS_DEFAULT == 30 * 1000, "--lease");
static_assert(IDEM_TTL_MS_DEFAULT == 24 * 3600 * 1000, "--ttl");
static_assert(IDEM_TIMEOUT_MS_DEFAULT == 5 * 1000, "--timeout");

const ctl_option ctl_options[] = {
    {"server", 's', "URI", ctl_read_server, 's', "",
     "idem://[:SECRET@]HOST[:PORT]/NS, or IDEMSTORE_URL"},
    {"namespace", 'n', "TEXT", ctl_read_namespace, 'e', "",
     "instead of the URI's"},
    {"timeout", 0, "DURATION", ctl_read_timeout, 'e', "",
     "wait so long for a server (5s; promote 60s)"},
    {"json", 0, NULL, ctl_read_json, 'e', "", "one JSON object per line"},
    {"verbose", 'v', NULL, ctl_read_verbose, 'e', "",
     "which server answered, and when"},
    {"help", 'h', NULL, ctl_read_help, 'e', "",
     "this, or what one command takes"},
    {"version", 'V', NULL, ctl_read_version, 's', "", "of idemctl"},
    {"key-hex", 0, "HEX", ctl_read_key_hex, 'c', "",
     "in place of KEY: any bytes"},
    {"key-file", 0, "FILE", ctl_read_key_file, 'c', "",
     "in place of KEY: every byte of the file"},
    {"fingerprint", 0, "HEX", ctl_read_fingerprint, 'c', "",
     "what the key stands for"},
    {"body", 0, "FILE", ctl_read_body, 'c', "",
     "its SHA-256 as the fingerprint"},
    {"nonce", 0, "HEX", ctl_read_nonce, 'c', "",
     "names this asker, to ask again"},
    {"lease", 0, "DURATION", ctl_read_lease, 'c', "",
     "how long the holder has (30s)"},
    {"ttl", 0, "DURATION", ctl_read_ttl, 'c', "",
     "how long the record lives (24h)"},
    {"wait", 0, "DURATION", ctl_read_wait, 'c', "",
     "for the holder to finish (0)"},
    {"on-orphan", 0, "WORD", ctl_read_on_orphan, 'c', "takeover report",
     "takeover (default) or report"},
    {"on-failure", 0, "WORD", ctl_read_on_failure, 'c',
     "complete release leave",
     "its code is not 0: complete (default), release, leave"},
    {"keep-running", 0, NULL, ctl_read_flag, 'c', "",
     "let it run on when its lease is lost"},
    {"kill-after", 0, "DURATION", ctl_read_kill_after, 'c', "",
     "KILL so long after that TERM (10s); 0: never"},
    {"rate", 0, "RATE", ctl_read_text, 'c', "",
     "new keys: 500 (a second), 30/m, 9000/h, 2000000/d"},
    {"key-bytes", 0, "N", ctl_read_text, 'c', "",
     "of a key, and its namespace (36)"},
    {"watch", 0, "DURATION", ctl_read_watch, 'c', "",
     "look again so often, and say what changes a second"},
    {"count", 0, "N", ctl_read_count, 'c', "",
     "with --watch: so many looks; watch: so many events"},
    {"raw", 0, NULL, ctl_read_raw, 'c', "",
     "the token or the result alone, byte for byte"},
    {"output", 0, "FILE", ctl_read_output, 'c', "",
     "the result goes into this file"},
    {"token", 0, "HEX", ctl_read_token, 'c', "", "from acquire"},
    {"result", 0, "TEXT", ctl_read_result, 'c', "",

     "what later askers are given; estimate: its bytes (0)"},
    {"result-file", 0, "FILE", ctl_read_result_file, 'c', "",
     "the same; - is stdin"},
    {"class", 0, "WORD", ctl_read_class, 'c', "success error",
     "success (default) or error"},
    {"unbind", 0, NULL, ctl_read_unbind, 'c', "",
     "forget the key and its fingerprint"},
    {"node", 0, "NAME", ctl_read_node, 'c', "",
     "which replica, where there are several"},
    {"accept-loss", 0, NULL, ctl_read_accept_loss, 'c', "",
     "even if acknowledged changes may be lost"},
    {"open-metrics", 0, NULL, ctl_read_open_metrics, 'c', "",
     "as OpenMetrics 1.0, not in Prometheus' text format"},
    {"dry-run", 0, NULL, ctl_read_dry_run, 'c', "",
     "say what it would do, and do nothing"},
    {"force", 0, NULL, ctl_read_force, 'c', "",
     "reload: where it closes most connections; resolve: a lease that runs"},
    {"yes", 0, NULL, ctl_read_flag, 'c', "", "do not ask"},
    {"per-second", 0, "N", ctl_read_text, 'c', "",
     "no more than so many a second: 100"},
    {"verb", 0, "WORD", ctl_read_text, 'c', "complete release delete",
     "what becomes of it: complete, release or delete"},
    {"reason", 0, "TEXT", ctl_read_text, 'c', "",
     "why; it goes into the audit log"},
    {"claim", 0, "LIST", ctl_read_claim, 'c', "",
     "namespaces: shop,shop-*; all of them: *"},
    {"read", 0, "LIST", ctl_read_read, 'c', "", "the same, to peek only"},
    {"resolve", 0, "LIST", ctl_read_resolve, 'c', "",
     "the same, for an operator"},
    {"admin", 0, NULL, ctl_read_admin, 'c', "",
     "may promote, detach, snapshot, reload"},
    {"stats", 0, NULL, ctl_read_stats, 'c', "", "may read counters"},
    {"state", 0, "WORD", ctl_read_text, 'c',
     "in_progress orphaned completed released",
     "only records that are in_progress, orphaned, completed or released"},
    {"older", 0, "DURATION", ctl_read_text, 'c', "",
     "only records that have been so for so long, as 10m"},
    {"prefix", 0, "TEXT", ctl_read_text, 'c', "", "only keys that begin so"},
    {"kind", 0, "WORD", ctl_read_text, 'c',
     "acquired renewed completed released deleted expired mismatch stale",
     "only this: acquired, renewed, completed, released, deleted, expired, "
     "mismatch or stale"},
    {"oldest", 0, NULL, ctl_read_flag, 'c', "",
     "only the oldest that the server's last scan found; needs --state"},
    {.name = NULL}};

static_assert(sizeof ctl_options / sizeof ctl_options[0] <= CTL_OPTIONS_MAX,
              "a value each");

bool ctl_list_has(const char *list, const char *name) {
    size_t len = strlen(name);
    if (list == NULL)
        return false;
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += len)
        if ((at == list || at[-1] == ' ') &&
            (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

static size_t option_row_of(const char *name) {
    size_t row = 0;
    while (ctl_options[row].name != NULL &&
           strcmp(ctl_options[row].name, name) != 0)
        row++;
    assert(ctl_options[row].name != NULL);
    return row;
}

const char *ctl_ask_text(const ctl_ask *ask, const char *option) {
    return ask->given[option_row_of(option)];
}

bool ctl_ask_gives(const ctl_ask *ask, const char *option) {
    return ctl_ask_text(ask, option) != NULL;
}

bool ctl_option_fits(const ctl_option *option, const ctl_command *command) {
    return option->scope != 'c' ||
           (command != NULL && ctl_list_has(command->options, option->name));
}
