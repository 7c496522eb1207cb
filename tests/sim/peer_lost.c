/* SPDX-License-Identifier: Apache-2.0 */
/* peer_lost.c -- a primary that has lost its record and its memory leads anew,
 * empty, where it was.
 *
 * It comes last of all: from then on two lead, and nothing holds but that the
 * replica keeps what it has, and may be promoted with it. */
#include "tests/sim/peer_world.h"

#include <string.h>

enum { ALONE_MS = 600, TRIES = 40 };

static void lose(pw_node *n) {
    pw_say(n->w, "--- %c loses its record and its memory", pw_name(n->index));
    pw_node_crash(n);
    pw_disk_free(n);
    n->disk = (pw_disk){.wait_ms = n->disk.wait_ms};
    n->cell = (ids_decision){0};
    pw_node_start(n);
}

static bool is_whole(const pw_node *n) {
    ids_peer_status s;
    ids_peer_status_get(n->peer, &s);
    return !n->peer->leading && s.in_sync;
}

static bool promoted(pw_node *n) {
    pw_world *w = n->w;
    for (int i = 0; i < TRIES && !w->failed && !n->peer->leading; i++) {
        pw_promote(n, pw_draw_epoch(n), false);
        pw_run_until(w, w->now + 20);
    }
    return n->peer->leading;
}

/* It is noted for the log, unless the faults have filled the table. */
static bool says_why(const pw_node *n) {
    int others = 0;
    for (int i = 0; i < IDS_CAUSES_MAX; i++) {
        ids_refusal_why why = n->peer->causes[i].refusal.why;
        if (why == IDS_REFUSAL_ORIGIN) {
            return true;
        }
        others += why != IDS_REFUSAL_NONE;
    }
    return others == IDS_CAUSES_MAX;
}

void pw_lose_record(pw_world *w) {
    pw_node *p = pw_primary(w);
    pw_node *r = p != NULL ? pw_replica_of(w, p) : NULL;
    if (r == NULL || p->index != 0 || !is_whole(r)) {
        return;
    }
    w->operator_waits = w->clashed = true;
    w->clash_epoch = UINT64_MAX;
    uint64_t copy_of = r->peer->copy_of;
    lose(p);
    pw_run_until(w, w->now + ALONE_MS);
    if (w->failed) {
        return;
    }
    w->records_lost++;
    if (r->peer->copy_of != copy_of || !is_whole(r)) {
        pw_fail(w, "I10: %c gave its records away for an empty copy",
                pw_name(r->index));
    } else if (!says_why(r) || !says_why(p)) {
        pw_fail(w, "R3: the two do not say why they part");
    } else if (!promoted(r)) {
        pw_fail(w, "L1: %c can't be promoted", pw_name(r->index));
    }
}
