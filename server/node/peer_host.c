/* SPDX-License-Identifier: Apache-2.0 */
/* peer_host.c -- what the peer asks of its host. All of it within the monitor:
 * no file, no socket, but peer connections that are to be opened or closed
 * later. */
#include "server/node/partner.h"

#include "server/peer/preface.h"
#include "server/stance.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void give_random(void *ctx, void *to, size_t len) {
    const ids_partner *partner = ctx;
    partner->host.random(partner->host.ctx, to, len);
}

static void dial(void *ctx, ids_link *link) {
    ids_partner *partner = ctx;
    ids_seat *seat = &partner->seats[link->stream % partner->seats_count];
    ids_peer_conn *conn = ids_peer_conn_new();
    assert(partner->here != NULL && link->host == NULL);
    if (conn == NULL || !ids_pbuf_reserve(&conn->out, IDS_PREFACE_BYTES)) {
        free(conn);
        partner->dial_failed = true;
        return;
    }
    memcpy(conn->out.at, IDS_PREFACE, IDS_PREFACE_BYTES);
    conn->out.len = IDS_PREFACE_BYTES;
    conn->seat = seat;
    conn->dialled = true;
    conn->to = link->dialled_to;
    conn->link = link;
    link->host = conn;
    conn->next = seat->to_open;
    seat->to_open = conn;
    ids_partner_wake(seat);
}

static void hang_up(void *ctx, ids_link *link) {
    ids_peer_conn *conn = link->host;
    (void)ctx;
    if (conn == NULL)
        return;
    assert(conn->link == link && !conn->hung_up && conn->last.len == 0);
    conn->link = NULL;
    conn->hung_up = true;
    conn->last = link->out;
    link->out = (ids_pbuf){0};
    ids_partner_wake(conn->seat);
}

static bool aside_begin(void *ctx) {
    (void)ctx; /* each worker makes its own with the first record */
    return true;
}

static void aside_drop(void *ctx) {
    ids_partner *partner = ctx;
    assert(partner->peer->upstream.id != 0);
    for (uint32_t i = 0; i < partner->seats_count; i++) {
        partner->seats[i].drop_session = partner->peer->upstream.id;
        ids_partner_wake(&partner->seats[i]);
    }
}

static bool route(void *ctx, const ids_body *body) {
    ids_partner *partner = ctx;
    assert(partner->here != NULL && body->tag.session != 0);
    if (!body->tag.aside && partner->holdings.stand)
        partner->holdings.stand = false;
    return ids_intake_add(&partner->here->intake, body);
}

static uint64_t lead(void *ctx, uint32_t loop, uint64_t epoch) {
    const ids_partner *partner = ctx;
    assert(loop < partner->seats_count && epoch != 0);
    /* Not the time that this turn began with: claims have come since. */
    return ids_worker_lead(partner->seats[loop].worker, epoch,
                           partner->host.clock_ms(partner->host.ctx));
}

static void stand_down(void *ctx, bool pending) {
    ids_partner *partner = ctx;
    (void)pending;
    if (partner->here)
        ids_partner_show(partner, partner->here);
    ids_partner_wake_all(partner);
}

static uint64_t clock_epoch(void *ctx) {
    const ids_partner *partner = ctx;
    return partner->host.clock_epoch(partner->host.ctx);
}

ids_peer_host ids_partner_host(ids_partner *partner) {
    return (ids_peer_host){.ctx = partner,
                           .random = give_random,
                           .dial = dial,
                           .hang_up = hang_up,
                           .aside_begin = aside_begin,
                           .aside_drop = aside_drop,
                           .route = route,
                           .lead = lead,
                           .stand_down = stand_down,
                           .clock_epoch = clock_epoch};
}
