/* SPDX-License-Identifier: Apache-2.0 */
/* peer_client.c -- clients, as the library would be: a call is asked again
 * with its nonce or its token, here or there, until someone answers or its
 * time is over; a wait with the time that is left. */
#include "tests/sim/peer_decide.h"

#include "tests/lib/text.h"

#include <stdio.h>
#include <string.h>

enum { CALL_MS = 1200 };

static void try_again(pw_world *w, int node, uint64_t op);
static void next_job(pw_world *w, int node, uint64_t client);

static idp_slice slice(const pw_text *text) {
    return (idp_slice){text->len > 0 ? text->bytes : NULL, text->len};
}

/* Points the request's slices at the op's own texts. */
static void point(pw_op *o) {
    static const uint8_t names[] = "k0k1k2k3k4k5k6k7k8k9";
    o->request.ns = (idp_slice){names, 0};
    o->request.key = (idp_slice){names + (size_t)2 * o->key, 2};
    o->request.nonce = slice(&o->nonce);
    o->request.fingerprint = slice(&o->fingerprint);
    o->request.result = slice(&o->result);
}

pw_text pw_text_of(const char *format, uint32_t number) {
    pw_text t;
    int n = snprintf((char *)t.bytes, sizeof t.bytes, format, number);
    t.len = (size_t)n;
    return t;
}

uint32_t pw_add_op(pw_world *w, int client, uint32_t key) {
    uint32_t op = w->ops++;
    pw_op *o = &w->op[op];
    *o = (pw_op){.client = client, .key = key};
    o->target = (int)pw_below(w, (uint32_t)pw_nodes(w));
    o->begun = w->now;
    o->until = w->now + CALL_MS;
    w->client_op[client] = op;
    return op;
}

static void acquire(pw_world *w, int client) {
    uint32_t key = pw_below(w, w->config.keys);
    uint32_t op = pw_add_op(w, client, key);
    pw_op *o = &w->op[op];
    idp_request *q = &o->request;
    q->method = IDP_ACQUIRE;
    q->lease_ms = 60 + pw_below(w, 300);
    q->ttl_ms = q->lease_ms + 200 + pw_below(w, w->config.ttl_more_ms);
    o->wait_until = w->now;
    if (pw_chance(w, 30)) {
        o->wait_until += 50 + pw_below(w, 300);
    }
    q->on_orphan = pw_chance(w, 85) ? IDP_TAKEOVER : IDP_REPORT;
    o->nonce = pw_text_of("n%u", op);
    o->fingerprint = pw_text_of("f%u", pw_chance(w, 90) ? key : 100);
    if (pw_chance(w, 10)) {
        o->fingerprint.len = 0;
    }
    point(o);
    try_again(w, -1, op);
}

/* What the holder does in the end: word is its acquire's op. */
static void end_claim(pw_world *w, int node, uint64_t word) {
    pw_op *held = &w->op[word];
    int client = held->client;
    uint32_t key = held->key, dice = pw_below(w, 100);
    idp_token token = held->token;
    (void)node;
    if (dice < 8 || w->ops == PW_OPS_MAX) { /* it died */
        next_job(w, -1, (uint64_t)client);
        return;
    }
    uint32_t op = pw_add_op(w, client, key);
    pw_op *o = &w->op[op];
    o->phase = PW_ENDS;
    o->token = o->request.token = token;
    if (dice < 78) {
        o->request.method = IDP_COMPLETE;
        o->result = pw_text_of("result %u", op);
        o->completes = true;
    } else if (dice < 90) {
        o->request.method = IDP_RELEASE;
        o->request.unbind = pw_chance(w, 30);
    } else {
        o->request.method = IDP_RENEW;
        o->request.lease_ms = 100 + pw_below(w, 200);
    }
    point(o);
    try_again(w, -1, op);
}

void pw_ask(pw_world *w, uint32_t op) {
    point(&w->op[op]);
    try_again(w, -1, op);
}

static void next_job(pw_world *w, int node, uint64_t client) {
    (void)node;
    if (w->clients_stop || w->ops + 2 > PW_OPS_MAX) {
        return;
    }
    if (client >= w->config.clients) {
        pw_decide(w, (uint32_t)client);
        return;
    }
    if (pw_chance(w, 10)) {
        uint32_t op = pw_add_op(w, (int)client, pw_below(w, w->config.keys));
        w->op[op].request.method = IDP_PEEK;
        point(&w->op[op]);
        try_again(w, -1, op);
    } else {
        acquire(w, (int)client);
    }
}

