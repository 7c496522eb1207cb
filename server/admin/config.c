/* SPDX-License-Identifier: Apache-2.0 */
/* config.c -- what the daemon is told: the table, and its look-ups. */
#include "server/admin/config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define FIELD(name) offsetof(ids_config, name)
#define RESTART     IDS_RESTART
#define LIVE        IDS_LIVE
#define ONCE        IDS_ONCE

static const ids_config_row rows[] = {
    {"--config", "FILE", IDS_CONFIG_TEXT, FIELD(path), NULL, NULL, 0, 0,
     "a file of settings: KEY = VALUE, a key is a flag with _ for -; a flag "
     "wins over the environment (IDEMSTORED_MAX_MEMORY), that over the file",
     RESTART, "-c"},
    {"--listen", "ADDRESS", IDS_CONFIG_LIST, FIELD(listens), "127.0.0.1:7117",
     NULL, 0, 0,
     "where to listen: HOST:PORT, [V6]:PORT or unix:/PATH; all addresses of a "
     "host; port 0 takes a free one; may be given several times",
     RESTART, NULL},
    {"--http", "ADDRESS", IDS_CONFIG_LIST, FIELD(http), NULL, NULL, 0, 0,
     "where to speak HTTP/1.1 with JSON as well; an address as --listen's; may "
     "be given several times",
     RESTART, NULL},
    {"--http-host", "NAME", IDS_CONFIG_LIST, FIELD(http_host), NULL, NULL, 0, 0,
     "a name that the field Host may have where a request shows no credential, "
     "besides addresses and localhost; may be given several times",
     RESTART, NULL},
    {"--http-advertise", "ADDRESS", IDS_CONFIG_TEXT, FIELD(http_advertise),
     NULL, "the first --http; of a wildcard, as the other node sees it", 0, 0,
     "HOST:PORT where this node is reached over HTTP: what the other one "
     "answers with where it does not lead",
     RESTART, NULL},
    {"--http-trusted-proxy", "CIDR", IDS_CONFIG_LIST, FIELD(http_trusted_proxy),
     NULL, NULL, 0, 0,
     "whose X-Forwarded-For says where a request comes from: 10.0.0.0/8, an "
     "address, or unix; may be given several times",
     RESTART, NULL},
    {"--socket-mode", "MODE", IDS_CONFIG_MODE, FIELD(socket_mode), "0600", NULL,
     0, 0777,
     "who may connect to a unix socket, in octal: 0660 its group as well",
     RESTART, NULL},
    {"--threads", "N", IDS_CONFIG_COUNT, FIELD(threads), NULL,
     "the cores that may be used", 1, 1024, "loops, and shards of the table",
     RESTART, NULL},
    {"--max-memory", "BYTES", IDS_CONFIG_BYTES, FIELD(memory_bytes_max), NULL,
     "half of what there is", 1u << 20, 1ull << 50,
     "for all records; at this limit new claims are refused, none is evicted",
     LIVE, NULL},
    {"--max-result", "BYTES", IDS_CONFIG_BYTES, FIELD(result_bytes_max), "1m",
     NULL, 0, 64u << 20,
     "per result; a larger one completes its key without being kept", RESTART,
     NULL},
    {"--max-connections", "N", IDS_CONFIG_COUNT, FIELD(connections_max),
     "16384", NULL, 1, 1u << 20,
     "open at a time; a few more for the other node, and for commands from "
     "this "
     "machine",
     LIVE, NULL},
    {"--idle-timeout", "S", IDS_CONFIG_COUNT, FIELD(idle_s), "3600", NULL, 0,
     31622400,
     "close a connection that asks nothing and waits for nothing for so many "
     "seconds; 0: never",
     LIVE, NULL},
    {"--max-pending", "N", IDS_CONFIG_COUNT, FIELD(pending_max), "4096", NULL,
     1, 1u << 20, "requests in flight per connection", RESTART, NULL},
    {"--max-waiters", "N", IDS_CONFIG_COUNT, FIELD(waiters_max), "65536", NULL,
     1, 1u << 24, "acquires that wait, per thread", RESTART, NULL},
    {"--max-waiters-per-key", "N", IDS_CONFIG_COUNT, FIELD(waiters_per_key_max),
     "1024", NULL, 1, 1u << 24, "acquires that wait for the same key", RESTART,
     NULL},
    {"--max-buffers", "BYTES", IDS_CONFIG_BYTES, FIELD(buffer_bytes_max), NULL,
     "a quarter of --max-memory", 1u << 20, 1ull << 50,
     "for partial requests and unsent replies of all connections", LIVE, NULL},
    {"--data-dir", "PATH", IDS_CONFIG_TEXT, FIELD(data_dir), NULL, NULL, 0, 0,
     "the folder that keeps every claim and result; without it, a restart "
     "forgets them all",
     RESTART, NULL},
    {"--fsync", "WHEN", IDS_CONFIG_FSYNC, FIELD(fsync), "always", NULL, 0, 0,
     "always, everysec or no", RESTART, NULL},
    {"--snapshot-log", "BYTES", IDS_CONFIG_BYTES, FIELD(snapshot_log_bytes),
     "1g", NULL, 1u << 16, 1ull << 50,
     "take a snapshot each time the logs have grown by this", RESTART, NULL},
    {"--backup-dir", "PATH", IDS_CONFIG_TEXT, FIELD(backup_dir), NULL, NULL, 0,
     0, "the folder in which backups are made, each in a folder of its own",
     RESTART, NULL},
    {"--hold-claims", "MS", IDS_CONFIG_COUNT, FIELD(hold_claims_ms), "0", NULL,
     0, 86400000,
     "take no claims for so long after a start that found nothing kept",
     RESTART, NULL},
    {"--replication", "MODE", IDS_CONFIG_REPLICATION, FIELD(replication), NULL,
     "none; sync with --replicate-from or --peer", 0, 0, "none, async or sync",
     RESTART, NULL},
    {"--replicate-from", "ADDRESS", IDS_CONFIG_TEXT, FIELD(replicate_from),
     NULL, NULL, 0, 0,
     "start as the replica of the node at HOST:PORT, its client address",
     RESTART, NULL},
    {"--peer", "ADDRESS", IDS_CONFIG_LIST, FIELD(peers), NULL, NULL, 0, 0,
     "another node of the group, by its client address: a primary takes as "
     "many "
     "replicas, a replica looks for the primary there; may be given 4 times",
     RESTART, NULL},
    {"--node", "NAME", IDS_CONFIG_TEXT, FIELD(node), NULL,
     "the one in --peer-state, else drawn", 0, 0,
     "what this node is called, for good: its replica's place is kept for the "
     "name",
     RESTART, NULL},
    {"--min-in-sync", "N", IDS_CONFIG_COUNT, FIELD(min_in_sync), "1", NULL, 1,
     5,
     "a primary in mode sync serves only while so many nodes, itself among "
     "them, are in sync",
     RESTART, NULL},
    {"--commit-wait", "MS", IDS_CONFIG_COUNT, FIELD(commit_wait_ms), "1000",
     NULL, 10, 60000,
     "so long a reply waits for the replica to keep what it says; then it is "
     "UNREPLICATED",
     RESTART, NULL},
    {"--replication-backlog", "BYTES", IDS_CONFIG_BYTES, FIELD(ring_bytes),
     "64m", NULL, 1u << 16, 1ull << 40,
     "changes kept per thread for a replica that lags or comes back", RESTART,
     NULL},
    {"--advertise", "ADDRESS", IDS_CONFIG_TEXT, FIELD(advertise), NULL,
     "where it listens; of a wildcard, as the other node sees it", 0, 0,
     "HOST:PORT where clients and the other node reach this one", RESTART,
     NULL},
    {"--peer-state", "PATH", IDS_CONFIG_TEXT, FIELD(peer_state), NULL,
     "DATA-DIR/peer, or idemstored-PORT.peer in /var/lib/idemstore", 0, 0,
     "the file that keeps who is primary, and in which epoch", RESTART, NULL},
    {"--agent", NULL, IDS_CONFIG_FLAG, FIELD(agent), NULL, NULL, 0, 0,
     "failover agents (idemagent) decide who leads and who is in sync; "
     "promote, "
     "detach and switchover are refused; once told, --peer-state remembers it",
     RESTART, NULL},
    {"--no-agent", NULL, IDS_CONFIG_FLAG, FIELD(no_agent), NULL, NULL, 0, 0,
     "for one start: no agent decides any more; --peer-state forgets the group",
     ONCE, NULL},
    {"--accept-change", NULL, IDS_CONFIG_FLAG, FIELD(accept_change), NULL, NULL,
     0, 0,
     "for one start: flags may differ from what --peer-state has on record",
     ONCE, NULL},
    {"--restored", NULL, IDS_CONFIG_FLAG, FIELD(restored), NULL, NULL, 0, 0,
     "what is kept was put back from a snapshot of the volume: start anew",
     ONCE, NULL},
    {"--check", NULL, IDS_CONFIG_FLAG, FIELD(check), NULL, NULL, 0, 0,
     "read --data-dir, say what is in it, change nothing and exit", ONCE, NULL},
    {"--compare", "PATH", IDS_CONFIG_TEXT, FIELD(compare), NULL, NULL, 0, 0,
     "with --check: the other node's folder; says which of the two has more",
     ONCE, NULL},
    {"--huge-pages", NULL, IDS_CONFIG_FLAG, FIELD(huge_pages), NULL, NULL, 0, 0,
     "ask for huge pages: faster, except on some virtual machines", RESTART,
     NULL},
    {"--secret-file", "PATH", IDS_CONFIG_TEXT, FIELD(secret_file), NULL, NULL,
     0, 0, "a file whose one line every connection has to show in hello",
     RESTART, NULL},
    {"--credentials", "FILE", IDS_CONFIG_TEXT, FIELD(credentials), NULL, NULL,
     0, 0,
     "who gets in, and what each may do: a name, its verifiers and grants a "
     "line",
     LIVE, NULL},
    {"--peer-secret-file", "PATH", IDS_CONFIG_TEXT, FIELD(peer_secret_file),
     NULL, "--secret-file", 0, 0,
     "what two nodes prove to each other: the current secret, and in a second "
     "line the next one",
     RESTART, NULL},
    {"--tls-cert", "PATH", IDS_CONFIG_TEXT, FIELD(tls_cert), NULL, NULL, 0, 0,
     "TLS on every TCP address: the certificate, then those between it and its "
     "authority, in PEM",
     LIVE, NULL},
    {"--tls-key", "PATH", IDS_CONFIG_TEXT, FIELD(tls_key), NULL,
     "in --tls-cert's file", 0, 0,
     "its private key, in PEM; others may not read the file", LIVE, NULL},
    {"--tls-ca", "PATH", IDS_CONFIG_TEXT, FIELD(tls_ca), NULL, NULL, 0, 0,
     "who signs clients' certificates, in PEM", LIVE, NULL},
    {"--tls", "WHAT", IDS_CONFIG_TLS, FIELD(tls), NULL,
     "required with --tls-cert", 0, 0,
     "required: who speaks plain by TCP is refused; or optional", RESTART,
     NULL},
    {"--tls-clients", "WHAT", IDS_CONFIG_TLS_CLIENTS, FIELD(tls_clients), NULL,
     "required with --tls-ca, else no", 0, 0,
     "whether a client shows a certificate: no, optional or required", RESTART,
     NULL},
    {"--http-tls-clients", "WHAT", IDS_CONFIG_TLS_CLIENTS,
     FIELD(http_tls_clients), NULL, "optional with --tls-ca, else no", 0, 0,
     "the same of --http: a request without a secret is its connection's "
     "certificate's; probes need none",
     RESTART, NULL},
    {"--tls-min", "VERSION", IDS_CONFIG_TLS_MIN, FIELD(tls_min), "1.3", NULL, 0,
     0, "the oldest TLS that is spoken: 1.2 or 1.3", LIVE, NULL},
    {"--peer-tls", "WHAT", IDS_CONFIG_TLS_PEERS, FIELD(peer_tls), NULL,
     "optional with --tls-cert, else off", 0, 0,
     "TLS between nodes: off, optional (plain where the other one never had "
     "it) or on",
     RESTART, NULL},
    {"--peer-cert", "PATH", IDS_CONFIG_TEXT, FIELD(peer_cert), NULL,
     "--tls-cert", 0, 0, "what this node shows to those that it dials, in PEM",
     LIVE, NULL},
    {"--peer-key", "PATH", IDS_CONFIG_TEXT, FIELD(peer_key), NULL,
     "in --peer-cert's file, or --tls-key", 0, 0,
     "its private key, in PEM; others may not read the file", LIVE, NULL},
    {"--peer-ca", "PATH", IDS_CONFIG_TEXT, FIELD(peer_ca), NULL,
     "--tls-ca, else the system's", 0, 0,
     "who signs other nodes' certificates, in PEM", LIVE, NULL},
    {"--insecure", NULL, IDS_CONFIG_FLAG, FIELD(insecure), NULL, NULL, 0, 0,
     "allow listening beyond loopback without a secret", RESTART, NULL},
    {"--peer-insecure", NULL, IDS_CONFIG_FLAG, FIELD(peer_insecure), NULL, NULL,
     0, 0, "allow --replication without a secret", RESTART, NULL},
    {"--log-level", "LEVEL", IDS_CONFIG_LEVEL, FIELD(log_level), "info", NULL,
     0, 0, "debug, info, warn or error", LIVE, NULL},
    {"--log-format", "FORMAT", IDS_CONFIG_LOG_FORMAT, FIELD(log_format), "auto",
     NULL, 0, 0, "auto, logfmt or json", LIVE, NULL},
    {"--audit-log", "PATH", IDS_CONFIG_TEXT, FIELD(audit_log), "stderr", NULL,
     0, 0,
     "where it is on record who decided what of whose claims: a file, stderr "
     "or "
     "none",
     LIVE, NULL},
    {"--redact-keys", "HOW", IDS_CONFIG_TEXT, FIELD(redact_keys), "none", NULL,
     0, 0, "what the audit log tells of a key: all of it (none), or its hash",
     LIVE, NULL},
    {"--drain-delay", "MS", IDS_CONFIG_COUNT, FIELD(drain_delay_ms), "0", NULL,
     0, 600000,
     "at its end, go on serving for so long before the listeners close", LIVE,
     NULL},
    {"--scan-interval", "S", IDS_CONFIG_COUNT, FIELD(scan_interval_s), "60",
     NULL, 0, 86400,
     "look through all records in so many seconds, slowly and again and again, "
     "for how many there are and which are stuck; 0: never",
     RESTART, NULL},
    {"--reload-every", "S", IDS_CONFIG_COUNT, FIELD(reload_every_s), "0", NULL,
     0, 86400,
     "look at the files that settings name every so many seconds, and read "
     "them again once they have changed; 0: at SIGHUP alone",
     RESTART, NULL},
    {"--test-config", NULL, IDS_CONFIG_FLAG, FIELD(test), NULL, NULL, 0, 0,
     "read all settings and the files that they name, look the addresses up, "
     "say what is wrong and exit: 0, or 78",
     ONCE, "-t"},
    {"--print-config", NULL, IDS_CONFIG_FLAG, FIELD(print), NULL, NULL, 0, 0,
     "print each setting and where it comes from, and exit", ONCE, NULL},
    {"--openapi", NULL, IDS_CONFIG_FLAG, FIELD(openapi), NULL, NULL, 0, 0,
     "print what --http serves, as OpenAPI 3.1, and exit", ONCE, NULL},
    {"--version", NULL, IDS_CONFIG_FLAG, FIELD(version), NULL, NULL, 0, 0,
     "print the version and exit", ONCE, NULL},
    {"--help", NULL, IDS_CONFIG_FLAG, FIELD(help), NULL, NULL, 0, 0,
     "print this and exit", ONCE, NULL},
};

