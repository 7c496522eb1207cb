/* SPDX-License-Identifier: Apache-2.0 */
/* call.c -- one call of the library: the client that it goes through, and what
 * is done about an answer that nobody gets to see. */
#include "client/ctl/ctl.h"
#include "client/ctl/report.h"

#include <string.h>

idem_client *ctl_client(ctl_session *session, bool waits, idem_error *err) {
    idem_client **client = &session->clients[waits];
    if (*client != NULL)
        return *client;
    idem_client_open(waits ? session->uri : session->uri_at_once, client, err);
    return *client;
}

static void say_who(idem_client *client, uint64_t took_ms) {
    idem_info info = {.size = sizeof info};
    if (idem_client_info(client, 1, &info, NULL) == IDEM_OK)
        fprintf(stderr,
                "idemctl: %s answered after %llu ms (%s %s, %s, epoch %llu)\n",
                info.endpoint, (unsigned long long)took_ms, info.server,
                info.version, info.role, (unsigned long long)info.epoch);
}

/* Nobody will ever hear of this claim, save who named itself by a nonce. */
static void give_claim_back(idem_client *client, ctl_ask *ask,
                            const idem_token *token) {
    idem_answer answer = {.size = sizeof answer};
    if (ask->args.nonce != NULL) {
        fputs("idemctl: the claim stays; the same --nonce finds it again\n",
              stderr);
        return;
    }
    ask->args.token = *token;
    ask->args.unbind = 0;
    bool released =
        idem_release(client, &ask->args, &answer, NULL) == IDEM_OK &&
        answer.outcome == IDEM_RELEASED;
    fputs(released ? "idemctl: the claim was given back\n"
                   : "idemctl: the claim could not be given back; its lease "
                     "will end\n",
          stderr);
    idem_answer_fini(&answer);
}

static ctl_exit tell_answer(ctl_session *session, ctl_ask *ask,
                            idem_client *client, const idem_answer *answer) {
    bool granted = answer->outcome == IDEM_ACQUIRED;
    ctl_exit code = ctl_say_answer(ask, answer);
    if (granted && code == CTL_EXIT_UNWRITTEN)
        give_claim_back(client, ask, &answer->token);
    else if (granted && ask->has_session)
        ctl_claims_add(session, ask, &answer->token);
    return code;
}

static bool is_token_missing(const ctl_ask *ask) {
    return ask->has_session && ctl_list_has(ask->command->needs, "token") &&
           !ctl_ask_gives(ask, "token");
}

ctl_exit ctl_run_call(ctl_session *session, ctl_ask *ask) {
    idem_answer answer = {.size = sizeof answer};
    idem_error err = {.size = sizeof err};
    ctl_exit code;
    if (is_token_missing(ask) && !ctl_claims_find(session, ask))
        return ctl_usage_error(ask);
    uint64_t begun_ms = idem_now_ms();
    idem_client *client = ctl_client(session, ask->args.timeout_ms != 0, &err);
    if (client != NULL && idem_call(client, ask->command->method, &ask->args,
                                    &answer, &err) == IDEM_OK) {
        if (ask->verbose)
            say_who(client, idem_now_ms() - begun_ms);
        code = tell_answer(session, ask, client, &answer);
    } else {
        code = ctl_say_error(ask, &err);
    }
    idem_answer_fini(&answer);
    return code;
}
