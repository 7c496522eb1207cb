/* SPDX-License-Identifier: Apache-2.0 */
/* decide.c -- what an operator decides of claims: one server, one try.
 *
 * Asked again it is by whoever decides, with the same nonce. */
#include <assert.h>
#include <string.h>

#include "client/src/args.h"
#include "client/src/error.h"
#include "client/src/queued.h"
#include "client/src/sized.h"
#include "proto/reply.h"

static_assert(IDEM_RESOLVE_DELETE - IDEM_RESOLVE_COMPLETE ==
                  (int)IDP_VERB_DELETE,
              "same order");

static int32_t check_args(const idem_resolve_args *args, idem_error *err) {
    size_t reason_len = args->reason != NULL ? strlen(args->reason) : 0;
    if (args->verb < IDEM_RESOLVE_COMPLETE || args->verb > IDEM_RESOLVE_DELETE)
        return idem__fault(err,
                           "verb is none of IDEM_RESOLVE_COMPLETE ... DELETE");
    if (args->ns != NULL && args->ns_len > IDP_NS_BYTES_MAX)
        return idem__fault(err, "ns_len is over 64");
    if (args->key == NULL || args->key_len < IDP_KEY_BYTES_MIN ||
        args->key_len > IDP_KEY_BYTES_MAX)
        return idem__fault(err, "key has 1 to 512 bytes");
    if (reason_len < IDP_REASON_BYTES_MIN || reason_len > IDP_REASON_BYTES_MAX)
        return idem__fault(err, "reason has 1 to 256 bytes");
    if (args->nonce != NULL && (args->nonce_len < IDP_NONCE_BYTES_MIN ||
                                args->nonce_len > IDP_NONCE_BYTES_MAX))
        return idem__fault(err, "nonce has 1 to 32 bytes");
    if (args->verb != IDEM_RESOLVE_COMPLETE &&
        (args->result != NULL || args->ttl_ms != 0))
        return idem__fault(err,
                           "result and ttl_ms belong to IDEM_RESOLVE_COMPLETE");
    return 0;
}

static void fill_request(const idem_resolve_args *args, idem__queued *e) {
    idp_request *request = &e->request;
    request->ns = args->ns != NULL ? idem__slice_of(args->ns, args->ns_len)
                                   : idem__slice_of(e->uri.ns, e->uri.ns_len);
    request->key = idem__slice_of(args->key, args->key_len);
    request->token = idem__token_of(&args->token);
    request->verb = (idp_verb)(args->verb - IDEM_RESOLVE_COMPLETE);
    request->reason = idem__slice_of(args->reason, strlen(args->reason));
    request->nonce = idem__slice_of(args->nonce, args->nonce_len);
    request->result = idem__slice_of(args->result, args->result_len);
    request->ttl_ms = args->ttl_ms;
    request->class = args->result_class == IDEM_CLASS_ERROR ? IDP_CLASS_ERROR
                                                            : IDP_CLASS_SUCCESS;
    request->force = args->force != 0;
}

static int32_t outcome_of(idp_outcome outcome) {
    static const struct {
        idp_outcome wire;
        int32_t code;
    } rows[] = {{IDP_OUTCOME_COMPLETED, IDEM_RESOLVED_COMPLETED},
                {IDP_OUTCOME_RELEASED, IDEM_RESOLVED_RELEASED},
                {IDP_OUTCOME_DELETED, IDEM_RESOLVED_DELETED},
                {IDP_OUTCOME_STALE, IDEM_RESOLVED_STALE},
                {IDP_OUTCOME_REFUSED, IDEM_RESOLVED_REFUSED}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].wire == outcome)
            return rows[i].code;
    return IDEM_RESOLVED_UNKNOWN;
}

static void fill_resolve_answer(idem_resolve_answer *theirs,
                                const idp_answer *from) {
    const idem_resolve_answer own = {.outcome = outcome_of(from->outcome),
                                     .state = IDEM_STATE_ABSENT +
                                              (int32_t)from->state,
                                     .kept = from->kept,
                                     .ttl_ms = from->ttl_ms};
    idem__sized_out(&idem__resolve_answer_layout, theirs, &own);
}

