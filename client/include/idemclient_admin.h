/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_admin.h -- what an operator tells and asks one server.
 *
 * For whoever runs a pair of servers: see docs/replication.md, and idemctl,
 * which does the same. Each call makes a connection of its own to the one
 * server that the URI names, blocks until its answer, and tries nothing again
 * and nowhere else. Any thread. A server takes commands from those who show its
 * secret; where it has none, from its own machine only (else DENIED). */
#ifndef IDEMCLIENT_ADMIN_H
#define IDEMCLIENT_ADMIN_H

#include "idemclient.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {                                /* commands */
       IDEM_COMMAND_PROMOTE = 601,    /* a replica becomes the primary */
       IDEM_COMMAND_DETACH = 602,     /* a primary goes on without its
                                       * replica */
       IDEM_COMMAND_SWITCHOVER = 603, /* a primary hands over to its replica */
       IDEM_COMMAND_SNAPSHOT = 604,   /* a server writes a snapshot of its
                                       * records */
       IDEM_COMMAND_RELOAD = 605,     /* a server reads its settings, and the
                                       * files that they name, again */
       IDEM_COMMAND_BACKUP = 606      /* a server makes a backup of what it
                                       * keeps, in its --backup-dir */
};

enum { /* idem_command_answer.outcome; 0: none */
       IDEM_COMMAND_DONE = 701,
       IDEM_COMMAND_REFUSED = 702 /* nothing was done; text says why, what
                                   * would be lost and what accepts that */
};

#define IDEM_COMMAND_TIMEOUT_MS_DEFAULT 60000u

/* What is to be done. */
typedef struct idem_command_args {
    uint32_t size;       /* sizeof(idem_command_args) */
    int32_t command;     /* IDEM_COMMAND_... */
    int32_t accept_loss; /* promote, detach: 1 does what may lose acknowledged
                          * changes, 0 has that refused */
    uint32_t timeout_ms; /* for all of it; 0: IDEM_COMMAND_TIMEOUT_MS_DEFAULT */
    int32_t dry_run;     /* reload: 1 says what it would do, and does nothing */
    int32_t force;       /* reload: 1 does it also where most of those who are
                          * connected would be closed, since their credentials
                          * are gone; 0 has that refused */
    const char *node;    /* detach, switchover: the name of the replica that is
                          * meant, as idem_replication has it; NULL: the only one
                          * there is (of switchover: any of them). backup: what
                          * it is called, 1 to 64 of A-Z a-z 0-9 . _ -, NULL: by
                          * the time */
} idem_command_args;

#define IDEM_COMMAND_ARGS_INIT IDEM__SIZED(idem_command_args)
IDEM_API void idem_command_args_init(idem_command_args *args, size_t args_size);

/* What became of it. */
typedef struct idem_command_answer {
    uint32_t size;    /* sizeof(idem_command_answer) */
    int32_t outcome;  /* IDEM_COMMAND_DONE, IDEM_COMMAND_REFUSED */
    uint64_t epoch;   /* promote, detach, switchover: the one that began */
    uint64_t records; /* snapshot, backup: that are in it, */
    uint64_t bytes;   /* its size, */
    uint64_t ms;      /* and how long it took */
    char primary[IDEM_ENDPOINT_BYTES]; /* switchover: "host:port" of who is
                                        * primary now */
    char text[416];                    /* refused */
    uint64_t closed;    /* reload: connections whose credential is gone, */
    uint64_t admitted;  /* of so many; with dry_run: that would be closed */
    char changes[4096]; /* reload: what it did, a line each; backup: the path
                         * at the server where it lies */
} idem_command_answer;

#define IDEM_COMMAND_ANSWER_INIT IDEM__SIZED(idem_command_answer)
IDEM_API void idem_command_answer_init(idem_command_answer *answer,
                                       size_t answer_size);

/* Gives a command, and returns when it is in effect or refused.
 *
 * uri     as for idem_client_open, with exactly one host
 * args    which command, and how
 * answer  filled on success; a refusal is a success
 *
 * Errors: URI (another number of hosts too), ARGUMENT, CONNECT, DENIED, LIMIT
 * (too many commands are under way), UNKNOWN_METHOD (an older server): nothing
 * was done. TIMEOUT, LOST, SHUTTING_DOWN, GARBLED: whether the command was
 * carried out is unknown; idem_replication_get tells. */