void pw_clients_start(pw_world *w) {
    for (uint32_t i = 0; i < w->config.clients; i++) {
        pw_later(w, pw_below(w, 60), next_job, -1, i);
    }
    for (uint32_t i = 0; w->decides && i < PW_OPERATORS; i++) {
        pw_later(w, 100 + pw_below(w, 60), next_job, -1, w->config.clients + i);
    }
}

/* --- a call --------------------------------------------------------------- */

static void timed_out(pw_world *w, int node, uint64_t word) {
    pw_op *o = &w->op[word >> 32];
    (void)node;
    if (o->done || o->try != (uint32_t)word) {
        return;
    }
    o->target = (o->target + 1) % pw_nodes(w);
    try_again(w, -1, word >> 32);
}

static void give_up(pw_world *w, pw_op *o) {
    o->done = true;
    pw_say(w, "client %d gives up on k%u", o->client, o->key);
    pw_later(w, pw_below(w, 40), next_job, -1, (uint64_t)o->client);
}

static void try_again(pw_world *w, int node, uint64_t op) {
    pw_op *o = &w->op[op];
    uint64_t left = o->wait_until > w->now ? o->wait_until - w->now : 0;
    uint64_t word = op << 32 | ++o->try;
    (void)node;
    if (o->done) {
        return;
    }
    if (w->now >= o->until) {
        give_up(w, o);
        return;
    }
    o->request.wait_ms = (uint32_t)left;
    if (w->tracing) {
        char line[120];
        pw_say(w, "client %d -> %c %s", o->client, pw_name(o->target),
               idt_text_request(&o->request, line, sizeof line));
    }
    pw_wire_send(w, (uint32_t)op);
    pw_later(w, 120 + left + pw_below(w, 60), timed_out, -1, word);
}

static void answered(pw_world *w, pw_op *o, const idp_answer *answer) {
    uint64_t pause = pw_below(w, 50);
    o->done = true;
    if (o->phase == PW_DECIDES) {
        pause += 60;
    }
    if (o->phase == PW_ACQUIRES && answer->outcome == IDP_OUTCOME_ACQUIRED) {
        o->token = answer->token;
        pw_later(w, pw_below(w, o->request.lease_ms * 5 / 4), end_claim, -1,
                 (uint64_t)(o - w->op));
    } else {
        pw_later(w, pause, next_job, -1, (uint64_t)o->client);
    }
}

static const char *error_name(idp_error error) {
    switch (error) {
    case IDP_E_NOT_PRIMARY:
        return "NOT_PRIMARY";
    case IDP_E_UNREPLICATED:
        return "UNREPLICATED";
    case IDP_E_LIMIT:
        return "LIMIT";
    default:
        return "another error";
    }
}

void pw_client_hears(pw_world *w, const pw_reply *r) {
    pw_op *o = &w->op[r->op];
    if (w->tracing) {
        char line[120];
        pw_say(w, "client %d hears from %c, k%u: %s%s", o->client,
               pw_name(r->node), o->key,
               r->error == IDP_OK
                   ? idt_text_answer(IDP_OK, &r->answer, line, sizeof line)
                   : error_name(r->error),
               o->done ? " (too late)" : "");
    }
    if (o->done) {
        return;
    }
    if (r->error == IDP_OK && o->phase == PW_DECIDES && r->try == o->try &&
        !pw_decided(w, o, r)) {
        o->target = (int)pw_below(w, (uint32_t)pw_nodes(w));
        pw_later(w, pw_below(w, 400), try_again, -1, r->op);
        return;
    }
    if (r->error == IDP_OK) {
        answered(w, o, &r->answer);
        return;
    }
    if (r->try != o->try) {
        return;
    }
    pw_later(w, 10 + pw_below(w, 30), timed_out, -1,
             (uint64_t)r->op << 32 | o->try);
}

bool pw_probe(pw_world *w) {
    if (w->ops + 4 > PW_OPS_MAX) {
        return true;
    }
    acquire(w, 0);
    return true;
}
