/* SPDX-License-Identifier: Apache-2.0 */
/* admit.c -- see admit.h. */
#include "server/line/admit.h"

#include "server/base/log.h"
#include "server/line/line.h"
#include "server/worker/reply.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many slots are looked at for one tick, and a certificate that is verified
 * counts as many as that takes time. */
#define RENEWED_A_TICK 4096
#define CERT_COUNTS_AS 256

#define REFUSED "refused: no secret, or a wrong one"

static const char wrong_secret[] = "the secret is wrong";

/* Refusals ---------------------------------------------------------------- */

static void audit_refusal(const ids_worker *worker, const ids_conn *conn,
                          const char *reason) {
    ids_audit_who who;
    if (ids_audit_is_off())
        return;
    ids_audited_who(conn, &who);
    ids_audit_refused(worker->role_state.epoch, &who, reason);
}

void ids_admit_refuse_stranger(ids_worker *worker, ids_conn *conn,
                               uint32_t msgid, const char *text) {
    worker->counters.of[IDS_DENIED_NO_SECRET_TOTAL]++;
    audit_refusal(worker, conn, text);
    ids_log_who(IDS_LOG_WARN, REFUSED, &conn->who, text);
    ids_reply_error(worker, conn, msgid, IDP_E_DENIED, text);
}

void ids_admit_denied(ids_worker *worker, ids_conn *conn,
                      const idp_request *request) {
    char text[IDS_DENIAL_BYTES];
    ids_user_denial(conn->reading.verifier->user, request->method, request->ns,
                    text);
    worker->counters.of[IDS_DENIED_NO_GRANT_TOTAL]++;
    audit_refusal(worker, conn, text);
    ids_log_who(IDS_LOG_WARN, "refused: no grant for it", &conn->who, text);
    ids_reply_error(worker, conn, request->msgid, IDP_E_DENIED, text);
}

/* Whose it says it is; a name that is none is not repeated. */
static void log_wrong(const ids_conn *conn, idp_slice secret) {
    char text[64 + IDS_USER_NAME_CHARS_MAX];
    idp_slice name = ids_secret_name(secret);
    ids_log_who(
        IDS_LOG_WARN, REFUSED, &conn->who,
        name.len ? (snprintf(text, sizeof text, "%s, name=%.*s", wrong_secret,
                             (int)name.len, (const char *)name.ptr),
                    text)
                 : wrong_secret);
}

/* False: so many wait already. */
static bool refuse_late(ids_line *line, const ids_conn *conn, uint32_t msgid,
                        bool closes) {
    ids_admission *a = &line->admission;
    if (!a->late)
        a->late = calloc(IDS_LATE_REFUSALS_MAX, sizeof *a->late);
    if (!a->late || a->late_count == IDS_LATE_REFUSALS_MAX)
        return false;
    uint32_t at = (a->late_at + a->late_count++) % IDS_LATE_REFUSALS_MAX;
    a->late[at] =
        (ids_late_refusal){.asker = conn->asker,
                           .due_ms = line->worker.now_ms + IDS_LATE_REFUSAL_MS,
                           .msgid = msgid,
                           .closes = closes};
    return true;
}

static void refuse_wrong(ids_line *line, ids_conn *conn,
                         const idp_request *request) {
    ids_worker *worker = &line->worker;
    ids_source source = ids_who_source(&conn->who);
    bool closes = ++conn->reading.denials >= IDS_DENIALS_MAX;
    worker->counters.of[IDS_DENIED_WRONG_SECRET_TOTAL]++;
    log_wrong(conn, request->secret);
    audit_refusal(worker, conn, wrong_secret);
    bool waits =
        ids_access_failed(worker->server->access, &source, worker->now_ms);
    if (waits && refuse_late(line, conn, request->msgid, closes))
        return;
    if (!waits)
        ids_reply_error(worker, conn, request->msgid, IDP_E_DENIED,
                        wrong_secret);
    if (closes || waits)
        ids_conn_finish(worker, conn);
}

static void answer_late(ids_line *line) {
    ids_admission *a = &line->admission;
    ids_worker *worker = &line->worker;
    while (a->late_count && a->late[a->late_at].due_ms <= worker->now_ms) {
        const ids_late_refusal one = a->late[a->late_at];
        a->late_at = (a->late_at + 1) % IDS_LATE_REFUSALS_MAX;
        a->late_count--;
        ids_conn *conn = ids_worker_find(worker, one.asker);
        if (!conn || ids_conn_is_dead(conn))
            continue;
        ids_reply_error(worker, conn, one.msgid, IDP_E_DENIED, wrong_secret);
        if (one.closes)
            ids_conn_finish(worker, conn);
    }
}

/* Secrets ----------------------------------------------------------------- */

/* It lies in memory that is ours to write: what has come from the socket. */
static void wipe(idp_slice secret) {
    volatile uint8_t *at = (volatile uint8_t *)(uintptr_t)secret.ptr;
    for (size_t i = 0; i < secret.len; i++)
        at[i] = 0;
}

/* Whoever was on the way has read it. */
static void tell_plain(ids_line *line, const ids_conn *conn,
                       const ids_verifier *shown) {
    ids_worker *worker = &line->worker;
    char text[64 + IDS_USER_NAME_CHARS_MAX];
    if (conn->seal || conn->reading.local ||
        !ids_access_shown_plain(worker->server->access, shown->user->name,
                                worker->now_ms))
        return;
    snprintf(text, sizeof text, "name=%s; once an hour for each name",
             shown->user->name);
    ids_log_who(IDS_LOG_WARN, "a secret came in plain", &conn->who, text);
}

