/* SPDX-License-Identifier: Apache-2.0 */
/* test_gate.c -- up to where replies may leave. */
#include "server/peer/gate.h"

#include <criterion/criterion.h>

Test(gate, it_waits_for_the_one_that_is_behind) {
    ids_gate gate = {.passed = 0};
    ids_gate_open(&gate);
    cr_assert_eq(ids_gate_watermark(&gate), UINT64_MAX, "there is nobody");
    gate.member[0] = 24;
    cr_assert_eq(ids_gate_watermark(&gate), 24);
    gate.joining[1] = 20;
    cr_assert_eq(ids_gate_watermark(&gate), 20, "nor is who is joining");
    gate.member[IDS_FOLLOWERS_MAX - 1] = 3;
    cr_assert_eq(ids_gate_watermark(&gate), 3, "each member counts");
}

Test(gate, what_has_left_only_grows) {
    ids_gate gate = {.passed = 0};
    ids_gate_left(&gate, 7);
    ids_gate_left(&gate, 3);
    cr_assert_eq(gate.passed, 7);
}
