/* SPDX-License-Identifier: Apache-2.0 */
/* config.c -- what the daemon is told: the table, and its parser. */
#include "server/admin/config.h"

#include "server/admin/near.h"

#include "server/journal/change.h"
#include "server/peer/name.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name) offsetof(ids_config, name)

static const ids_config_row rows[] = {
    {"--listen", "ADDRESS", IDS_CONFIG_LISTEN, FIELD(listen), "127.0.0.1:7117",
     NULL, 0, 0,
     "where to listen: HOST:PORT, [V6]:PORT or unix:/PATH; all addresses of a "
     "host; port 0 takes a free one; may be given several times"},
    {"--socket-mode", "MODE", IDS_CONFIG_MODE, FIELD(socket_mode), "0600", NULL,
     0, 0777,
     "who may connect to a unix socket, in octal: 0660 its group as well"},
    {"--threads", "N", IDS_CONFIG_COUNT, FIELD(threads), NULL,
     "the cores that may be used", 1, 1024, "loops, and shards of the table"},
    {"--max-memory", "BYTES", IDS_CONFIG_BYTES, FIELD(memory_bytes_max), NULL,
     "half of what there is", 1u << 20, 1ull << 50,
     "for all records; at this limit new claims are refused, none is evicted"},
    {"--max-result", "BYTES", IDS_CONFIG_BYTES, FIELD(result_bytes_max), "1m",
     NULL, 0, 64u << 20,
     "per result; a larger one completes its key without being kept"},
    {"--max-connections", "N", IDS_CONFIG_COUNT, FIELD(connections_max),
     "16384", NULL, 1, 1u << 20,
     "open at a time; a few more for the other node, and for commands from "
     "this "
     "machine"},
    {"--idle-timeout", "S", IDS_CONFIG_COUNT, FIELD(idle_s), "3600", NULL, 0,
     31622400,
     "close a connection that asks nothing and waits for nothing for so many "
     "seconds; 0: never"},
    {"--max-pending", "N", IDS_CONFIG_COUNT, FIELD(pending_max), "4096", NULL,
     1, 1u << 20, "requests in flight per connection"},
    {"--max-waiters", "N", IDS_CONFIG_COUNT, FIELD(waiters_max), "65536", NULL,
     1, 1u << 24, "acquires that wait, per thread"},
    {"--max-waiters-per-key", "N", IDS_CONFIG_COUNT, FIELD(waiters_per_key_max),
     "1024", NULL, 1, 1u << 24, "acquires that wait for the same key"},
    {"--max-buffers", "BYTES", IDS_CONFIG_BYTES, FIELD(buffer_bytes_max), NULL,
     "a quarter of --max-memory", 1u << 20, 1ull << 50,
     "for partial requests and unsent replies of all connections"},
    {"--data-dir", "PATH", IDS_CONFIG_TEXT, FIELD(data_dir), NULL, NULL, 0, 0,
     "the folder that keeps every claim and result; without it, a restart "
     "forgets them all"},
    {"--fsync", "WHEN", IDS_CONFIG_FSYNC, FIELD(fsync), "always", NULL, 0, 0,
     "always, everysec or no"},
    {"--snapshot-log", "BYTES", IDS_CONFIG_BYTES, FIELD(snapshot_log_bytes),
     "1g", NULL, 1u << 16, 1ull << 50,
     "take a snapshot each time the logs have grown by this"},
    {"--hold-claims", "MS", IDS_CONFIG_COUNT, FIELD(hold_claims_ms), "0", NULL,
     0, 86400000,
     "take no claims for so long after a start that found nothing kept"},
    {"--replication", "MODE", IDS_CONFIG_REPLICATION, FIELD(replication), NULL,
     "none; sync with --replicate-from", 0, 0, "none, async or sync"},
    {"--replicate-from", "ADDRESS", IDS_CONFIG_TEXT, FIELD(replicate_from),
     NULL, NULL, 0, 0,
     "start as the replica of the node at HOST:PORT, its client address"},
    {"--node", "NAME", IDS_CONFIG_TEXT, FIELD(node), NULL,
     "the one in --peer-state, else drawn", 0, 0,
     "what this node is called, for good: its replica's place is kept for the "
     "name"},
    {"--min-in-sync", "N", IDS_CONFIG_COUNT, FIELD(min_in_sync), "1", NULL, 1,
     2, "with 2, a primary in mode sync serves nothing without its replica"},
    {"--commit-wait", "MS", IDS_CONFIG_COUNT, FIELD(commit_wait_ms), "1000",
     NULL, 10, 60000,
     "so long a reply waits for the replica to keep what it says; then it is "
     "UNREPLICATED"},
    {"--replication-backlog", "BYTES", IDS_CONFIG_BYTES, FIELD(ring_bytes),
     "64m", NULL, 1u << 16, 1ull << 40,
     "changes kept per thread for a replica that lags or comes back"},
    {"--advertise", "ADDRESS", IDS_CONFIG_TEXT, FIELD(advertise), NULL,
     "where it listens; of a wildcard, as the other node sees it", 0, 0,
     "HOST:PORT where clients and the other node reach this one"},
    {"--peer-state", "PATH", IDS_CONFIG_TEXT, FIELD(peer_state), NULL,
     "DATA-DIR/peer, or idemstored-PORT.peer in /var/lib/idemstore", 0, 0,
     "the file that keeps who is primary, and in which epoch"},
    {"--accept-change", NULL, IDS_CONFIG_FLAG, FIELD(accept_change), NULL, NULL,
     0, 0,
     "for one start: flags may differ from what --peer-state has on record"},
    {"--restored", NULL, IDS_CONFIG_FLAG, FIELD(restored), NULL, NULL, 0, 0,
     "what is kept was put back from a snapshot of the volume: start anew"},
    {"--check", NULL, IDS_CONFIG_FLAG, FIELD(check), NULL, NULL, 0, 0,
     "read --data-dir, say what is in it, change nothing and exit"},
    {"--compare", "PATH", IDS_CONFIG_TEXT, FIELD(compare), NULL, NULL, 0, 0,
     "with --check: the other node's folder; says which of the two has more"},
    {"--huge-pages", NULL, IDS_CONFIG_FLAG, FIELD(huge_pages), NULL, NULL, 0, 0,
     "ask for huge pages: faster, except on some virtual machines"},
    {"--secret-file", "PATH", IDS_CONFIG_TEXT, FIELD(secret_file), NULL, NULL,
     0, 0, "a file whose one line every connection has to show in hello"},
    {"--insecure", NULL, IDS_CONFIG_FLAG, FIELD(insecure), NULL, NULL, 0, 0,
     "allow listening beyond loopback without a secret"},
    {"--peer-insecure", NULL, IDS_CONFIG_FLAG, FIELD(peer_insecure), NULL, NULL,
     0, 0, "allow --replication without a secret"},
    {"--log-level", "LEVEL", IDS_CONFIG_LEVEL, FIELD(log_level), "info", NULL,
     0, 0, "debug, info, warn or error"},
    {"--version", NULL, IDS_CONFIG_FLAG, FIELD(version), NULL, NULL, 0, 0,
     "print the version and exit"},
    {"--help", NULL, IDS_CONFIG_FLAG, FIELD(help), NULL, NULL, 0, 0,
     "print this and exit"},
};

