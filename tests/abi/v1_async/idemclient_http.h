/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_http.h -- the Idempotency-Key header, what an answer or an error
 * of idemclient.h is in HTTP, and an HTTP answer as a result that a service in
 * any language can replay. No socket, no memory of its own; any thread.
 *
 * docs/http.md puts it together; proto/vectors has each rule as data, for
 * packages in other languages. */
#ifndef IDEMCLIENT_HTTP_H
#define IDEMCLIENT_HTTP_H

#include "idemclient.h"

#ifdef __cplusplus
extern "C" {
#endif

#define IDEM_HTTP_KEY_BYTES_MAX 255
#define IDEM_HTTP_BODY_BYTES    512 /* holds any body that idem_http_* writes */

/* Reads the value of an Idempotency-Key header
 * (draft-ietf-httpapi-idempotency-key-header): a structured-field string,
 * "..." with \" and \\ escaped (RFC 8941, 3.3.3), or the bare characters that
 * most clients send. 1..255 visible ASCII characters.
 *
 * value         NULL when the request has no such header
 * key, key_cap  where the key is written; 255 bytes hold any. No NUL is added
 * Errors: KEY_MISSING, KEY_MALFORMED, SPACE. */
IDEM_API int32_t idem_http_key(const char *value, size_t value_len, char *key,
                               size_t key_cap, size_t *key_len);

/* The claim is ours: go on and do it. No status to send. */
#define IDEM_HTTP_PROCEED 100

/* What an answer or an error is in HTTP. */
typedef struct idem_http {
    uint32_t size;          /* sizeof(idem_http) */
    int32_t status;         /* IDEM_HTTP_PROCEED, or what to send; never 0
                             * once it was asked for */
    uint32_t retry_after_s; /* send Retry-After with it; 0: don't */
    int32_t replayed;       /* 1: send Idempotency-Replayed: true */
    size_t body_len;
    const char *content_type; /* "application/problem+json", NULL: no body of
                               * ours. Static storage */
} idem_http;

#define IDEM_HTTP_INIT IDEM__SIZED(idem_http)
IDEM_API void idem_http_init(idem_http *http, size_t http_size);

/* acquired -> IDEM_HTTP_PROCEED; replay, completed -> 200 (yours to write: what
 * idem_http_unpack reads in the result has a status of its own); in_progress ->
 * 409 and Retry-After (the lease that is left, rounded up, at least 1);
 * mismatch -> 422; orphaned -> 409; left -> 503 and Retry-After, likewise;
 * released -> 503 and Retry-After, 1 or what is left of the lease where the
 * release was not confirmed; stale, no record -> 500. When it fails status is
 * 500.
 *
 * body, body_cap  a problem document (RFC 9457) is written here with a NUL;
 *                 IDEM_HTTP_BODY_BYTES hold any. NULL and 0: none wanted
 * Errors: ARGUMENT (no such outcome), SPACE. */
IDEM_API int32_t idem_http_from_answer(const idem_answer *answer, char *body,
                                       size_t body_cap, idem_http *http);
/* A missing or malformed key -> 400; anything that may go by -> 503 with
 * Retry-After; the rest -> 500. */
IDEM_API int32_t idem_http_from_error(int32_t code, char *body, size_t body_cap,
                                      idem_http *http);

/* ------------------------------------------------- an answer that is stored
 *
 * The result under an HTTP key is MessagePack:
 *
 *   [1, status, [[name, value], ...], body | nil]
 *
 * status 200..599; at most 64 headers; a name is 1..128 characters of a token
 * (RFC 9110, 5.6.2) in lower case; a value is 0..8192 bytes without a control
 * character other than a tab: str when all of it is ASCII, else bin; the body
 * is bin, and nil is one that was not kept. A reader takes str for bin and bin
 * for str, and no float for an integer. */

#define IDEM_HTTP_HEADERS_MAX      64
#define IDEM_HTTP_NAME_BYTES_MAX   128
#define IDEM_HTTP_VALUE_BYTES_MAX  8192
#define IDEM_HTTP_RESULT_BYTES_MAX 1048576 /* that a server keeps */

typedef struct idem_http_header {
    idem_slice name;
    idem_slice value;
} idem_http_header;

typedef struct idem_http_answer {
    uint32_t size;                   /* sizeof(idem_http_answer) */
    int32_t status;                  /* 200..599 */
    const idem_http_header *headers; /* NULL: none */
    size_t headers_count;
    const void *body; /* NULL: not kept. "" with length 0 is a body */
    size_t body_len;
    /* idem_http_pack only: */
    const idem_slice *keep; /* further names to store, in any case */
    size_t keep_count;
    size_t result_bytes_max; /* what the server keeps (idem_info has it); 0:
                              * IDEM_HTTP_RESULT_BYTES_MAX */
} idem_http_answer;

#define IDEM_HTTP_ANSWER_INIT IDEM__SIZED(idem_http_answer)
IDEM_API void idem_http_answer_init(idem_http_answer *answer,
                                    size_t answer_size);

/* Writes the result to complete with.
 *
 * Of the headers it takes those that answer->keep names and content-type,
 * content-language, content-encoding (give it only where the handler itself
 * encoded the body), location, etag, retry-after, in their order; names are
 * written in lower case, values without blanks around them. What is no legal
 * header, which no client can have seen, is left out, and so is what comes
 * after 64. Where the whole is longer than result_bytes_max the body is left
 * out; where that does not suffice, the headers too: the status always fits
 * (7 bytes; a smaller maximum counts as 7).
 *
 * to, to_cap  where it is written; NULL and 0: only the length is wanted
 * len         its length; of what would have been written with SPACE, too
 * Errors: ARGUMENT (no such status), SPACE. */
IDEM_API int32_t idem_http_pack(const idem_http_answer *answer, uint8_t *to,
                                size_t to_cap, size_t *len);

/* Reads a result. Whatever the bytes are, it takes time by their number at
 * most, and believes no count before its bytes are there.
 *
 * result       NULL: nil, which is no answer either
 * headers      where the headers go; IDEM_HTTP_HEADERS_MAX hold any
 * answer       status, headers, headers_count, body, body_len; they borrow
 *              from result and headers. When it fails status is 500, and
 *              there is no header and no body
 * Send body NULL as an empty body with "Idempotency-Replayed: true;
 * body=dropped", all else with "Idempotency-Replayed: true".
 * Errors: NOT_HTTP (it is no such array: send 500, idem_http_from_error has
 * a body for it), SPACE, ARGUMENT (answer's size). */
IDEM_API int32_t idem_http_unpack(const void *result, size_t result_len,
                                  idem_http_header *headers, size_t headers_cap,
                                  idem_http_answer *answer);

/* ------------------------------------------------ under which key, and what */

/* What store key and fingerprint are made of, as it came over the wire:
 * nothing decoded, no case changed. */
typedef struct idem_http_request {
    uint32_t size;      /* sizeof(idem_http_request) */
    int32_t for_anyone; /* 1: no principal; its own word, so that none is
                         * forgotten */
    idem_slice method;  /* "POST" */
    idem_slice target;  /* the path, and behind a ? the query: "/pay?shop=7" */
    idem_slice content_type; /* the header's value; ptr NULL: none */
    idem_slice body;         /* after transfer coding, before content coding */
    idem_slice principal;    /* who is authenticated, in UTF-8, so that one
                              * user's key finds no answer of another's */
} idem_http_request;

#define IDEM_HTTP_REQUEST_INIT IDEM__SIZED(idem_http_request)
IDEM_API void idem_http_request_init(idem_http_request *request,
                                     size_t request_size);

#define IDEM_HTTP_SCOPE_BYTES         22
#define IDEM_HTTP_STORE_KEY_BYTES_MAX 278

/* The key in the store: the header's key, "@", and the first 22 characters of
 * base64url(SHA-256(method, path without query, principal)), each of the three
 * after its length as a big-endian u64; a request for anyone has a principal of
 * length 0. Operators find it by the header's key as a prefix.
 *
 * key         what idem_http_key read, 1..255 visible characters
 * to, to_cap  IDEM_HTTP_STORE_KEY_BYTES_MAX hold any. No NUL is added
 * Errors: ARGUMENT (no method, no target, neither principal nor for_anyone or
 * both, or no such key), SPACE. */
IDEM_API int32_t idem_http_store_key(const idem_http_request *request,
                                     const char *key, size_t key_len, char *to,
                                     size_t to_cap, size_t *to_len);

/* SHA-256 over method, target, content type (lower case, without parameters;
 * none is of length 0) and body, each after its length as a big-endian u64.
 * Errors: ARGUMENT (no method, no target). */
IDEM_API int32_t
idem_http_fingerprint(const idem_http_request *request,
                      uint8_t *fingerprint /* IDEM_FINGERPRINT_BYTES */);

/* ---------------------------------------------- what becomes of the claim */

enum {                         /* what to do once there is an answer, or none */
       IDEM_HTTP_STORE = 1001, /* complete with idem_http_pack's result */
       IDEM_HTTP_RELEASE = 1002, /* release with unbind: a retry begins anew */
       IDEM_HTTP_LEAVE = 1003    /* nobody knows: neither; the lease ends it */
};

enum {                             /* where an answer comes from */
       IDEM_HTTP_HANDLER = 1101,   /* the handler began, and this is its answer;
                                    * an exception counts as the 5xx that it
                                    * becomes */
       IDEM_HTTP_BEFORE = 1102,    /* made before the handler began: filters in
                                    * front, argument binding, validation */
       IDEM_HTTP_RETRYABLE = 1103, /* the handler itself says that nothing
                                    * happened and a retry may succeed */
       IDEM_HTTP_UNSENT = 1104,    /* a gateway: the backend refused the
                                    * connection */
       IDEM_HTTP_LOST = 1105       /* a gateway: no answer after the request was
                                    * sent, or not in time */
};

/* The one table of statuses; proto/vectors/http_statuses.json is the same as
 * data. The first line that fits:
 *
 *   LOST                                                 -> leave
 *   BEFORE, RETRYABLE, UNSENT                            -> release
 *   401, 407, 408, 413, 415, 421, 425, 429, 431          -> release
 *   500..599                                             -> on_error
 *   200..499                                             -> store
 *   anything else                                        -> leave
 *
 * on_error  IDEM_HTTP_STORE, _RELEASE, _LEAVE; 0: store */
IDEM_API int32_t idem_http_fate(int32_t status, int32_t origin,
                                int32_t on_error);

/* 1: a service that is set to let requests through while the store is away
 * ("on_unavailable = open") may run its handler without a claim after this
 * error; it then counts that, and says so. True for what never left and for no
 * answer: MEMORY, CONNECT, TIMEOUT_UNSENT, CLOSED, BUSY, CHANGES_WAIT, TIMEOUT,
 * LOST. 0 for every word of the server's, and for what is a mistake. */
IDEM_API int32_t idem_http_may_pass(int32_t code);

#ifdef __cplusplus
}
#endif
#endif
