/* SPDX-License-Identifier: Apache-2.0 */
/* erase.c -- forgets all keys of a namespace that begin so: first it says how
 * many they are, and asks. */
#include "client/ctl/ctl.h"
#include "client/ctl/report.h"

#include <string.h>
#include <unistd.h>

static void fill_erase_args(const ctl_ask *ask, idem_erase_args *args) {
    const char *prefix = ctl_ask_text(ask, "prefix");
    args->ns = ask->args.ns;
    args->ns_len = ask->args.ns_len;
    args->prefix = prefix;
    args->prefix_len = strlen(prefix);
    args->reason = ctl_ask_text(ask, "reason");
    args->timeout_ms = ask->args.timeout_ms;
}

static ctl_exit say_erased(const ctl_ask *ask, const char *outcome,
                           const idem_erase_answer *answer) {
    report r = report_begin(stdout, ask->json, "outcome", outcome);
    report_number(&r, "records", answer->records);
    report_number(&r, "in_progress", answer->in_progress);
    report_end(&r);
    return CTL_EXIT_DONE;
}

/* Whoever is at a terminal answers; nobody else is asked. */
static bool is_meant(const idem_erase_answer *answer) {
    char said[8] = "";
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
        return false;
    fprintf(stderr,
            "%llu records, %llu of them in progress: erase them? [y/N] ",
            (unsigned long long)answer->records,
            (unsigned long long)answer->in_progress);
    return fgets(said, sizeof said, stdin) != NULL &&
           (said[0] == 'y' || said[0] == 'Y');
}

ctl_exit ctl_run_erase(ctl_session *session, ctl_ask *ask) {
    idem_erase_args args = IDEM_ERASE_ARGS_INIT;
    idem_erase_answer answer = IDEM_ERASE_ANSWER_INIT;
    idem_error err = IDEM_ERROR_INIT;
    fill_erase_args(ask, &args);
    args.dry_run = 1;
    if (!ctl_ask_gives(ask, "yes") || ask->dry_run) {
        if (idem_erase(session->uri_at_once, &args, &answer, &err) != IDEM_OK)
            return ctl_say_error(ask, &err);
        if (ask->dry_run)
            return say_erased(ask, "counted", &answer);
        if (!is_meant(&answer)) {
            say_erased(ask, "refused", &answer);
            fputs("idemctl: nothing was erased; --yes does not ask\n", stderr);
            return CTL_EXIT_REFUSED;
        }
    }
    args.dry_run = 0;
    if (idem_erase(session->uri_at_once, &args, &answer, &err) != IDEM_OK)
        return ctl_say_error(ask, &err);
    return say_erased(ask, "erased", &answer);
}