IDEM_API int32_t idem_command(const char *uri, const idem_command_args *args,
                              idem_command_answer *answer, idem_error *err);

/* How far the other server is behind. */
typedef struct idem_lag {
    uint64_t ops;
    uint64_t bytes;
    uint64_t ms;
} idem_lag;

#define IDEM_IN_SYNC_MAX 8
#define IDEM_STREAMS_MAX 64

#define IDEM_PARTS_MAX 64

/* What a server holds of a part of the keys. */
typedef struct idem_part {
    uint64_t records;
    uint64_t completed;
} idem_part;

#define IDEM_REPLICAS_MAX 8

/* One replica of a primary: a member of its in-sync set, or one that is or was
 * connected. */
typedef struct idem_replica {
    int32_t member;  /* 1: replies wait for it, whether it is there or not */
    int32_t in_sync; /* 1: and it has the memory that it is a member with */
    int32_t connected;
    int32_t syncing;              /* 1: a full copy to it is under way */
    uint64_t copy_records;        /* of that one, or of the last: */
    uint64_t copy_total;          /* N of M records */
    idem_lag lag;                 /* how far it is behind */
    char node[64];                /* its name; "": not known */
    char at[IDEM_ENDPOINT_BYTES]; /* "host:port"; "": not known */
} idem_replica;

/* How replication stands at one server. Text that is not known is "". */
typedef struct idem_replication {
    uint32_t size;     /* sizeof(idem_replication) */
    int32_t connected; /* 1: to the other server */
    int32_t syncing;   /* 1: a full copy is under way */
    /* 1: stopped for good, now, this server takes nothing with it that was
     * acknowledged, and the other leads or may be promoted. One failure at a
     * time: the other has to stay. Scripts that stop a server wait for this. */
    int32_t safe_to_stop;
    uint32_t in_sync_count;
    uint32_t streams_count;
    uint64_t epoch;
    uint64_t copy_records; /* of the full copy under way, or of the last one: */
    uint64_t copy_total;   /* N of M records */
    idem_lag lag;          /* of all streams */
    char role[16];         /* "primary", "replica" */
    char mode[16];         /* "none", "async", "sync" */
    char node[64];         /* the server's own name */
    char
        primary[IDEM_ENDPOINT_BYTES]; /* "host:port": where clients should go */
    char peer[IDEM_ENDPOINT_BYTES];   /* the other server */
    char state[416];                  /* one sentence for people */
    /* Who holds all that was acknowledged, the primary first: addresses, or
     * names where those are not known. */
    char in_sync[IDEM_IN_SYNC_MAX][IDEM_ENDPOINT_BYTES];
    idem_lag streams[IDEM_STREAMS_MAX]; /* one per loop of the primary; of more
                                         * loops the first ones */
    /* What a server that has restarted, and neither leads nor follows yet,
     * brought back from its data folder: the highest epoch of a token, and of
     * each of that primary's streams the last token's count. contents: the
     * same text at two servers that hold the same; "": none of this is known.
     * Compare two so when both nodes of a pair have died. */
    uint32_t tokens_count;
    uint32_t parts_count;
    uint64_t records;
    uint64_t completed;
    uint64_t token_epoch;
    uint64_t tokens[IDEM_STREAMS_MAX];
    /* Per part of all keys; a key is in the same part everywhere. */
    idem_part parts[IDEM_PARTS_MAX];
    char contents[24];
    /* Of a primary: each of its replicas. */
    uint64_t replicas_count;
    idem_replica replicas[IDEM_REPLICAS_MAX];
} idem_replication;

#define IDEM_REPLICATION_INIT IDEM__SIZED(idem_replication)
IDEM_API void idem_replication_init(idem_replication *replication,
                                    size_t replication_size);

/* Asks a server how replication stands; it need not be the primary, and anyone
 * whom the server serves may ask. uri, timeout_ms (0:
 * IDEM_TIMEOUT_MS_DEFAULT) and errors as for idem_command. */
IDEM_API int32_t idem_replication_get(const char *uri, uint32_t timeout_ms,
                                      idem_replication *replication,
                                      idem_error *err);

