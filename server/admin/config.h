/* SPDX-License-Identifier: Apache-2.0 */
/* config.h -- what the daemon is told: one table of flags, read by the
 * parsers of flags, environment and file, by --help and by the man page. A
 * default lives there and nowhere else. */
#ifndef IDS_CONFIG_H
#define IDS_CONFIG_H

#include "server/base/log.h"
#include "server/journal/journal.h"

#include <stddef.h>
#include <stdint.h>

#define IDS_LISTEN_MAX 16

/* What a reply waits for, besides this node. */
typedef enum ids_replication {
    IDS_REPLICATION_UNSET, /* none; sync for a node that replicates */
    IDS_REPLICATION_NONE,
    IDS_REPLICATION_ASYNC,
    IDS_REPLICATION_SYNC
} ids_replication;

/* What speaks plain on a TCP listener, once there is a certificate. */
typedef enum ids_tls_plain {
    IDS_TLS_PLAIN_UNSET, /* refused */
    IDS_TLS_OPTIONAL,    /* is served */
    IDS_TLS_REQUIRED     /* is refused */
} ids_tls_plain;

/* Whether a client shows a certificate. */
typedef enum ids_tls_clients {
    IDS_TLS_CLIENTS_UNSET, /* required where somebody is named who signs them */
    IDS_TLS_CLIENTS_NO,
    IDS_TLS_CLIENTS_OPTIONAL,
    IDS_TLS_CLIENTS_REQUIRED
} ids_tls_clients;

/* TLS between nodes. 0: not said. */
typedef enum ids_tls_peers {
    IDS_TLS_PEERS_OFF = 1,
    IDS_TLS_PEERS_OPTIONAL, /* plain with whom it never was TLS */
    IDS_TLS_PEERS_ON
} ids_tls_peers;

typedef enum ids_tls_min { IDS_TLS_MIN_1_2 = 1, IDS_TLS_MIN_1_3 } ids_tls_min;

/* What may be said several times; so many of the flags may be. */
#define IDS_CONFIG_LISTS_MAX 5
typedef struct ids_config_list {
    const char *all[IDS_LISTEN_MAX];
    uint64_t count;
} ids_config_list;

/* Texts borrow from the settings that it is part of (settings.h). */
typedef struct ids_config {
    union {
        struct {
            const char *listen[IDS_LISTEN_MAX];
            uint64_t listen_count;
        };
        ids_config_list listens;
    };
    ids_config_list http;               /* where HTTP is spoken */
    ids_config_list http_host;          /* names that Host may have */
    ids_config_list http_trusted_proxy; /* ranges of addresses */
    const char *http_advertise;         /* NULL: as the other end sees it */
    uint64_t socket_mode;               /* of unix sockets */
    uint64_t threads;                   /* 0: as many as cores may be used */
    uint64_t memory_bytes_max;          /* 0: half of what there is */
    uint64_t result_bytes_max;
    uint64_t connections_max;
    uint64_t idle_s;         /* 0: none */
    uint64_t reload_every_s; /* 0: only at a signal */
    uint64_t pending_max;
    uint64_t waiters_max;
    uint64_t waiters_per_key_max;
    uint64_t buffer_bytes_max; /* 0: a quarter of memory_bytes_max */
    const char *data_dir;      /* NULL: nothing is kept */
    const char *backup_dir;    /* NULL: none is made */
    uint64_t snapshot_log_bytes;
    uint64_t hold_claims_ms;
    ids_replication replication;
    const char *replicate_from; /* NULL: starts as primary */
    ids_config_list peers;      /* other nodes of its group */
    const char *advertise;      /* NULL: as the other end sees it */
    const char *peer_state;     /* NULL: it is worked out */
    bool accept_change;         /* of what peer_state has on record */
    bool agent;                 /* failover agents decide */
    bool no_agent;              /* none does any more */
    const char *node;           /* its name; NULL: on file, or drawn */
    uint64_t min_in_sync;
    uint64_t commit_wait_ms;
    uint64_t ring_bytes;
    ids_fsync fsync;
    const char *secret_file;      /* NULL: none */
    const char *credentials;      /* NULL: none */
    const char *peer_secret_file; /* NULL: secret_file */
    const char *tls_cert;         /* NULL: no TLS */
    const char *tls_key;          /* NULL: in tls_cert */
    const char *tls_ca;           /* NULL: none */
    ids_tls_plain tls;
    ids_tls_clients tls_clients;
    ids_tls_clients http_tls_clients; /* OPTIONAL where it is not told */
    ids_tls_min tls_min;
    ids_tls_peers peer_tls;
    const char *peer_cert; /* NULL: tls_cert and tls_key */
    const char *peer_key;  /* NULL: in peer_cert */
    const char *peer_ca;   /* NULL: tls_ca, else the system's */
    ids_log_level log_level;
    ids_log_format log_format;
    const char *audit_log;   /* a file, "stderr" or "none" */
    const char *redact_keys; /* "none" or "hash" */
    uint64_t drain_delay_ms;
    uint64_t scan_interval_s; /* 0: never */
    bool huge_pages;
    bool insecure;
    bool restored; /* data folder and peer state are copies */
    bool peer_insecure;
    bool version;
    const char *path; /* of the file of settings; NULL: none */
    /* Its namespaces' sections; NULL: there are none. */
    struct ids_limits_maker *namespaces;
    bool test;
    bool print;
    bool openapi;
    bool check;
    const char *compare; /* with check: another folder; NULL: none */
    bool help;
} ids_config;