static int32_t carry_out_resolve(const char *uri, const idem_resolve_args *args,
                                 idem_resolve_answer *answer, idem_error *err) {
    idem__queued e;
    idp_answer said;
    idem__queued_begin(&e, IDP_RESOLVE);
    int32_t code = idem__queued_prepare(&e, uri, args->timeout_ms, err);
    if (code == 0) {
        fill_request(args, &e);
        code = idem__queued_run(&e, err);
    }
    if (code == 0 && !idp_answer_read(IDP_RESOLVE, e.reply.result, &said))
        code = idem__queued_garbled(&e, err);
    if (code == 0)
        fill_resolve_answer(answer, &said);
    idem__queued_done(&e);
    return code;
}

int32_t idem_resolve(const char *uri, const idem_resolve_args *theirs,
                     idem_resolve_answer *answer, idem_error *err) {
    idem_error own_err = {.size = sizeof own_err};
    idem_resolve_args args = {0};
    int32_t code = idem__sized_in(&idem__resolve_args_layout, &args, theirs,
                                  "args", &own_err);
    if (code == 0)
        code = idem__sized_check(&idem__resolve_answer_layout, answer, "answer",
                                 &own_err);
    if (code == 0)
        code = check_args(&args, &own_err);
    if (code == 0)
        code = carry_out_resolve(uri, &args, answer, &own_err);
    if (code != 0)
        idem__error_copy(err, &own_err);
    return code;
}

/* erase ---------------------------------------------------------------------
 */

static int32_t check_erase(const idem_erase_args *args, idem_error *err) {
    size_t reason_len = args->reason != NULL ? strlen(args->reason) : 0;
    if (args->ns != NULL && args->ns_len > IDP_NS_BYTES_MAX)
        return idem__fault(err, "ns_len is over 64");
    if (args->prefix != NULL && args->prefix_len > IDP_KEY_BYTES_MAX)
        return idem__fault(err, "prefix_len is over 512");
    if (reason_len < IDP_REASON_BYTES_MIN || reason_len > IDP_REASON_BYTES_MAX)
        return idem__fault(err, "reason has 1 to 256 bytes");
    return 0;
}

static int32_t erase(const char *uri, const idem_erase_args *args,
                     idem_erase_answer *answer, idem_error *err) {
    idem__queued e;
    idp_answer said;
    idem__queued_begin(&e, IDP_ERASE);
    int32_t code = idem__queued_prepare(&e, uri, args->timeout_ms, err);
    if (code == 0) {
        idp_request *request = &e.request;
        request->ns = args->ns != NULL ? idem__slice_of(args->ns, args->ns_len)
                                       : idem__slice_of(e.uri.ns, e.uri.ns_len);
        request->key = args->prefix != NULL
                           ? idem__slice_of(args->prefix, args->prefix_len)
                           : idem__slice_of("", 0);
        request->reason = idem__slice_of(args->reason, strlen(args->reason));
        request->dry_run = args->dry_run != 0;
        code = idem__queued_run(&e, err);
    }
    if (code == 0 && !idp_answer_read(IDP_ERASE, e.reply.result, &said))
        code = idem__queued_garbled(&e, err);
    if (code == 0) {
        const idem_erase_answer own = {.records = said.records,
                                       .in_progress = said.running};
        idem__sized_out(&idem__erase_answer_layout, answer, &own);
    }
    idem__queued_done(&e);
    return code;
}

int32_t idem_erase(const char *uri, const idem_erase_args *theirs,
                   idem_erase_answer *answer, idem_error *err) {
    idem_error own_err = {.size = sizeof own_err};
    idem_erase_args args = {0};
    int32_t code = idem__sized_in(&idem__erase_args_layout, &args, theirs,
                                  "args", &own_err);
    if (code == 0)
        code = idem__sized_check(&idem__erase_answer_layout, answer, "answer",
                                 &own_err);
    if (code == 0)
        code = check_erase(&args, &own_err);
    if (code == 0)
        code = erase(uri, &args, answer, &own_err);
    if (code != 0)
        idem__error_copy(err, &own_err);
    return code;
}