#define IDEM_NAMESPACE_BYTES_MAX 64
#define IDEM_UNLIMITED           UINT64_MAX

/* What a namespace has at one server, and what it may have there. */
typedef struct idem_namespace {
    uint32_t size;     /* sizeof(idem_namespace), set by the library */
    uint32_t ns_len;   /* of ns */
    int32_t is_others; /* 1: all those together that no section names; what
                        * they may have is for each of them, and ns is empty */
    int32_t is_behind; /* 1: records from before are still being counted */
    uint64_t records;  /* ended ones that are not reclaimed yet are in it */
    uint64_t
        in_progress; /* claims that nobody ended, orphaned ones among them */
    uint64_t bytes;
    uint64_t refused_full;    /* acquires that were refused: NO_MEMORY, */
    uint64_t refused_rate;    /* and LIMIT */
    uint64_t results_dropped; /* completes whose result was not kept */
    /* IDEM_UNLIMITED: no such limit. */
    uint64_t records_max;
    uint64_t bytes_max;
    uint64_t rate;  /* claims a second, */
    uint64_t burst; /* and at once */
    uint64_t ttl_ms_max;
    uint64_t result_bytes_max;
    uint8_t ns[IDEM_NAMESPACE_BYTES_MAX];
} idem_namespace;

/* One of them. It borrows until this returns. */
typedef void idem_namespace_seen(void *ctx, const idem_namespace *one);

/* Asks a server what its namespaces have that its settings name, in order of
 * their bytes, and then all others together. seen is called for each, by this
 * thread; never, where the settings name none. What was seen before an error
 * was so. uri, timeout_ms (0: IDEM_TIMEOUT_MS_DEFAULT) and errors as for
 * idem_replication_get. */
IDEM_API int32_t idem_namespaces_get(const char *uri, uint32_t timeout_ms,
                                     idem_namespace_seen *seen, void *ctx,
                                     idem_error *err);

enum {                                /* how metrics are written */
       IDEM_METRICS_PROMETHEUS = 801, /* Prometheus' text format 0.0.4 */
       IDEM_METRICS_OPEN = 802        /* OpenMetrics 1.0 */
};

/* What a server's metrics take at most, with the NUL behind them. */
#define IDEM_METRICS_BYTES_MAX (256u * 1024u + 1u)

/* Asks a server for its metrics: what docs/metrics.md lists, as text.
 *
 * format  IDEM_METRICS_...
 * text    where it is written, NUL-terminated; with room for size bytes.
 *         IDEM_METRICS_BYTES_MAX are enough for every server.
 * len     set to its length, without the NUL; may be NULL
 *
 * Errors: ARGUMENT (no such format; size is too small, then nothing was
 * written), else as for idem_replication_get. */
IDEM_API int32_t idem_metrics_get(const char *uri, uint32_t timeout_ms,
                                  int32_t format, char *text, size_t size,
                                  size_t *len, idem_error *err);

enum { /* what becomes of a claim: idem_resolve_args.verb */
       IDEM_RESOLVE_COMPLETE = 811, /* it happened; this is the result */
       IDEM_RESOLVE_RELEASE = 812,  /* it did not; the next one may */
       IDEM_RESOLVE_DELETE = 813    /* forget the key, as if it never was */
};

enum { /* idem_resolve_answer.outcome */
       IDEM_RESOLVED_COMPLETED = 821,
       IDEM_RESOLVED_RELEASED = 822,
       IDEM_RESOLVED_DELETED = 823,
       IDEM_RESOLVED_STALE = 824,   /* another token, or the claim was given up:
                                     * nothing was changed; state */
       IDEM_RESOLVED_REFUSED = 825, /* its lease runs, or it is completed:
                                     * nothing was changed without force;
                                     * state */
       IDEM_RESOLVED_UNKNOWN = 826  /* there is no such record */
};

