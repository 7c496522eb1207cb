/* SPDX-License-Identifier: Apache-2.0 */
/* refusal.c -- see refusal.h. Pure. */
#include "server/peer/refusal.h"

const char *ids_refusal_text(ids_refusal_why why) {
    static const char *const texts[] = {
#define X(name, text) text,
        IDS_REFUSALS(X)
#undef X
    };
    return texts[why < IDS_REFUSAL_COUNT ? why : IDS_REFUSAL_OTHER];
}
