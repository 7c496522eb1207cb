/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c -- one connection's TLS: see tls.h. */
#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "proto/tls/inner.h"

#define RECORD_BYTES_MAX 16384u
#define SEAL_BYTES       64u /* what a record has beside what it carries */

static void shake_engine(idp_tls *tls);

/* ------------------------------------------------------- beginning, ending */

static idp_tls *engine_new(idp_tls_context *context) {
    idp_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        return NULL;
    tls->context = idp_tls_context_hold(context);
    tls->ssl = SSL_new(context->ctx);
    BIO *bio = BIO_new(context->spans);
    if (tls->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        idp_tls_free(tls);
        ERR_clear_error();
        return NULL;
    }
    tls->alert = -1;
    SSL_set_app_data(tls->ssl, tls);
    BIO_set_data(bio, tls);
    SSL_set_bio(tls->ssl, bio, bio);
    return tls;
}

void idp_tls_free(idp_tls *tls) {
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    idp_tls_context_drop(tls->context);
    free(tls->spill);
    free(tls->host);
    free(tls->why);
    free(tls);
}

idp_tls *idp_tls_accept(idp_tls_context *context, bool asks) {
    idp_tls *tls = engine_new(context);
    if (tls == NULL)
        return NULL;
    tls->is_server = true;
    if (asks)
        SSL_set_verify(tls->ssl, SSL_VERIFY_PEER, NULL);
    SSL_set_accept_state(tls->ssl);
    return tls;
}

/* The name that the certificate is to have, and that the server is told. */
static bool set_host(idp_tls *tls, const char *host, idp_tls_verify verify) {
    X509_VERIFY_PARAM *param = SSL_get0_param(tls->ssl);
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(host);
    bool is_name = address == NULL;
    bool good = true;
    ASN1_OCTET_STRING_free(address);
    if (is_name)
        good = SSL_set_tlsext_host_name(tls->ssl, tls->host) == 1;
    if (!good || verify != IDP_TLS_VERIFY_FULL)
        return good;
    if (host[0] == '\0')
        return false; /* it would be no name at all */
    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return is_name ? X509_VERIFY_PARAM_set1_host(param, host, 0) == 1
                   : X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
}

idp_tls *idp_tls_connect(idp_tls_context *context, const char *host,
                         idp_tls_verify verify) {
    idp_tls *tls = engine_new(context);
    if (tls == NULL)
        return NULL;
    tls->host = strdup(host);
    if (verify != IDP_TLS_VERIFY_NONE)
        SSL_set_verify(tls->ssl, SSL_VERIFY_PEER, NULL);
    SSL_set_connect_state(tls->ssl);
    if (tls->host == NULL || !set_host(tls, host, verify)) {
        ERR_clear_error();
        idp_tls_free(tls);
        return NULL;
    }
    shake_engine(tls);
    return tls;
}

/* ------------------------------------------------------------------ calls */

static void cut_off(idp_tls *tls) {
    idp_tls_fail(tls, IDP_TLS_CUT_OFF,
                 "%.200s closed the connection within the handshake; does it "
                 "speak TLS?",
                 tls->host != NULL ? tls->host : "the client");
}

/* A call of OpenSSL's has not done what it was asked for. */
static void stopped(idp_tls *tls) {
    if (tls->starved && !tls->flooded)
        return;
    if (tls->alert != SSL_AD_CLOSE_NOTIFY || tls->flooded)
        idp_tls_fail_by_queue(tls);
    else if (tls->state == IDP_TLS_UP)
        tls->state = IDP_TLS_ENDED;
    else
        cut_off(tls);
}

static void shake_engine(idp_tls *tls) {
    tls->starved = false;
    if (SSL_do_handshake(tls->ssl) == 1)
        tls->state = IDP_TLS_UP;
    else
        stopped(tls);
}

/* What speaks plain is told from its first byte. A server's first may be an
 * alert. */
static bool is_tls(idp_tls *tls, uint8_t first) {
    if (idp_tls_is_hello(first) || (!tls->is_server && first == 0x15))
        return true;
    idp_tls_fail(tls, IDP_TLS_NOT_TLS, "%.200s does not speak TLS",
                 tls->host != NULL ? tls->host : "the client");
    return false;
}

static bool reads(const idp_tls *tls) {
    return tls->state == IDP_TLS_HANDSHAKE || tls->state == IDP_TLS_UP;
}

/* Once all that came is taken OpenSSL is not asked again: that it looks for a
 * header in vain costs a sixth of what a record does. */
static size_t engine_read_plain(idp_tls *tls, uint8_t *to, size_t room) {
    size_t len = 0;
    tls->starved = false;
    while (tls->state == IDP_TLS_UP && !tls->starved && len < room) {
        size_t got = 0;
        if (SSL_read_ex(tls->ssl, to + len, room - len, &got) != 1) {
            stopped(tls);
            break;
        }
        tls->quiet_records = 0;
        len += got;
        if (tls->span.in_len == 0 && SSL_pending(tls->ssl) == 0)
            break;
    }
    return len;
}