#define ROWS (sizeof rows / sizeof rows[0])

typedef struct parse {
    ids_config *config;
    char *why;
    size_t why_cap;
} parse;

const ids_config_row *ids_config_rows(size_t *count) {
    *count = ROWS;
    return rows;
}

__attribute__((format(printf, 2, 3))) static bool
fail(const parse *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(p->why, p->why_cap, format, args);
    va_end(args);
    return false;
}

static void *config_field(const parse *p, const ids_config_row *row) {
    return (char *)p->config + row->offset;
}

static unsigned suffix_shift(char suffix) {
    switch (suffix) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    default:
        return 0;
    }
}

static bool set_number(const parse *p, const ids_config_row *row,
                       const char *value) {
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    bool bytes = row->kind == IDS_CONFIG_BYTES;
    unsigned shift = bytes && *end ? suffix_shift(*end) : 0;
    if (shift)
        end++;
    if (value[0] < '0' || value[0] > '9' || *end)
        return fail(p, "%s %s: not a number%s", row->name, value,
                    bytes ? " of bytes (a suffix k, m or g is good)" : "");
    if (errno || number > UINT64_MAX >> shift || number << shift < row->min ||
        number << shift > row->max)
        return fail(p, "%s %s: must be %llu to %llu", row->name, value,
                    (unsigned long long)row->min, (unsigned long long)row->max);
    *(uint64_t *)config_field(p, row) = number << shift;
    return true;
}

