/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient.h, frozen: see README.md. */
#ifndef IDEMCLIENT_H
#define IDEMCLIENT_H
#include <stddef.h>
#include <stdint.h>
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
#define IDEM_VERSION_MAJOR      0
#define IDEM_VERSION_MINOR      1
#define IDEM_VERSION_PATCH      0
#define IDEM_TOKEN_BYTES        16
#define IDEM_FINGERPRINT_BYTES  32
#define IDEM_KEY_BYTES_MAX      512
#define IDEM_NONCE_BYTES_MAX    32
#define IDEM_ENDPOINT_BYTES     288
#define IDEM_LEASE_MS_DEFAULT   30000u
#define IDEM_TTL_MS_DEFAULT     86400000u
#define IDEM_TIMEOUT_MS_DEFAULT 5000u
IDEM_API const char *idem_version(void);
IDEM_API uint64_t idem_now_ms(void);
enum {
    IDEM_ASSUME_UNCHANGED = 1,
    IDEM_ASSUME_UNKNOWN = 2,
    IDEM_ASSUME_REFUSED = 3
};
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
    X(TIMEOUT, -201, UNKNOWN, "no answer came before the deadline")          \
    X(LOST, -202, UNKNOWN, "the connection was lost before the answer")      \
    X(GARBLED, -203, UNKNOWN, "the reply is not an answer to the call")      \
    X(NOT_RECORDED, -204, UNKNOWN, "it was done, but not surely recorded")
enum {
    IDEM_OK = 0,
#define IDEM_X(name, code, assume, text) IDEM_E_##name = code,
    IDEM_ERRORS(IDEM_X)
#undef IDEM_X
        IDEM_E_LAST_ = -32768
};
IDEM_API const char *idem_error_name(int32_t code);
IDEM_API const char *idem_error_text(int32_t code);
IDEM_API int32_t idem_error_assume(int32_t code);
typedef struct idem_error {
    uint32_t size;
    int32_t code;
    int32_t assume;
    int32_t os_error;
    char endpoint[IDEM_ENDPOINT_BYTES];
    char text[512];
    char primary[IDEM_ENDPOINT_BYTES];
    uint8_t nonce[IDEM_NONCE_BYTES_MAX];
    uint32_t nonce_len;
} idem_error;
#define IDEM_ERROR_INIT IDEM__SIZED(idem_error)
IDEM_API void idem_error_init(idem_error *err, size_t err_size);
enum {
    IDEM_ACQUIRE = 101,
    IDEM_COMPLETE = 102,
    IDEM_RELEASE = 103,
    IDEM_RENEW = 104,
    IDEM_PEEK = 105,
    IDEM_PING = 106,
    IDEM_STATS = 107
};
enum {
    IDEM_ACQUIRED = 201,
    IDEM_REPLAY = 202,
    IDEM_IN_PROGRESS = 203,
    IDEM_MISMATCH = 204,
    IDEM_ORPHANED = 205,
    IDEM_COMPLETED = 206,
    IDEM_RELEASED = 207,
    IDEM_RENEWED = 208,
    IDEM_STALE = 209,
    IDEM_NO_RECORD = 210,
    IDEM_RECORD = 211,
    IDEM_PONG = 212,
    IDEM_COUNTERS = 213,
    IDEM_LEFT = 214
};
enum {
    IDEM_STATE_ABSENT = 301,
    IDEM_STATE_IN_PROGRESS = 302,
    IDEM_STATE_ORPHANED = 303,
    IDEM_STATE_COMPLETED = 304,
    IDEM_STATE_RELEASED = 305
};
enum {
    IDEM_PREVIOUS_NONE = 401,
    IDEM_PREVIOUS_ORPHANED = 402,
    IDEM_PREVIOUS_RELEASED = 403
};
enum { IDEM_CLASS_SUCCESS = 501, IDEM_CLASS_ERROR = 502 };
enum { IDEM_TAKEOVER = 801, IDEM_REPORT = 802 };
IDEM_API const char *idem_outcome_name(int32_t outcome);
IDEM_API const char *idem_state_name(int32_t state);
IDEM_API const char *idem_previous_name(int32_t previous);
IDEM_API const char *idem_class_name(int32_t result_class);
typedef struct idem_token {
    uint8_t bytes[IDEM_TOKEN_BYTES];
} idem_token;
typedef struct idem_args {
    uint32_t size;
    uint32_t timeout_ms;
    const char *ns;
    size_t ns_len;
    const void *key;
    size_t key_len;
    const void *fingerprint;
    size_t fingerprint_len;
    const void *nonce;
    size_t nonce_len;
    const void *result;
    size_t result_len;
    idem_token token;
    uint64_t ttl_ms;
    uint32_t lease_ms;
    uint32_t wait_ms;
    int32_t on_orphan;
    int32_t result_class;
    int32_t unbind;
    int32_t no_renew;
} idem_args;
#define IDEM_ARGS_INIT IDEM__SIZED(idem_args)
IDEM_API void idem_args_init(idem_args *args, size_t args_size);
typedef struct idem_answer {
    uint32_t size;
    int32_t outcome;
    int32_t state;
    int32_t previous;
    int32_t result_class;
    int32_t kept;
    int32_t has_result;
    uint32_t attempt;
    idem_token token;
    uint64_t lease_ms;
    uint64_t lease_left_ms;
    uint64_t age_ms;
    uint64_t ttl_left_ms;
    uint64_t result_bytes;
    const uint8_t *result;
    size_t result_len;
    void *memory;
    size_t memory_bytes;
    uint8_t nonce[IDEM_NONCE_BYTES_MAX];
    uint32_t nonce_len;
} idem_answer;
#define IDEM_ANSWER_INIT IDEM__SIZED(idem_answer)
IDEM_API void idem_answer_init(idem_answer *answer, size_t answer_size);
IDEM_API void idem_answer_fini(idem_answer *answer);
IDEM_API int32_t idem_stats_next(const idem_answer *answer, size_t *at,
                                 const char **name, size_t *name_len,
                                 uint64_t *value);
