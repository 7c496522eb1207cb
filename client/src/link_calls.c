/* SPDX-License-Identifier: Apache-2.0 */
/* link_calls.c -- what happens to the calls on a link. See link.h. */
#include <assert.h>
#include <string.h>

#include "client/src/answer.h"
#include "client/src/link.h"

#define OUT_BYTES_MAX (64u << 20)

bool idem__link_is_full(const idem__link *link) {
    return link->hello.pending_max > 0 &&
           link->wire.calls.count >= link->hello.pending_max;
}

bool idem__link_is_open(const idem__link *link) {
    return link->state == IDEM__LINK_UP &&
           link->serial == atomic_load(&link->selector->serial) &&
           link->drain_end_ms == 0 && !idem__link_is_full(link);
}

int32_t idem__link_queue(idem__link *link, idem__attempt *attempt,
                         idp_request *request, uint64_t now_ms,
                         idem_error *err) {
    assert(link->state == IDEM__LINK_UP);
    if (idem__buffer_len(&link->wire.out) > OUT_BYTES_MAX)
        return idem__fail(err, IDEM_E_BUSY,
                          "%s takes no bytes, and too many wait to be sent",
                          link->endpoint.name);
    attempt->trimmed = idem__wire_trim(&link->hello, request);
    uint64_t gone_ms = now_ms - attempt->start_ms;
    request->wait_ms =
        gone_ms < request->wait_ms ? request->wait_ms - (uint32_t)gone_ms : 0;
    uint64_t early_ms = now_ms + attempt->fast_ms + request->wait_ms;
    if (attempt->fast_ms != 0 && early_ms < attempt->op.deadline_ms)
        attempt->op.deadline_ms = early_ms;
    else
        attempt->fast_ms = 0;
    attempt->read_mark = link->read_bytes;
    attempt->queued_ms = now_ms;
    attempt->serial = link->serial;
    if (idem__wire_queue(&link->wire, &attempt->op, request) == 0)
        return 0;
    return idem__fail(err, IDEM_E_MEMORY, "no memory for a request");
}

/* The server has answered a ping: changes that it was asked for before are what
 * it lets wait. */
static void note_alive(const idem__link *link, uint64_t now_ms) {
    for (idem__op *op = link->wire.calls.first; op != NULL; op = op->next) {
        const idem__attempt *attempt = (const idem__attempt *)op;
        if (!attempt->is_change ||
            now_ms < attempt->queued_ms + IDEM__LISTEN_MS)
            continue;
        idem__watch_changes_wait(link->selector->watch, link->endpoint.name);
        return;
    }
}

void idem__link_heard(idem__link *link, size_t bytes) {
    link->read_bytes += bytes;
    link->quiet_ms = 0;
}

idem__next idem__link_next(idem__link *link, idem__attempt **attempt,
                           idp_reply *reply, uint64_t now_ms) {
    for (;;) {
        idem__op *op = NULL;
        idem__next next = idem__wire_next(&link->wire, &op, reply);
        if (next != IDEM__NEXT_REPLY) {
            if (link->is_alive)
                note_alive(link, now_ms);
            link->is_alive = false;
            return next;
        }
        link->backoff.attempts = 0;
        if (reply->is_error && reply->error == IDP_E_SHUTTING_DOWN &&
            link->drain_end_ms == 0)
            link->drain_end_ms = now_ms + IDEM__DRAIN_MS;
        if (op == &link->probe.op) {
            link->is_alive = true;
            if (op->method == IDP_HELLO)
                idem__link_hello_came(link, reply, now_ms);
            continue;
        }
        *attempt = (idem__attempt *)op;
        if (idem__is_change(op->method) && !reply->is_error)
            idem__link_handshake_again(link);
        return IDEM__NEXT_REPLY;
    }
}

int32_t idem__link_read(const idem__link *link, const idem__attempt *attempt,
                        const idp_reply *reply, idem_answer *view,
                        idem_error *err) {
    const char *name = link->endpoint.name;
    if (reply->is_error)
        return idem__fail_reply(err, name, reply);
    int32_t code = idem__answer_read(attempt->op.method, reply, view);
    if (code != 0)
        return idem__fail_at(err, code, (idem__where){name, 0},
                             "%s sent a reply that is no answer to the call; "
                             "is it of another version?",
                             name);
    if (attempt->trimmed)
        view->kept = 0;
    return 0;
}

const char *idem__link_time_out(idem__link *link, idem__attempt *attempt,
                                uint64_t now_ms, idem_error *err) {
    const char *name = link->endpoint.name;
    idem__calls_remove(&link->wire.calls, &attempt->op);
    attempt->sent = idem__wire_was_sent(&link->wire, &attempt->op);
    idem__fail_at(err, IDEM_E_TIMEOUT, (idem__where){name, 0},
                  "%s has not answered before the deadline; ask again with "
                  "the same nonce or token",
                  name);
    bool heard = link->read_bytes != attempt->read_mark;
    bool early = attempt->fast_ms != 0;
    if (heard && early)
        idem__watch_changes_wait(link->selector->watch, name);
    if (!heard && early)
        idem__selector_failed(link->selector, link->serial);
    /* Not a word from it all the while: it is likely gone without a close. */
    bool silent =
        early || now_ms >= attempt->queued_ms + link->uri->connect_timeout_ms;
    return !heard && silent ? "it has gone silent" : NULL;
}

int32_t idem__link_abandon(idem__link *link, idem__attempt *attempt,
                           const char *by, idem_error *err) {
    const char *name = link->endpoint.name;
    idem__calls_remove(&link->wire.calls, &attempt->op);
    attempt->sent = true;
    return idem__fail_at(err, IDEM_E_LOST, (idem__where){name, 0},
                         "%s before %s had answered; the call may have taken "
                         "effect, ask again with the same nonce or token",
                         by, name);
}