typedef enum ids_config_kind {
    IDS_CONFIG_FLAG,  /* bool, no argument */
    IDS_CONFIG_COUNT, /* uint64_t */
    IDS_CONFIG_BYTES, /* uint64_t, with a suffix k, m or g */
    IDS_CONFIG_TEXT,  /* const char * */
    IDS_CONFIG_MODE,  /* uint64_t, octal */
    IDS_CONFIG_LIST,
    IDS_CONFIG_FSYNC,
    IDS_CONFIG_REPLICATION,
    IDS_CONFIG_TLS,
    IDS_CONFIG_TLS_CLIENTS,
    IDS_CONFIG_TLS_MIN,
    IDS_CONFIG_TLS_PEERS,
    IDS_CONFIG_LEVEL,
    IDS_CONFIG_LOG_FORMAT
} ids_config_kind;

/* When a new value holds. */
typedef enum ids_config_holds {
    IDS_RESTART, /* at the next start */
    IDS_LIVE,    /* at a reload */
    IDS_ONCE     /* it is for one start: only a flag says it */
} ids_config_holds;

typedef struct ids_config_row {
    const char *name;     /* "--threads" */
    const char *argument; /* "N"; NULL for a flag */
    ids_config_kind kind;
    size_t offset;         /* of its field in ids_config */
    const char *preset;    /* the default, as one would write it; NULL: none */
    const char *preset_is; /* in words, where the default is worked out */
    uint64_t min, max;     /* COUNT, BYTES */
    const char *help;
    ids_config_holds reload;
    const char *alias; /* "-c"; NULL: none */
} ids_config_row;

#define IDS_CONFIG_ROWS_MAX  96
#define IDS_CONFIG_KEY_BYTES 64

const ids_config_row *ids_config_rows(size_t *count);
size_t ids_config_index(const ids_config_row *row);

/* By "--threads" or "-c", and by its key; NULL: there is none. */
const ids_config_row *ids_config_find(const char *flag, size_t len);
const ids_config_row *ids_config_find_key(const char *key);

/* "max_memory", and "IDEMSTORED_MAX_MEMORY". */
#define IDS_CONFIG_VARIABLES "IDEMSTORED_"
void ids_config_key(const ids_config_row *row,
                    char key[static IDS_CONFIG_KEY_BYTES]);
void ids_config_variable(const ids_config_row *row,
                         char name[static IDS_CONFIG_KEY_BYTES]);

/* Whether there is another node, or may be one. */
static inline bool ids_config_has_peer(const ids_config *config) {
    return config->replication > IDS_REPLICATION_NONE ||
           config->replicate_from || config->peers.count > 0;
}

/* So many replicas a primary takes. */
static inline uint32_t ids_config_replicas(const ids_config *config) {
    return config->peers.count > 1 ? (uint32_t)config->peers.count : 1;
}

/* Whoever comes by TCP shows a certificate, or is not served. */
static inline bool ids_config_knows_clients(const ids_config *config) {
    return config->tls == IDS_TLS_REQUIRED &&
           config->tls_clients == IDS_TLS_CLIENTS_REQUIRED;
}

/* The text of --help, as much as fits; returns its whole length. */
size_t ids_config_help(char *to, size_t cap);

#endif
