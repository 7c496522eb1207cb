/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.h -- one connection to one node, and one request after the other on
 * it. Blocks, for as long as it is told. */
#ifndef IDA_EXCHANGE_H
#define IDA_EXCHANGE_H

#include "server/idemagent/callers.h"

typedef struct ida_line ida_line;

/* uri: as libidemclient's. NULL: no memory. */
ida_line *ida_line_new(const char *uri);
void ida_line_free(ida_line *line);
/* Its descriptor; -1: it is not connected. */
int ida_line_fd(const ida_line *line);

/* called->kind, call and to are set. */
void ida_line_ask(ida_line *line, ida_called *called, uint32_t wait_ms);
/* act: CONFIG or OFFER. */
void ida_line_tell(ida_line *line, const ids_agent_act *act, ida_called *called,
                   uint32_t wait_ms);

#endif
