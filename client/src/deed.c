/* SPDX-License-Identifier: Apache-2.0 */
/* deed.c -- see deed.h. */
#include "client/src/deed.h"

#include <string.h>

#include "client/src/answer.h"

static idp_slice nonce_of(const idem__deed *deed) {
    return (idp_slice){deed->nonce_len > 0 ? deed->nonce : NULL,
                       deed->nonce_len};
}

void idem__deed_nonce(idem__deed *deed, idp_slice nonce) {
    if (nonce.ptr == NULL || nonce.len > sizeof deed->nonce)
        return;
    memcpy(deed->nonce, nonce.ptr, nonce.len);
    deed->nonce_len = (uint8_t)nonce.len;
}

void idem__deed_fail(const idem__deed *deed, const idem_error *err) {
    idem_error own = *err;
    idem__error_nonce(&own, nonce_of(deed));
    deed->done(deed->ctx, NULL, &own);
}

void idem__deed_greeted(const idem__deed *deed) {
    idem_answer answer = {.size = sizeof answer, .outcome = IDEM_PONG};
    deed->done(deed->ctx, &answer, NULL);
}

void idem__deed_answer(const idem__deed *deed, const char *name,
                       const idp_reply *reply) {
    idem_error err = {.size = sizeof err};
    idem_answer view;
    if (reply->is_error) {
        idem__fail_reply(&err, name, reply);
        idem__deed_fail(deed, &err);
        return;
    }
    if (idem__answer_read(deed->op.method, reply, &view) != 0) {
        idem__fail_at(&err, IDEM_E_GARBLED, (idem__where){.endpoint = name},
                      "%s sent a reply that is no answer to the call; is it "
                      "of another version?",
                      name);
        idem__deed_fail(deed, &err);
        return;
    }
    if (deed->trimmed)
        view.kept = 0;
    idem__answer_nonce(&view, nonce_of(deed));
    deed->done(deed->ctx, &view, NULL);
}
