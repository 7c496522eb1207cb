/* SPDX-License-Identifier: Apache-2.0 */
/* due.h -- what time has made due of a loop's sockets: those whose other end
 * takes nothing, does not close, or is one too many; and the deadlines. */
#ifndef IDS_DUE_H
#define IDS_DUE_H

#include "server/net/net.h"

/* When the first of them is due; UINT64_MAX: none is. */
uint64_t ids_due_next_ms(const ids_net *net);

/* Closes and tells what is due, some a turn. */
void ids_due_do(ids_net *net);

#endif
