/* test_gate.c -- which replies may leave, and in which order. */
#include "server/peer/gate.h"

#include <criterion/criterion.h>

static ids_gate gate;
static uint64_t cookie;

Test(gate, without_journal_and_peer_nothing_waits) {
    ids_gate_init(&gate, 4);
    cr_assert_eq(ids_gate_watermark(&gate), UINT64_MAX);
    cr_assert_eq(ids_gate_hold(&gate, 1ull << 50, true, 0, 1), IDS_GATE_GO);
    ids_gate_fini(&gate);
}

Test(gate, replies_leave_in_order_once_all_agree) {
    ids_gate_init(&gate, 100);
    gate.member = gate.journal = 4;
    cr_assert_eq(ids_gate_hold(&gate, 4, true, 0, 1), IDS_GATE_GO);
    for (uint64_t n = 5; n < 45; n++)
        cr_assert_eq(ids_gate_hold(&gate, n, n % 2, 0, n), IDS_GATE_HELD);
    gate.member = 24;
    cr_assert_not(ids_gate_next(&gate, &cookie), "the journal is behind");
    gate.journal = 30;
    for (uint64_t n = 5; n <= 24; n++) {
        cr_assert(ids_gate_next(&gate, &cookie));
        cr_assert_eq(cookie, n);
    }
    cr_assert_not(ids_gate_next(&gate, &cookie));
    gate.member = 44;
    gate.joining = 25;
    cr_assert(ids_gate_next(&gate, &cookie));
    cr_assert_not(ids_gate_next(&gate, &cookie), "so is who is joining");
    cr_assert_eq(gate.passed, 25);
    ids_gate_fini(&gate);
}

Test(gate, a_stalled_one_says_so_and_takes_no_more) {
    ids_gate_init(&gate, 2);
    gate.member = 0;
    ids_gate_hold(&gate, 1, true, 100, 1);
    cr_assert(ids_gate_admits(&gate));
    ids_gate_hold(&gate, 2, true, 150, 2);
    cr_assert_not(ids_gate_admits(&gate));
    cr_assert_eq(ids_gate_oldest_ms(&gate), 100);
    cr_assert_not(ids_gate_next_stalled(&gate, 99, &cookie));
    cr_assert(ids_gate_next_stalled(&gate, 100, &cookie));
    cr_assert_eq(cookie, 1);
    cr_assert_not(ids_gate_next_stalled(&gate, 100, &cookie));
    cr_assert_eq(gate.passed, 0);
    cr_assert(ids_gate_next_stalled(&gate, UINT64_MAX, &cookie));
    cr_assert_eq(ids_gate_oldest_ms(&gate), UINT64_MAX);
    ids_gate_fini(&gate);
}