static bool set_mode(const parse *p, const ids_config_row *row,
                     const char *value) {
    size_t digits = strspn(value, "01234567");
    unsigned long mode = strtoul(value, NULL, 8);
    if (!digits || value[digits] || digits > 4 || mode > row->max)
        return fail(p, "%s %s: must be octal, 0 to %04o", row->name, value,
                    (unsigned)row->max);
    *(uint64_t *)config_field(p, row) = mode;
    return true;
}

static bool add_listen(const parse *p, const char *value) {
    ids_config *config = p->config;
    if (config->listen_count == IDS_LISTEN_MAX)
        return fail(p, "--listen %s: at most %d addresses", value,
                    IDS_LISTEN_MAX);
    if (!*value)
        return fail(p, "--listen: an address is missing");
    config->listen[config->listen_count++] = value;
    return true;
}

static bool parse_replication(const char *value, ids_replication *mode) {
    static const char *const names[] = {"", "none", "async", "sync"};
    for (size_t i = IDS_REPLICATION_NONE; i <= IDS_REPLICATION_SYNC; i++) {
        if (strcmp(value, names[i]) == 0) {
            *mode = (ids_replication)i;
            return true;
        }
    }
    return false;
}

static bool set_option(const parse *p, const ids_config_row *row,
                       const char *value) {
    switch (row->kind) {
    case IDS_CONFIG_FLAG:
        *(bool *)config_field(p, row) = true;
        return true;
    case IDS_CONFIG_COUNT:
    case IDS_CONFIG_BYTES:
        return set_number(p, row, value);
    case IDS_CONFIG_TEXT:
        *(const char **)config_field(p, row) = value;
        return *value ? true : fail(p, "%s: a path is missing", row->name);
    case IDS_CONFIG_MODE:
        return set_mode(p, row, value);
    case IDS_CONFIG_LISTEN:
        return add_listen(p, value);
    case IDS_CONFIG_FSYNC:
        return ids_fsync_parse(value, config_field(p, row))
                   ? true
                   : fail(p, "%s %s: must be %s", row->name, value, row->help);
    case IDS_CONFIG_REPLICATION:
        return parse_replication(value, config_field(p, row))
                   ? true
                   : fail(p, "%s %s: must be %s", row->name, value, row->help);
    case IDS_CONFIG_LEVEL:
        return ids_log_level_parse(value, config_field(p, row))
                   ? true
                   : fail(p, "%s %s: must be %s", row->name, value, row->help);
    }
    return false;
}

static const ids_config_row *find_row(const char *flag, size_t len) {
    for (size_t i = 0; i < ROWS; i++)
        if (strlen(rows[i].name) == len && !strncmp(rows[i].name, flag, len))
            return &rows[i];
    return NULL;
}

static bool no_such_flag(const parse *p, const char *flag, size_t len) {
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(len < 63 ? len : 63), flag);
    const char *near = ids_nearest_flag(name, rows, ROWS);
    if (near)
        return fail(p, "%s: no such flag; did you mean %s?", name, near);
    return fail(p, "%s: no such flag (--help lists them)", name);
}

/* One flag at argv[*at]; moves *at behind it and its argument. */
static bool parse_flag(const parse *p, int argc, char *const argv[], int *at) {
    const char *flag = argv[(*at)++];
    const char *equals = strchr(flag, '=');
    size_t len = equals ? (size_t)(equals - flag) : strlen(flag);
    const ids_config_row *row = find_row(flag, len);
    if (!row)
        return no_such_flag(p, flag, len);
    if (!row->argument)
        return equals ? fail(p, "%s: takes no argument", row->name)
                      : set_option(p, row, "");
    if (equals)
        return set_option(p, row, equals + 1);
    if (*at == argc)
        return fail(p, "%s: %s is missing", row->name, row->argument);
    return set_option(p, row, argv[(*at)++]);
}

