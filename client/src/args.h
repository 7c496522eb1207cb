/* SPDX-License-Identifier: Apache-2.0 */
/* args.h -- what a caller asks, checked and turned into the wire's terms. */
#ifndef IDEM_ARGS_H
#define IDEM_ARGS_H

#include "client/include/idemclient.h"
#include "client/src/uri.h"
#include "proto/request.h"

/* A request whose slices borrow from the caller's args, and its time. */
typedef struct idem__ask {
    idp_request request;
    uint64_t timeout_ms; /* of the whole call, the wait included */
} idem__ask;

/* uri gives the namespace and the timeout where args don't; NULL: the
 * library's defaults. IDEM_E_ARGUMENT names the field. A nonce is not drawn
 * here. */
int32_t idem__args_read(int32_t method, const idem_args *args,
                        const idem__uri *uri, idem__ask *ask, idem_error *err);

#endif
