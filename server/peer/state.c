/* SPDX-License-Identifier: Apache-2.0 */
/* state.c -- the status as one plain sentence, and what to do.
 *
 * Pure. It only looks. */
#include "server/peer/halves.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A node that is turned away tries again within a second or two. */
#define REFUSED_SHOWN_MS 10000

typedef struct line {
    char *to;
    size_t len;
    const ids_peer *peer;
    const ids_peer_status *s;
    const char *other; /* where the other node is, or its name */
} line;

__attribute__((format(printf, 2, 3))) static void
say_state(line *l, const char *format, ...) {
    va_list args;
    int wanted;
    assert(l->len < IDS_STATE_BYTES);
    va_start(args, format);
    wanted = vsnprintf(l->to + l->len, IDS_STATE_BYTES - l->len, format, args);
    va_end(args);
    if (wanted > 0)
        l->len += (size_t)wanted;
    if (l->len >= IDS_STATE_BYTES)
        l->len = IDS_STATE_BYTES - 1;
}

void ids_peer_name(ids_endpoint *to, const ids_endpoint *at, uint64_t node) {
    *to = *at;
    if (at->text[0] == 0 || at->text[0] == ':')
        snprintf(to->text, sizeof to->text, "node %016" PRIx64, node);
}

static void say_progress(line *l, const ids_copying *copying) {
    assert(copying->records <= copying->total);
    if (copying->is_on)
        say_state(l, ", %" PRIu64 " of %" PRIu64 " records", copying->records,
                  copying->total);
}

/* --- a primary ------------------------------------------------------------ */

/* Its place is kept for it, and what it had is gone. */
static void say_forgetful(line *l, const ids_follower_status *f) {
    assert(f->waits && !f->in_sync);
    say_state(l, "Changes wait: the replica at %s restarted without its memory",
              l->other);
    if (f->syncing) {
        say_state(l, " and is loading a copy");
        say_progress(l, &f->copying);
    } else if (f->connected) {
        say_state(l, " and is catching up");
    } else {
        say_state(l, " and is gone again");
    }
    say_state(l, ". Only this node has what was acknowledged: do not stop it.");
}

static void say_member(line *l, const ids_follower_status *f) {
    assert(f->waits && f->in_sync);
    if (f->slow_disk) {
        say_state(
            l,
            "Changes wait: slow disk at the replica at %s, which has not kept "
            "one for %" PRIu64 " ms.",
            l->other, f->behind_ms);
    } else if (f->syncing) {
        say_state(l,
                  "The replica at %s is in sync; changes wait until it has "
                  "loaded a copy",
                  l->other);
        say_progress(l, &f->copying);
        say_state(l, ".");
    } else if (!f->is_here) {
        say_state(l,
                  "The replica at %s is in sync, but not connected right now.",
                  l->other);
    } else if (!f->knows) {
        say_state(l, "The replica at %s is in sync, and about to know it.",
                  l->other);
    } else {
        say_state(l, "The replica at %s is in sync.", l->other);
    }
}

static void say_newcomer(line *l, const ids_follower_status *f) {
    if (f->syncing) {
        say_state(l, "The replica at %s is loading a full copy", l->other);
        say_progress(l, &f->copying);
        say_state(l, ".");
    } else if (l->peer->config.mode == IDS_MODE_SYNC) {
        say_state(l, "The replica at %s is catching up.", l->other);
    } else {
        say_state(
            l,
            "The replica at %s follows; in async mode it may lack the latest "
            "changes.",
            l->other);
    }
}

static void say_alone(line *l) {
    const ids_peer *peer = l->peer;
    if (l->s->parting == IDS_PARTING_UNHEARD)
        say_state(l,
                  "It serves alone: the replica was detached and does not know "
                  "it. Do not promote that one.");
    else if (peer->config.mode == IDS_MODE_SYNC && peer->config.min_in_sync > 1)
        say_state(l,
                  "Changes wait for a replica: --min-in-sync is %" PRIu32
                  " and there is none.",
                  peer->config.min_in_sync);
    else if (l->s->had_replica)
        say_state(l, "It serves alone: its replica is gone or detached.");
    else
        say_state(l, "It serves alone; it never had a replica.");
}