typedef struct idem_client idem_client;
IDEM_API int32_t idem_client_open(const char *uri, idem_client **client,
                                  idem_error *err);
IDEM_API void idem_client_close(idem_client *client);
IDEM_API void idem_client_shutdown(idem_client *client);
IDEM_API int32_t idem_acquire(idem_client *client, const idem_args *args,
                              idem_answer *answer, idem_error *err);
IDEM_API int32_t idem_complete(idem_client *client, const idem_args *args,
                               idem_answer *answer, idem_error *err);
IDEM_API int32_t idem_release(idem_client *client, const idem_args *args,
                              idem_answer *answer, idem_error *err);
IDEM_API int32_t idem_renew(idem_client *client, const idem_args *args,
                            idem_answer *answer, idem_error *err);
IDEM_API int32_t idem_peek(idem_client *client, const idem_args *args,
                           idem_answer *answer, idem_error *err);
IDEM_API int32_t idem_ping(idem_client *client, const idem_args *args,
                           idem_answer *answer, idem_error *err);
IDEM_API int32_t idem_stats(idem_client *client, const idem_args *args,
                            idem_answer *answer, idem_error *err);
IDEM_API int32_t idem_call(idem_client *client, int32_t method,
                           const idem_args *args, idem_answer *answer,
                           idem_error *err);
typedef struct idem_info {
    uint32_t size;
    uint32_t protocol;
    uint32_t shards;
    uint32_t shard;
    uint64_t epoch;
    uint64_t result_bytes_max;
    uint64_t pending_max;
    char server[32];
    char version[32];
    char role[16];
    char endpoint[IDEM_ENDPOINT_BYTES];
} idem_info;
#define IDEM_INFO_INIT IDEM__SIZED(idem_info)
IDEM_API void idem_info_init(idem_info *info, size_t info_size);
IDEM_API int32_t idem_client_info(idem_client *client, uint32_t timeout_ms,
                                  idem_info *info, idem_error *err);
typedef struct idem_run idem_run;
enum {
    IDEM_RUN_UNSURE = 0,
    IDEM_RUN_DONE = 0x444f4e45,
    IDEM_RUN_FAILED = 0x4641494c
};
typedef int32_t (*idem_run_fn)(idem_run *run, void *ctx);
IDEM_API void idem_run_token(const idem_run *run, idem_token *token);
IDEM_API uint32_t idem_run_attempt(const idem_run *run);
IDEM_API int32_t idem_run_previous(const idem_run *run);
IDEM_API int32_t idem_run_set_result(idem_run *run, const void *result,
                                     size_t result_len, int32_t result_class);
IDEM_API int32_t idem_run_lost(const idem_run *run);
IDEM_API int32_t idem_run_once(idem_client *client, const idem_args *args,
                               idem_run_fn fn, void *ctx, idem_answer *answer,
                               idem_error *err);
typedef struct idem_slice {
    const void *ptr;
    size_t len;
} idem_slice;
IDEM_API void idem_fingerprint(const idem_slice *parts, size_t parts_count,
                               uint8_t *fingerprint);
#ifdef __cplusplus
}
#endif
#endif
