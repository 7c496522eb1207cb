/* options.h -- what the user asked for; one table behind --help and parsing.
 *
 * Every value is checked against its bounds here and nowhere else. */
#ifndef IDB_OPTIONS_H
#define IDB_OPTIONS_H

#include "bench/engine.h"

#include <stdio.h>

#define IDB_SPECS_MAX  16
#define IDB_EXIT_USAGE 64

/* One entry of --target: NAME[/threads=N][/blind][/at=HOST:PORT[/pid=N]]. */
typedef struct idb_spec {
    char label[64];
    const idb_target *target;
    uint32_t threads;      /* of the server that is spawned */
    idb_endpoint external; /* port not 0: it runs already */
    const char *args;      /* from --server-args */
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
    idb_cpus server_cpus, client_cpus;
    uint64_t backed_mib;
    const char *idemstored;
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

void idb_options_help(FILE *to);

/* spec.c: one --target list. 0 or a text that says what is wrong. */
const char *idb_specs_parse(idb_options *options, const char *list);

#endif