size_t idp_tls_read(idp_tls *tls, idp_slice *came, uint8_t *to, size_t room) {
    size_t len = 0;
    bool is_first = tls->records == 0 && tls->body_left == 0 &&
                    tls->header_len == 0 && came->len > 0;
    if (!reads(tls) || (is_first && !is_tls(tls, came->ptr[0])))
        return 0;
    tls->span = (idp_tls_span){.in = came->ptr, .in_len = came->len};
    if (tls->state == IDP_TLS_HANDSHAKE)
        shake_engine(tls);
    if (tls->state == IDP_TLS_UP)
        len = engine_read_plain(tls, to, room);
    came->ptr = tls->span.in;
    came->len = tls->span.in_len;
    tls->span = (idp_tls_span){0};
    return len;
}

/* The output that waits goes first. */
static void drain_spill(idp_tls *tls) {
    idp_tls_span *span = &tls->span;
    size_t len = tls->spill_end - tls->spill_at;
    if (tls->spill == NULL)
        return;
    if (len > span->room - span->wrote)
        len = span->room - span->wrote;
    if (len > 0)
        memcpy(span->to + span->wrote, tls->spill + tls->spill_at, len);
    span->wrote += len;
    tls->spill_at += (uint32_t)len;
    if (tls->spill_at < tls->spill_end)
        return;
    free(tls->spill);
    tls->spill = NULL;
    tls->spill_at = tls->spill_end = tls->spill_cap = 0;
}

static bool writes(const idp_tls *tls) {
    return (tls->state == IDP_TLS_UP || tls->state == IDP_TLS_ENDED) &&
           !tls->said_close && !tls->was_cut && tls->spill == NULL;
}

static void seal(idp_tls *tls, idp_slice *plain) {
    const idp_tls_span *span = &tls->span;
    while (plain->len > 0 && writes(tls)) {
        size_t left = span->room - span->wrote;
        size_t took = 0;
        if (left <= SEAL_BYTES)
            return;
        size_t part = left - SEAL_BYTES;
        part = part < RECORD_BYTES_MAX ? part : RECORD_BYTES_MAX;
        part = part < plain->len ? part : plain->len;
        if (SSL_write_ex(tls->ssl, plain->ptr, part, &took) != 1) {
            idp_tls_fail_by_queue(tls);
            return;
        }
        plain->ptr += took;
        plain->len -= took;
    }
}

size_t idp_tls_write(idp_tls *tls, idp_slice *plain, uint8_t *to, size_t room) {
    tls->span = (idp_tls_span){.to = to, .room = room};
    drain_spill(tls);
    if (plain != NULL)
        seal(tls, plain);
    size_t wrote = tls->span.wrote;
    tls->span = (idp_tls_span){0};
    return wrote;
}

size_t idp_tls_waiting(const idp_tls *tls) {
    return tls->spill_end - tls->spill_at;
}

/* OpenSSL takes room for the largest record as soon as one begins. */
size_t idp_tls_held(const idp_tls *tls) {
    bool is_partial = tls->body_left > 0 || tls->header_len > 0;
    return idp_tls_waiting(tls) +
           (is_partial ? RECORD_BYTES_MAX + SEAL_BYTES : 0);
}

void idp_tls_close(idp_tls *tls) {
    if (tls->said_close ||
        (tls->state != IDP_TLS_UP && tls->state != IDP_TLS_ENDED))
        return;
    tls->said_close = true;
    if (SSL_shutdown(tls->ssl) < 0)
        ERR_clear_error();
}

void idp_tls_eof(idp_tls *tls) {
    if (tls->state == IDP_TLS_UP) {
        tls->was_cut = true;
        tls->state = IDP_TLS_ENDED;
    } else if (tls->state == IDP_TLS_HANDSHAKE) {
        cut_off(tls);
    }
}

bool idp_tls_was_cut(const idp_tls *tls) {
    return tls->was_cut;
}

idp_tls_state idp_tls_state_of(const idp_tls *tls) {
    return (idp_tls_state)tls->state;
}

idp_tls_fault idp_tls_fault_of(const idp_tls *tls) {
    return (idp_tls_fault)tls->fault;
}

const char *idp_tls_why_of(const idp_tls *tls) {
    if (tls->why != NULL)
        return tls->why;
    return tls->state == IDP_TLS_FAILED ? "there is no memory" : "";
}

uint64_t idp_tls_records(const idp_tls *tls) {
    return tls->records;
}

bool idp_tls_update_keys(idp_tls *tls) {
    if (tls->state != IDP_TLS_UP ||
        SSL_key_update(tls->ssl, SSL_KEY_UPDATE_REQUESTED) != 1) {
        ERR_clear_error();
        return false;
    }
    tls->starved = false;
    if (SSL_do_handshake(tls->ssl) != 1)
        stopped(tls);
    return tls->state == IDP_TLS_UP;
}
