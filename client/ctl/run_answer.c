/* SPDX-License-Identifier: Apache-2.0 */
/* run_answer.c -- the command does not run: what an earlier run printed, or who
 * is at it. */
#include "client/ctl/record.h"
#include "client/ctl/report.h"
#include "client/ctl/run_inner.h"

#include <inttypes.h>

static void show_piece(void *ctx, int stream, const uint8_t *bytes,
                       size_t len) {
    FILE *to = stream == 1 ? stdout : stderr;
    (void)ctx;
    if (len > 0)
        fwrite(bytes, 1, len, to);
    fflush(to);
}

static ctl_exit exit_of_class(const idem_answer *answer) {
    return answer->result_class == IDEM_CLASS_ERROR ? (ctl_exit)1
                                                    : CTL_EXIT_DONE;
}

static void say_age(const idem_answer *answer) {
    fprintf(stderr, "idemctl: done before, ");
    report_duration(stderr, answer->age_ms);
    fprintf(stderr, " ago");
}

/* A person may have settled it: complete KEY --result ... */
static ctl_exit say_other_result(const idem_answer *answer) {
    if (answer->has_result && answer->result_len > 0) {
        fwrite(answer->result, 1, answer->result_len, stdout);
        fflush(stdout);
    }
    say_age(answer);
    fprintf(stderr,
            answer->has_result ? ", and not by idemctl run: the result says "
                                 "%s\n"
                               : "; no code and no output is kept: %s\n",
            idem_class_name(answer->result_class));
    return exit_of_class(answer);
}

static ctl_exit say_replay(const ctl_ask *ask, const idem_answer *answer) {
    record_read is = {.exit_code = 0};
    if (!answer->has_result || !record_parse(answer->result, answer->result_len,
                                             &is, show_piece, NULL))
        return say_other_result(answer);
    if (is.dropped) {
        say_age(answer);
        fprintf(stderr,
                " (exit %d); its output, %" PRIu64
                " bytes, was too long to be kept\n",
                is.exit_code, is.whole_bytes);
    } else if (ask->verbose) {
        say_age(answer);
        fprintf(stderr, " (exit %d)\n", is.exit_code);
    }
    return (ctl_exit)is.exit_code;
}

static void say_key(const ctl_ask *ask, const char *text) {
    fputs("idemctl: ", stderr);
    report_escape(stderr, ask->args.key, ask->args.key_len);
    fprintf(stderr, ": %s", text);
}

static ctl_exit say_held(const ctl_ask *ask, const idem_answer *answer) {
    say_key(ask, "somebody else runs it, and has ");
    report_duration(stderr, answer->lease_left_ms);
    fprintf(stderr, " left of the lease (attempt %" PRIu32 "); nothing ran%s\n",
            answer->attempt,
            ask->args.wait_ms > 0 ? "" : "; --wait waits for the end");
    return CTL_EXIT_AGAIN;
}

ctl_exit run_say_answer(const ctl_ask *ask, const idem_answer *answer) {
    switch (answer->outcome) {
    case IDEM_REPLAY:
        return say_replay(ask, answer);
    case IDEM_IN_PROGRESS:
        return say_held(ask, answer);
    case IDEM_MISMATCH:
        say_key(ask,
                ctl_ask_gives(ask, "fingerprint") || ctl_ask_gives(ask, "body")
                    ? "the key stands for another fingerprint; nothing "
                      "ran\n"
                    : "the key stands for another command line; nothing "
                      "ran\n");
        return CTL_EXIT_RUN_MISMATCH;
    default:
        say_key(ask, "an earlier run's lease is over, and nobody knows how it "
                     "ended; nothing ran\n");
        return CTL_EXIT_RUN_ORPHANED;
    }
}
