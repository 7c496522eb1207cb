/* SPDX-License-Identifier: Apache-2.0 */
/* options.h -- what the user asked for; one table behind --help and parsing.
 *
 * Every value is checked against its bounds here and nowhere else. */
#ifndef IDB_OPTIONS_H
#define IDB_OPTIONS_H

#include "bench/engine.h"

#include <stdio.h>

#define IDB_SPECS_MAX  16
#define IDB_EXIT_USAGE 64

/* What a spawned server keeps on disk, and when it is sure of it. */
typedef enum idb_fsync {
    IDB_FSYNC_UNSET,
    IDB_FSYNC_OFF, /* it keeps nothing */
    IDB_FSYNC_NO,
    IDB_FSYNC_EVERYSEC,
    IDB_FSYNC_ALWAYS,
    IDB_FSYNC_RDB, /* Redis only: a dump as often as it takes one */
    IDB_FSYNC_COUNT
} idb_fsync;

/* What a reply waits for at a second server. */
typedef enum idb_replication {
    IDB_REPLICATION_UNSET,
    IDB_REPLICATION_NONE, /* there is none */
    IDB_REPLICATION_ASYNC,
    IDB_REPLICATION_SYNC,
    IDB_REPLICATION_COUNT
} idb_replication;

/* One entry of --target: NAME and its details, see spec.c. */
typedef struct idb_spec {
    char label[64];
    const idb_target *target;
    uint32_t threads;  /* of the server that is spawned */
    uint32_t replicas; /* where it is replicated: 1 to IDB_REPLICAS_MAX */
    uint32_t replica_threads; /* 0: as many */
    idb_fsync fsync;
    idb_replication replication;
    bool tls;
    bool http;             /* JSON over HTTP, in place of MessagePack */
    bool before;           /* the program is --before's */
    bool batch;            /* Redis: one WAIT for what is sent at once */
    idb_endpoint external; /* port not 0: it runs already */
    const char *args[IDB_SPECS_MAX]; /* from --server-args */
    uint32_t args_count;
} idb_spec;

typedef struct idb_cpus {
    bool set;
    cpu_set_t cpus;
} idb_cpus;

typedef struct idb_options {
    idb_spec specs[IDB_SPECS_MAX];
    uint32_t spec_count;
    idb_work work;
    idb_mix_weights mix;
    double zipf;
    uint64_t pool;
    uint64_t prefill;
    bool prefill_claims; /* leave them in flight */
    uint32_t connections, pipeline, threads, rounds;
    double rate;
    double duration_s, warmup_s, ramp_s;
    bool spawn;
    idb_cpus server_cpus, replica_cpus, client_cpus;
    uint32_t replica_nice;
    idb_fsync fsync;             /* of targets that say nothing of it */
    idb_replication replication; /* the same */
    const char *data_in;         /* the folder for what servers keep */
    uint64_t prefault_mib;
    const char *idemstored;
    const char *before;      /* another build of it */
    idb_tls_files tls_files; /* of servers that run already */
    idp_tls_verify tls_verify;
    const char *tls_name;
    const char *server_args[IDB_SPECS_MAX];
    uint32_t server_args_count;
    const char *json, *csv, *hgrm, *html;
    const char *scenario;
    const char *records; /* of a scenario: "1000000,5000000" */
    bool verify;
    uint32_t verify_keys;
    bool quiet;
    bool shard_aware_off;
    const char *compare[2];
    bool serve_echo;
    uint32_t port;
    bool help, version;
} idb_options;

/* 0, or IDB_EXIT_USAGE after one line on stderr that says which and why.
 * Strings are borrowed from argv. */
int idb_options_parse(idb_options *options, int argc, char **argv);

/* Whether this machine has what they name; else a line on stderr. */
bool idb_options_fit(const idb_options *options);

void idb_options_help(FILE *to);

/* spec.c: one --target list. 0 or a text that says what is wrong. */
const char *idb_specs_parse(idb_options *options, const char *list);

/* The words of --fsync, --replication and --tls-verify. */
bool idb_fsync_parse(const char *text, size_t len, idb_fsync *to);
bool idb_replication_parse(const char *text, size_t len, idb_replication *to);
bool idb_verify_parse(const char *text, idp_tls_verify *to);
const char *idb_fsync_name(idb_fsync fsync);
const char *idb_replication_name(idb_replication replication);

/* What the other options say of every spec. 0 or a text that says what is
 * wrong with it; *about: with what. */
const char *idb_specs_complete(idb_options *options, const char **about);

/* Whether a spawned server of this spec keeps anything in a folder. */
static inline bool idb_spec_has_files(const idb_spec *spec) {
    return spec->fsync > IDB_FSYNC_OFF ||
           spec->replication > IDB_REPLICATION_NONE;
}

#endif