/* What an operator decides of one key. */
typedef struct idem_resolve_args {
    uint32_t size;  /* sizeof(idem_resolve_args) */
    int32_t verb;   /* IDEM_RESOLVE_... */
    const void *ns; /* NULL: the URI's */
    size_t ns_len;  /* 0..64 */
    const void *key;
    size_t key_len;     /* 1..512 */
    idem_token token;   /* the claim's, as it was seen */
    const char *reason; /* 1..256 bytes; it goes into the audit log */
    const void *nonce;  /* names this one decision, for who asks again: it gets
                         * the same answer, for a day; NULL: none */
    size_t nonce_len;   /* 1..32 */
    const void *result; /* complete; NULL: none */
    size_t result_len;
    uint64_t ttl_ms;      /* complete; 0: as it was */
    int32_t result_class; /* complete: IDEM_CLASS_...; 0: success */
    int32_t force;        /* 1: also while the lease runs; delete: also what is
                           * completed */
    uint32_t timeout_ms; /* for all of it; 0: IDEM_COMMAND_TIMEOUT_MS_DEFAULT */
    int32_t unused;      /* 0 */
} idem_resolve_args;

#define IDEM_RESOLVE_ARGS_INIT IDEM__SIZED(idem_resolve_args)
IDEM_API void idem_resolve_args_init(idem_resolve_args *args, size_t args_size);

typedef struct idem_resolve_answer {
    uint32_t size;   /* sizeof(idem_resolve_answer) */
    int32_t outcome; /* IDEM_RESOLVED_... */
    int32_t state;   /* STALE, REFUSED: IDEM_STATE_... */
    int32_t kept;    /* COMPLETED: 1: its result is stored */
    uint64_t ttl_ms; /* COMPLETED: what holds, where that is less than was asked
                      * for; else 0 */
} idem_resolve_answer;

#define IDEM_RESOLVE_ANSWER_INIT IDEM__SIZED(idem_resolve_answer)
IDEM_API void idem_resolve_answer_init(idem_resolve_answer *answer,
                                       size_t answer_size);

/* Decides what became of a claim whose holder is gone, in his place: his own
 * complete is stale from then on. uri as for idem_command; the server must be
 * the primary, and the credential have the grant resolve.
 *
 * Errors: ARGUMENT, URI, CONNECT, DENIED, NOT_PRIMARY, NO_MEMORY (also: the
 * audit log can't be written), LIMIT, UNKNOWN_METHOD (an older server): nothing
 * was done. TIMEOUT, LOST, UNREPLICATED, GARBLED: unknown; ask again with the
 * same nonce. SHUTTING_DOWN: nothing was done by this server. */
IDEM_API int32_t idem_resolve(const char *uri, const idem_resolve_args *args,
                              idem_resolve_answer *answer, idem_error *err);

/* What is to be forgotten. */
typedef struct idem_erase_args {
    uint32_t size;       /* sizeof(idem_erase_args) */
    int32_t dry_run;     /* 1: count them, and do nothing */
    const void *ns;      /* NULL: the URI's */
    size_t ns_len;       /* 0..64 */
    const void *prefix;  /* what the keys begin with; NULL: all of the
                          * namespace */
    size_t prefix_len;   /* 0..512 */
    const char *reason;  /* 1..256 bytes; it goes into the audit log */
    uint32_t timeout_ms; /* for all of it; 0: IDEM_COMMAND_TIMEOUT_MS_DEFAULT */
    int32_t unused;      /* 0 */
} idem_erase_args;

#define IDEM_ERASE_ARGS_INIT IDEM__SIZED(idem_erase_args)
IDEM_API void idem_erase_args_init(idem_erase_args *args, size_t args_size);

typedef struct idem_erase_answer {
    uint32_t size; /* sizeof(idem_erase_answer) */
    int32_t unused;
    uint64_t records;     /* that are gone; with dry_run: that would be */
    uint64_t in_progress; /* of them: claims whose lease runs */
} idem_erase_answer;

#define IDEM_ERASE_ANSWER_INIT IDEM__SIZED(idem_erase_answer)
IDEM_API void idem_erase_answer_init(idem_erase_answer *answer,
                                     size_t answer_size);

/* Forgets all keys of a namespace that begin so, whatever became of them: those
 * that were completed may be claimed again. Who waits for one starts anew.
 * Errors as for idem_resolve; after any that is not "nothing was done" some
 * keys may be gone and others not: erase again. */
IDEM_API int32_t idem_erase(const char *uri, const idem_erase_args *args,
                            idem_erase_answer *answer, idem_error *err);

#ifdef __cplusplus
}
#endif
#endif
