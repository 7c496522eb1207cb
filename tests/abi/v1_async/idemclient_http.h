/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_http.h, frozen: see README.md. */
#ifndef IDEMCLIENT_HTTP_H
#define IDEMCLIENT_HTTP_H
#include "idemclient.h"
#ifdef __cplusplus
extern "C" {
#endif
#define IDEM_HTTP_KEY_BYTES_MAX 255
#define IDEM_HTTP_BODY_BYTES    512
IDEM_API int32_t idem_http_key(const char *value, size_t value_len, char *key,
                               size_t key_cap, size_t *key_len);
#define IDEM_HTTP_PROCEED 100
typedef struct idem_http {
    uint32_t size;
    int32_t status;
    uint32_t retry_after_s;
    int32_t replayed;
    size_t body_len;
    const char *content_type;
} idem_http;
#define IDEM_HTTP_INIT IDEM__SIZED(idem_http)
IDEM_API void idem_http_init(idem_http *http, size_t http_size);
IDEM_API int32_t idem_http_from_answer(const idem_answer *answer, char *body,
                                       size_t body_cap, idem_http *http);
IDEM_API int32_t idem_http_from_error(int32_t code, char *body, size_t body_cap,
                                      idem_http *http);
#define IDEM_HTTP_HEADERS_MAX      64
#define IDEM_HTTP_NAME_BYTES_MAX   128
#define IDEM_HTTP_VALUE_BYTES_MAX  8192
#define IDEM_HTTP_RESULT_BYTES_MAX 1048576
typedef struct idem_http_header {
    idem_slice name;
    idem_slice value;
} idem_http_header;
typedef struct idem_http_answer {
    uint32_t size;
    int32_t status;
    const idem_http_header *headers;
    size_t headers_count;
    const void *body;
    size_t body_len;
    const idem_slice *keep;
    size_t keep_count;
    size_t result_bytes_max;
} idem_http_answer;
#define IDEM_HTTP_ANSWER_INIT IDEM__SIZED(idem_http_answer)
IDEM_API void idem_http_answer_init(idem_http_answer *answer,
                                    size_t answer_size);
IDEM_API int32_t idem_http_pack(const idem_http_answer *answer, uint8_t *to,
                                size_t to_cap, size_t *len);
IDEM_API int32_t idem_http_unpack(const void *result, size_t result_len,
                                  idem_http_header *headers, size_t headers_cap,
                                  idem_http_answer *answer);
typedef struct idem_http_request {
    uint32_t size;
    int32_t for_anyone;
    idem_slice method;
    idem_slice target;
    idem_slice content_type;
    idem_slice body;
    idem_slice principal;
} idem_http_request;
#define IDEM_HTTP_REQUEST_INIT IDEM__SIZED(idem_http_request)
IDEM_API void idem_http_request_init(idem_http_request *request,
                                     size_t request_size);
#define IDEM_HTTP_SCOPE_BYTES         22
#define IDEM_HTTP_STORE_KEY_BYTES_MAX 278
IDEM_API int32_t idem_http_store_key(const idem_http_request *request,
                                     const char *key, size_t key_len, char *to,
                                     size_t to_cap, size_t *to_len);
IDEM_API int32_t idem_http_fingerprint(const idem_http_request *request,
                                       uint8_t *fingerprint);
enum {
    IDEM_HTTP_STORE = 1001,
    IDEM_HTTP_RELEASE = 1002,
    IDEM_HTTP_LEAVE = 1003
};
enum {
    IDEM_HTTP_HANDLER = 1101,
    IDEM_HTTP_BEFORE = 1102,
    IDEM_HTTP_RETRYABLE = 1103,
    IDEM_HTTP_UNSENT = 1104,
    IDEM_HTTP_LOST = 1105
};
IDEM_API int32_t idem_http_fate(int32_t status, int32_t origin,
                                int32_t on_error);
IDEM_API int32_t idem_http_may_pass(int32_t code);
#ifdef __cplusplus
}
#endif
#endif
