/* SPDX-License-Identifier: Apache-2.0 */
/* counters.c -- the counters' names. */
#include "server/worker/counters.h"

#include <assert.h>

static_assert(IDS_ERROR_PROTOCOL_TOTAL - 1 - IDP_E_PROTOCOL ==
                  IDS_ERROR_PROTOCOL_TOTAL,
              "error n is counted n - 1 after the first");
static_assert(IDS_ERROR_PROTOCOL_TOTAL - 1 - IDP_E_SHUTTING_DOWN ==
                  IDS_ERROR_SHUTTING_DOWN_TOTAL,
              "and so is the last one");

const char *ids_counter_name(ids_counter counter) {
    static const char *const names[IDS_COUNTER_COUNT] = {
#define X(name, text) text,
        IDS_COUNTERS(X)
#undef X
#define X(name, text) text "_total",
            IDP_OUTCOMES(X)
#undef X
#define X(name, number, text) "error_" #name "_total",
                IDP_ERRORS(X)
#undef X
    };
    return names[counter];
}

static bool is_a_most(int counter) {
    return counter == IDS_TURN_WORK_MAX || counter == IDS_NODE_LOCKED_NS_MAX;
}

void ids_counters_add(ids_counters *sum, const ids_counters *other) {
    for (int i = 0; i < IDS_COUNTER_COUNT; i++) {
        uint64_t more = other->of[i];
        uint64_t most = sum->of[i] > more ? sum->of[i] : more;
        sum->of[i] = is_a_most(i) ? most : sum->of[i] + more;
    }
}
