/* SPDX-License-Identifier: Apache-2.0 */
/* peer.c -- whom the connection is with: what the other side's certificate
 * says, and whether it is good. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "proto/tls/inner.h"

static bool is_done(const idp_tls *tls) {
    return tls->state == IDP_TLS_UP || tls->state == IDP_TLS_ENDED;
}

static X509 *shown_certificate(const idp_tls *tls) {
    return is_done(tls) ? SSL_get0_peer_certificate(tls->ssl) : NULL;
}

idp_tls_peer_facts idp_tls_peer(const idp_tls *tls) {
    bool is_shown = shown_certificate(tls) != NULL;
    return (idp_tls_peer_facts){
        .shown = is_shown,
        .verified = is_shown && tls->context->has_ca &&
                    SSL_get_verify_mode(tls->ssl) != SSL_VERIFY_NONE &&
                    SSL_get_verify_result(tls->ssl) == X509_V_OK};
}

bool idp_tls_peer_why(const idp_tls *tls, idp_tls_why *why) {
    X509 *cert = shown_certificate(tls);
    if (cert == NULL || idp_tls_peer(tls).verified)
        return false;
    idp_tls_describe(tls->context, cert, SSL_get_verify_result(tls->ssl),
                     tls->host, why);
    return true;
}

static long verify_again(const idp_tls *tls, X509 *cert,
                         const idp_tls_context *context) {
    long result = X509_V_ERR_OUT_OF_MEM;
    X509_STORE_CTX *store = X509_STORE_CTX_new();
    if (store != NULL &&
        X509_STORE_CTX_init(store, SSL_CTX_get_cert_store(context->ctx), cert,
                            SSL_get_peer_cert_chain(tls->ssl)) == 1) {
        X509_STORE_CTX_set_default(store, tls->is_server ? "ssl_client"
                                                         : "ssl_server");
        if (context->any_purpose)
            X509_VERIFY_PARAM_set_purpose(X509_STORE_CTX_get0_param(store),
                                          X509_PURPOSE_ANY);
        int good = X509_verify_cert(store);
        result = X509_STORE_CTX_get_error(store);
        if (good <= 0 && result == X509_V_OK)
            result = X509_V_ERR_UNSPECIFIED;
    }
    X509_STORE_CTX_free(store);
    if (result != X509_V_OK)
        ERR_clear_error();
    return result;
}

bool idp_tls_peer_is_of(const idp_tls *tls, const idp_tls_context *context,
                        idp_tls_why *why) {
    X509 *cert = shown_certificate(tls);
    if (cert == NULL) {
        snprintf(why->text, sizeof why->text, "no certificate was shown");
        return false;
    }
    long result = verify_again(tls, cert, context);
    if (result != X509_V_OK)
        idp_tls_describe(context, cert, result, tls->host, why);
    return result == X509_V_OK;
}

/* ------------------------------------------------------------------ names */

static bool is_same_text(const ASN1_STRING *text, idp_slice name) {
    return text != NULL && (size_t)ASN1_STRING_length(text) == name.len &&
           memcmp(ASN1_STRING_get0_data(text), name.ptr, name.len) == 0;
}

static bool has_alt_name(X509 *cert, int type, idp_slice name) {
    GENERAL_NAMES *names =
        X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names) && !found;
         i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);
        found = one->type == type && is_same_text(one->d.ia5, name);
    }
    GENERAL_NAMES_free(names);
    return found;
}

/* As UTF-8, whatever kind of string it is in the certificate. */
static bool has_common_name(X509 *cert, idp_slice name) {
    const X509_NAME *subject = X509_get_subject_name(cert);
    bool found = false;
    for (int at = -1; !found && (at = X509_NAME_get_index_by_NID(
                                     subject, NID_commonName, at)) >= 0;) {
        uint8_t *text = NULL;
        int len = ASN1_STRING_to_UTF8(
            &text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
        found = len >= 0 && (size_t)len == name.len &&
                memcmp(text, name.ptr, name.len) == 0;
        OPENSSL_free(text);
    }
    return found;
}

bool idp_tls_peer_has(const idp_tls *tls, idp_tls_name kind, idp_slice name) {
    X509 *cert = shown_certificate(tls);
    bool found = false;
    if (cert == NULL || name.len == 0)
        return false;
    switch (kind) {
    case IDP_TLS_NAME_DNS:
        found = has_alt_name(cert, GEN_DNS, name);
        break;
    case IDP_TLS_NAME_URI:
        found = has_alt_name(cert, GEN_URI, name);
        break;
    case IDP_TLS_NAME_CN:
        found = has_common_name(cert, name);
        break;
    }
    ERR_clear_error();
    return found;
}

const char *idp_tls_version_of(const idp_tls *tls) {
    return is_done(tls) ? SSL_get_version(tls->ssl) : "";
}

bool idp_tls_resumed(const idp_tls *tls) {
    return is_done(tls) && SSL_session_reused(tls->ssl) == 1;
}
