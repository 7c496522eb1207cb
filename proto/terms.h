/* SPDX-License-Identifier: Apache-2.0 */
/* terms.h -- the field's terms: states, outcomes, limits, one word per thing.
 *
 * Types and constants only, no code. Every room may include it, the core
 * too. The state machine that the words belong to is in server/core/claims.c,
 * the bytes that carry them in proto/README.md. */
#ifndef IDP_TERMS_H
#define IDP_TERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Limits on what a request may carry. Sizes in bytes, times in ms. */
#define IDP_NS_BYTES_MAX          64
#define IDP_KEY_BYTES_MIN         1
#define IDP_KEY_BYTES_MAX         512
#define IDP_FINGERPRINT_BYTES_MAX 64
#define IDP_NONCE_BYTES_MIN       1
#define IDP_NONCE_BYTES_MAX       32
#define IDP_TOKEN_BYTES           16
#define IDP_LEASE_MS_MIN          1u
#define IDP_LEASE_MS_MAX          (24u * 3600u * 1000u)
#define IDP_TTL_MS_MIN            1ull
#define IDP_TTL_MS_MAX            (366ull * 24u * 3600u * 1000u)
#define IDP_WAIT_MS_MAX           60000u
#define IDP_CONTAINER_ITEMS_MAX   64
#define IDP_DEPTH_MAX             8
#define IDP_VALUES_MAX            2048 /* in one frame, so that a scan of it is short */
#define IDP_INT_MAX               ((1ull << 53) - 1) /* the largest integer on the wire */
#define IDP_NODE_BYTES_MAX        63                 /* a node's name */
#define IDP_CLIENT_BYTES_MAX      128                /* hello's client name */
#define IDP_SECRET_BYTES_MAX      256
#define IDP_USER_BYTES_MAX        32
#define IDP_REASON_BYTES_MIN      1
#define IDP_REASON_BYTES_MAX      256 /* why an operator resolves or erases */
#define IDP_HASH_KEY_BYTES        16
#define IDP_SHARDS_MAX            1024
#define IDP_PORT                  7117
/* 2: whose server knows the methods for operators: list, inspect, resolve... */
#define IDP_PROTOCOL_VERSION      2

/* Borrowed bytes. A NULL ptr is nil; an empty value has a ptr and len 0. */
typedef struct idp_slice {
    const uint8_t *ptr;
    size_t len;
} idp_slice;

/* Above so many bits of a token's sequence stands its stream: the worker that
 * granted it. Within them it is counted, in one epoch. */
#define IDP_SEQUENCE_BITS 48

/* A fencing token. On the wire 16 bytes, both halves big-endian, so that
 * tokens of one key compare with memcmp and only ever grow. */
typedef struct idp_token {
    uint64_t epoch;
    uint64_t sequence;
} idp_token;

#define IDP_METHODS(X)            \
    X(ACQUIRE, "acquire")         \
    X(COMPLETE, "complete")       \
    X(RELEASE, "release")         \
    X(RENEW, "renew")             \
    X(PEEK, "peek")               \
    X(HELLO, "hello")             \
    X(PING, "ping")               \
    X(STATS, "stats")             \
    X(REPLICATION, "replication") \
    X(PROMOTE, "promote")         \
    X(DETACH, "detach")           \
    X(SWITCHOVER, "switchover")   \
    X(SNAPSHOT, "snapshot")       \
    X(RELOAD, "reload")           \
    X(NAMESPACES, "namespaces")   \
    X(METRICS, "metrics")         \
    X(LIST, "list")               \
    X(INSPECT, "inspect")         \
    X(CLIENTS, "clients")         \
    X(KILL, "kill")               \
    X(SLOW, "slow")               \
    X(CONFIG, "config")           \
    X(OFFER, "offer")             \
    X(RESOLVE, "resolve")         \
    X(ERASE, "erase")             \
    X(BACKUP, "backup")           \
    X(EVENTS, "events")

typedef enum idp_method {
#define X(name, text) IDP_##name,
    IDP_METHODS(X)
#undef X
        IDP_METHOD_COUNT
} idp_method;

#define IDP_STATES(X)             \
    X(ABSENT, "absent")           \
    X(IN_PROGRESS, "in_progress") \
    X(ORPHANED, "orphaned")       \
    X(COMPLETED, "completed")     \
    X(RELEASED, "released")

typedef enum idp_state {
#define X(name, text) IDP_STATE_##name,
    IDP_STATES(X)
#undef X
        IDP_STATE_COUNT
} idp_state;

/* How the claim before this one ended. */
typedef enum idp_previous {
    IDP_PREVIOUS_NONE,
    IDP_PREVIOUS_ORPHANED,
    IDP_PREVIOUS_RELEASED
} idp_previous;

typedef enum idp_class { IDP_CLASS_SUCCESS, IDP_CLASS_ERROR } idp_class;

/* What an operator makes of a claim. */
#define IDP_VERBS(X)        \
    X(COMPLETE, "complete") \
    X(RELEASE, "release")   \
    X(DELETE, "delete")

typedef enum idp_verb {
#define X(name, text) IDP_VERB_##name,
    IDP_VERBS(X)
#undef X
        IDP_VERB_COUNT
} idp_verb;

/* What has happened to a key. */
#define IDP_EVENT_KINDS(X)                                                   \
    X(ACQUIRED, "acquired")                                                  \
    X(RENEWED, "renewed") /* or acquired again, with the nonce it had */     \
    X(COMPLETED, "completed")                                                \
    X(RELEASED, "released")                                                  \
    X(DELETED, "deleted")   /* unbound, resolved so, or erased */            \
    X(EXPIRED, "expired")   /* a claim that nobody ended in its retention */ \
    X(MISMATCH, "mismatch") /* refused; nothing was changed */               \
    X(STALE, "stale")       /* the same */

