/* commands.c -- the command table. To add a command, add a row; where it is
 * one call of the library, its function is run_call. */
#include "client/ctl/ctl.h"
#include "client/ctl/report.h"

#include <string.h>

/* ---------------------------------------------------------- errors, exits */

static ctl_exit exit_of_error(int32_t code) {
    switch (code) {
    case IDEM_E_URI:
    case IDEM_E_ARGUMENT:
        return CTL_EXIT_USAGE;
    case IDEM_E_CONNECT:
    case IDEM_E_TIMEOUT_UNSENT:
    case IDEM_E_TIMEOUT:
    case IDEM_E_LOST:
    case IDEM_E_NOT_PRIMARY:
    case IDEM_E_SHUTTING_DOWN:
        return CTL_EXIT_UNAVAILABLE;
    default:
        return CTL_EXIT_ERROR;
    }
}

static const char *assume_name(int32_t assume) {
    static const char *const names[] = {[IDEM_ASSUME_UNCHANGED] = "unchanged",
                                        [IDEM_ASSUME_UNKNOWN] = "unknown",
                                        [IDEM_ASSUME_REFUSED] = "refused"};
    return assume >= IDEM_ASSUME_UNCHANGED && assume <= IDEM_ASSUME_REFUSED
               ? names[assume]
               : "unknown";
}

static void complain(const char *text) {
    fputs("idemctl: ", stderr);
    report_escape(stderr, (const uint8_t *)text, strlen(text));
}

/* As --nonce takes it. */
static void print_nonce(const idem_error *err) {
    if (err->nonce_len > 0)
        fputs("; --nonce ", stderr);
    for (uint32_t i = 0; i < err->nonce_len; i++)
        fprintf(stderr, "%02x", err->nonce[i]);
}

ctl_exit ctl_say_error(const ctl_ask *ask, const idem_error *err) {
    const char *name = idem_error_name(err->code);
    const char *assume = assume_name(idem_error_assume(err->code));
    if (ask->json) {
        report r = report_begin(stdout, true, "error", name);
        report_text(&r, "assume", assume);
        report_text(&r, "endpoint", err->endpoint);
        report_text(&r, "text", err->text);
        if (err->nonce_len > 0)
            report_hex(&r, "nonce", err->nonce, err->nonce_len);
        report_end(&r);
    } else {
        complain(err->text);
        bool is_command = ask->command->run == ctl_run_order;
        fprintf(stderr, " (%s; the %s: %s", name,
                is_command ? "command" : "claim", assume);
        print_nonce(err);
        fputs(")\n", stderr);
    }
    return exit_of_error(err->code);
}

ctl_exit ctl_usage_error(const ctl_ask *ask) {
    if (ask->json) {
        report r = report_begin(stdout, true, "error", "USAGE");
        report_text(&r, "assume", assume_name(IDEM_ASSUME_UNCHANGED));
        report_text(&r, "text", ask->why);
        report_end(&r);
    } else {
        complain(ask->why);
        fputc('\n', stderr);
    }
    return CTL_EXIT_USAGE;
}

static ctl_exit exit_of_answer(const idem_answer *answer) {
    switch (answer->outcome) {
    case IDEM_REPLAY:
        return CTL_EXIT_REPLAY;
    case IDEM_IN_PROGRESS:
        return CTL_EXIT_IN_PROGRESS;
    case IDEM_MISMATCH:
        return CTL_EXIT_MISMATCH;
    case IDEM_ORPHANED:
        return CTL_EXIT_ORPHANED;
    case IDEM_STALE:
        return CTL_EXIT_STALE;
    case IDEM_NO_RECORD:
        return CTL_EXIT_UNKNOWN;
    case IDEM_RECORD:
        return answer->state == IDEM_STATE_ABSENT ? CTL_EXIT_UNKNOWN
                                                  : CTL_EXIT_DONE;
    default:
        return CTL_EXIT_DONE;
    }
}

/* --------------------------------------------------- an answer's own fields */

static void say_record(report *r, const idem_answer *answer) {
    report_text(r, "state", idem_state_name(answer->state));
    if (answer->state == IDEM_STATE_ABSENT)
        return;
    report_number(r, "attempt", answer->attempt);
    report_ms(r, "age_ms", answer->age_ms);
    if (answer->state == IDEM_STATE_IN_PROGRESS)
        report_ms(r, "lease_left_ms", answer->lease_left_ms);
    report_ms(r, "ttl_left_ms", answer->ttl_left_ms);
    if (answer->state != IDEM_STATE_COMPLETED)
        return;
    report_text(r, "class", idem_class_name(answer->result_class));
    report_flag(r, "has_result", answer->has_result);
    if (answer->has_result)
        report_number(r, "result_bytes", answer->result_bytes);
}

static void say_counters(report *r, const idem_answer *answer) {
    const char *name;
    size_t at = 0, len;
    uint64_t value;
    while (idem_stats_next(answer, &at, &name, &len, &value))
        report_counter(r, name, len, value);
}

