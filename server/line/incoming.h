/* SPDX-License-Identifier: Apache-2.0 */
/* incoming.h -- what comes by messages of other loops: requests for keys that
 * this one owns, replies to its own, and all else that a kind of message says.
 */
#ifndef IDS_INCOMING_H
#define IDS_INCOMING_H

#include "server/line/line.h"

/* Carries out what is in a batch that has come, from *at (0) on, as far as
 * this turn goes. True: that was all. The batch stays the caller's. */
bool ids_incoming_open(ids_line *line, const ids_message_batch *batch,
                       size_t *at);

#endif
