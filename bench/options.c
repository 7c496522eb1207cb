/* SPDX-License-Identifier: Apache-2.0 */
/* options.c -- the table of flags, and nothing that acts on them. */
#include "bench/options.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>

typedef enum kind {
    FLAG,
    U32,
    U64,
    REAL,
    TEXT,
    WORD,
    CPUS,
    MIX,
    TARGETS,
    ARGS
} kind;

typedef struct row {
    const char *name, *value, *help;
    kind kind;
    size_t at;
    double min, max;
} row;

#define AT(field) offsetof(idb_options, field)

static const row rows[] = {
    {NULL, NULL, "Work", FLAG, 0, 0, 0},
    {"mix", "K=N,..",
     "fresh, inflight, replay, mismatch, claim; default fresh=1", MIX, AT(mix),
     0, 0},
    {"keys", "uniform|zipf", "how duplicates choose among --pool keys", WORD,
     AT(zipf), 0, 0},
    {"zipf", "THETA", "zipf with this skew, 0..0.999", REAL, AT(zipf), 0, .999},
    {"pool", "N", "keys made beforehand for duplicates; default 100000", U64,
     AT(pool), 1, 1e8},
    {"key-bytes", "N", "default 36", U32, AT(work.key_bytes), 8,
     IDB_KEY_BYTES_MAX},
    {"fingerprint-bytes", "N", "default 32", U32, AT(work.fingerprint_bytes), 1,
     IDB_FINGERPRINT_BYTES_MAX},
    {"nonce-bytes", "N", "default 0: none (idem only)", U32,
     AT(work.nonce_bytes), 0, IDB_NONCE_BYTES_MAX},
    {"result-bytes", "N", "default 200", U32, AT(work.result_bytes), 0,
     IDB_RESULT_BYTES_MAX},
    {"lease", "MS", "default 30000", U32, AT(work.lease_ms), 1, 86400e3},
    {"ttl", "MS", "retention; default 3600000", U64, AT(work.ttl_ms), 1,
     366.0 * 86400e3},
    {"prefill", "N", "records to store before each round", U64, AT(prefill), 0,
     1e9},
    {"prefill-claims", NULL, "leave those in flight, not completed", FLAG,
     AT(prefill_claims), 0, 0},
    {"seed", "N", "default 1", U64, AT(work.seed), 0, 9e15},
    {NULL, NULL, "Load", FLAG, 0, 0, 0},
    {"connections", "N", "default 50", U32, AT(connections), 1,
     IDB_CONNECTIONS_MAX},
    {"pipeline", "N",
     "jobs under way per connection (open loop: at most); default 1", U32,
     AT(pipeline), 1, IDB_PIPELINE_MAX},
    {"threads", "N", "load threads; default 1", U32, AT(threads), 1,
     IDB_THREADS_MAX},
    {"rate", "OPS", "open loop: planned operations per second", REAL, AT(rate),
     0, 1e9},
    {"duration", "S", "measured seconds per round; default 3", REAL,
     AT(duration_s), 0.01, 86400},
    {"warmup", "S", "default 1", REAL, AT(warmup_s), 0, 86400},
    {"ramp", "S", "default 0: all connections at once", REAL, AT(ramp_s), 0,
     86400},
    {"rounds", "N",
     "interleaved A B C A B C; default 5, 1 for most\nscenarios, 10 for "
     "failover",
     U32, AT(rounds), 1, 1000},
    {NULL, NULL, "Targets", FLAG, 0, 0, 0},
    {"target", "A,B,..",
     "idem redis redis-lua memcached echo; each with /threads=N /blind\n"
     "/fsync=WHEN /replication=MODE /replicas=N /replica-threads=N /batch\n"
     "/before /tls /http /at=HOST:PORT /pid=N; default idem",
     TARGETS, 0, 0, 0},
    {"fsync", "WHEN",
     "off, no, everysec or always: what idem and redis keep that say\n"
     "nothing of it; default off",
     WORD, AT(fsync), 0, 0},
    {"data-in", "PATH", "where they keep it; default /var/tmp", TEXT,
     AT(data_in), 0, 0},
    {"replication", "MODE",
     "none, async or sync: with a second server; default none", WORD,
     AT(replication), 0, 0},
    {"shard-aware", "on|off", "off: as /blind on every idem target", WORD,
     AT(shard_aware_off), 0, 0},
    {"spawn", NULL, "start the servers here, one at a time, each round anew",
     FLAG, AT(spawn), 0, 0},
    {"server-cpu", "LIST", "pin spawned servers: 0 or 0,1 or 0-3", CPUS,
     AT(server_cpus), 0, 0},
    {"replica-cpu", "LIST", "the second servers; default as --server-cpu", CPUS,
     AT(replica_cpus), 0, 0},
    {"replica-nice", "N",
     "0..19: the second servers yield, as if on another machine", U32,
     AT(replica_nice), 0, 19},
    {"client-cpu", "LIST", "pin the load threads", CPUS, AT(client_cpus), 0, 0},
    {"prefault-mib", "N",
     "touch so much memory first, so that no hypervisor is measured", U64,
     AT(prefault_mib), 0, 1e7},
    {"idemstored", "PATH", "default: beside idembench", TEXT, AT(idemstored), 0,
     0},
    {"before", "PATH", "another idemstored, for targets with /before", TEXT,
     AT(before), 0, 0},
    {"tls-ca", "FILE",
     "with /tls and /at=: who signs its certificate, PEM; default: the\n"
     "system's authorities",
     TEXT, AT(tls_files.ca), 0, 0},
    {"tls-verify", "HOW",
     "the same: full (authority and name), ca or none; default full", WORD,
     AT(tls_verify), 0, 0},
    {"tls-name", "NAME", "the name in it; default: the address", TEXT,
     AT(tls_name), 0, 0},
    {"tls-cert", "FILE", "what we show if asked, PEM", TEXT, AT(tls_files.cert),
     0, 0},
    {"tls-key", "FILE", "its key; default: in the same file", TEXT,
     AT(tls_files.key), 0, 0},
    {"server-args", "NAME=ARGS",
     "more arguments for spawned servers: of a name, or of one target\n"
     "as it stands in --target; repeat",
     ARGS, AT(server_args), 0, 0},
    {NULL, NULL, "Output", FLAG, 0, 0, 0},
    {"json", "FILE", "everything, for --compare and scripts", TEXT, AT(json), 0,
     0},
    {"csv", "FILE", "the table", TEXT, AT(csv), 0, 0},
    {"hgrm", "PREFIX", "HdrHistogram percentiles, PREFIX-TARGET.hgrm", TEXT,
     AT(hgrm), 0, 0},
    {"html", "FILE", "one self-contained page", TEXT, AT(html), 0, 0},
    {"quiet", NULL, "no progress line", FLAG, AT(quiet), 0, 0},
    {NULL, NULL, "Other things to do", FLAG, 0, 0, 0},
    {"scenario", "NAME",
     "memory, growth, expiry, idle, client, snapshot, fullsync,\n"
     "failover, hotkey or listing; see README",
     TEXT, AT(scenario), 0, 0},
    {"records", "N,..", "of a scenario, instead of its own", TEXT, AT(records),
     0, 0},
    {"verify", NULL,
     "contend for keys and check every answer; exit 1 when\none is wrong "
     "(lease: 1000 ms unless given)",
     FLAG, AT(verify), 0, 0},
    {"verify-keys", "N", "keys contended for at a time; default 64", U32,
     AT(verify_keys), 1, 1e6},
    {"compare", "A B", "two --json files: what changed beyond noise", TEXT,
     AT(compare), 0, 0},
    {"serve-echo", NULL, "be the bare libuv echo server", FLAG, AT(serve_echo),
     0, 0},
    {"port", "N", "of --serve-echo; default 0", U32, AT(port), 0, 65535},
    {"help", NULL, "this text", FLAG, AT(help), 0, 0},
    {"version", NULL, "", FLAG, AT(version), 0, 0},
};

