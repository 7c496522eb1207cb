/* SPDX-License-Identifier: Apache-2.0 */
/* set.c -- whom a primary's replies wait for: who joins, who is told of by a
 * failover agent (N2, N3).
 *
 * Pure. It only ever sets what the commit indexes wait for. */
#include "server/peer/halves.h"

#include <assert.h>

/* From now on replies wait for it, too. */
void ids_primary_join(ids_peer *peer, ids_follower *f) {
    uint32_t place = ids_primary_place(peer, f);
    assert(!f->joining && f->session.id != 0);
    assert(!ids_primary_has_member(peer, f));
    assert(f->session.other.node != peer->config.node);
    f->joining = true;
    f->joiner = f->session.other;
    f->put_ms = peer->now_ms;
    peer->news++;
    for (uint32_t k = 0; k < peer->config.loops; k++) {
        assert(f->progress[k].acked <= peer->reported[k].last);
        peer->commit_indexes[k].joining[place] = f->progress[k].acked;
    }
}

/* What it is known to have: by its acknowledgements in this session, or as the
 * one that was offered; else nothing. */
static uint64_t has_up_to(const ids_peer *peer, const ids_follower *f,
                          uint32_t loop) {
    uint32_t place = ids_primary_place(peer, f);
    uint64_t has = 0;
    assert(loop < peer->config.loops && place < peer->config.places);
    assert(ids_primary_member(peer, f).node != 0);
    if (f->joining && ids_is_member(f->joiner, ids_primary_member(peer, f)))
        has = peer->commit_indexes[loop].joining[place];
    if (ids_primary_has_member(peer, f) && f->heard_ack[loop])
        ids_raise(&has, f->progress[loop].acked);
    assert(has <= peer->reported[loop].last);
    return has;
}

void ids_primary_take_set(ids_peer *peer, const ids_decision *was) {
    if (!peer->leading)
        return;
    assert(peer->config.under_agent && peer->pending == IDS_PENDING_NONE);
    assert(was->version + 1 == peer->known.version);
    for (uint32_t i = 0; i < peer->config.places; i++) {
        ids_follower *f = &peer->follower[i];
        ids_member now = ids_primary_member(peer, f);
        bool same = ids_is_member(now, was->replica[i]);
        for (uint32_t k = 0; k < peer->config.loops; k++) {
            ids_commit_index *commit_index = &peer->commit_indexes[k];
            if (now.node == 0)
                commit_index->member[i] = UINT64_MAX;
            else if (!same)
                commit_index->member[i] = has_up_to(peer, f, k);
            commit_index->joining[i] = UINT64_MAX;
        }
        f->joining = false;
        f->reported = f->reported && same;
        if (!same)
            f->last_received_ms = f->put_ms = peer->now_ms;
    }
    peer->news++;
}
