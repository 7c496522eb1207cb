/* gate.c -- see gate.h. Pure. */
#include "server/peer/gate.h"

#include "server/peer/mutant.h"

#include <assert.h>
#include <stdlib.h>

void ids_gate_init(ids_gate *gate, uint32_t held_max) {
    *gate = (ids_gate){.journal = UINT64_MAX,
                       .member = UINT64_MAX,
                       .joining = UINT64_MAX,
                       .held_max = held_max};
}

void ids_gate_fini(ids_gate *gate) {
    free(gate->held);
    *gate = (ids_gate){0};
}

uint64_t ids_gate_watermark(const ids_gate *gate) {
    uint64_t low = gate->journal;
    if (gate->member < low)
        low = gate->member;
    if (gate->joining < low)
        low = gate->joining;
    return low;
}

static ids_held *held_at(const ids_gate *gate, uint32_t index) {
    return &gate->held[(gate->held_at + index) % gate->held_cap];
}

static bool grow(ids_gate *gate) {
    uint32_t cap = gate->held_cap == 0 ? 16 : gate->held_cap * 2;
    ids_held *grown = malloc(cap * sizeof *grown);
    if (grown == NULL)
        return false;
    for (uint32_t i = 0; i < gate->held_count; i++)
        grown[i] = *held_at(gate, i);
    free(gate->held);
    gate->held = grown;
    gate->held_at = 0;
    gate->held_cap = cap;
    return true;
}

/* What the reply has to wait for. Rules R1 and R2 are the same line: a reply
 * that only shows a record waits like the one that changed it. */
static uint64_t needs(uint64_t number, bool changed) {
    if (IDS_RULE_OFF(R1) && changed)
        return 0;
    if (IDS_RULE_OFF(R2) && !changed)
        return 0;
    return number;
}

ids_gate_pass ids_gate_hold(ids_gate *gate, uint64_t number, bool changed,
                            uint64_t now_ms, uint64_t cookie) {
    number = needs(number, changed);
    if (number <= ids_gate_watermark(gate)) {
        ids_gate_left(gate, number);
        return IDS_GATE_GO;
    }
    if (gate->held_count == gate->held_cap && !grow(gate))
        return IDS_GATE_FULL;
    *held_at(gate, gate->held_count++) = (ids_held){number, now_ms, cookie};
    return IDS_GATE_HELD;
}

static uint64_t pop(ids_gate *gate) {
    uint64_t cookie = held_at(gate, 0)->cookie;
    assert(gate->held_count > 0);
    gate->held_at = (gate->held_at + 1) % gate->held_cap;
    gate->held_count--;
    return cookie;
}

bool ids_gate_next(ids_gate *gate, uint64_t *cookie) {
    if (gate->held_count == 0 ||
        held_at(gate, 0)->number > ids_gate_watermark(gate))
        return false;
    ids_gate_left(gate, held_at(gate, 0)->number);
    *cookie = pop(gate);
    return true;
}

bool ids_gate_next_stalled(ids_gate *gate, uint64_t since_ms,
                           uint64_t *cookie) {
    if (gate->held_count == 0 || held_at(gate, 0)->since_ms > since_ms)
        return false;
    *cookie = pop(gate);
    return true;
}

uint64_t ids_gate_oldest_ms(const ids_gate *gate) {
    return gate->held_count == 0 ? UINT64_MAX : held_at(gate, 0)->since_ms;
}