bool ids_admit_hello(ids_line *line, ids_conn *conn,
                     const idp_request *request) {
    ids_worker *worker = &line->worker;
    if (!worker->server->access ||
        (conn->reading.admitted && !request->secret.ptr))
        return true;
    if (!request->secret.ptr) {
        ids_admit_refuse_stranger(worker, conn, request->msgid,
                                  "hello must carry the secret");
        return false;
    }
    if (conn->reading.denials >= IDS_DENIALS_MAX) {
        ids_conn_finish(worker, conn); /* it does not wait for its answers */
        return false;
    }
    ids_verifier *found =
        ids_credentials_find(worker->credentials, request->secret);
    bool is_news = conn->reading.verifier != found;
    if (found) {
        ids_conn_bind(conn, worker->credentials, found);
        if (is_news) /* over HTTP it comes with each request */
            tell_plain(line, conn, found);
    } else {
        refuse_wrong(line, conn, request);
    }
    wipe(request->secret);
    return found != NULL;
}

const char *ids_admit_cert(ids_line *line, ids_conn *conn, ids_cert_has has,
                           const void *cert) {
    ids_credentials *now = line->worker.credentials;
    bool is_ambiguous = false;
    ids_verifier *found =
        now ? ids_credentials_find_cert(now, has, cert, &is_ambiguous) : NULL;
    if (found)
        ids_conn_bind(conn, now, found);
    return is_ambiguous ? IDS_CERT_OF_TWO : NULL;
}

/* Another version --------------------------------------------------------- */

static void revoke(ids_line *line, ids_conn *conn) {
    ids_admission *a = &line->admission;
    if (conn->reading.revoked)
        return;
    conn->reading.revoked = true;
    conn->reading.admitted = false;
    if (!a->revoked.head)
        a->cut_ms = line->worker.now_ms + IDS_REVOKED_MS;
    ids_list_append(&a->revoked, &conn->reading.in_revoked);
    ids_log_who(IDS_LOG_WARN, "connection closed", &conn->who,
                "its credential is not valid any more");
    ids_conn_finish(&line->worker, conn);
}

static bool has_cert(const ids_conn *conn) {
    return conn->reading.verifier &&
           conn->reading.verifier->kind != IDS_VERIFIER_SHA256;
}

/* A certificate's authority may be gone, or its time may be over. */
static bool cert_holds(const ids_line *line, const ids_conn *conn) {
    const ids_line_driver *driver = &line->driver;
    return !has_cert(conn) || !driver->cert_holds ||
           driver->cert_holds(driver->ctx, conn);
}

/* To the verifier with the same id in the version that counts. */
static bool bind_anew(ids_line *line, ids_conn *conn) {
    ids_credentials *now = line->worker.credentials;
    if (!conn->reading.verifier || conn->reading.version == now)
        return true;
    ids_verifier *same = ids_credentials_by_id(now, conn->reading.verifier->id);
    if (same && !cert_holds(line, conn))
        same = NULL;
    if (same)
        ids_conn_bind(conn, now, same);
    else
        revoke(line, conn);
    return same != NULL;
}

void ids_admit_renew(ids_line *line) {
    ids_worker *worker = &line->worker;
    ids_credentials *before = worker->credentials;
    worker->credentials = ids_access_take(worker->server->access);
    ids_credentials_drop(before);
    line->admission.renews = true;
    line->admission.renew_at = 0;
}

static void renew_some(ids_line *line) {
    ids_admission *a = &line->admission;
    const ids_slots *slots = &line->worker.slots;
    for (int i = 0; i < RENEWED_A_TICK && a->renew_at < slots->used; i++) {
        ids_conn *conn = slots->all[a->renew_at++].conn;
        if (!conn || conn->reading.revoked)
            continue;
        i += has_cert(conn) ? CERT_COUNTS_AS : 0;
        bind_anew(line, conn);
    }
    a->renews = a->renew_at < slots->used;
}

bool ids_admit_still(ids_line *line, ids_conn *conn) {
    const ids_conn_reading *reading = &conn->reading;
    if (!reading->verifier)
        return true;
    if (reading->version->number > line->worker.credentials->number)
        ids_admit_renew(line);
    return bind_anew(line, conn);
}

void ids_admit_leave(ids_line *line, ids_conn *conn) {
    if (!conn->reading.revoked)
        return;
    ids_list_remove(&line->admission.revoked, &conn->reading.in_revoked);
    conn->reading.revoked = false;
}

/* What they were answered had its time to leave. */
static void cut_revoked(ids_line *line) {
    ids_listed *at = line->admission.revoked.head;
    while (at) {
        ids_conn *conn = IDS_LISTED(ids_conn, reading.in_revoked, at);
        at = at->next;
        if (ids_conn_is_dead(conn) || conn->life == IDS_CONN_MOVING)
            continue;
        ids_conn_become(conn, IDS_CONN_DEAD);
        ids_worker_mark(&line->worker, conn);
    }
    line->admission.cut_ms = line->worker.now_ms + IDS_REVOKED_MS;
}

void ids_admit_tick(ids_line *line) {
    ids_admission *a = &line->admission;
    answer_late(line);
    if (a->renews)
        renew_some(line);
    if (a->revoked.head && a->cut_ms <= line->worker.now_ms)
        cut_revoked(line);
}

uint64_t ids_admit_next_ms(const ids_line *line) {
    const ids_admission *a = &line->admission;
    uint64_t next_ms = UINT64_MAX;
    if (a->renews)
        return line->worker.now_ms;
    if (a->late_count)
        next_ms = a->late[a->late_at].due_ms;
    return a->revoked.head && a->cut_ms < next_ms ? a->cut_ms : next_ms;
}

void ids_admit_fini(ids_line *line) {
    free(line->admission.late);
    ids_credentials_drop(line->worker.credentials);
    line->worker.credentials = NULL;
}