/* Flags that are good one by one, and make no sense together. */
static bool check_replication(const parse *p) {
    ids_config *config = p->config;
    if (config->replication == IDS_REPLICATION_UNSET && config->replicate_from)
        config->replication = IDS_REPLICATION_SYNC;
    if (config->replication == IDS_REPLICATION_NONE && config->replicate_from)
        return fail(p, "--replicate-from: a replica can't run with "
                       "--replication none; take async or sync");
    if (config->min_in_sync > 1 && config->replication != IDS_REPLICATION_SYNC)
        return fail(p, "--min-in-sync %llu: needs --replication sync",
                    (unsigned long long)config->min_in_sync);
    if (config->hold_claims_ms && config->replicate_from)
        return fail(p, "--hold-claims: a replica takes no claims anyway; give "
                       "one of the two, not --replicate-from as well");
    return true;
}

static bool check_compare(const parse *p) {
    return p->config->check || !p->config->compare ||
           fail(p,
                "--compare %.200s: needs --check, and a --data-dir to "
                "compare it with",
                p->config->compare);
}

static bool check_node(const parse *p) {
    const char *node = p->config->node;
    ids_node_name name;
    if (node && !ids_node_name_from(
                    &name, (idp_slice){(const uint8_t *)node, strlen(node)}))
        return fail(p,
                    "--node %.80s: must be 1 to %d letters, digits, '.', "
                    "'_' or '-'",
                    node, IDS_NODE_NAME_BYTES - 1);
    return true;
}

/* What is larger would fit no replica's backlog, and each such change would
 * cost a full copy; or no connection's buffer. */
static bool check_limits(const parse *p) {
    const ids_config *config = p->config;
    unsigned long long result = config->result_bytes_max;
    if (ids_config_has_peer(config) &&
        result + IDS_CHANGE_BARE_BYTES_MAX > config->ring_bytes / 4)
        return fail(p,
                    "--max-result %llu: --replication-backlog %llu must be "
                    "at least four times as much, and a little",
                    result, (unsigned long long)config->ring_bytes);
    if (config->memory_bytes_max && result > config->memory_bytes_max)
        return fail(p, "--max-result %llu: --max-memory %llu must be as much",
                    result, (unsigned long long)config->memory_bytes_max);
    if (config->buffer_bytes_max && result > config->buffer_bytes_max)
        return fail(p, "--max-result %llu: --max-buffers %llu must be as much",
                    result, (unsigned long long)config->buffer_bytes_max);
    return true;
}

bool ids_config_parse(ids_config *config, int argc, char *const argv[],
                      char *why, size_t why_cap) {
    const parse p = {config, why, why_cap};
    *config = (ids_config){0};
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].preset && rows[i].kind != IDS_CONFIG_LISTEN) {
            bool good = set_option(&p, &rows[i], rows[i].preset);
            assert(good);
            (void)good;
        }
    }
    for (int at = 1; at < argc;)
        if (!parse_flag(&p, argc, argv, &at))
            return false;
    if (!config->listen_count)
        add_listen(&p, find_row("--listen", strlen("--listen"))->preset);
    return check_replication(&p) && check_node(&p) && check_limits(&p) &&
           check_compare(&p);
}

/* Help --------------------------------------------------------------------- */

typedef struct sink {
    char *to;
    size_t cap;
    size_t len; /* wanted, which may be over cap */
} sink;

__attribute__((format(printf, 2, 3))) static void put(sink *s,
                                                      const char *format, ...) {
    va_list args;
    va_start(args, format);
    size_t at = s->len < s->cap ? s->len : s->cap;
    int wanted =
        vsnprintf(s->to ? s->to + at : NULL, s->cap - at, format, args);
    va_end(args);
    if (wanted > 0)
        s->len += (size_t)wanted;
}

static void put_row(sink *s, const ids_config_row *row) {
    char head[64];
    snprintf(head, sizeof head, "%s%s%s", row->name, row->argument ? " " : "",
             row->argument ? row->argument : "");
    put(s, "  %-26s ", head);
    const char *preset = row->preset ? row->preset : row->preset_is;
    put(s, "%s%s%s%s\n", row->help, preset ? " (default: " : "",
        preset ? preset : "", preset ? ")" : "");
}

size_t ids_config_help(char *to, size_t cap) {
    sink s = {.to = to, .cap = cap};
    put(&s, "usage: idemstored [FLAG ...]\n\n"
            "A store that is asked before what must happen once.\n\n");
    for (size_t i = 0; i < ROWS; i++)
        put_row(&s, &rows[i]);
    return s.len;
}
