/* SPDX-License-Identifier: Apache-2.0 */
/* early.c -- who has come as another node and has not said for which stream:
 * no link yet, and on the worker that took the connection. See partner.h. */
#include "server/node/partner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Those of them that have not said whose they are: of all workers, and of one.
 */
#define EARLY_MAX 16u
#define EARLY_MIN 2u

/* To the worker that its stream belongs to. */
static void pass_on(ids_seat *seat, ids_cable *cable) {
    ids_partner *partner = seat->partner;
    const ids_node_host *host = &partner->host;
    uint32_t to = ids_pf_peek_stream(cable->early.at) % partner->seats_count;
    assert(to < partner->seats_count);
    assert(ids_early_is(cable) && cable->early.len >= IDS_PF_PEEK_BYTES);
    assert(cable->link == NULL && cable->out.len == 0);
    ids_cable_forget(cable);
    cable->socket = host->part(host->ctx, cable);
    cable->broken = cable->broken || cable->socket == NULL;
    ids_partner_enter(seat);
    cable->seat = &partner->seats[to];
    cable->next = cable->seat->to_open;
    cable->seat->to_open = cable;
    ids_partner_wake(cable->seat);
    ids_partner_leave(seat);
}

/* An accepted one that is no link yet. */
bool ids_early_is(const ids_cable *cable) {
    return !cable->dialled && cable->early.cap > 0;
}

void ids_early_take(ids_seat *seat, ids_cable *cable, idp_slice bytes) {
    assert(ids_early_is(cable));
    assert(cable->early.len < IDS_PF_PEEK_BYTES);
    if (!ids_pbuf_reserve(&cable->early, bytes.len)) {
        cable->broken = true;
    } else {
        memcpy(cable->early.at + cable->early.len, bytes.ptr, bytes.len);
        cable->early.len += bytes.len;
        if (cable->early.len >= IDS_PF_PEEK_BYTES)
            pass_on(seat, cable);
    }
    ids_seat_call(seat);
}

/* Such as have said less than a frame's head: a few, and the oldest goes. */
static void drop_oldest_early(ids_seat *seat) {
    uint32_t count = 0, max = EARLY_MAX / seat->partner->seats_count;
    ids_cable *oldest = NULL;
    for (ids_cable *each = seat->cables; each; each = each->next) {
        if (!ids_early_is(each) || each->broken)
            continue;
        count++;
        oldest = each; /* newer ones stand before it */
    }
    if (count <= (max > EARLY_MIN ? max : EARLY_MIN))
        return;
    assert(oldest != NULL && oldest->link == NULL);
    oldest->broken = true;
    ids_seat_call(seat);
}

void ids_seat_accept(ids_seat *seat, void *socket, idp_slice read) {
    const ids_node_host *host = &seat->partner->host;
    ids_cable *cable = ids_cable_new();
    assert(socket != NULL);
    if (cable == NULL || !ids_pbuf_reserve(&cable->early, 64)) {
        ids_cable nobody = {.seat = seat, .socket = socket};
        free(cable);
        host->close(host->ctx, &nobody);
        return;
    }
    cable->seat = seat;
    cable->socket = socket;
    cable->patience_until_ms = seat->worker->now_ms + IDS_PATIENCE_MS;
    cable->next = seat->cables;
    seat->cables = cable;
    if (read.len < IDS_PF_PEEK_BYTES)
        ids_cable_open(cable);
    if (read.len > 0)
        ids_early_take(seat, cable, read);
    drop_oldest_early(seat);
}
