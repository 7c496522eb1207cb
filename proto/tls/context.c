/* SPDX-License-Identifier: Apache-2.0 */
/* context.c -- what holds for all connections of a start: versions, ciphers,
 * and what OpenSSL is not to do. */
#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/tls/inner.h"

#define TICKET_S        3600
#define CHAIN_BYTES_MAX (32 * 1024)
#define SESSIONS_OF     "idemstore"

/* AES-128 first: it is what the hardware is fastest at. */
#define CIPHERS_1_3                                                        \
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_" \
    "SHA256"
#define CIPHERS_1_2                                              \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

/* The sentence is made here, where the certificate is still at hand. */
static void fail_by_cert(idp_tls *tls, X509_STORE_CTX *store) {
    idp_tls_why why;
    idp_tls_fault fault =
        idp_tls_describe(tls->context, X509_STORE_CTX_get0_cert(store),
                         X509_STORE_CTX_get_error(store), tls->host, &why);
    idp_tls_fail(tls, fault, "%s", why.text);
}

/* A server only asks: what came of it is kept in the session, and told when
 * it is asked for. A client's handshake ends with a certificate that is not
 * good. */
static int verify(X509_STORE_CTX *store, void *unused) {
    const SSL *ssl =
        X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    (void)unused;
    int good = X509_verify_cert(store);
    if (good <= 0 && X509_STORE_CTX_get_error(store) == X509_V_OK)
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
    bool is_asked =
        !SSL_is_server(ssl) && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE;
    if (good <= 0 && is_asked)
        fail_by_cert(SSL_get_app_data(ssl), store);
    else if (good <= 0)
        ERR_clear_error();
    return good > 0 || SSL_is_server(ssl);
}

/* Alerts as they pass. */
static void note_context(const SSL *ssl, int where, int value) {
    idp_tls *tls = SSL_get_app_data(ssl);
    if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT)
        return;
    tls->alert = (int16_t)(value & 0xff);
}

static bool set_up_context(idp_tls_context *context,
                           const idp_tls_settings *settings) {
    SSL_CTX *ctx = context->ctx;
    int least =
        settings->min_version == IDP_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
                              SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ctx, TICKET_S);
    SSL_CTX_set_max_cert_list(ctx, CHAIN_BYTES_MAX);
    SSL_CTX_set_verify_depth(ctx, 8);
    SSL_CTX_set_cert_verify_callback(ctx, verify, NULL);
    SSL_CTX_set_info_callback(ctx, note_context);
    if (settings->any_purpose)
        X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(ctx),
                                      X509_PURPOSE_ANY);
    return SSL_CTX_set_min_proto_version(ctx, least) == 1 &&
           SSL_CTX_set_ciphersuites(ctx, CIPHERS_1_3) == 1 &&
           SSL_CTX_set_cipher_list(ctx, CIPHERS_1_2) == 1 &&
           SSL_CTX_set_num_tickets(ctx, 1) == 1 &&
           SSL_CTX_set_max_early_data(ctx, 0) == 1 &&
           SSL_CTX_set_recv_max_early_data(ctx, 0) == 1 &&
           SSL_CTX_set_session_id_context(ctx, (const uint8_t *)SESSIONS_OF,
                                          strlen(SESSIONS_OF)) == 1;
}

idp_tls_context *idp_tls_context_new(const idp_tls_settings *settings,
                                     idp_tls_why *why) {
    idp_tls_context *context = calloc(1, sizeof *context);
    why->text[0] = '\0';
    if (context == NULL) {
        snprintf(why->text, sizeof why->text, "there is no memory for TLS");
        return NULL;
    }
    atomic_init(&context->references, 1);
    context->any_purpose = settings->any_purpose;
    context->spans = idp_tls_span_method();
    context->ctx = SSL_CTX_new(TLS_method());
    if (context->spans == NULL || context->ctx == NULL ||
        !set_up_context(context, settings)) {
        char reason[160];
        idp_tls_reason(reason, sizeof reason);
        snprintf(why->text, sizeof why->text, "TLS can't be set up: %s",
                 reason);
    } else if (idp_tls_load(context, settings, why)) {
        return context;
    }
    idp_tls_context_drop(context);
    return NULL;
}

idp_tls_context *idp_tls_context_hold(idp_tls_context *context) {
    uint32_t before = atomic_fetch_add_explicit(&context->references, 1,
                                                memory_order_relaxed);
    assert(before > 0);
    return context;
}

void idp_tls_context_drop(idp_tls_context *context) {
    if (context == NULL || atomic_fetch_sub_explicit(&context->references, 1,
                                                     memory_order_acq_rel) != 1)
        return;
    SSL_CTX_free(context->ctx);
    BIO_meth_free(context->spans);
    free(context);
}

bool idp_tls_context_has_cert(const idp_tls_context *context) {
    return context->end_s != 0;
}

int64_t idp_tls_context_end_s(const idp_tls_context *context) {
    return context->end_s;
}