/* False: there is nothing to say of this one. */
static bool say_follower(line *l, const ids_follower_status *f) {
    size_t begun = l->len;
    ids_endpoint other;
    assert(l->peer->leading);
    ids_peer_name(&other, &f->at, f->member.node);
    l->other = other.text;
    if (f->forgetful)
        say_forgetful(l, f);
    else if (f->is_silent)
        say_state(l,
                  "Changes wait: the replica at %s is gone. Bring it back, or "
                  "idemctl detach, unless it was promoted.",
                  l->other);
    else if (f->in_sync)
        say_member(l, f);
    else if (f->connected || f->syncing)
        say_newcomer(l, f);
    l->other = NULL; /* it ends here */
    return l->len > begun;
}

/* Beside others; of one that was alone say_alone tells it. */
static void say_unheard(line *l, const ids_follower_status *f) {
    ids_endpoint at;
    ids_peer_name(&at, &f->at, f->member.node);
    say_state(
        l,
        " The replica at %s was detached and does not know it: do not promote "
        "that one.",
        at.text);
}

static void say_primary(line *l) {
    const ids_peer_status *s = l->s;
    const ids_follower_status *unheard = NULL;
    bool alone = true;
    if (l->peer->switch_epoch != 0) {
        say_state(l, "It is handing over: no call is served.");
        return;
    }
    for (uint32_t i = 0; i < s->follower_count; i++) {
        const ids_follower_status *f = &s->follower[i];
        assert(f->waits || !f->in_sync);
        size_t begun = l->len;
        say_state(l, "%s", alone ? "" : " ");
        if (say_follower(l, f)) {
            alone = false;
            continue;
        }
        l->len = begun;
        l->to[begun] = '\0';
        if (f->parting == IDS_PARTING_UNHEARD)
            unheard = f;
    }
    if (alone)
        say_alone(l);
    else if (unheard != NULL)
        say_unheard(l, unheard);
}

/* --- a replica ------------------------------------------------------------ */

static void say_loading(line *l) {
    say_state(l, "It is loading a full copy from %s", l->other);
    say_progress(l, &l->s->copying);
    say_state(l, "%s.",
              l->s->in_sync ? "; it may be promoted with the copy it has" : "");
}

static void say_replica(line *l) {
    const ids_peer_status *s = l->s;
    assert(!l->peer->leading);
    if (l->peer->pending == IDS_PENDING_START)
        say_state(l, "It is starting.");
    else if (s->syncing)
        say_loading(l);
    else if (s->joins_by_key)
        say_state(l, "It joins %s by key: only what differs is sent.",
                  l->other);
    else if (s->slow_disk && s->connected)
        say_state(
            l,
            "Its disk is slow: changes of the primary at %s have waited for it "
            "for %" PRIu64 " ms.",
            l->other, s->behind_ms);
    else if (s->in_sync && s->connected)
        say_state(l, "It is in sync with the primary at %s.", l->other);
    else if (s->in_sync)
        say_state(l,
                  "It may be promoted without loss; it is not connected to a "
                  "primary. If none serves: idemctl promote, here.");
    else if (s->disowned && !s->connected)
        say_state(l, "It was detached: the primary has gone on without it.");
    else if (s->connected)
        say_state(l, "It follows the primary at %s and is not in sync with it.",
                  l->other);
    else if (l->peer->handed_over)
        say_state(
            l,
            "It has handed over to the node at %s, and has not seen that one "
            "lead. If it does not serve: idemctl promote, there.",
            l->other);
    else
        say_state(l,
                  "It is no primary and is connected to none. Promoting it may "
                  "lose changes.");
}

/* As long as somebody is at the door. */
static void say_refusal(line *l) {
    const ids_refusal *r = &l->s->refusal;
    const char *name = r->name.text;
    assert(r->why < IDS_REFUSAL_COUNT);
    if (r->why == IDS_REFUSAL_NONE || l->s->refused_ms > REFUSED_SHOWN_MS)
        return;
    say_state(l, " %s %s%s%s: %s.",
              r->by_other ? "Turned away by" : "Turns away",
              ids_endpoint_is_set(&r->at) ? r->at.text : "a node",
              name[0] ? ", node " : "", name, ids_refusal_text(r->why));
}

void ids_peer_say_state(const ids_peer *peer, const ids_peer_status *status,
                        char to[static IDS_STATE_BYTES]) {
    ids_endpoint other;
    line l = {.to = to, .peer = peer, .s = status, .other = other.text};
    assert(status->role ==
           (peer->leading ? IDS_ROLE_PRIMARY : IDS_ROLE_REPLICA));
    ids_peer_name(&other, &peer->other_at, status->other.node);
    to[0] = '\0';
    if (peer->leading)
        say_primary(&l);
    else
        say_replica(&l);
    say_refusal(&l);
}