/* A lease that a verifier can wait for. */
#define LEASE_VERIFY_MS 1000
#define LEASE_MS        30000
#define ROUNDS          5
#define ROUNDS_FAILOVER 10

#define ROWS (sizeof rows / sizeof *rows)

void idb_options_help(FILE *to) {
    fputs("idembench: what a store that is asked first costs, beside others\n\n"
          "  idembench --spawn --target idem,redis,memcached,echo\n",
          to);
    for (size_t i = 0; i < ROWS; i++) {
        const row *r = &rows[i];
        if (!r->name) {
            fprintf(to, "\n%s\n", r->help);
            continue;
        }
        int width = fprintf(to, "  --%s%s%s", r->name, r->value ? " " : "",
                            r->value ? r->value : "");
        for (const char *c = r->help; *c;) {
            size_t len = strcspn(c, "\n");
            fprintf(to, "%*s%.*s\n", width < 29 ? 29 - width : 1, "", (int)len,
                    c);
            c += len + (c[len] == '\n');
            width = 0;
        }
        if (!*r->help)
            fputc('\n', to);
    }
}

static const char *real_read(const char *text, const row *r, double *to) {
    static char why[80];
    char *end;
    errno = 0;
    double n = strtod(text, &end);
    if (end == text || *end || errno || isnan(n) || n < r->min || n > r->max) {
        snprintf(why, sizeof why, "wants a number of %g to %g", r->min, r->max);
        return why;
    }
    *to = n;
    return NULL;
}

