/* SPDX-License-Identifier: Apache-2.0 */
/* decide.h -- an operator's decisions: on record first, then carried out, and
 * what came of them on record, too.
 *
 * The record is written by a thread of its own: until it says so the decision
 * waits, as an acquire that waits does, and nothing else does. What can't be on
 * record is refused. */
#ifndef IDS_DECIDE_H
#define IDS_DECIDE_H

#include "server/line/line.h"

static inline bool ids_method_decides(idp_method method) {
    return method == IDP_RESOLVE || method == IDP_ERASE || method == IDP_KILL;
}

/* A connection asks, and may. */
void ids_decide_ask(ids_worker *worker, ids_conn *conn, const ids_item *item);

/* Its line is written, or is known not to be. */
void ids_decide_go(ids_worker *worker, const ids_message *message);

#endif
