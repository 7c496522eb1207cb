/* SPDX-License-Identifier: Apache-2.0 */
/* test_holdings.c -- what a node says that it has, over all its loops. */
#include "server/node/holdings.h"
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>

Test(holdings, each_loops_last_token_is_told) {
    static harness t;
    static caller a;
    static idp_replication told;
    ids_holdings holdings = {.stand = true};
    harness_plan(&t, 3);
    harness_open(&t);
    caller_open(&a, &t, 0);
    for (uint32_t owner = 0; owner < 3; owner++) {
        ask_acquire(&a, owner, key_of(&t, owner, 0), 0);
        caller_hear(&a);
        ids_holdings_count(&holdings, t.workers[owner]->shard,
                           t.workers[owner]->now_ms);
    }
    ids_holdings_report(&holdings, &told);
    cr_assert_eq(told.records, 3);
    cr_assert_eq(told.tokens_count, 3);
    for (uint32_t owner = 0; owner < 3; owner++)
        cr_assert_eq(told.tokens[owner], 1);
    caller_close(&a);
    harness_close(&t);
}