static const char *cpus_read(const char *text, idb_cpus *to) {
    CPU_ZERO(&to->cpus);
    while (*text) {
        char *end;
        long from = strtol(text, &end, 10), last = from;
        if (end == text)
            return "wants a list such as 0 or 0,1 or 0-3";
        if (*end == '-') {
            text = end + 1;
            last = strtol(text, &end, 10);
            if (end == text)
                return "wants a list such as 0 or 0,1 or 0-3";
        }
        if (from < 0 || last < from || last >= CPU_SETSIZE ||
            (*end && *end != ','))
            return "wants a list such as 0 or 0,1 or 0-3";
        for (long cpu = from; cpu <= last; cpu++)
            CPU_SET((size_t)cpu, &to->cpus);
        text = end + (*end == ',');
    }
    to->set = CPU_COUNT(&to->cpus) > 0;
    return to->set ? NULL : "names no CPU";
}

static const char *mix_read(const char *text, idb_mix_weights *to) {
    uint64_t sum = 0;
    memset(to, 0, sizeof *to);
    while (*text) {
        size_t name = strcspn(text, "="), job = 0;
        while (job < IDB_JOB_COUNT &&
               (strlen(idb_job_name((idb_job)job)) != name ||
                memcmp(idb_job_name((idb_job)job), text, name) != 0))
            job++;
        if (job == IDB_JOB_COUNT || text[name] != '=')
            return "wants fresh=N,inflight=N,replay=N,mismatch=N,claim=N";
        char *end;
        unsigned long n = strtoul(text + name + 1, &end, 10);
        if (end == text + name + 1 || n > 1000000 || (*end && *end != ','))
            return "wants weights of 0 to 1000000";
        to->weight[job] = (uint32_t)n;
        sum += n;
        text = end + (*end == ',');
    }
    return sum > 0 ? NULL : "leaves nothing to do";
}

/* The few texts that are words of a choice. */
static const char *word_read(idb_options *o, const row *r, const char *text) {
    if (!strcmp(r->name, "fsync"))
        return idb_fsync_parse(text, strlen(text), &o->fsync) &&
                       o->fsync != IDB_FSYNC_RDB
                   ? NULL
                   : "is off, no, everysec or always";
    if (!strcmp(r->name, "replication"))
        return idb_replication_parse(text, strlen(text), &o->replication)
                   ? NULL
                   : "is none, async or sync";
    if (!strcmp(r->name, "tls-verify"))
        return idb_verify_parse(text, &o->tls_verify) ? NULL
                                                      : "is full, ca or none";
    if (!strcmp(r->name, "keys")) {
        if (!strcmp(text, "zipf"))
            o->zipf = 0.99;
        else if (strcmp(text, "uniform") != 0)
            return "is uniform or zipf";
        return NULL;
    }
    if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
        return "is on or off";
    o->shard_aware_off = !strcmp(text, "off");
    return NULL;
}

static const char *value_read(idb_options *o, const row *r, const char *text) {
    void *to = (char *)o + r->at;
    double n = 0;
    const char *wrong = NULL;
    switch (r->kind) {
    case U32:
    case U64:
        wrong = real_read(text, r, &n);
        if (!wrong && n != floor(n))
            wrong = "wants a whole number";
        if (!wrong && r->kind == U32)
            *(uint32_t *)to = (uint32_t)n;
        else if (!wrong)
            *(uint64_t *)to = (uint64_t)n;
        return wrong;
    case REAL:
        return real_read(text, r, to);
    case CPUS:
        return cpus_read(text, to);
    case MIX:
        return mix_read(text, to);
    case TARGETS:
        return idb_specs_parse(o, text);
    case ARGS:
        if (!strchr(text, '='))
            return "wants NAME=ARGS";
        if (o->server_args_count == IDB_SPECS_MAX)
            return "is given too often";
        o->server_args[o->server_args_count++] = text;
        return NULL;
    case FLAG:
        return NULL;
    case WORD:
        return word_read(o, r, text);
    case TEXT:
        break;
    }
    *(const char **)to = text;
    return NULL;
}

