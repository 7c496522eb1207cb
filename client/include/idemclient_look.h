/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_look.h -- what an operator looks at: which records there are, all
 * that is known of one, who is connected, what took long; and how a connection
 * is closed.
 *
 * Each call makes a connection of its own to the one server that the URI names,
 * blocks until its last answer, and tries nothing again and nowhere else. Any
 * thread. timeout_ms is for all of it; 0: IDEM_COMMAND_TIMEOUT_MS_DEFAULT.
 * Errors as for idem_command; IDEM_E_DENIED where the URI's credential lacks
 * the grant. Text and bytes that are told borrow from the library until seen
 * returns. */
#ifndef IDEMCLIENT_LOOK_H
#define IDEMCLIENT_LOOK_H

#include "idemclient_admin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Which records. */
typedef struct idem_list_args {
    uint32_t size;       /* sizeof(idem_list_args) */
    int32_t state;       /* IDEM_STATE_IN_PROGRESS ..., 0: any */
    uint64_t older_ms;   /* only those that entered it so long ago or longer */
    const void *ns;      /* NULL: any that the credential may read */
    size_t ns_len;       /* 0..64 */
    const void *prefix;  /* how the keys begin; NULL: anyhow */
    size_t prefix_len;   /* 0..512 */
    int32_t oldest;      /* 1: of orphaned or in_progress those alone that the
                          * server's last scan found to be the oldest, up to 256
                          * of each of its threads */
    uint32_t timeout_ms; /* for all of it */
} idem_list_args;

#define IDEM_LIST_ARGS_INIT IDEM__SIZED(idem_list_args)
IDEM_API void idem_list_args_init(idem_list_args *args, size_t args_size);

typedef struct idem_record {
    uint32_t size; /* sizeof(idem_record), set by the library */
    int32_t state; /* IDEM_STATE_... */
    const uint8_t *ns;
    size_t ns_len;
    const uint8_t *key;
    size_t key_len;
    uint64_t age_ms;        /* since it entered its state */
    uint64_t lease_left_ms; /* in_progress; else 0 */
    uint64_t ttl_left_ms;
    uint32_t attempt;
    uint32_t user_len;
    const char *user; /* who claimed it, while the claim is open; NULL: not
                       * known. Its end is user_len, not a NUL */
} idem_record;

typedef void idem_record_seen(void *ctx, const idem_record *one);

/* Walks through all records of a server, a page at a time, while it serves on.
 * One that is there from the beginning to the end is seen; one that is asked
 * for again after a change of the table perhaps twice. LIMIT: this credential
 * has four such walks under way. */
IDEM_API int32_t idem_list(const char *uri, const idem_list_args *args,
                           idem_record_seen *seen, void *ctx, idem_error *err);

/* All that is known of a key. */
typedef struct idem_inspected {
    uint32_t size;    /* sizeof(idem_inspected), set by the library */
    int32_t state;    /* IDEM_STATE_ABSENT: nothing else is set */
    int32_t previous; /* IDEM_PREVIOUS_... */
    uint32_t attempt;
    uint64_t age_ms, lease_ms, lease_left_ms, ttl_ms, ttl_left_ms;
    const uint8_t *fingerprint; /* NULL: none is bound */
    size_t fingerprint_len;
    int32_t has_token;    /* 1: the credential may resolve; then the result is
                           * told,    too */
    int32_t result_class; /* completed: IDEM_CLASS_... */
    int32_t has_result;   /* completed: 1: it has one, */
    int32_t unused;
    uint64_t result_bytes; /* of so many bytes, */
    const uint8_t *result; /* and this; NULL: it is not told */
    size_t result_len;
    idem_token token;
    /* Who claimed it, while the claim is open; NULL: not known, or not told. No
     * NUL ends them. */
    const char *user; /* its credential, which a restart does not forget */
    size_t user_len;
    const char *client; /* what it called itself, printable */
    size_t client_len;
    const char *address;
    size_t address_len;
} idem_inspected;

typedef void idem_inspected_seen(void *ctx, const idem_inspected *one);

/* Of args: key, ns (NULL: the URI's) and timeout_ms. */
IDEM_API int32_t idem_inspect(const char *uri, const idem_args *args,
                              idem_inspected_seen *seen, void *ctx,
                              idem_error *err);

#define IDEM_CLIENT_ID_BYTES 33

/* One who is connected. */
typedef struct idem_client_row {
    uint32_t size; /* sizeof(idem_client_row), set by the library */
    int32_t is_tls, is_http;
    uint32_t unused;
    char id[IDEM_CLIENT_ID_BYTES]; /* for idem_kill */
    /* NULL: not told, nothing said, none demanded. No NUL ends them. */
    const char *address; /* told to who may administer */
    size_t address_len;
    const char *name; /* what it called itself, printable */
    size_t name_len;
    const char *user; /* its credential */
    size_t user_len;
    uint64_t age_ms;
    uint64_t requests; /* ever */
    uint64_t waiting;  /* acquires that wait */
    uint64_t unsent_bytes;
} idem_client_row;

