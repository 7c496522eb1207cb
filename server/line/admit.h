/* SPDX-License-Identifier: Apache-2.0 */
/* admit.h -- who gets in, and what each may do: a connection and the verifier
 * that let it in.
 *
 * A right secret is never refused, nor made to wait, for what its neighbours
 * did. A wrong one whose source showed too many of them waits for its answer.
 */
#ifndef IDS_ADMIT_H
#define IDS_ADMIT_H

#include "server/worker/worker.h"

struct ids_line;

/* Answers to wrong secrets that wait, of one line. */
#define IDS_LATE_REFUSALS_MAX 256
#define IDS_LATE_REFUSAL_MS   1000
/* So long a connection whose verifier is gone has for what it was answered. */
#define IDS_REVOKED_MS        1000
/* Wrong secrets after which a connection is closed. */
#define IDS_DENIALS_MAX       3

typedef struct ids_late_refusal {
    ids_asker asker;
    uint64_t due_ms;
    uint32_t msgid;
    bool closes;
} ids_late_refusal;

typedef struct ids_admission {
    ids_late_refusal *late; /* a ring; NULL until there is one */
    uint32_t late_at, late_count;
    bool renews;       /* connections are bound anew, from ... */
    uint32_t renew_at; /* ... this slot on */
    ids_list revoked;  /* open, and not to be in a while */
    uint64_t cut_ms;   /* then; with any revoked */
} ids_admission;

/* hello's secret. False: it was refused, and answered or will be. */
bool ids_admit_hello(struct ids_line *line, ids_conn *conn,
                     const idp_request *request);

#define IDS_CERT_OF_TWO "this certificate is that of two credentials"

/* Its certificate is good. Whose it is is let in by it; a secret that it shows
 * later decides anew. Static text: it is that of two credentials, and is let in
 * by neither. */
const char *ids_admit_cert(struct ids_line *line, ids_conn *conn,
                           ids_cert_has has, const void *cert);

/* It has shown no secret, and asks. */
void ids_admit_refuse_stranger(ids_worker *worker, ids_conn *conn,
                               uint32_t msgid, const char *text);

/* Whether its grants allow the request. Where no secret is demanded, a pointer
 * is all that is looked at. */
static inline bool ids_admit_may(const ids_conn *conn,
                                 const idp_request *request) {
    const ids_verifier *verifier = conn->reading.verifier;
    return !verifier ||
           ids_user_may(verifier->user, request->method, request->ns);
}
/* They don't: the answer says so. */
void ids_admit_denied(ids_worker *worker, ids_conn *conn,
                      const idp_request *request);

/* There is another version: the line takes it, and binds its connections anew,
 * some with each tick. One whose verifier is gone is closed within
 * IDS_REVOKED_MS; its claims stay, its waiters are forgotten. */
void ids_admit_renew(struct ids_line *line);

/* One that has come from another line. False: it may not stay. */
bool ids_admit_still(struct ids_line *line, ids_conn *conn);

/* It leaves this line. */
void ids_admit_leave(struct ids_line *line, ids_conn *conn);

void ids_admit_tick(struct ids_line *line);
uint64_t ids_admit_next_ms(const struct ids_line *line);
void ids_admit_fini(struct ids_line *line);

#endif
