/* SPDX-License-Identifier: Apache-2.0 */
/* inner.h -- what the files of this folder share. */
#ifndef IDP_TLS_INNER_H
#define IDP_TLS_INNER_H

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdatomic.h>

#include "proto/tls/tls.h"

struct idp_tls_context {
    SSL_CTX *ctx;
    BIO_METHOD *spans; /* of our own BIO */
    _Atomic uint32_t references;
    bool any_purpose;
    bool has_ca;
    int64_t end_s;
    char ca_name[256]; /* for sentences */
};

/* What has come or goes out during a call. */
typedef struct idp_tls_span {
    const uint8_t *in;
    size_t in_len;
    uint8_t *to;
    size_t room;
    size_t wrote;
} idp_tls_span;

struct idp_tls {
    SSL *ssl;
    idp_tls_context *context;
    idp_tls_span span;
    uint8_t *spill; /* output that no span had room for; NULL: none */
    uint32_t spill_at, spill_end, spill_cap;
    uint32_t body_left;     /* of the record that is coming */
    uint32_t quiet_records; /* since the last plain byte */
    uint32_t handshake_bytes;
    uint64_t records;
    uint8_t header[5];
    uint8_t header_len;
    uint8_t state, fault;
    int16_t alert; /* the last that came; -1: none has */
    bool is_server;
    bool starved; /* OpenSSL wanted bytes that are not there yet */
    bool flooded;
    bool was_cut;
    bool said_close;
    char *host; /* of a client's side */
    char *why;  /* NULL: nothing has failed */
};

/* files.c: what the settings name, into ctx. */
bool idp_tls_load(idp_tls_context *context, const idp_tls_settings *settings,
                  idp_tls_why *why);

/* span.c */
BIO_METHOD *idp_tls_span_method(void);

/* fault.c: the state becomes FAILED. */
void idp_tls_fail(idp_tls *tls, idp_tls_fault fault, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* What OpenSSL's queue and the verification say. */
void idp_tls_fail_by_queue(idp_tls *tls);
/* The sentence about a certificate that host shows (NULL: a client), and the
 * result of its verification. */
idp_tls_fault idp_tls_describe(const idp_tls_context *context, X509 *cert,
                               long result, const char *host, idp_tls_why *why);
/* The last reason in OpenSSL's queue, in words; empties it. */
void idp_tls_reason(char *to, size_t size);
/* "2026-11-30 01:02:03Z". */
void idp_tls_date(const ASN1_TIME *date, char *to, size_t size);

#endif
