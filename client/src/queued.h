/* SPDX-License-Identifier: Apache-2.0 */
/* queued.h -- one call of an operator's: one server, one connection, one try.
 *
 * Inside the library, for command.c and what is like it. */
#ifndef IDEM_QUEUED_H
#define IDEM_QUEUED_H

#include "client/src/handshake.h"

typedef struct idem__queued {
    idem__uri uri;
    uint64_t deadline_ms;
    idem__wire wire;
    idem__seal seal;
    idp_request request;
    idp_reply reply; /* borrows from the wire */
} idem__queued;

void idem__queued_begin(idem__queued *e, idp_method method);

/* Who is asked, and until when: 0: IDEM_COMMAND_TIMEOUT_MS_DEFAULT from now. */
int32_t idem__queued_prepare(idem__queued *e, const char *uri,
                             uint32_t timeout_ms, idem_error *err);

/* Sends the request. The reply is there when this returns 0; done frees it. */
int32_t idem__queued_run(idem__queued *e, idem_error *err);

int32_t idem__queued_garbled(const idem__queued *e, idem_error *err);
void idem__queued_done(idem__queued *e);

#endif
