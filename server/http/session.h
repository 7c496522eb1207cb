/* SPDX-License-Identifier: Apache-2.0 */
/* session.h -- one client's connection over HTTP: bytes in, requests for its
 * driver to admit and to carry out, bytes out.
 *
 * Pure: no socket, no clock. One request at a time; what comes behind it waits.
 * Nothing of a request is kept for the next one, its credential least of all.
 */
#ifndef IDS_HTTP_SESSION_H
#define IDS_HTTP_SESSION_H

#include "server/http/answer.h"
#include "server/http/call.h"
#include "server/http/chunks.h"

/* What is kept of requests that come while one is under way. */
#define IDS_HTTP_AHEAD_BYTES_MAX IDS_HTTP_HEAD_BYTES_MAX

typedef enum ids_http_phase {
    IDS_HTTP_READS_HEAD,
    IDS_HTTP_ASKS_LEAVE, /* the driver decides whether it may ask this */
    IDS_HTTP_READS_BODY,
    IDS_HTTP_WAITS, /* for the driver's answer */
    IDS_HTTP_OVER   /* nothing is read any more; what is to be sent yet is */
} ids_http_phase;

typedef struct ids_http_session {
    ids_http_phase phase;
    ids_http_route route;
    idp_method method; /* of the line's */
    uint8_t minor;
    bool closes; /* with the next response */
    bool is_head;
    bool as_raw;
    bool is_admitted;
    bool wants_open; /* metrics as OpenMetrics */
    bool is_raw_form;
    bool is_chunked;
    bool expects_continue;
    bool was_skipped;   /* the body is over what is kept */
    uint64_t body_left; /* of one with a length */
    size_t seen;        /* of in: no head ends there */
    size_t head_bytes;  /* at in's beginning, of the head that asks leave */
    uint32_t requests;  /* ever, and the msgid of the one under way */
    size_t result_bytes_max;
    ids_http_chunks chunks;
    idp_bytes in;
    idp_bytes query; /* of the request under way; in may have moved */
    idp_bytes body;
    idp_bytes out;
    size_t out_at;            /* what is before it was sent */
    idp_bytes *scratch;       /* the driver's, shared by all of its sessions */
    const char *primary_http; /* the driver's: where the primary is, at any
                               * time; NULL: nowhere */
} ids_http_session;

void ids_http_session_init(ids_http_session *session, size_t result_bytes_max,
                           idp_bytes *scratch);
void ids_http_session_fini(ids_http_session *session);

/* Bytes have come. False: no memory. */
bool ids_http_session_take(ids_http_session *session, const uint8_t *bytes,
                           size_t len);

/* Whether it has a use for more bytes now. */
bool ids_http_session_reads(const ids_http_session *session);

/* What it needs next. FAILED: there is no memory, it is to be closed. */
typedef enum ids_http_need {
    IDS_HTTP_NEEDS_BYTES,
    IDS_HTTP_NEEDS_LEAVE,   /* head: admit, refuse or, later, answer */
    IDS_HTTP_NEEDS_CALL,    /* request: answer it; borrowed until the scratch is
                             * used again */
    IDS_HTTP_NEEDS_PROBE,   /* route, to be answered with say */
    IDS_HTTP_NEEDS_NOTHING, /* the answer has to come first, or it is over */
    IDS_HTTP_FAILED
} ids_http_need;

typedef struct ids_http_event {
    ids_http_head head;
    idp_request request;
} ids_http_event;

ids_http_need ids_http_session_next(ids_http_session *session,
                                    ids_http_event *event);

/* It may ask that. */
void ids_http_session_admit(ids_http_session *session);

/* Each answers the request under way. False: no memory. */
bool ids_http_session_refuse(ids_http_session *session,
                             const ids_http_problem *problem);
bool ids_http_session_answer(ids_http_session *session, idp_slice reply);
bool ids_http_session_say(ids_http_session *session, uint16_t status,
                          const char *type, idp_slice text);

/* There won't be another request: the answer under way is the last. */
void ids_http_session_end(ids_http_session *session);

/* What is to be sent, and that it was. */
idp_slice ids_http_session_output(const ids_http_session *session);
void ids_http_session_sent(ids_http_session *session, size_t len);

/* Bytes that it holds. */
size_t ids_http_session_bytes(const ids_http_session *session);

#endif