#define ROWS (sizeof rows / sizeof rows[0])
_Static_assert(ROWS <= IDS_CONFIG_ROWS_MAX, "there is room for each");

const ids_config_row *ids_config_rows(size_t *count) {
    *count = ROWS;
    return rows;
}

size_t ids_config_index(const ids_config_row *row) {
    return (size_t)(row - rows);
}

const ids_config_row *ids_config_find(const char *flag, size_t len) {
    for (size_t i = 0; i < ROWS; i++) {
        const char *alias = rows[i].alias;
        if ((strlen(rows[i].name) == len &&
             !strncmp(rows[i].name, flag, len)) ||
            (alias && strlen(alias) == len && !strncmp(alias, flag, len)))
            return &rows[i];
    }
    return NULL;
}

void ids_config_key(const ids_config_row *row,
                    char key[static IDS_CONFIG_KEY_BYTES]) {
    snprintf(key, IDS_CONFIG_KEY_BYTES, "%s", row->name + 2);
    for (; *key; key++)
        *key = *key == '-' ? '_' : *key;
}

void ids_config_variable(const ids_config_row *row,
                         char name[static IDS_CONFIG_KEY_BYTES]) {
    char key[IDS_CONFIG_KEY_BYTES];
    ids_config_key(row, key);
    int len =
        snprintf(name, IDS_CONFIG_KEY_BYTES, IDS_CONFIG_VARIABLES "%s", key);
    for (int i = 0; i < len && name[i]; i++)
        name[i] = (char)toupper((unsigned char)name[i]);
}

const ids_config_row *ids_config_find_key(const char *key) {
    for (size_t i = 0; i < ROWS; i++) {
        char own[IDS_CONFIG_KEY_BYTES];
        ids_config_key(&rows[i], own);
        if (strcmp(own, key) == 0)
            return &rows[i];
    }
    return NULL;
}
