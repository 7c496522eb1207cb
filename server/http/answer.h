/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h -- what a request over HTTP is answered: from the line's reply, or
 * from a problem. Bodies are JSON; errors are RFC 9457's, with a code.
 *
 * Pure. Each puts one whole response behind out's end, or nothing: false, there
 * is no memory. */
#ifndef IDS_HTTP_ANSWER_H
#define IDS_HTTP_ANSWER_H

#include "proto/bytes.h"
#include "server/http/problem.h"

/* Whom it is for. */
typedef struct ids_http_for {
    idp_method method; /* of the line's, that was asked */
    bool is_head;      /* without its body */
    bool as_raw;       /* a replay's result alone */
    bool as_open;      /* metrics as OpenMetrics */
    bool is_admitted;  /* its credential is good: a denial is about grants */
    bool closes;       /* this is the last one */
    uint8_t minor;     /* of HTTP/1.x */
    /* Where the primary speaks HTTP, as host:port; "" or NULL: not known. */
    const char *primary_http;
    idp_bytes *scratch;
} ids_http_for;

/* reply: one whole frame of the line's. */
bool ids_http_answer_reply(idp_bytes *out, const ids_http_for *to,
                           idp_slice reply);

bool ids_http_answer_problem(idp_bytes *out, const ids_http_for *to,
                             const ids_http_problem *problem);

/* Any text of our own. retry_after_s: 0: it has none. */
bool ids_http_answer_text(idp_bytes *out, const ids_http_for *to,
                          uint16_t status, const char *type, idp_slice text,
                          uint32_t retry_after_s);

/* A page for a browser. */
typedef struct ids_http_page {
    const uint8_t *html;
    size_t html_bytes;
    const char
        *fields; /* of the head: what it may load, and who may frame it */
} ids_http_page;

bool ids_http_answer_page(idp_bytes *out, const ids_http_for *to,
                          const ids_http_page *page);

#endif
