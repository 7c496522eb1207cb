/* SPDX-License-Identifier: Apache-2.0 */
/* span.c -- the BIO between OpenSSL and the bytes of a call: it reads from the
 * span that the caller gave, and writes where the caller has room, so that no
 * byte is copied a second time. What finds no room is kept in the spill.
 *
 * It follows the records' headers as they pass, which is how floods are seen
 * that OpenSSL does not count. */
#include <stdlib.h>
#include <string.h>

#include "proto/tls/inner.h"

#define SPILL_BYTES_MAX     65536u
#define HANDSHAKE_BYTES_MAX 65536u
#define QUIET_RECORDS_MAX   64u

static bool spill(idp_tls *tls, const char *bytes, size_t len) {
    size_t need = tls->spill_end + len;
    if (need - tls->spill_at > SPILL_BYTES_MAX) {
        tls->flooded = true;
        return false;
    }
    if (tls->spill == NULL || need > tls->spill_cap) {
        size_t cap = need < 1024 ? 1024 : need * 2;
        uint8_t *grown = realloc(tls->spill, cap);
        if (grown == NULL)
            return false;
        tls->spill = grown;
        tls->spill_cap = (uint32_t)cap;
    }
    memcpy(tls->spill + tls->spill_end, bytes, len);
    tls->spill_end = (uint32_t)need;
    return true;
}

static int span_write(BIO *bio, const char *bytes, int len) {
    idp_tls *tls = BIO_get_data(bio);
    idp_tls_span *span = &tls->span;
    size_t count = (size_t)len;
    if (len <= 0)
        return 0;
    if (tls->spill != NULL || span->room - span->wrote < count)
        return spill(tls, bytes, count) ? len : -1;
    memcpy(span->to + span->wrote, bytes, count);
    span->wrote += count;
    return len;
}

/* A record begins. False: there were too many that said nothing. */
static bool begin_record(idp_tls *tls) {
    tls->body_left = (uint32_t)tls->header[3] << 8 | tls->header[4];
    tls->header_len = 0;
    if (tls->body_left == 0)
        tls->records++;
    if (tls->state == IDP_TLS_HANDSHAKE)
        return true;
    return ++tls->quiet_records <= QUIET_RECORDS_MAX;
}

/* OpenSSL reads a header, then the body, never beyond. */
static bool follow_span(idp_tls *tls, const uint8_t *bytes, size_t len) {
    if (tls->state == IDP_TLS_HANDSHAKE) {
        tls->handshake_bytes += (uint32_t)len;
        if (tls->handshake_bytes > HANDSHAKE_BYTES_MAX)
            return false;
    }
    while (len > 0) {
        if (tls->body_left > 0) {
            size_t part = len < tls->body_left ? len : tls->body_left;
            tls->body_left -= (uint32_t)part;
            tls->records += tls->body_left == 0;
            bytes += part;
            len -= part;
            continue;
        }
        tls->header[tls->header_len++] = *bytes++;
        len--;
        if (tls->header_len == sizeof tls->header && !begin_record(tls))
            return false;
    }
    return true;
}

static int span_read(BIO *bio, char *to, int room) {
    idp_tls *tls = BIO_get_data(bio);
    idp_tls_span *span = &tls->span;
    if (room <= 0)
        return 0;
    BIO_clear_retry_flags(bio);
    if (span->in_len == 0) {
        tls->starved = true;
        BIO_set_retry_read(bio);
        return -1;
    }
    size_t len = span->in_len < (size_t)room ? span->in_len : (size_t)room;
    if (!follow_span(tls, span->in, len)) {
        tls->flooded = true;
        return -1;
    }
    memcpy(to, span->in, len);
    span->in += len;
    span->in_len -= len;
    return (int)len;
}

static long span_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int span_create(BIO *bio) {
    BIO_set_init(bio, 1);
    return 1;
}

BIO_METHOD *idp_tls_span_method(void) {
    /* Not BIO_get_new_index: there are 127 of those, and more reloads. */
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "span");
    if (method == NULL)
        return NULL;
    BIO_meth_set_write(method, span_write);
    BIO_meth_set_read(method, span_read);
    BIO_meth_set_ctrl(method, span_ctrl);
    BIO_meth_set_create(method, span_create);
    return method;
}
