/* SPDX-License-Identifier: Apache-2.0 */
/* due.c -- see due.h. */
#include "server/net/due.h"

#include "server/net/receive.h"

/* Connections closed in one turn because their time is up. */
#define CLOSED_A_TURN 64

static ids_socket *first_due(const ids_list *list) {
    return IDS_LIST_FIRST(ids_socket, in_list, list);
}

static uint64_t due_of(const ids_list *list, uint64_t patience_ms) {
    const ids_socket *first = first_due(list);
    return first ? first->since_ms + patience_ms : UINT64_MAX;
}

static uint64_t earlier_of(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t ids_due_next_ms(const ids_net *net) {
    uint64_t due_ms = earlier_of(due_of(&net->stalled, IDS_TAKEN_MS),
                                 due_of(&net->lingering, net->linger_ms));
    due_ms = earlier_of(due_ms, due_of(&net->surplus, IDS_SURPLUS_MS));
    due_ms = earlier_of(
        due_ms, ids_handshakes_due_ms(&net->handshakes, net->worker->now_ms));
    return earlier_of(due_ms, ids_deadline_next_ms(net));
}

void ids_due_do(ids_net *net) {
    uint64_t now_ms = net->worker->now_ms;
    uint32_t left = CLOSED_A_TURN;
    for (; left && due_of(&net->stalled, IDS_TAKEN_MS) <= now_ms; left--)
        ids_socket_close(first_due(&net->stalled), "the client takes nothing");
    for (; left && due_of(&net->surplus, IDS_SURPLUS_MS) <= now_ms; left--)
        ids_socket_refuse(first_due(&net->surplus));
    for (; left && due_of(&net->lingering, net->linger_ms) <= now_ms; left--)
        ids_socket_close(first_due(&net->lingering),
                         "the client does not close");
    if (ids_handshakes_due_ms(&net->handshakes, now_ms) <= now_ms)
        ids_sockets_shake(net);
    if (ids_deadline_next_ms(net) <= now_ms)
        ids_deadline_look(net);
}
