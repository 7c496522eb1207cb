/* SPDX-License-Identifier: Apache-2.0 */
/* resolve.c -- an operator decides what became of a claim.
 *
 * It goes to the one server that --server names. A nonce is drawn for it and
 * told when the answer is lost: with that one it is asked again. */
#include "client/ctl/ctl.h"
#include "client/ctl/report.h"

#include <assert.h>
#include <string.h>
#include <sys/random.h>

#define NONCE_BYTES 16

static const char *const verbs[] = {"complete", "release", "delete"};

int32_t ctl_verb_of(const char *text) {
    static_assert(IDEM_RESOLVE_DELETE == IDEM_RESOLVE_COMPLETE + 2, "in a row");
    for (int32_t i = 0; i < 3; i++)
        if (text != NULL && strcmp(text, verbs[i]) == 0)
            return IDEM_RESOLVE_COMPLETE + i;
    return 0;
}

static const char *word_of(int32_t outcome) {
    static const char *const words[] = {"completed", "released", "deleted",
                                        "stale",     "refused",  "unknown"};
    static_assert(IDEM_RESOLVED_UNKNOWN == IDEM_RESOLVED_COMPLETED + 5,
                  "in this order");
    return words[outcome - IDEM_RESOLVED_COMPLETED];
}

static ctl_exit exit_of(int32_t outcome) {
    switch (outcome) {
    case IDEM_RESOLVED_STALE:
        return CTL_EXIT_STALE;
    case IDEM_RESOLVED_REFUSED:
        return CTL_EXIT_REFUSED;
    case IDEM_RESOLVED_UNKNOWN:
        return CTL_EXIT_UNKNOWN;
    default:
        return CTL_EXIT_DONE;
    }
}

static const char *why_refused(int32_t state) {
    return state == IDEM_STATE_COMPLETED
               ? "it is completed; --force deletes it all the same, and the "
                 "key may be claimed again"
               : "its lease runs, and somebody may be at work on it; --force "
                 "takes it from him";
}

static ctl_exit say_resolved(const ctl_ask *ask,
                             const idem_resolve_answer *answer) {
    bool has_state = answer->outcome == IDEM_RESOLVED_STALE ||
                     answer->outcome == IDEM_RESOLVED_REFUSED;
    report r =
        report_begin(stdout, ask->json, "outcome", word_of(answer->outcome));
    if (has_state)
        report_text(&r, "state", idem_state_name(answer->state));
    if (answer->outcome == IDEM_RESOLVED_REFUSED)
        report_text(&r, "text", why_refused(answer->state));
    if (answer->outcome == IDEM_RESOLVED_COMPLETED)
        report_flag(&r, "kept", answer->kept != 0);
    if (answer->ttl_ms > 0)
        report_ms(&r, "ttl_ms", answer->ttl_ms);
    report_end(&r);
    return exit_of(answer->outcome);
}

/* Whether it was decided is not known. */
static void tell_nonce(const uint8_t *nonce, size_t len) {
    fputs("idemctl: ask again with --nonce ", stderr);
    for (size_t i = 0; i < len; i++)
        fprintf(stderr, "%02x", nonce[i]);
    fputs(": it is decided once, and answered the same\n", stderr);
}

static void fill_resolve_args(const ctl_ask *ask, idem_resolve_args *args) {
    args->ns = ask->args.ns;
    args->ns_len = ask->args.ns_len;
    args->key = ask->args.key;
    args->key_len = ask->args.key_len;
    args->token = ask->args.token;
    args->reason = ctl_ask_text(ask, "reason");
    args->nonce = ask->args.nonce;
    args->nonce_len = ask->args.nonce_len;
    args->result = ask->args.result;
    args->result_len = ask->args.result_len;
    args->result_class = ask->args.result_class;
    args->ttl_ms = ask->args.ttl_ms;
    args->force = ask->force;
    args->timeout_ms = ask->args.timeout_ms;
}

ctl_exit ctl_run_resolve(ctl_session *session, ctl_ask *ask) {
    idem_resolve_args args = IDEM_RESOLVE_ARGS_INIT;
    idem_resolve_answer answer = IDEM_RESOLVE_ANSWER_INIT;
    idem_error err = IDEM_ERROR_INIT;
    uint8_t nonce[NONCE_BYTES];
    fill_resolve_args(ask, &args);
    args.verb = ctl_verb_of(ctl_ask_text(ask, "verb"));
    if (args.verb == 0) {
        ctl_why(ask, "--verb: %.40s is none of complete, release, delete",
                ctl_ask_text(ask, "verb"));
        return ctl_usage_error(ask);
    }
    if (args.nonce == NULL &&
        getrandom(nonce, sizeof nonce, 0) == (ssize_t)sizeof nonce) {
        args.nonce = nonce;
        args.nonce_len = sizeof nonce;
    }
    if (idem_resolve(session->uri_at_once, &args, &answer, &err) == IDEM_OK)
        return say_resolved(ask, &answer);
    ctl_exit code = ctl_say_error(ask, &err);
    if (err.assume == IDEM_ASSUME_UNKNOWN && args.nonce != NULL)
        tell_nonce(args.nonce, args.nonce_len);
    return code;
}
