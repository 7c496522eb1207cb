/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c -- an answer: its exit code, its fields, what it means in a
 * sentence, and its bytes alone. */
#include "client/ctl/ctl.h"
#include "client/ctl/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

/* ------------------------------------------------------------- the meaning */

static const char *meaning_of_claim(const idem_answer *answer) {
    if (answer->previous == IDEM_PREVIOUS_ORPHANED)
        return "somebody had it before, and nobody knows how that ended: find "
               "out first";
    if (answer->previous == IDEM_PREVIOUS_RELEASED)
        return "somebody tried before, and gave it back";
    return NULL;
}

/* What people see below the outcome; NULL where its name says all. */
static const char *meaning_of(const ctl_ask *ask, const idem_answer *answer) {
    switch (answer->outcome) {
    case IDEM_ACQUIRED:
        return meaning_of_claim(answer);
    case IDEM_REPLAY:
        return answer->has_result ? NULL : "it is done, and no result is kept";
    case IDEM_IN_PROGRESS:
        return "somebody else holds it; --wait waits for the end";
    case IDEM_MISMATCH:
        return "the key stands for another fingerprint: it is not the same "
               "request";
    case IDEM_ORPHANED:
        return "its holder's lease is over, and nobody knows how that ended";
    case IDEM_RELEASED:
        return ask->args.unbind
                   ? "the key and its fingerprint are forgotten"
                   : "the next asker may try, under the same fingerprint";
    case IDEM_STALE:
        return "the token is not the current one; nothing was changed";
    case IDEM_NO_RECORD:
        return "there is no record of this key: it was never claimed, or was "
               "forgotten, or its time is over; nothing was changed";
    case IDEM_COMPLETED:
        return answer->kept || ask->args.result == NULL
                   ? NULL
                   : "the key is completed, its result is not kept: it is over "
                     "the server's limit (--max-result of idemstored), or "
                     "there was no memory; later askers get none";
    case IDEM_RECORD:
        return answer->state == IDEM_STATE_ABSENT
                   ? "there is no record of this key"
                   : NULL;
    default:
        return NULL;
    }
}

/* -------------------------------------------------------------- the fields */

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

static void say_result(report *r, const ctl_ask *ask,
                       const idem_answer *answer) {
    const uint8_t *result = answer->has_result ? answer->result : NULL;
    if (ask->output != NULL && result != NULL) {
        report_text(r, "output", ask->output);
        report_number(r, "result_bytes", answer->result_len);
    } else {
        report_bytes(r, "result", result, answer->result_len);
    }
}

static void say_fields(report *r, const ctl_ask *ask,
                       const idem_answer *answer) {
    switch (answer->outcome) {
    case IDEM_ACQUIRED:
        report_hex(r, "token", answer->token.bytes, IDEM_TOKEN_BYTES);
        report_number(r, "attempt", answer->attempt);
        report_text(r, "previous", idem_previous_name(answer->previous));
        report_ms(r, "lease_ms", answer->lease_ms);
        return;
    case IDEM_REPLAY:
        say_result(r, ask, answer);
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

static void say_report(FILE *to, const ctl_ask *ask,
                       const idem_answer *answer) {
    const char *meaning = meaning_of(ask, answer);
    report r = report_begin(to, ask->json, "outcome",
                            idem_outcome_name(answer->outcome));
    say_fields(&r, ask, answer);
    say_nonce(&r, answer);
    if (meaning != NULL && !ask->json)
        report_text(&r, "that is", meaning);
    report_end(&r);
}

/* --------------------------------------------------------- bytes, and files */

static ctl_exit unwritten(const char *where) {
    fprintf(stderr, "idemctl: the answer could not be written to %s: %s\n",
            where, strerror(errno));
    return CTL_EXIT_UNWRITTEN;
}

/* The file is there whole, or it is an error. */
static bool write_output(const ctl_ask *ask, const idem_answer *answer) {
    FILE *to = fopen(ask->output, "wbe");
    if (to == NULL)
        return false;
    size_t written = fwrite(answer->result, 1, answer->result_len, to);
    int error = written < answer->result_len ? errno : 0;
    if (fclose(to) != 0 && error == 0)
        error = errno;
    errno = error;
    return error == 0;
}

/* A token or a result, and nothing else; what is neither is said on stderr. */
static void say_raw(const ctl_ask *ask, const idem_answer *answer) {
    if (answer->outcome == IDEM_ACQUIRED) {
        for (size_t i = 0; i < IDEM_TOKEN_BYTES; i++)
            printf("%02x", answer->token.bytes[i]);
        putchar('\n');
    } else if (answer->outcome == IDEM_REPLAY && answer->has_result) {
        fwrite(answer->result, 1, answer->result_len, stdout);
    } else {
        say_report(stderr, ask, answer);
    }
}

ctl_exit ctl_say_answer(const ctl_ask *ask, const idem_answer *answer) {
    bool is_file = ask->output != NULL && answer->outcome == IDEM_REPLAY &&
                   answer->has_result;
    if (is_file && !write_output(ask, answer))
        return unwritten(ask->output);
    errno = 0;
    if (ask->raw)
        say_raw(ask, answer);
    else
        say_report(stdout, ask, answer);
    if (fflush(stdout) != 0 || ferror(stdout))
        return unwritten("stdout");
    return exit_of_answer(answer);
}
