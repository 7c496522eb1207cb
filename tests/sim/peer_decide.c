/* SPDX-License-Identifier: Apache-2.0 */
/* peer_decide.c -- operators who decide what became of claims: resolve, of what
 * they have seen, with force or without, asked again with its nonce whoever
 * leads by then; and erase. And their record, which can't be written now and
 * then: by the linker's --wrap, as in peer_look.c. */
#include "tests/sim/peer_decide.h"

#include "server/base/audit.h"

#include <errno.h>
#include <stdio.h>

static pw_world *recorded; /* whose record it is */
static uint32_t begun;     /* the request whose line is being made */

/* What they ask ------------------------------------------------------------ */

static const uint8_t reason[] = "a world's";

static void erase_key(pw_op *o) {
    o->request.method = IDP_ERASE;
    o->request.dry_run = false;
}

static void resolve_key(pw_world *w, pw_op *o, uint32_t op) {
    const pw_snap *seen = &w->acked[o->key];
    idp_request *q = &o->request;
    q->method = IDP_RESOLVE;
    q->verb = (idp_verb)pw_below(w, IDP_VERB_COUNT);
    q->force = pw_chance(w, 50);
    q->token = seen->token;
    if (seen->state == IDP_STATE_ABSENT)
        q->token = (idp_token){1, 1};
    o->token = q->token;
    o->nonce = pw_text_of("r%u", op);
    if (q->verb == IDP_VERB_COMPLETE) {
        o->result = pw_text_of("result %u", op);
        o->completes = true;
    }
}

void pw_decide(pw_world *w, uint32_t client) {
    uint32_t op = pw_add_op(w, (int)client, pw_below(w, w->config.keys));
    pw_op *o = &w->op[op];
    o->phase = PW_DECIDES;
    o->erasings = w->erasings[o->key];
    if (pw_chance(w, 8))
        erase_key(o);
    else
        resolve_key(w, o, op);
    o->request.reason = (idp_slice){reason, sizeof reason - 1};
    pw_ask(w, op);
}

/* What they hear ----------------------------------------------------------- */

static bool is_done(idp_outcome outcome) {
    return outcome == IDP_OUTCOME_COMPLETED ||
           outcome == IDP_OUTCOME_RELEASED || outcome == IDP_OUTCOME_DELETED;
}

/* I16: what was decided is answered the same for its nonce, whoever is asked.
 * Nobody knows of it where it was lost by somebody's leave since, or erased. */
static void hear_again(pw_world *w, const pw_op *o, const pw_reply *r) {
    w->asked_again++;
    if (r->answer.outcome != o->decided && w->losses == o->losses &&
        w->clashes == o->clashes && !w->clashed &&
        w->erasings[o->key] == o->erasings)
        pw_fail(w,
                "I16: k%u, the same nonce heard outcome %d, and now hears %d",
                o->key, o->decided, r->answer.outcome);
}

bool pw_decided(pw_world *w, pw_op *o, const pw_reply *r) {
    idp_outcome outcome = r->answer.outcome;
    if (o->again) {
        hear_again(w, o, r);
        return true;
    }
    w->decided += is_done(outcome);
    w->erased += outcome == IDP_OUTCOME_ERASED;
    if (!is_done(outcome) || w->config.mode != IDS_MODE_SYNC ||
        pw_chance(w, 40))
        return true;
    o->again = true;
    o->decided = outcome;
    o->losses = w->losses;
    o->clashes = w->clashes;
    o->until = w->now + 1200;
    return false;
}

/* I17: whoever held it holds it no more. The record is as it was when this was
 * decided: an answer that is given again says nothing of it. */
void pw_check_decision(pw_world *w, const pw_reply *r, const pw_op *o) {
    idp_outcome outcome = r->answer.outcome;
    if (o->request.method != IDP_RESOLVE || !r->changed || !is_done(outcome) ||
        outcome == IDP_OUTCOME_DELETED)
        return;
    if (pw_compare(r->snap.token, o->request.token) <= 0)
        pw_fail(w, "I17: k%u is decided, and its holder's token is current",
                o->key);
}

/* What a call that is carried out may end, for the checker. I18: it is on
 * record. */
void pw_note_decision(pw_node *n, const idp_request *q) {
    pw_world *w = n->w;
    n->decides = q->method == IDP_RESOLVE || q->method == IDP_ERASE;
    n->deletes = n->decides && (q->method == IDP_ERASE ||
                                (q->verb == IDP_VERB_DELETE && q->force));
    w->erasings[pw_key_of(q->key)] += q->method == IDP_ERASE;
    if (q->method == IDP_RESOLVE && !pw_call_of(w, q->msgid)->on_record)
        pw_fail(w, "I18: k%u is decided, and it is not on record",
                pw_key_of(q->key));
}

/* Their record ------------------------------------------------------------- */

void pw_keep_record(pw_world *w) {
    recorded = w->decides ? w : NULL;
}

/* The linker gives these names. */
/* NOLINTBEGIN(cert-dcl37-c,bugprone-reserved-identifier) */
bool __wrap_ids_audit_is_off(void);
bool __wrap_ids_audit_is_off(void) {
    return recorded == NULL;
}

void __real_ids_audit_begin(ids_audit_line *line, const char *event,
                            const char *phase, uint64_t epoch, uint64_t id,
                            uint32_t msgid, const ids_audit_who *who);
void __wrap_ids_audit_begin(ids_audit_line *line, const char *event,
                            const char *phase, uint64_t epoch, uint64_t id,
                            uint32_t msgid, const ids_audit_who *who);
void __wrap_ids_audit_begin(ids_audit_line *line, const char *event,
                            const char *phase, uint64_t epoch, uint64_t id,
                            uint32_t msgid, const ids_audit_who *who) {
    begun = msgid;
    __real_ids_audit_begin(line, event, phase, epoch, id, msgid, who);
}

bool __wrap_ids_audit_ask(ids_audit_line *line, ids_audit_done *done,
                          void *ctx);
bool __wrap_ids_audit_ask(ids_audit_line *line, ids_audit_done *done,
                          void *ctx) {
    bool full = pw_chance(recorded, 10);
    (void)line;
    recorded->unrecorded += full;
    pw_call_of(recorded, begun)->on_record = !full;
    return done(ctx, full ? ENOSPC : 0, true);
}
/* NOLINTEND(cert-dcl37-c,bugprone-reserved-identifier) */
