/* SPDX-License-Identifier: Apache-2.0 */
/* link.c -- see link.h: connecting and leaving. What happens to the calls on
 * it is in link_calls.c. */
#include "client/src/link.h"

#include <assert.h>
#include <string.h>

#include "client/src/handshake.h"

/* Where there is another server to try, the first attempts to connect get so
 * much each, and twice as much in every further round. */
#define DIAL_MS_FIRST 250u

void idem__link_init(idem__link *link, idem__selector *selector, int32_t shard,
                     uint64_t seed) {
    memset(link, 0, sizeof *link);
    link->selector = selector;
    link->uri = selector->uri;
    link->shard = shard;
    link->state = IDEM__LINK_DOWN;
    idem__wire_init(&link->wire);
    idem__backoff_init(&link->backoff, seed);
}

void idem__link_fini(idem__link *link) {
    if (link->probe.op.pending)
        idem__calls_remove(&link->wire.calls, &link->probe.op);
    idem__wire_fini(&link->wire);
}

static idem__seen seen_of(const idem__link *link) {
    return (idem__seen){link->endpoint.name, link->shard, link->hello.epoch};
}

/* ------------------------------------------------------------- connecting */

void idem__link_dial(idem__link *link, uint64_t call_end_ms) {
    assert(link->state == IDEM__LINK_DOWN);
    link->state = IDEM__LINK_DIALING;
    link->call_end_ms = call_end_ms;
    link->backoff.attempts++;
    link->serial = idem__selector_get(link->selector, &link->endpoint);
}

/* A server that takes the connection and says nothing may not eat the whole
 * deadline where there is another one: each that is still to come in this round
 * has its share. */
uint64_t idem__link_dial_end_ms(const idem__link *link, uint64_t now_ms) {
    uint64_t end_ms = link->call_end_ms;
    uint64_t left_ms = end_ms > now_ms ? end_ms - now_ms : 0;
    uint64_t dial_ms = link->uri->connect_timeout_ms;
    uint32_t count = link->uri->endpoints_count;
    if (count > 1) {
        uint32_t rounds = (link->backoff.attempts - 1) / count;
        uint32_t to_come = count - (link->backoff.attempts - 1) % count;
        uint64_t patient_ms = DIAL_MS_FIRST << (rounds < 8 ? rounds : 8);
        dial_ms = dial_ms < patient_ms ? dial_ms : patient_ms;
        left_ms = left_ms / (to_come > 2 ? to_come : 2);
    }
    return now_ms + (dial_ms < left_ms ? dial_ms : left_ms);
}

static bool learn_hello(const idem__link *link, uint64_t now_ms,
                        idem_error *err) {
    idem__heard_hello heard = {.serial = link->serial,
                               .endpoint = &link->endpoint,
                               .hello = &link->hello,
                               .now_ms = now_ms};
    return idem__selector_learn(link->selector, &heard, err);
}

bool idem__link_up(idem__link *link, uint64_t now_ms, idem_error *err) {
    assert(link->state == IDEM__LINK_DIALING);
    if (!learn_hello(link, now_ms, err))
        return false;
    link->state = IDEM__LINK_UP;
    idem__watch_connected(link->selector->watch, seen_of(link));
    link->quiet_ms = 0;
    link->drain_end_ms = 0;
    link->why.code = 0;
    return true;
}

void idem__link_handshake_again(idem__link *link) {
    static const idem__hello_args args = {.shard = -1};
    assert(link->state == IDEM__LINK_UP);
    if (idem__leads(&link->hello) || link->probe.op.pending)
        return;
    link->probe.op.deadline_ms = UINT64_MAX;
    link->probed_ms = link->quiet_ms;
    /* Without memory for it the next change tries again. */
    (void)idem__wire_hello(&link->wire, &link->probe.op, &args);
}

void idem__link_hello_came(idem__link *link, const idp_reply *reply,
                           uint64_t now_ms) {
    idp_hello hello;
    idem_error why;
    if (idem__handshake_read(link->endpoint.name, reply, &hello, &why) != 0)
        return;
    link->hello = hello;
    /* One that is not believed has taken a change all the same. */
    (void)learn_hello(link, now_ms, &why);
}

static void set_retry(idem__link *link, uint64_t now_ms) {
    link->state = IDEM__LINK_DOWN;
    link->retry_at_ms =
        now_ms +
        idem__backoff_pause_ms(&link->backoff, link->uri->endpoints_count);
}

/* A server with fewer threads than there were refuses the higher shards. */
static bool is_shard_gone(const idem__link *link, const idem_error *why) {
    return why->code == IDEM_E_BAD_REQUEST && link->shard > 0;
}

int32_t idem__link_undialed(idem__link *link, const idem_error *why,
                            uint64_t now_ms) {
    assert(link->state == IDEM__LINK_DIALING);
    idem__wire_reset(&link->wire);
    /* One that the call's own end cut short says less than the one before. */
    if (link->why.code == 0 || now_ms < link->call_end_ms)
        link->why = *why;
    set_retry(link, now_ms);
    if (is_shard_gone(link, why)) {
        idem__selector_unlearn(link->selector, link->serial);
        return IDEM_E_LOST;
    }
    idem__selector_failed(link->selector, link->serial);
    return idem__is_final(why->code) ? why->code : 0;
}

