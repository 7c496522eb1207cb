/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_http.h -- the Idempotency-Key header, and what an answer or an
 * error of idemclient.h is in HTTP. No socket; any thread. */
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

/* acquired -> IDEM_HTTP_PROCEED; replay, completed -> 200 with the stored
 * answer as the body (yours to write; a service that keeps its status inside
 * the result uses that one); in_progress -> 409 and Retry-After (the lease that
 * is left, rounded up, at least 1); mismatch -> 422; orphaned -> 409; left ->
 * 503 and Retry-After, likewise; released -> 503 and Retry-After, 1 or what is
 * left of the lease where the release was not confirmed; stale, no record ->
 * 500. When it fails status is 500.
 *
 * body, body_cap  a problem document (RFC 9457) is written here with a NUL;
 *                 IDEM_HTTP_BODY_BYTES hold any. NULL and 0: none wanted
 * Errors: ARGUMENT (no such outcome), SPACE. */
IDEM_API int32_t idem_http_from_answer(const idem_answer *answer, char *body,
                                       size_t body_cap, idem_http *http);
/* A missing or malformed key -> 400; anything that may pass -> 503 with
 * Retry-After; the rest -> 500. */
IDEM_API int32_t idem_http_from_error(int32_t code, char *body, size_t body_cap,
                                      idem_http *http);

#ifdef __cplusplus
}
#endif
#endif
