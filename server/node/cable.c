/* SPDX-License-Identifier: Apache-2.0 */
/* cable.c -- the connection that carries one link; see cable.h. */
#include "server/node/cable.h"

#include "server/node/partner.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const ids_node_host *host_of(const ids_cable *cable) {
    return &cable->seat->partner->host;
}

ids_cable *ids_cable_new(void) {
    return calloc(1, sizeof(ids_cable));
}

void ids_cable_forget(ids_cable *cable) {
    ids_cable **at = &cable->seat->cables;
    while (*at != cable) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = cable->next;
}

void ids_cable_close(ids_cable *cable) {
    const ids_node_host *host = host_of(cable);
    assert(!cable->link);
    ids_cable_forget(cable);
    if (cable->socket)
        host->close(host->ctx, cable);
    ids_pbuf_fini(&cable->out);
    ids_pbuf_fini(&cable->early);
    ids_pbuf_fini(&cable->last);
    free(cable);
}

/* The seat's next look at it tells the peer. */
void ids_cable_break(ids_cable *cable) {
    cable->broken = true;
    ids_seat_call(cable->seat);
}

static void send_out(ids_cable *cable) {
    const ids_node_host *host = host_of(cable);
    size_t left = cable->out.len - cable->out_at;
    assert(cable->out_at <= cable->out.len);
    if (!left || cable->connecting || !cable->socket)
        return;
    size_t sent =
        host->send(host->ctx, cable, cable->out.at + cable->out_at, left);
    if (sent == IDS_NODE_BROKEN) {
        cable->broken = true;
        return;
    }
    assert(sent <= left);
    cable->out_at += sent;
    cable->blocked = sent < left;
    if (!cable->blocked)
        cable->out.len = cable->out_at = 0;
}

/* There is nobody to send last words to, or they are sent, or nobody takes
 * them. */
static bool is_through(const ids_cable *cable) {
    assert(cable->over);
    return cable->broken || cable->connecting || !cable->socket ||
           ids_cable_may_take(cable) ||
           cable->seat->worker->now_ms >= cable->patience_until_ms;
}

void ids_cable_settle(ids_cable *cable) {
    const ids_node_host *host = host_of(cable);
    assert(!cable->over || cable->hung_up);
    if (!cable->broken && !cable->blocked)
        send_out(cable);
    if (cable->over && is_through(cable)) {
        ids_cable_close(cable);
        return;
    }
    if (cable->socket && !host->watch(host->ctx, cable))
        cable->broken = true;
    if (cable->broken)
        ids_seat_call(cable->seat);
}

void ids_cable_open(ids_cable *cable) {
    const ids_node_host *host = host_of(cable);
    assert(!cable->connecting && !cable->blocked);
    cable->connecting = cable->dialled;
    assert(!cable->dialled || cable->socket == NULL);
    if ((!cable->dialled && !cable->socket) || !host->open(host->ctx, cable) ||
        (cable->socket && !host->watch(host->ctx, cable)))
        ids_cable_break(cable);
}

void ids_cable_connected(ids_cable *cable, const char *host) {
    size_t len = strlen(host);
    assert(cable->dialled || !cable->connecting);
    cable->connecting = false;
    if (len < sizeof cable->host)
        memcpy(cable->host, host, len + 1);
    if (cable->dialled)
        ids_seat_call(cable->seat);
}

void ids_cable_unblock(ids_cable *cable) {
    assert(cable->socket != NULL);
    cable->blocked = false;
    send_out(cable);
    ids_seat_call(cable->seat);
}
