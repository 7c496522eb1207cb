/* SPDX-License-Identifier: Apache-2.0 */
/* woken.h -- answers to acquires that waited: a result that many wait for, or a
 * large one, is made once, and sent to each from where it lies. */
#ifndef IDS_WOKEN_H
#define IDS_WOKEN_H

#include "server/worker/worker.h"

/* The shard's on_wake; ctx is the worker. A parked acquire is answered. */
void ids_woken_answer(void *ctx, ids_asker asker, uint32_t msgid,
                      idp_error error, const idp_answer *answer);

/* The call that woke them is over: what was answered is on its way, to each
 * loop once. */
void ids_woken_end(ids_worker *worker);

/* At the other loop: message, and body, for many askers. */
void ids_woken_at_others(ids_worker *worker, const ids_message *message,
                         const uint8_t *body);

#endif
