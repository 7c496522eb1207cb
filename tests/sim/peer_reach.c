/* SPDX-License-Identifier: Apache-2.0 */
/* peer_reach.c -- more of the checker: what each memory would bring to a
 * promotion. */
#include "tests/sim/peer_agents.h"

/* --- who has what --------------------------------------------------------- */

static pw_reach *latest_reach(pw_node *n, uint64_t epoch) {
    uint64_t incarnation = n->peer->config.incarnation;
    pw_world *w = n->w;
    uint32_t oldest =
        w->reach_count > PW_EPOCHS_MAX ? w->reach_count - PW_EPOCHS_MAX : 0;
    for (uint32_t i = w->reach_count; i-- > oldest;) {
        pw_reach *r = &w->reach[i % PW_EPOCHS_MAX];
        if (r->incarnation == incarnation) {
            if (r->epoch == epoch) {
                return r;
            }
            break;
        }
    }
    pw_reach *r = &w->reach[w->reach_count++ % PW_EPOCHS_MAX];
    *r = (pw_reach){.epoch = epoch, .incarnation = incarnation};
    return r;
}

/* A primary's memory, if it is kept. */
void pw_note_crash(pw_node *n) {
    if (!n->keeps || !n->peer->leading || n->disk.replaced) {
        return;
    }
    pw_reach *r = latest_reach(n, n->peer->lead_epoch);
    for (uint32_t k = 0; k < n->loops; k++) {
        r->at[k] = n->disk.log[k].synced;
    }
}

static void note_lead_reach(pw_node *n) {
    pw_reach *r = latest_reach(n, n->peer->lead_epoch);
    for (uint32_t k = 0; k < n->loops; k++) {
        r->at[k] = pw_last(n, k);
    }
}

void pw_note_reach(pw_node *n) {
    const ids_peer *p = n->peer;
    bool live = p->started && !p->syncing;
    if (p->leading && n->w->agents != NULL) {
        note_lead_reach(n); /* it may stand down, and take over again */
    }
    if (p->leading) {
        return;
    }
    if (!live && (p->copy_of == 0 || p->copy_streams == 0)) {
        return;
    }
    pw_reach *r = latest_reach(n, live ? p->upstream.epoch : p->copy_of);
    uint32_t streams = live ? p->upstream.streams : p->copy_streams;
    for (uint32_t k = 0; k < streams && k < PW_LOOPS_MAX; k++) {
        r->at[k] = live ? p->receivers[k].applied : p->copy_at[k];
    }
}

/* The latest of this memory, in this epoch (0: in any). */
const pw_reach *pw_reach_of(const pw_world *w, uint64_t incarnation,
                            uint64_t epoch) {
    uint32_t oldest =
        w->reach_count > PW_EPOCHS_MAX ? w->reach_count - PW_EPOCHS_MAX : 0;
    for (uint32_t i = w->reach_count; i-- > oldest;) {
        const pw_reach *r = &w->reach[i % PW_EPOCHS_MAX];
        if (r->incarnation == incarnation &&
            (epoch == 0 || r->epoch == epoch)) {
            return r;
        }
    }
    return NULL;
}