static void say_fields(report *r, const idem_answer *answer) {
    switch (answer->outcome) {
    case IDEM_ACQUIRED:
        report_hex(r, "token", answer->token.bytes, IDEM_TOKEN_BYTES);
        report_number(r, "attempt", answer->attempt);
        report_text(r, "previous", idem_previous_name(answer->previous));
        report_ms(r, "lease_ms", answer->lease_ms);
        return;
    case IDEM_REPLAY:
        report_bytes(r, "result", answer->has_result ? answer->result : NULL,
                     answer->result_len);
        report_text(r, "class", idem_class_name(answer->result_class));
        report_ms(r, "age_ms", answer->age_ms);
        report_ms(r, "ttl_left_ms", answer->ttl_left_ms);
        return;
    case IDEM_IN_PROGRESS:
        report_ms(r, "lease_left_ms", answer->lease_left_ms);
        report_number(r, "attempt", answer->attempt);
        report_ms(r, "age_ms", answer->age_ms);
        return;
    case IDEM_ORPHANED:
        report_ms(r, "age_ms", answer->age_ms);
        report_number(r, "attempt", answer->attempt);
        return;
    case IDEM_MISMATCH:
    case IDEM_STALE:
        report_text(r, "state", idem_state_name(answer->state));
        return;
    case IDEM_COMPLETED:
        report_flag(r, "kept", answer->kept);
        return;
    case IDEM_RENEWED:
        report_ms(r, "lease_ms", answer->lease_ms);
        return;
    case IDEM_RECORD:
        say_record(r, answer);
        return;
    case IDEM_COUNTERS:
        say_counters(r, answer);
        return;
    default:
        return;
    }
}

/* Who was told that it is not theirs may ask again as the same asker, too. */
static void say_nonce(report *r, const idem_answer *answer) {
    if (answer->nonce_len > 0)
        report_hex(r, "nonce", answer->nonce, answer->nonce_len);
}

/* ------------------------------------------------------------- the functions
 */

/* The client, made when it is first needed. */
static int32_t open_client(ctl_session *session, idem_error *err) {
    if (session->client != NULL)
        return IDEM_OK;
    return idem_client_open(session->uri, &session->client, err);
}

static ctl_exit run_call(ctl_session *session, ctl_ask *ask) {
    idem_answer answer = {.size = sizeof answer};
    idem_error err = {.size = sizeof err};
    if (ask->operand_count > 0) {
        ask->args.key = ask->operands[0];
        ask->args.key_len = strlen(ask->operands[0]);
    }
    if (open_client(session, &err) != IDEM_OK ||
        idem_call(session->client, ask->command->method, &ask->args, &answer,
                  &err) != IDEM_OK) {
        idem_answer_fini(&answer);
        return ctl_say_error(ask, &err);
    }
    ctl_exit code = exit_of_answer(&answer);
    report r = report_begin(stdout, ask->json, "outcome",
                            idem_outcome_name(answer.outcome));
    say_fields(&r, &answer);
    say_nonce(&r, &answer);
    report_end(&r);
    idem_answer_fini(&answer);
    return code;
}

static ctl_exit run_help(ctl_session *session, ctl_ask *ask) {
    (void)session;
    if (ask->operand_count == 0) {
        ctl_help(stdout);
        return CTL_EXIT_DONE;
    }
    const ctl_command *command = ctl_command_find(ask->operands[0]);
    if (command == NULL) {
        ctl_why(ask, "%.100s: no such command", ask->operands[0]);
        return ctl_usage_error(ask);
    }
    ctl_help_command(stdout, command);
    return CTL_EXIT_DONE;
}

static ctl_exit run_exit(ctl_session *session, ctl_ask *ask) {
    (void)ask;
    session->leave = true;
    return CTL_EXIT_DONE;
}

const ctl_command ctl_commands[] = {
    {"ping", run_call, IDEM_PING, 0, 0, "", "", "", "is the server there?"},
    {"acquire", run_call, IDEM_ACQUIRE, 1, 1, "KEY",
     "fingerprint body nonce lease ttl wait on-orphan", "",
     "may I? claims the key, or says what became of it"},
    {"complete", run_call, IDEM_COMPLETE, 1, 1, "KEY",
     "token result result-file class ttl", "token",
     "it is done, and this is the answer"},
    {"release", run_call, IDEM_RELEASE, 1, 1, "KEY", "token unbind", "token",
     "it surely did not happen: give the key back"},
    {"renew", run_call, IDEM_RENEW, 1, 1, "KEY", "token lease", "token",
     "still working: a new lease from now"},
    {"peek", run_call, IDEM_PEEK, 1, 1, "KEY", "", "",
     "what is known of the key; changes nothing"},
    {"stats", run_call, IDEM_STATS, 0, 0, "", "", "",
     "the server's counters and gauges"},
    {"replication", ctl_run_replication, 0, 0, 0, "", "", "",
     "who is primary, who is in sync, how far behind"},
    {"promote", ctl_run_order, IDEM_COMMAND_PROMOTE, 0, 0, "", "accept-loss",
     "", "makes this replica the primary"},
    {"detach", ctl_run_order, IDEM_COMMAND_DETACH, 0, 0, "", "accept-loss", "",
     "lets this primary go on without its replica"},
    {"switchover", ctl_run_order, IDEM_COMMAND_SWITCHOVER, 0, 0, "", "", "",
     "hands over from this primary to its replica"},
    {"snapshot", ctl_run_order, IDEM_COMMAND_SNAPSHOT, 0, 0, "", "", "",
     "has this server write a snapshot of its records"},
    {"check", ctl_run_check, 0, 1, 1, "DIR", "", "",
     "looks into a data folder, without a server"},
    {"help", run_help, 0, 0, 1, "[COMMAND]", "", "", "this text"},
    {"exit", run_exit, 0, 0, 0, "", "", "", "ends a session of lines"},
    {.name = NULL}};

const ctl_command *ctl_command_find(const char *name) {
    for (const ctl_command *row = ctl_commands; row->name != NULL; row++)
        if (strcmp(row->name, name) == 0)
            return row;
    return NULL;
}
