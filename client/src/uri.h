/* SPDX-License-Identifier: Apache-2.0 */
/* uri.h -- where to connect to and as whom, read from a URI. */
#ifndef IDEM_URI_H
#define IDEM_URI_H

#include <stdbool.h>

#include "client/include/idemclient.h"
#include "proto/terms.h"
#include "proto/tls/tls.h"

#define IDEM__ENDPOINTS_MAX  16
#define IDEM__HOST_BYTES_MAX 256 /* a name has 253, a socket path 107 */

typedef struct idem__endpoint {
    bool is_unix;
    uint16_t port;
    char host[IDEM__HOST_BYTES_MAX]; /* or the path of the unix socket */
    char name[IDEM_ENDPOINT_BYTES];  /* for messages: "127.0.0.1:7117" */
} idem__endpoint;

typedef struct idem__uri {
    idem__endpoint endpoints[IDEM__ENDPOINTS_MAX];
    uint32_t endpoints_count;
    uint32_t timeout_ms;
    uint32_t connect_timeout_ms;
    uint32_t fail_fast_ms;   /* 0: off */
    uint32_t connect_rounds; /* 0: until the deadline */
    int32_t shard;           /* -1: not asked for */
    bool shard_aware;
    bool has_secret;
    uint8_t secret[IDP_SECRET_BYTES_MAX];
    size_t secret_len;
    char ns[IDP_NS_BYTES_MAX + 1];
    size_t ns_len;
    char client[IDP_CLIENT_BYTES_MAX + 1];
    size_t client_len;    /* 0: not given */
    idp_tls_context *tls; /* NULL: without TLS; idem__uri_fini drops it */
    idp_tls_verify verify;
    char server_name[IDEM__HOST_BYTES_MAX]; /* "": the host that is dialled */
} idem__uri;

/* What may stand nowhere: it would be sent, logged or compared, and nobody
 * would see it. */
static inline bool idem__is_hidden(uint8_t c) {
    return c < 0x21 || c == 0x7f;
}

/* Fills uri; on failure says which part is wrong and what it may be. Reads the
 * files that secret_file, ca, cert and key name, and nothing else. In any case
 * idem__uri_fini is due. */
int32_t idem__uri_parse(const char *text, idem__uri *uri, idem_error *err);
/* Wipes the secret. What was never parsed may be all zero. */
void idem__uri_fini(idem__uri *uri);

/* "host:port" or "[v6]:port" and nothing else, as NOT_PRIMARY names it; false
 * if it is none. */
bool idem__endpoint_parse(const char *text, size_t len,
                          idem__endpoint *endpoint);

bool idem__endpoint_same(const idem__endpoint *one,
                         const idem__endpoint *other);

#endif
