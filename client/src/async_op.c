/* SPDX-License-Identifier: Apache-2.0 */
/* async_op.c -- see async_op.h. */
#include "client/src/async_op.h"

#include <string.h>

#include "client/src/answer.h"

static idp_slice op_nonce_of(const idem__async_op *call) {
    return (idp_slice){call->nonce_len > 0 ? call->nonce : NULL,
                       call->nonce_len};
}

void idem__async_op_nonce(idem__async_op *call, idp_slice nonce) {
    if (nonce.ptr == NULL || nonce.len > sizeof call->nonce)
        return;
    memcpy(call->nonce, nonce.ptr, nonce.len);
    call->nonce_len = (uint8_t)nonce.len;
}

void idem__async_op_fail(const idem__async_op *call, const idem_error *err) {
    idem_error own = *err;
    idem__error_nonce(&own, op_nonce_of(call));
    call->done(call->ctx, NULL, &own);
}

void idem__async_op_pong(const idem__async_op *call) {
    idem_answer answer = {.size = sizeof answer, .outcome = IDEM_PONG};
    call->done(call->ctx, &answer, NULL);
}

void idem__async_op_answer(const idem__async_op *call, const char *name,
                           const idp_reply *reply) {
    idem_error err = {.size = sizeof err};
    idem_answer view;
    if (reply->is_error) {
        idem__fail_reply(&err, name, reply);
        idem__async_op_fail(call, &err);
        return;
    }
    if (idem__answer_read(call->op.method, reply, &view) != 0) {
        idem__fail_at(&err, IDEM_E_GARBLED, (idem__where){.endpoint = name},
                      "%s sent a reply that is no answer to the call; is it "
                      "of another version?",
                      name);
        idem__async_op_fail(call, &err);
        return;
    }
    if (call->trimmed)
        view.kept = 0;
    idem__answer_nonce(&view, op_nonce_of(call));
    call->done(call->ctx, &view, NULL);
}
