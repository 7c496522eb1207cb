/* SPDX-License-Identifier: Apache-2.0 */
/* args.h -- what a caller asks, checked and turned into the wire's terms. */
#ifndef IDEM_ARGS_H
#define IDEM_ARGS_H

#include "client/include/idemclient.h"
#include "client/src/uri.h"
#include "proto/request.h"

#define IDEM__NONCE_BYTES (IDP_NONCE_BYTES_MAX / 2)

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

/* What a caller gave, in the wire's terms: ptr NULL has no bytes. */
idp_slice idem__slice_of(const void *ptr, size_t len);
idp_token idem__token_of(const idem_token *token);

/* What a request borrows, in bytes; and it borrows from these from now on, so
 * that it can be asked again when the caller's args are gone. */
size_t idem__request_bytes(const idp_request *request);
void idem__request_own(idp_request *request, uint8_t *bytes);

/* A nonce is a random base plus a count, so that drawing one is no system
 * call: the base's next but so many. */
void idem__nonce_add(uint8_t nonce[static IDEM__NONCE_BYTES], uint64_t count);

#endif