/* Each server was asked as often as the URI says that it is worth. */
bool idem__link_is_enough(const idem__link *link, uint32_t failed) {
    uint32_t rounds = link->uri->connect_rounds;
    return rounds > 0 && failed >= rounds * link->uri->endpoints_count;
}

int32_t idem__link_give_up(const idem__link *link, idem_error *err) {
    if (link->why.code == 0)
        return idem__fail(err, IDEM_E_TIMEOUT_UNSENT,
                          "the deadline passed before a connection to %s was "
                          "there; nothing was sent",
                          link->endpoint.name);
    idem__error_copy(err, &link->why);
    return link->why.code;
}

int32_t idem__link_stayed_full(const idem__link *link, idem_error *err) {
    return idem__fail(err, IDEM_E_TIMEOUT_UNSENT,
                      "the deadline passed while other calls filled the "
                      "connection to %s; nothing was sent",
                      link->endpoint.name);
}

/* ----------------------------------------------------------------- leaving
 *
 * A server that is gone without a close (stopped, cut off) is told from one
 * that lets a call wait: when nothing was heard for a while a ping is sent on
 * the same connection, and a server that is alive answers it at once, whatever
 * else it is busy with. One that does not is left, and its calls are asked
 * again elsewhere. On a link where answers come this costs nothing. */

uint64_t idem__link_patience_ms(const idem__link *link, uint64_t left_ms) {
    uint64_t patience_ms = left_ms / 3; /* the rest is for another server */
    if (patience_ms > link->uri->connect_timeout_ms)
        patience_ms = link->uri->connect_timeout_ms;
    return patience_ms > IDEM__LISTEN_MS ? patience_ms : IDEM__LISTEN_MS;
}

static void probe(idem__link *link) {
    idp_request ping = {.method = IDP_PING};
    link->probe.op.deadline_ms = UINT64_MAX;
    link->probed_ms = link->quiet_ms;
    /* Without memory for it the next round tries again. */
    (void)idem__wire_queue(&link->wire, &link->probe.op, &ping);
}

static const char *why_moved(const idem__link *link) {
    return link->serial != atomic_load(&link->selector->serial)
               ? "the client has moved to another server"
               : NULL;
}

const char *idem__link_quiet(idem__link *link, uint64_t left_ms,
                             uint64_t heard_nothing_ms) {
    if (link->state != IDEM__LINK_UP)
        return NULL;
    if (why_moved(link) != NULL)
        return why_moved(link);
    link->quiet_ms +=
        heard_nothing_ms < IDEM__LISTEN_MS ? heard_nothing_ms : IDEM__LISTEN_MS;
    if (link->quiet_ms < IDEM__LISTEN_MS)
        return NULL;
    if (!link->probe.op.pending) {
        probe(link);
        return NULL;
    }
    if (link->quiet_ms - link->probed_ms <
        idem__link_patience_ms(link, left_ms))
        return NULL;
    idem__selector_failed(link->selector, link->serial);
    return "it has gone silent";
}

const char *idem__link_why_leave(const idem__link *link, uint64_t now_ms) {
    if (link->state != IDEM__LINK_UP)
        return NULL;
    if (why_moved(link) != NULL)
        return why_moved(link);
    if (link->drain_end_ms != 0 &&
        (link->wire.calls.count == 0 || now_ms >= link->drain_end_ms))
        return "it is shutting down";
    return NULL;
}

void idem__link_break(idem__link *link, const char *why) {
    assert(link->state == IDEM__LINK_UP);
    link->state = IDEM__LINK_BROKEN;
    idem__watch_lost(link->selector->watch, seen_of(link), why);
}

idem__attempt *idem__link_take_lost(idem__link *link) {
    idem__op *op = link->wire.calls.first;
    if (op != NULL && op == &link->probe.op) {
        idem__calls_remove(&link->wire.calls, op);
        op = link->wire.calls.first;
    }
    if (op == NULL)
        return NULL;
    idem__attempt *attempt = (idem__attempt *)op;
    idem__calls_remove(&link->wire.calls, op);
    attempt->sent = idem__wire_was_sent(&link->wire, op);
    return attempt;
}

int32_t idem__link_fail_lost(const idem__link *link, int os_error,
                             const char *why, idem_error *err) {
    return idem__fail_at(err, IDEM_E_LOST,
                         (idem__where){link->endpoint.name, os_error},
                         "the connection to %s was lost before the answer: %s",
                         link->endpoint.name, why);
}

void idem__link_let_go(idem__link *link, uint64_t now_ms) {
    assert(link->state == IDEM__LINK_BROKEN);
    idem__wire_reset(&link->wire);
    set_retry(link, now_ms);
}