static void defaults(idb_options *o) {
    *o = (idb_options){
        .work = {.seed = 1,
                 .key_bytes = 36,
                 .fingerprint_bytes = 32,
                 .result_bytes = 200,
                 .ttl_ms = 3600000},
        .mix.weight[IDB_FRESH] = 1,
        .pool = 100000,
        .connections = 50,
        .pipeline = 1,
        .threads = 1,
        .duration_s = 3,
        .warmup_s = 1,
        .verify_keys = 64,
        .data_in = "/var/tmp",
    };
    idb_specs_parse(o, "idem");
}

static int usage(const char *what, const char *why) {
    fprintf(stderr, "idembench: %s %s (--help says more)\n", what, why);
    return IDB_EXIT_USAGE;
}

static uint32_t rounds_of(const char *scenario) {
    if (!scenario || !strcmp(scenario, "client"))
        return ROUNDS;
    return strcmp(scenario, "failover") != 0 ? 1 : ROUNDS_FAILOVER;
}

/* What only the whole shows. */
static int finish_options(idb_options *o) {
    if (o->work.lease_ms == 0)
        o->work.lease_ms = o->verify ? LEASE_VERIFY_MS : LEASE_MS;
    if (o->rounds == 0)
        o->rounds = rounds_of(o->scenario);
    if (o->threads > o->connections)
        return usage("--threads", "is more than --connections");
    if (o->fsync == IDB_FSYNC_UNSET)
        o->fsync = IDB_FSYNC_OFF;
    if (o->replication == IDB_REPLICATION_UNSET)
        o->replication = IDB_REPLICATION_NONE;
    if (!o->replica_cpus.set)
        o->replica_cpus = o->server_cpus;
    const char *about, *wrong = idb_specs_complete(o, &about);
    if (wrong)
        return usage(about, wrong);
    if (o->work.lease_ms > o->work.ttl_ms)
        return usage("--lease", "is longer than --ttl");
    return 0;
}

static const row *row_of(const char *name, size_t len) {
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].name && strlen(rows[i].name) == len &&
            !memcmp(rows[i].name, name, len))
            return &rows[i];
    return NULL;
}

int idb_options_parse(idb_options *o, int argc, char **argv) {
    defaults(o);
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        size_t len = strcspn(arg, "=");
        const row *r =
            !strncmp(arg, "--", 2) && len > 2 ? row_of(arg + 2, len - 2) : NULL;
        if (!r)
            return usage(arg, "is no option of mine");
        if (r->kind == FLAG && arg[len])
            return usage(arg, "takes no value");
        if (r->kind == FLAG) {
            *(bool *)((char *)o + r->at) = true;
            continue;
        }
        const char *text = arg[len]       ? arg + len + 1
                           : i + 1 < argc ? argv[++i]
                                          : NULL;
        if (!text)
            return usage(arg, "wants a value");
        const char *wrong = value_read(o, r, text);
        if (wrong)
            return usage(arg, wrong);
        if (!strcmp(r->name, "compare")) {
            if (i + 1 >= argc)
                return usage("--compare", "wants two files");
            o->compare[1] = argv[++i];
        }
    }
    if (o->help || o->version || o->serve_echo || o->compare[0])
        return 0;
    return finish_options(o);
}

static bool cpus_are_here(const char *name, const idb_cpus *asked) {
    cpu_set_t ours, both;
    CPU_ZERO(&ours);
    if (sched_getaffinity(0, sizeof ours, &ours) != 0)
        return true;
    CPU_AND(&both, &ours, &asked->cpus);
    if (!asked->set || CPU_EQUAL(&both, &asked->cpus))
        return true;
    fprintf(stderr,
            "idembench: --%s names a CPU that is not here, or not for us: "
            "there are %d (taskset -p $$ shows which)\n",
            name, CPU_COUNT(&ours));
    return false;
}

bool idb_options_fit(const idb_options *o) {
    return cpus_are_here("server-cpu", &o->server_cpus) &&
           cpus_are_here("replica-cpu", &o->replica_cpus) &&
           cpus_are_here("client-cpu", &o->client_cpus);
}
