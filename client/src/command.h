/* SPDX-License-Identifier: Apache-2.0 */
/* command.h -- asking one server, on a connection of its own, and again as long
 * as there is more to be told. */
#ifndef IDEM_COMMAND_H
#define IDEM_COMMAND_H

#include "client/include/idemclient.h"
#include "proto/terms.h"

typedef enum idem__asked {
    IDEM__ASKED_DONE,
    IDEM__ASKED_MORE,   /* request is the next one */
    IDEM__ASKED_GARBLED /* the result is none that it knows */
} idem__asked;

/* A result has come; it borrows until this returns. */
typedef idem__asked idem__asked_seen(void *ctx, idp_slice result,
                                     idp_request *request);

/* 0, or the code in err. The namespace that a request is about and does not
 * name is the URI's. timeout_ms 0: as for a command. */
int32_t idem__ask(const char *uri, uint32_t timeout_ms, idp_request *request,
                  idem__asked_seen *seen, void *ctx, idem_error *err);

/* The same without an end: each answer may take so long. */
int32_t idem__ask_on(const char *uri, uint32_t answer_ms, idp_request *request,
                     idem__asked_seen *seen, void *ctx, idem_error *err);

#endif
