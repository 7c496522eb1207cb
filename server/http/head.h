/* SPDX-License-Identifier: Apache-2.0 */
/* head.h -- the head of an HTTP/1.1 request, read strictly or refused.
 *
 * Pure: bytes in, no memory taken. What two readers could take for two
 * different requests is no request here: RFC 9112's leniencies (a bare LF, a
 * folded field, a space before the colon, a list of lengths) are refused. */
#ifndef IDS_HTTP_HEAD_H
#define IDS_HTTP_HEAD_H

#include "proto/terms.h"

#define IDS_HTTP_HEAD_BYTES_MAX   (16u << 10)
#define IDS_HTTP_TARGET_BYTES_MAX (2u << 10)
#define IDS_HTTP_FIELDS_MAX       64u

typedef enum ids_http_method {
    IDS_HTTP_GET,
    IDS_HTTP_HEAD,
    IDS_HTTP_POST,
    IDS_HTTP_OTHER
} ids_http_method;

/* Why it is refused: a status, and a sentence. text is static storage. */
typedef struct ids_http_fault {
    uint16_t status;
    const char *text;
} ids_http_fault;

/* Slices borrow from the bytes that were read; ptr NULL: it has none. */
/* Sec-Fetch-Site: no page can set it. */
typedef enum ids_http_site {
    IDS_HTTP_SITE_UNSAID, /* no browser, or one that doesn't trust this host */
    IDS_HTTP_SITE_SAME_ORIGIN,
    IDS_HTTP_SITE_CROSS,
    IDS_HTTP_SITE_OTHER /* another port of this host, or a person */
} ids_http_site;

typedef struct ids_http_head {
    ids_http_method method;
    idp_slice path;  /* begins with "/" and has no "%", "//" or dots */
    idp_slice query; /* behind the "?" */
    uint8_t minor;   /* of HTTP/1.x */
    uint32_t fields;
    idp_slice host;
    idp_slice authorization;
    idp_slice content_type;
    idp_slice accept;
    idp_slice forwarded_for; /* the last X-Forwarded-For */
    uint64_t length;         /* of the body */
    bool has_length;
    bool is_chunked;
    bool keeps_alive;
    bool expects_continue;
    bool is_encoded;          /* a Content-Encoding other than identity */
    bool is_forwarded;        /* by a proxy that says so in Via or Forwarded */
    idp_slice origin;         /* of the page that sent it; ptr NULL: none */
    ids_http_site site;       /* what the browser says of that page */
    bool has_idempotency_key; /* the header of that name */
} ids_http_head;

typedef enum ids_http_read {
    IDS_HTTP_WHOLE,
    IDS_HTTP_PARTIAL,
    IDS_HTTP_BAD
} ids_http_read;

/* Looks for the end of the head, going on at *seen (0 at first) where the last
 * look ended, so that a head in many pieces costs no more than one in one.
 * WHOLE: *seen is its length, the empty line included. BAD: it can't become a
 * request any more. */
ids_http_read ids_http_head_seek(const uint8_t *bytes, size_t len, size_t *seen,
                                 ids_http_fault *fault);

/* Reads a head that seek found whole. False: fault says why not. */
bool ids_http_head_read(const uint8_t *bytes, size_t len, ids_http_head *head,
                        ids_http_fault *fault);

/* A field's line without its end, "Name: value", as head and trailer have it.
 * False: it is none. */
bool ids_http_field_read(idp_slice line, idp_slice *name, idp_slice *value);

/* Whether the word stands there, in any case. word is lower case. */
bool ids_http_is(idp_slice slice, const char *word);

/* Whether Accept names this type. lower case. */
bool ids_http_accepts(const ids_http_head *head, const char *type);

#endif
