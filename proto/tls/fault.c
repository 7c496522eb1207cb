/* SPDX-License-Identifier: Apache-2.0 */
/* fault.c -- what went wrong, as one sentence. OpenSSL's queue of errors is
 * looked at here, after a failure, and nowhere else. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/tls/inner.h"

/* What the other side wrote into a certificate goes into logs. */
static void make_printable(char *text) {
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

void idp_tls_fail(idp_tls *tls, idp_tls_fault fault, const char *format, ...) {
    char text[IDP_TLS_WHY_BYTES];
    va_list args;
    if (tls->state == IDP_TLS_FAILED)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    make_printable(text);
    tls->state = IDP_TLS_FAILED;
    tls->fault = (uint8_t)fault;
    tls->why = strdup(text);
}

void idp_tls_date(const ASN1_TIME *date, char *to, size_t size) {
    struct tm at;
    snprintf(to, size, "an unknown date");
    if (date == NULL || ASN1_TIME_to_tm(date, &at) != 1)
        return;
    snprintf(to, size, "%04d-%02d-%02d %02d:%02d:%02dZ", at.tm_year + 1900,
             at.tm_mon + 1, at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec);
}

void idp_tls_reason(char *to, size_t size) {
    unsigned long code = ERR_peek_last_error();
    const char *words = code != 0 ? ERR_reason_error_string(code) : NULL;
    snprintf(to, size, "%s", words != NULL ? words : "no reason was told");
    ERR_clear_error();
}

/* ------------------------------------------------------------ certificates */

/* "DNS:a, DNS:b", or the subject where there are no such names. */
static void list_names(X509 *cert, char *to, size_t size) {
    GENERAL_NAMES *names =
        X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    size_t len = 0;
    to[0] = '\0';
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        BIO *bio = BIO_new(BIO_s_mem());
        char *text = NULL;
        if (bio == NULL)
            break;
        GENERAL_NAME_print(bio, sk_GENERAL_NAME_value(names, i));
        int text_len = (int)BIO_get_mem_data(bio, &text);
        int wrote = snprintf(to + len, size - len, "%s%.*s",
                             len > 0 ? ", " : "", text_len, text);
        BIO_free(bio);
        len += wrote > 0 ? (size_t)wrote : 0;
        if (len >= size)
            break;
    }
    GENERAL_NAMES_free(names);
    if (len == 0)
        X509_NAME_oneline(X509_get_subject_name(cert), to, (int)size);
}

static void x509_name_of(const X509_NAME *name, char *to, size_t size) {
    X509_NAME_oneline(name, to, (int)size);
    if (to[0] == '\0')
        snprintf(to, size, "nobody");
}

static bool is_issuer_unknown(long result) {
    return result == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
           result == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
           result == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
           result == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
           result == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
           result == X509_V_ERR_CERT_UNTRUSTED;
}

static void why_set(idp_tls_why *why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void why_set(idp_tls_why *why, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    make_printable(why->text);
}

static idp_tls_fault describe_wrong_name(X509 *cert, const char *host,
                                         idp_tls_why *why) {
    char names[256];
    list_names(cert, names, sizeof names);
    why_set(why, "the certificate that %.200s shows is for %s, not for it",
            host, names);
    return IDP_TLS_WRONG_NAME;
}

/* Of a chain any certificate may be out of its time. */
static idp_tls_fault describe_time(X509 *cert, bool is_over, const char *host,
                                   idp_tls_why *why) {
    char date[40];
    const ASN1_TIME *of =
        is_over ? X509_get0_notAfter(cert) : X509_get0_notBefore(cert);
    bool is_own = (X509_cmp_current_time(of) < 0) == is_over;
    idp_tls_date(of, date, sizeof date);
    if (!is_own)
        why_set(why,
                "the certificate that %.200s shows is good, and that of an "
                "authority above it %s",
                host, is_over ? "has expired" : "is not yet valid");
    else if (is_over)
        why_set(why, "the certificate that %.200s shows has expired, on %s",
                host, date);
    else
        why_set(why,
                "the certificate that %.200s shows is not yet valid, it begins "
                "%s; is the clock right?",
                host, date);
    return is_over ? IDP_TLS_EXPIRED : IDP_TLS_NOT_YET_VALID;
}

idp_tls_fault idp_tls_describe(const idp_tls_context *context, X509 *cert,
                               long result, const char *host,
                               idp_tls_why *why) {
    char text[160] = "";
    const char *of = host != NULL ? host : "the client";
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return describe_time(cert, result == X509_V_ERR_CERT_HAS_EXPIRED, of,
                             why);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return describe_wrong_name(cert, of, why);
    default:
        break;
    }
    if (is_issuer_unknown(result)) {
        x509_name_of(X509_get_issuer_name(cert), text, sizeof text);
        why_set(why,
                "the certificate that %.200s shows is signed by %s, whom "
                "no authority in %s vouches for",
                of, text, context->ca_name);
        return IDP_TLS_UNKNOWN_ISSUER;
    }
    why_set(why, "the certificate that %.200s shows is not good: %s", of,
            X509_verify_cert_error_string(result));
    return IDP_TLS_BAD_CERT;
}

/* -------------------------------------------------------------- the queue */

static void fail_by_alert(idp_tls *tls, int alert) {
    const char *of = tls->host != NULL ? tls->host : "the client";
    const char *words = SSL_alert_desc_string_long(alert);
    bool has_cert = tls->context->end_s != 0;
    ERR_clear_error();
    if (alert == SSL_AD_CERTIFICATE_REQUIRED ||
        (alert == SSL_AD_HANDSHAKE_FAILURE && !tls->is_server && !has_cert))
        idp_tls_fail(tls, IDP_TLS_REFUSED,
                     "%.200s refused the connection (alert: %s); it may want a "
                     "certificate, and none was given",
                     of, words);
    else if (alert == SSL_AD_PROTOCOL_VERSION)
        idp_tls_fail(tls, IDP_TLS_REFUSED,
                     "%.200s refused the connection (alert: %s): it speaks no "
                     "version of TLS that is allowed here",
                     of, words);
    else
        idp_tls_fail(tls, IDP_TLS_REFUSED, "%.200s refused %s (alert: %s)", of,
                     has_cert ? "our certificate, or the connection"
                              : "the connection",
                     words);
}

void idp_tls_fail_by_queue(idp_tls *tls) {
    char words[160];
    const char *of = tls->host != NULL ? tls->host : "the client";
    unsigned long code = ERR_peek_last_error();
    int reason = ERR_GET_REASON(code);
    if (tls->state == IDP_TLS_FAILED) { /* of a certificate */
        ERR_clear_error();
        return;
    }
    if (tls->flooded) {
        ERR_clear_error();
        idp_tls_fail(tls, IDP_TLS_FLOOD,
                     "%.200s sent too much that says nothing, or takes no "
                     "answer to it",
                     of);
        return;
    }
    if (tls->alert > SSL_AD_CLOSE_NOTIFY) {
        fail_by_alert(tls, tls->alert);
        return;
    }
    bool no_memory = reason == ERR_R_MALLOC_FAILURE;
    idp_tls_reason(words, sizeof words);
    idp_tls_fail(tls, no_memory ? IDP_TLS_NO_MEMORY : IDP_TLS_PROTOCOL,
                 "the TLS connection with %.200s failed: %s", of, words);
}