typedef void idem_client_seen(void *ctx, const idem_client_row *one);

IDEM_API int32_t idem_clients(const char *uri, uint32_t timeout_ms,
                              idem_client_seen *seen, void *ctx,
                              idem_error *err);

/* Closes a connection: its waiters are forgotten, its claims stay. *was_there:
 * 0: there is none of this id, or no more. */
IDEM_API int32_t idem_kill(const char *uri, const char *id, uint32_t timeout_ms,
                           int32_t *was_there, idem_error *err);

/* What one iteration of a thread has done that took over 10 ms, in units of
 * some 100 to 250 ns; or what was held for over 100 ms. */
typedef struct idem_slow {
    uint32_t size;   /* sizeof(idem_slow), set by the library */
    int32_t is_hold; /* 0: an iteration; 1: replies that were held */
    uint64_t age_ms; /* since then */
    uint64_t thread;
    uint64_t us;        /* it took; of what was held, the longest */
    uint64_t work[5];   /* requests, waiters, messages, sends, what was due */
    int32_t is_replica; /* what was held waited for the replica; 0: the disk */
    uint32_t unused;
    uint64_t replies; /* so many were held */
} idem_slow;

typedef void idem_slow_seen(void *ctx, const idem_slow *one);

/* The newest first; iterations, then what was held. */
IDEM_API int32_t idem_slow_get(const char *uri, uint32_t timeout_ms,
                               idem_slow_seen *seen, void *ctx,
                               idem_error *err);

/* What happens to keys, as it happens. */
enum { /* idem_key_event.event */
       IDEM_KEY_ACQUIRED = 921,
       IDEM_KEY_RENEWED = 922, /* or acquired again, with the nonce it had */
       IDEM_KEY_COMPLETED = 923,
       IDEM_KEY_RELEASED = 924,
       IDEM_KEY_DELETED = 925,  /* unbound, resolved so, or erased */
       IDEM_KEY_EXPIRED = 926,  /* a claim that nobody ended in its retention */
       IDEM_KEY_MISMATCH = 927, /* refused, and nothing changed */
       IDEM_KEY_STALE = 928,    /* the same */
       IDEM_KEY_OTHER = 929,    /* of a newer server */
       IDEM_KEY_LOST = 931,     /* so many were not kept for this reader */
       IDEM_KEY_QUIET = 932     /* nothing has happened for a while; as the
                                 * first one: what happens from now on is told */
};

typedef struct idem_watch_args {
    uint32_t size;       /* sizeof(idem_watch_args) */
    int32_t event;       /* IDEM_KEY_ACQUIRED ... STALE, 0: any */
    const void *ns;      /* NULL: any that the credential may read */
    size_t ns_len;       /* 0..64 */
    const void *prefix;  /* how the keys begin; NULL: anyhow */
    size_t prefix_len;   /* 0..512 */
    uint64_t timeout_ms; /* then it ends, and returns 0; 0: seen ends it */
} idem_watch_args;

#define IDEM_WATCH_ARGS_INIT IDEM__SIZED(idem_watch_args)
IDEM_API void idem_watch_args_init(idem_watch_args *args, size_t args_size);

typedef struct idem_key_event {
    uint32_t size; /* sizeof(idem_key_event), set by the library */
    int32_t event; /* IDEM_KEY_...; with LOST and QUIET no key is told */
    const uint8_t *ns;
    size_t ns_len;
    const uint8_t *key;
    size_t key_len;
    uint64_t age_ms;  /* since it was */
    uint64_t lost;    /* LOST: so many */
    uint32_t attempt; /* 0: not told */
    int32_t previous; /* ACQUIRED: IDEM_PREVIOUS_... */
    const char *user; /* who claims; NULL: not told. No NUL ends it */
    size_t user_len;
} idem_key_event;

/* 0: go on. */
typedef int32_t idem_key_event_seen(void *ctx, const idem_key_event *one);

/* From now on, until seen or the time ends it, or an error does: then what
 * comes meanwhile is not told, and the next call begins anew. seen is called at
 * least every 20 s. BAD_REQUEST, NOT_PRIMARY: another server has taken over.
 * LIMIT: this credential watches four times already. */
IDEM_API int32_t idem_watch_keys(const char *uri, const idem_watch_args *args,
                                 idem_key_event_seen *seen, void *ctx,
                                 idem_error *err);

#ifdef __cplusplus
}
#endif
#endif
