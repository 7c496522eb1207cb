/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient.h -- libidemclient: what a program asks with.
 *
 * A backend asks, before it does something that must happen once, "may I?".
 * This header is what it asks with, in two layers, each usable alone:
 *
 *   idem_client    blocking; any number of threads share one      (most users)
 *   idem_run_once  acquire, your function, complete or release    (on top)
 *
 * Beside it, each for who needs it: idemclient_async.h (idem_async: the whole
 * client on an event loop), idemclient_loop.h (idem_conn, idem_session: one
 * connection for a program with an event loop or sockets of its own),
 * idemclient_http.h (the Idempotency-Key header, an answer as a status),
 * idemclient_watch.h (how a client stands, and its events), idemclient_admin.h
 * (an operator's commands), idemclient_look.h (what an operator looks at).
 *
 * Made to be bound without glue: handles are opaque, codes are int32_t, there
 * are no variadic functions and no macro that a caller must have. A struct
 * that may grow begins with its size. In C and C++:
 *   idem_args args = IDEM_ARGS_INIT;
 * elsewhere: zero it and set size to its sizeof, or let idem_args_init(&args,
 * sizeof args) do that; then fill in what you need.
 *
 * A program that was built with this header runs with every later library of
 * the same SONAME: fields are only appended, and what lies behind a struct's
 * size is neither read nor written. A struct of a newer header is taken as
 * long as what this library does not know in it is zero, else
 * IDEM_E_ARGUMENT. Numbers never change their meaning; methods, outcomes,
 * states and so on have ranges of their own, so that one can't be taken for
 * another, and 0 is none of them.
 *
 * Strings that take a length need no NUL. Everything that a call is given is
 * borrowed until that call returns, unless it says otherwise.
 *
 * Fork: a child may use and free its parent's handles; each notices by itself,
 * without a system call. An idem_client and an idem_conn begin anew in the
 * child, with connections and nonces of their own; calls that were under way
 * are the parent's, and the child hears nothing of them. An idem_session is
 * over there: CLOSED. The child sends nothing on the parent's connections, and
 * ends none. A function under idem_run_once that comes back in a child ends
 * with CLOSED: the claim is the parent's to settle. */
#ifndef IDEMCLIENT_H
#define IDEMCLIENT_H

#include <stddef.h>
#include <stdint.h>

/* What the _INIT macros are: zeroed, and told its size. */
#ifdef __cplusplus
template <typename Sized> static inline Sized idem__sized() {
    Sized zeroed = Sized();
    zeroed.size = static_cast<uint32_t>(sizeof zeroed);
    return zeroed;
}
#define IDEM__SIZED(type) idem__sized<type>()
extern "C" {
#else
#define IDEM__SIZED(type) \
    { .size = sizeof(type) }
#endif

#if defined(__cplusplus) && __cplusplus >= 201703L
#define IDEM_NOEXCEPT noexcept
#else
#define IDEM_NOEXCEPT
#endif

#if defined(__GNUC__)
#define IDEM_API __attribute__((visibility("default")))
#else
#define IDEM_API
#endif

#define IDEM_VERSION_MAJOR 0
#define IDEM_VERSION_MINOR 1
#define IDEM_VERSION_PATCH 0

#define IDEM_TOKEN_BYTES        16
#define IDEM_FINGERPRINT_BYTES  32 /* what idem_fingerprint makes */
#define IDEM_KEY_BYTES_MAX      512
#define IDEM_NONCE_BYTES_MAX    32
#define IDEM_ENDPOINT_BYTES     288 /* holds any "host:port", with its NUL */
#define IDEM_LEASE_MS_DEFAULT   30000u
#define IDEM_TTL_MS_DEFAULT     86400000u /* 24 h */
#define IDEM_TIMEOUT_MS_DEFAULT 5000u

/* "0.1.0". Static storage. */
IDEM_API const char *idem_version(void);

/* Milliseconds of CLOCK_MONOTONIC: the clock that the blocking client reads,
 * and one that a program with idem_conn or idem_session may use. */
IDEM_API uint64_t idem_now_ms(void);

/* ------------------------------------------------------------------ errors
 *
 * Zero is success. An error is what prevented an answer; "someone else holds
 * it" is an answer. What every error says about the claim: */
enum {
    /* The request never left, or can't have had an effect: the claim is as it
     * was before the call. */
    IDEM_ASSUME_UNCHANGED = 1,
    /* It may or may not have taken effect. Ask again with the same nonce
     * (acquire) or the same token (complete, release, renew): it takes effect
     * at most once. */
    IDEM_ASSUME_UNKNOWN = 2,
    /* The server refused it and changed nothing. The code says why. */
    IDEM_ASSUME_REFUSED = 3
};

/* X(name, code, assume, text): -1..-99 are the server's words, -101..-199 are
 * unchanged, -201..-299 unknown. */
#define IDEM_ERRORS(X)                                                       \
    X(PROTOCOL, -1, REFUSED, "the server did not understand the bytes")      \
    X(UNKNOWN_METHOD, -2, REFUSED, "the server does not know the method")    \
    X(BAD_REQUEST, -3, REFUSED, "the server refused the parameters")         \
    X(TOO_LARGE, -4, REFUSED, "a field is over the server's limit")          \
    X(LIMIT, -5, REFUSED, "too many waiters, connections or requests")       \
    X(NO_MEMORY, -6, REFUSED, "the server's memory limit is reached")        \
    X(DENIED, -7, REFUSED, "a secret is needed, or it is wrong")             \
    X(NOT_PRIMARY, -8, REFUSED, "the server is not the primary")             \
    X(UNREPLICATED, -9, UNKNOWN, "the replica has not confirmed the change") \
    X(SHUTTING_DOWN, -10, REFUSED, "the server is going down")               \
    X(SERVER, -99, UNKNOWN, "the server sent an error of a newer version")   \
    X(ARGUMENT, -101, UNCHANGED, "an argument is not legal")                 \
    X(URI, -102, UNCHANGED, "the URI is not legal")                          \
    X(MEMORY, -103, UNCHANGED, "this process has no memory left")            \
    X(CONNECT, -104, UNCHANGED, "no endpoint could be reached")              \
    X(TIMEOUT_UNSENT, -105, UNCHANGED, "the deadline passed before sending") \
    X(CLOSED, -106, UNCHANGED, "the handle was closed before sending")       \
    X(BUSY, -107, UNCHANGED, "too many calls under way on this connection")  \
    X(SPACE, -108, UNCHANGED, "the caller's buffer is too small")            \
    X(KEY_MISSING, -109, UNCHANGED, "there is no Idempotency-Key")           \
    X(KEY_MALFORMED, -110, UNCHANGED, "the Idempotency-Key is malformed")    \
    X(CHANGES_WAIT, -111, UNCHANGED, "changes wait for the replica")         \
    X(NOT_HTTP, -112, UNCHANGED, "the stored result is no HTTP answer")      \
    X(TLS, -113, UNCHANGED, "no TLS connection could be made")               \
    X(TIMEOUT, -201, UNKNOWN, "no answer came before the deadline")          \
    X(LOST, -202, UNKNOWN, "the connection was lost before the answer")      \
    X(GARBLED, -203, UNKNOWN, "the reply is not an answer to the call")      \
    X(NOT_RECORDED, -204, UNKNOWN, "it was done, but not surely recorded")

enum {
    IDEM_OK = 0,
#define IDEM_X(name, code, assume, text) IDEM_E_##name = code,
    IDEM_ERRORS(IDEM_X)
#undef IDEM_X
        IDEM_E_LAST_ = -32768 /* keeps the list open; no error has it */
};

/* "TIMEOUT", "no answer came before the deadline", IDEM_ASSUME_UNKNOWN.
 * Static storage. A code that is not ours: "UNKNOWN", and assume UNKNOWN. 0:
 * "OK", and assume 0. */
IDEM_API const char *idem_error_name(int32_t code);
IDEM_API const char *idem_error_text(int32_t code);
IDEM_API int32_t idem_error_assume(int32_t code);

/* What went wrong, for people and for logs. Wherever an idem_error * is taken
 * it may be NULL; it is written only when the call fails. Never holds a key, a
 * result or a secret. */
typedef struct idem_error {
    uint32_t size;                       /* sizeof(idem_error) */
    int32_t code;                        /* IDEM_E_... */
    int32_t assume;                      /* IDEM_ASSUME_... */
    int32_t os_error;                    /* errno, or 0 */
    char endpoint[IDEM_ENDPOINT_BYTES];  /* "127.0.0.1:7117", or "" when none
                                          * was involved */
    char text[512];                      /* one sentence: what happened, where,
                                          * what to do */
    char primary[IDEM_ENDPOINT_BYTES];   /* NOT_PRIMARY: where the server says
                                          * that the primary is, "host:port",
                                          * checked; "" when it named none */
    uint8_t nonce[IDEM_NONCE_BYTES_MAX]; /* acquire: the nonce it was asked
                                          * with, given or drawn: ask again
                                          * with it */
    uint32_t nonce_len;                  /* 0: none was sent */
} idem_error;

#define IDEM_ERROR_INIT IDEM__SIZED(idem_error)
IDEM_API void idem_error_init(idem_error *err, size_t err_size);

/* ------------------------------------------------------------------- calls */

enum { /* methods, for idem_call, idem_conn_call and idem_session_call */
       IDEM_ACQUIRE = 101,
       IDEM_COMPLETE = 102,
       IDEM_RELEASE = 103,
       IDEM_RENEW = 104,
       IDEM_PEEK = 105,
       IDEM_PING = 106,
       IDEM_STATS = 107
};

enum {                         /* outcomes: idem_answer.outcome; 0: none */
       IDEM_ACQUIRED = 201,    /* acquire: yours; token, attempt, previous,
                                * lease_ms, nonce */
       IDEM_REPLAY = 202,      /* acquire: done before; result, result_class,
                                * age_ms, ttl_left_ms */
       IDEM_IN_PROGRESS = 203, /* acquire: someone else holds it;
                                * lease_left_ms, attempt, age_ms */
       IDEM_MISMATCH = 204,    /* acquire: same key, another fingerprint;
                                * state */
       IDEM_ORPHANED = 205,    /* acquire with IDEM_REPORT: the holder's lease
                                * is over, whether it had its effect unknown;
                                * age_ms, attempt */
       IDEM_COMPLETED = 206,   /* complete: kept */
       IDEM_RELEASED = 207,    /* release */
       IDEM_RENEWED = 208,     /* renew: lease_ms */
       IDEM_STALE = 209,       /* complete, release, renew: the token is not
                                * the current one, nothing changed; state */
       IDEM_NO_RECORD = 210,   /* complete, release, renew: no such record (its
                                * retention is over), nothing changed */
       IDEM_RECORD = 211,      /* peek: state, and all but result */
       IDEM_PONG = 212,        /* ping */
       IDEM_COUNTERS = 213,    /* stats: see idem_stats_next */
       IDEM_LEFT = 214         /* idem_run_once: the function did not know how
                                * it ended; the claim is left to be orphaned */
};

enum { /* idem_answer.state; 0: not told */
       IDEM_STATE_ABSENT = 301,
       IDEM_STATE_IN_PROGRESS = 302,
       IDEM_STATE_ORPHANED = 303,
       IDEM_STATE_COMPLETED = 304,
       IDEM_STATE_RELEASED = 305
};

enum { /* idem_answer.previous: how the claim before this one ended; 0: not
        * told */
       IDEM_PREVIOUS_NONE = 401,
       IDEM_PREVIOUS_ORPHANED = 402, /* unknown: it may have had its effect */
       IDEM_PREVIOUS_RELEASED = 403  /* failed cleanly */
};

enum { /* result_class: what the caller's own function came to; 0 where it is
        * asked: IDEM_CLASS_SUCCESS */
       IDEM_CLASS_SUCCESS = 501,
       IDEM_CLASS_ERROR = 502
};

enum { /* on_orphan; 0: IDEM_TAKEOVER */
       IDEM_TAKEOVER = 801,
       IDEM_REPORT = 802
};

/* The words, as they stand on the wire: "acquired", "in_progress",
 * "released", "success"; IDEM_NO_RECORD is "unknown" there. Static storage;
 * "" for what is not ours. */
IDEM_API const char *idem_outcome_name(int32_t outcome);
IDEM_API const char *idem_state_name(int32_t state);
IDEM_API const char *idem_previous_name(int32_t previous);
IDEM_API const char *idem_class_name(int32_t result_class);

/* A fencing token: tokens of one key compare with memcmp and only grow. */
typedef struct idem_token {
    uint8_t bytes[IDEM_TOKEN_BYTES];
} idem_token;

/* What is asked. Zero means "not given" in every field; each call looks only
 * at its own, so that the args of an acquire can go on to be the args of its
 * complete once token and result are set. */
typedef struct idem_args {
    uint32_t size;           /* sizeof(idem_args) */
    uint32_t timeout_ms;     /* the whole call, retries included. 0: the URI's.
                              * For an acquire with wait_ms it counts on top of
                              * the wait */
    const char *ns;          /* NULL: the URI's namespace */
    size_t ns_len;           /* 0..64 bytes */
    const void *key;         /* all but ping and stats */
    size_t key_len;          /* 1..512 bytes */
    const void *fingerprint; /* acquire: what the key stands for */
    size_t fingerprint_len;  /* 0..64 bytes; 0: no comparison */
    const void *nonce;       /* acquire: names this asker, so that a repeated
                              * acquire finds its own claim again */
    size_t nonce_len;        /* 1..32 bytes; 0: the library draws one */
    const void *result;      /* complete: what later askers will be given.
                              * NULL: nil. "" with length 0 is a result */
    size_t result_len;
    idem_token token;  /* complete, release, renew: from the acquire */
    uint64_t ttl_ms;   /* acquire: how long the record lives, 1 ms..366 d;
                        * 0: IDEM_TTL_MS_DEFAULT, or lease_ms if longer.
                        * complete: 0 keeps the acquire's */
    uint32_t lease_ms; /* acquire, renew: how long the holder has, 1 ms..24 h;
                        * 0: IDEM_LEASE_MS_DEFAULT */
    uint32_t wait_ms;  /* acquire: wait so long for a holder to finish,
                        * 0..60000 */
    int32_t on_orphan; /* acquire: IDEM_TAKEOVER, IDEM_REPORT */
    int32_t result_class; /* complete: IDEM_CLASS_... */
    int32_t unbind;       /* release: 1 drops the record and its fingerprint */
    int32_t no_renew;     /* idem_run_once: 1 lets the lease run out under a
                           * function that takes longer. 0: it is renewed
                           * every lease/3 */
} idem_args;

#define IDEM_ARGS_INIT IDEM__SIZED(idem_args)
/* Zeroes args_size bytes and sets size: what IDEM_ARGS_INIT does, for
 * bindings. args_size is the caller's own sizeof, since the library's may be
 * larger. The other structs have the same pair: answer, error, info and those
 * of the other headers. */
IDEM_API void idem_args_init(idem_args *args, size_t args_size);

/* What was answered. IDEM_ANSWER_INIT before its first use; it may then be
 * used for call after call (its memory is reused), and is given back with
 * idem_answer_fini. A call that fails leaves outcome 0. */
typedef struct idem_answer {
    uint32_t size;        /* sizeof(idem_answer) */
    int32_t outcome;      /* IDEM_ACQUIRED, ...; 0: none */
    int32_t state;        /* IDEM_STATE_... */
    int32_t previous;     /* IDEM_PREVIOUS_... */
    int32_t result_class; /* IDEM_CLASS_... */
    int32_t kept;         /* completed: 1 when the result is stored */
    int32_t has_result;   /* replay, record: 0 is nil, not an empty result */
    uint32_t attempt;     /* 1 for the first claim of a key */
    idem_token token;
    uint64_t lease_ms;      /* granted */
    uint64_t lease_left_ms; /* of whoever holds it */
    uint64_t age_ms;        /* since the last change of state */
    uint64_t ttl_left_ms;
    uint64_t result_bytes; /* record: the size of the stored result */
    const uint8_t *result; /* replay; after idem_run_once also what the
                            * function set. Valid until the next call with
                            * this answer, or idem_answer_fini */
    size_t result_len;
    void *memory;                        /* the library's */
    size_t memory_bytes;                 /* the library's */
    uint8_t nonce[IDEM_NONCE_BYTES_MAX]; /* acquire: the nonce it was asked
                                          * with, given or drawn */
    uint32_t nonce_len;                  /* 0: none was sent */
} idem_answer;

#define IDEM_ANSWER_INIT IDEM__SIZED(idem_answer)
IDEM_API void idem_answer_init(idem_answer *answer, size_t answer_size);

/* Frees what the answer holds; it may then be used again. */
IDEM_API void idem_answer_fini(idem_answer *answer);

/* Walks the counters of an IDEM_COUNTERS answer: start with *at = 0; 1 while
 * there is one, 0 at the end. The name is not NUL-terminated and borrows from
 * the answer. */
IDEM_API int32_t idem_stats_next(const idem_answer *answer, size_t *at,
                                 const char **name, size_t *name_len,
                                 uint64_t *value);

/* --------------------------------------------------------------------- TLS */

/* How much of a server's certificate is looked at; numbers stay. */
enum {
    IDEM_VERIFY_FULL = 0, /* it is good, and the host's */
    IDEM_VERIFY_CA = 1,   /* it is good, whosever it is */
    IDEM_VERIFY_NONE = 2  /* anybody's */
};

/* What an idems:// URI says of TLS, for a program that has it in variables. A
 * string is NUL-terminated and not escaped; NULL: as in a URI without it. */
typedef struct idem_tls {
    uint32_t size;  /* sizeof(idem_tls) */
    int32_t verify; /* IDEM_VERIFY_... */
    const char *ca; /* a file's path, as are the next two: see below */
    const char *cert;
    const char *key;
    const char *server_name;
} idem_tls;

#define IDEM_TLS_INIT IDEM__SIZED(idem_tls)
IDEM_API void idem_tls_init(idem_tls *tls, size_t tls_size);

/* Writes uri with what tls says as options behind its own, for all that takes a
 * URI: idem_client_open, idem_async_open, idem_conn_open, idem_command ... to
 * has room for to_bytes with the NUL at the end; three for each byte of a path
 * are enough. Any thread; reads no file, does not block, keeps nothing.
 *
 * Errors: IDEM_E_URI (it does not begin with idems://), IDEM_E_ARGUMENT (tls
 * can't be used, has a verify that is none, or to is too small). Then to is "",
 * if it has room for that. */
IDEM_API int32_t idem_tls_uri(const char *uri, const idem_tls *tls, char *to,
                              size_t to_bytes, idem_error *err);

/* --------------------------------------------------------- blocking client */

/* Any number of threads may share one client; their calls travel on the same
 * connections, one per shard of the server. The callers send and receive for
 * each other; only idem_run_once has a thread beside it, one per client. */
typedef struct idem_client idem_client;

/* Makes a client; connects at its first call, not here.
 *
 * uri, NUL-terminated:
 *   idem://[:SECRET@]HOST[:PORT][,HOST[:PORT]...][/NAMESPACE][?OPTIONS]
 *   idems://...                      the same over TLS
 *   idem+unix://[:SECRET@]/PATH/TO/SOCKET[?OPTIONS]
 * HOST is a name, an IPv4 address or an IPv6 address in brackets; PORT is 7117
 * when not given. Several hosts (up to 16) are a primary and its replicas: they
 * are tried in turn until one is the primary. %XX is decoded in SECRET,
 * NAMESPACE, PATH and values. No part may have a byte below 0x21, or 0x7f, as
 * it stands or as %XX, but for %20 in PATH, secret_file, ca, cert and key.
 * Where neither SECRET nor secret_file is given, the environment's
 * IDEMSTORE_SECRET is the secret, as it stands.
 *
 * OPTIONS, joined by an ampersand:
 *   timeout_ms=N          deadline of a call (5000; 1..86400000)
 *   connect_timeout_ms=N  of one attempt to connect, and how long a server may
 *                         leave a ping unanswered (1000; 1..60000)
 *   fail_fast_ms=N        while a replica is silent, don't let each call take
 *                         its whole time: UNREPLICATED is told at once, a
 *                         change that is not confirmed N ms after it was sent
 *                         ends with TIMEOUT, and until one is confirmed all
 *                         but one each N ms end with CHANGES_WAIT, unsent (off;
 *                         500..60000). idem_run_once completes all the same
 *   connect_rounds=N      a call ends once each host could not be reached so
 *                         often, though its deadline is ahead (1..1000). Not
 *                         given: until the deadline
 *   namespace=TEXT        where the path can't say it (idem+unix)
 *   secret_file=PATH      read the secret from the first line of a file
 *   client=TEXT           tells the server who this is (1..128 bytes)
 *   shard_aware=0         one connection only, whatever the server has
 *   shard=N               idem_conn: ask to be moved to this shard
 * with idems:// also:
 *   ca=PATH               PEM: who signs the servers' certificates (those whom
 *                         the system trusts)
 *   cert=PATH             PEM: shown to a server that asks for one, with its
 *                         chain behind it
 *   key=PATH              PEM: its key (in cert); nobody else may read the
 *                         file, its group at the most
 *   verify=full|ca|none   full: the certificate is good, and the host's; ca: it
 *                         is good, whosever it is; none: anybody's (full)
 *   server_name=HOST      whose the certificate is to be, instead of the host
 *                         that is dialled
 * idem_tls_uri writes these from a struct.
 *
 * idems:// never falls back to idem://. A server that NOT_PRIMARY names is
 * dialled with TLS, and its certificate is to be that host's. TLS 1.2 at the
 * least. The files are read here, once.
 *
 * Errors: IDEM_E_URI (text names the part), IDEM_E_TLS (text names the file,
 * and what is wrong with it), IDEM_E_MEMORY. Does not block, save for reading
 * files. */
IDEM_API int32_t idem_client_open(const char *uri, idem_client **client,
                                  idem_error *err);

/* Closes the connections and frees it. No other thread may be in a call. NULL
 * is allowed. */
IDEM_API void idem_client_close(idem_client *client);

/* Ends the calls under way in other threads, for a process that is asked to
 * end, or a request that nobody waits for any more. From any thread, and from a
 * signal handler. Does not block: each call ends by itself, within 250 ms (one
 * that is connecting: within connect_timeout_ms), and so does each later one:
 *   CLOSED  nothing was sent: unchanged
 *   LOST    it was sent, and not answered yet: unknown
 * or with its answer, if that has just come. What a function under
 * idem_run_once has done is still recorded, and its lease renewed until then.
 * Once all calls have returned, idem_client_close. NULL is allowed. */
IDEM_API void idem_client_shutdown(idem_client *client);

/* Each call blocks until the answer or its deadline. The deadline also holds
 * for connecting and for looking names up (by a thread that ends with the
 * lookup; an address needs none). A name's addresses are tried 250 ms apart,
 * the one that answered last first. Until then the call follows the primary:
 * what was lost, sent on or not confirmed is sent again with the same nonce or
 * token, and with the wait that is left.
 *
 *   connection refused,    the next endpoint, with a random pause that grows
 *   reset, closed          from round to round (20 ms, at most 250)
 *   silence                after 250 ms a ping; a server that leaves it
 *                          unanswered for a third of the call's time left (250
 *                          ms at least, connect_timeout_ms at most) is left. A
 *                          server that lets an acquire wait answers its pings
 *   NOT_PRIMARY host:port  that server, at once, also when the URI has it not;
 *                          eight times a call, then as without an address
 *   NOT_PRIMARY,           the next endpoint, with a pause that grows as above
 *   SHUTTING_DOWN
 *   UNREPLICATED           the same server and the others in turns, likewise
 *
 * Which server is the primary is known to the client, not to a call: all
 * threads go where the first one was sent. A server that calls itself the
 * primary in a lower epoch than another one had is not asked for 10 s.
 *
 * args     see idem_args
 * answer   filled on success; may be NULL where only success matters
 * err      may be NULL; filled on failure
 *
 * Errors and what they let you assume: idem_error_assume. Besides the server's
 * own words: ARGUMENT, MEMORY, CONNECT, TIMEOUT_UNSENT (unchanged: nothing was
 * sent), TIMEOUT, LOST, GARBLED (unknown: ask again with the same nonce or
 * token). TLS: the server's certificate is not good, or it refuses ours, or it
 * speaks no TLS (unchanged; told at once, and the next call tries again, at the
 * pace of the pauses). NOT_PRIMARY: no server was the primary until the
 * deadline. UNREPLICATED: an attempt was carried out and not confirmed by the
 * replica until then: unknown, ask again likewise. */
IDEM_API int32_t idem_acquire(idem_client *client, const idem_args *args,
                              idem_answer *answer, idem_error *err);
/* A result over the server's limit is not sent: the key is completed all the
 * same, and answer.kept is 0. */
IDEM_API int32_t idem_complete(idem_client *client, const idem_args *args,
                               idem_answer *answer, idem_error *err);
IDEM_API int32_t idem_release(idem_client *client, const idem_args *args,
                              idem_answer *answer, idem_error *err);
IDEM_API int32_t idem_renew(idem_client *client, const idem_args *args,
                            idem_answer *answer, idem_error *err);
IDEM_API int32_t idem_peek(idem_client *client, const idem_args *args,
                           idem_answer *answer, idem_error *err);
/* args may be NULL for these two. */
IDEM_API int32_t idem_ping(idem_client *client, const idem_args *args,
                           idem_answer *answer, idem_error *err);
IDEM_API int32_t idem_stats(idem_client *client, const idem_args *args,
                            idem_answer *answer, idem_error *err);
/* All of the above in one function; method is IDEM_ACQUIRE ... */
IDEM_API int32_t idem_call(idem_client *client, int32_t method,
                           const idem_args *args, idem_answer *answer,
                           idem_error *err);

/* What the server said of itself when the connection was made. */
typedef struct idem_info {
    uint32_t size;     /* sizeof(idem_info) */
    uint32_t protocol; /* 2: 1 before there were methods for operators */
    uint32_t shards;
    uint32_t shard; /* idem_conn: the one it is on */
    uint64_t epoch;
    uint64_t result_bytes_max; /* a longer result is not kept */
    uint64_t pending_max;      /* requests in flight per connection */
    char server[32];
    char version[32];
    char role[16];                      /* "primary", "replica" */
    char endpoint[IDEM_ENDPOINT_BYTES]; /* that it is connected to */
    char user[36]; /* whom the secret named; "": none is demanded */
} idem_info;

#define IDEM_INFO_INIT IDEM__SIZED(idem_info)
IDEM_API void idem_info_init(idem_info *info, size_t info_size);

/* Connects if need be. timeout_ms 0: the URI's. */
IDEM_API int32_t idem_client_info(idem_client *client, uint32_t timeout_ms,
                                  idem_info *info, idem_error *err);

/* ---------------------------------------------------------------- run once */

/* The claim that the function runs under; valid until the function returns. */
typedef struct idem_run idem_run;

enum { /* what the function returns. 0, which a binding returns for a function
        * that raised, is the safe end; the others are no accident */
       IDEM_RUN_UNSURE = 0, /* nobody knows: leave the claim to be orphaned */
       IDEM_RUN_DONE = 0x444f4e45,  /* "DONE": it happened, complete with the
                                     * result set */
       IDEM_RUN_FAILED = 0x4641494c /* "FAIL": it surely did not happen,
                                     * release */
};
typedef int32_t (*idem_run_fn)(idem_run *run, void *ctx);

/* Store this beside your own rows: a later token of the key is greater. */
IDEM_API void idem_run_token(const idem_run *run, idem_token *token);
IDEM_API uint32_t idem_run_attempt(const idem_run *run);
/* IDEM_PREVIOUS_ORPHANED: someone before may have done it; find out first. */
IDEM_API int32_t idem_run_previous(const idem_run *run);
/* What will be replayed. Copied; the last one set counts. Never set: nil.
 * Errors: IDEM_E_MEMORY, IDEM_E_ARGUMENT (result_class). */
IDEM_API int32_t idem_run_set_result(idem_run *run, const void *result,
                                     size_t result_len, int32_t result_class);
/* 1 once renewal has heard that the claim is no longer ours, and while the
 * lease is over with no renewal confirmed: stop before the effect if you can.
 * Any thread. */
IDEM_API int32_t idem_run_lost(const idem_run *run);

/* Acquires; if the claim is ours runs fn, then completes or releases as fn
 * says. Otherwise fn does not run and the answer is the acquire's.
 *
 * args     as for acquire; timeout_ms holds for the acquire, and again for the
 *          complete or release
 * fn, ctx  the work. It runs on this thread, at most once
 * answer   REPLAY, IN_PROGRESS, MISMATCH, ORPHANED: fn did not run.
 *          COMPLETED (result is what fn set), RELEASED, LEFT: fn ran.
 *          STALE, NO_RECORD: fn ran, but the claim was taken over or its record
 *          is gone; its result is not what later askers get
 *
 * The lease is renewed from before fn begins until its end is settled, by a
 * thread that the client makes for its first run; it keeps all its runs. It
 * counts from when the attempt that was answered was sent; where the answer
 * came late, or waited for another holder, the server is asked at once.
 *
 * fn may end otherwise than by returning: by an exception of C++ (or what else
 * unwinds), by pthread_exit or pthread_cancel, by longjmp (with glibc). The
 * claim is then left as by IDEM_RUN_UNSURE, its renewal ends, and the exception
 * goes on to the caller; answer.outcome is LEFT. A thread is cancelled in fn
 * only, never inside of a call.
 *
 * A failover while fn runs changes nothing for it: renewals, complete and
 * release go to the new primary with the claim's token.
 *
 * Errors: the acquire's (fn did not run), or IDEM_E_NOT_RECORDED: fn ran and
 * said done, and no confirmation of the complete came in time. The effect
 * has happened; the record may still look unfinished. Failing to confirm a
 * release is no error of its own: RELEASED with kept 0, the lease frees it.
 * IDEM_E_ARGUMENT when fn returned something else (the claim is left). */
IDEM_API int32_t idem_run_once(idem_client *client, const idem_args *args,
                               idem_run_fn fn, void *ctx, idem_answer *answer,
                               idem_error *err);

/* ----------------------------------------------------------------- helpers */

typedef struct idem_slice {
    const void *ptr;
    size_t len;
} idem_slice;

/* SHA-256 over the parts (method, path, body ...), each preceded by its length
 * as a big-endian u64, so that ("ab","c") and ("a","bc") differ. Any thread. */
IDEM_API void idem_fingerprint(const idem_slice *parts, size_t parts_count,
                               uint8_t *fingerprint /* 32 bytes */);

#ifdef __cplusplus
}
#endif
#endif