typedef enum idp_event_kind {
    IDP_EVENT_ANY, /* in a request */
#define X(name, text) IDP_EVENT_##name,
    IDP_EVENT_KINDS(X)
#undef X
        IDP_EVENT_KIND_END
} idp_event_kind;

typedef enum idp_on_orphan { IDP_TAKEOVER, IDP_REPORT } idp_on_orphan;

/* What a call that was carried out says. An outcome is not an error. */
#define IDP_OUTCOMES(X)                                                        \
    X(ACQUIRED, "acquired")       /* acquire: the asker holds the claim */     \
    X(REPLAY, "replay")           /* acquire: done before, here it is */       \
    X(IN_PROGRESS, "in_progress") /* acquire: someone else holds it */         \
    X(MISMATCH, "mismatch")       /* acquire: same key, other body */          \
    X(ORPHANED, "orphaned")       /* acquire: lease over, asked to report */   \
    X(COMPLETED, "completed")     /* complete */                               \
    X(RELEASED, "released")       /* release */                                \
    X(RENEWED, "renewed")         /* renew */                                  \
    X(STALE, "stale")             /* not the current token: nothing changed */ \
    X(UNKNOWN, "unknown")         /* no such record: nothing changed */        \
    X(RECORD, "record")           /* peek; on the wire the state's name */     \
    X(DELETED, "deleted")         /* resolve: there is no record any more */   \
    X(REFUSED, "refused")         /* resolve: not without force */             \
    X(ERASED, "erased")           /* erase: so many are gone */                \
    X(COUNTED, "counted")         /* erase, dry_run: so many would be */

typedef enum idp_outcome {
#define X(name, text) IDP_OUTCOME_##name,
    IDP_OUTCOMES(X)
#undef X
        IDP_OUTCOME_COUNT
} idp_outcome;

/* A decoded request. Slices borrow from the bytes it was decoded from. */
typedef struct idp_request {
    idp_method method;
    uint32_t msgid;
    idp_slice ns;  /* list, events: ptr NULL: of any */
    idp_slice key; /* list, events: how keys begin; ptr NULL: anyhow */
    union {
        idp_slice fingerprint; /* acquire; len 0: none */
        idp_slice cursor; /* list, clients: ptr NULL: from the first; events:
                           * from now on; kill: whom */
    };
    idp_slice nonce;  /* acquire, resolve; len 0: none */
    idp_slice result; /* complete, resolve; ptr NULL: nil; config, offer: what
                       * is told (group.h) */
    idp_token token;  /* complete, release, renew, resolve: as seen */
    union {
        uint64_t ttl_ms;   /* acquire; complete: 0 keeps the record's */
        uint64_t older_ms; /* list: of this age or more */
    };
    uint32_t lease_ms; /* acquire, renew */
    uint32_t wait_ms;  /* acquire, events; 0: answer at once */
    union {
        idp_on_orphan on_orphan; /* acquire */
        idp_verb verb;           /* resolve */
        idp_state state;         /* list; ABSENT: of any */
        idp_event_kind kind;     /* events; ANY: of any */
    };
    idp_class class;
    bool unbind;           /* release */
    bool accept_loss;      /* promote, detach */
    bool open_metrics;     /* metrics: as OpenMetrics */
    bool dry_run;          /* reload, erase: says what it would do, and does
                            * nothing */
    bool oldest;           /* list: those that the last scan found */
    bool force;            /* reload: also where it closes most connections;
                            * resolve: a lease that runs, a completed record */
    bool result_too_large; /* complete: its result was over the limit and
                            * skipped as it arrived; .result is nil */
    /* backup: ns, what it is called; len 0: the server names it
     * namespaces: ns, after whose name; ptr NULL: from the first
     * detach, switchover: ns, which node is meant; len 0: none is named */
    /* hello */
    bool has_shard;
    uint32_t shard;
    union {
        idp_slice client; /* hello; ptr NULL: not given */
        idp_slice reason; /* resolve, erase */
    };
    idp_slice secret; /* ptr NULL: not given */
} idp_request;

/* What was decided. Which fields are set follows from outcome (and, for
 * RECORD, from state). result borrows from whoever made the answer. */
typedef struct idp_answer {
    idp_outcome outcome;
    idp_state state;        /* MISMATCH, STALE, RECORD, REFUSED */
    idp_previous previous;  /* ACQUIRED */
    idp_class class;        /* REPLAY, RECORD completed */
    bool kept;              /* COMPLETED: the result is stored */
    uint64_t ttl_ms;        /* COMPLETED: what holds, where that is less than
                             * was asked for; else 0 */
    bool has_result;        /* REPLAY, RECORD completed: false is nil */
    uint32_t attempt;       /* ACQUIRED, IN_PROGRESS, ORPHANED, RECORD */
    idp_token token;        /* ACQUIRED */
    uint64_t lease_ms;      /* ACQUIRED, RENEWED */
    uint64_t lease_left_ms; /* IN_PROGRESS, RECORD in_progress */
    uint64_t age_ms;        /* REPLAY, IN_PROGRESS, ORPHANED, RECORD */
    uint64_t ttl_left_ms;   /* REPLAY, RECORD */
    idp_slice result;       /* REPLAY */
    uint64_t result_bytes;  /* RECORD completed with a result */
    uint64_t records;       /* ERASED, COUNTED; of them in progress: */
    uint64_t running;
} idp_answer;

#endif
