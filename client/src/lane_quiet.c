/* SPDX-License-Identifier: Apache-2.0 */
/* lane_quiet.c -- telling a server that is gone without a close (stopped, cut
 * off) from one that lets a call wait.
 *
 * Whoever reads a lane returns from recv every IDEM__LISTEN_MS at least. When
 * nothing was heard by then a ping is sent on the same connection: a server
 * that is alive answers it at once, whatever else it is busy with. One that
 * does not is left, and its calls are asked again elsewhere. On a lane where
 * answers come this costs nothing. */
#include "client/src/lane.h"

#include <errno.h>

uint64_t idem__lane_patience_ms(const idem__lane *lane, uint64_t left_ms) {
    uint64_t patience_ms = left_ms / 3; /* the rest is for another server */
    if (patience_ms > lane->uri->connect_timeout_ms)
        patience_ms = lane->uri->connect_timeout_ms;
    return patience_ms > IDEM__LISTEN_MS ? patience_ms : IDEM__LISTEN_MS;
}

void idem__lane_is_alive(const idem__lane *lane) {
    uint64_t now_ms = idem_now_ms();
    for (idem__op *op = lane->wire.calls.first; op != NULL; op = op->next) {
        const idem__waiter *waiter = (const idem__waiter *)op;
        if (!waiter->is_change || now_ms < waiter->queued_ms + IDEM__LISTEN_MS)
            continue;
        idem__watch_changes_wait(lane->target->watch, lane->endpoint.name);
        return;
    }
}

static void probe(idem__lane *lane) {
    idp_request ping = {.method = IDP_PING};
    idem__waiter *waiter = &lane->probe;
    waiter->op.deadline_ms = UINT64_MAX;
    waiter->err = &lane->probe_why;
    lane->probe_why.size = sizeof lane->probe_why;
    lane->probed_ms = lane->quiet_ms;
    /* Without memory for it the next round tries again. */
    (void)idem__wire_queue(&lane->wire, &waiter->op, &ping);
}

static uint64_t left_ms(const idem__waiter *me) {
    return me->op.deadline_ms > me->now_ms ? me->op.deadline_ms - me->now_ms
                                           : 0;
}

void idem__lane_quiet(idem__lane *lane, const idem__waiter *me,
                      uint64_t heard_nothing_ms) {
    if (lane->state != IDEM__LANE_UP)
        return;
    if (lane->serial != atomic_load(&lane->target->serial)) {
        idem__lane_break(lane, 0, "the client has moved to another server");
        return;
    }
    lane->quiet_ms +=
        heard_nothing_ms < IDEM__LISTEN_MS ? heard_nothing_ms : IDEM__LISTEN_MS;
    if (lane->quiet_ms < IDEM__LISTEN_MS)
        return;
    if (!lane->probe.op.pending) {
        probe(lane);
    } else if (lane->quiet_ms - lane->probed_ms >=
               idem__lane_patience_ms(lane, left_ms(me))) {
        idem__target_failed(lane->target, lane->serial);
        idem__lane_break(lane, ETIMEDOUT, "it has gone silent");
    }
}
