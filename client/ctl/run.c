/* SPDX-License-Identifier: Apache-2.0 */
/* run.c -- a command line, once: claims the key, runs the command, keeps what
 * it wrote and how it ended, and says so to whoever asks later.
 *
 * idem_run_once renews the lease meanwhile; how the claim ends is settled here,
 * since that may take longer than a call that nothing has happened for yet. */
#include "client/ctl/ctl.h"
#include "client/ctl/job.h"
#include "client/ctl/report.h"
#include "client/ctl/run_inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What has happened is worth waiting for: a server that restarts, a replica
 * that is promoted. */
#define SETTLE_MS     60000u
#define KILL_AFTER_MS 10000u

#define EXIT_NOT_FOUND    127
#define EXIT_NOT_RUNNABLE 126
#define EXIT_SIGNAL       128

typedef struct one_run {
    idem_client *client;
    const ctl_ask *ask;
    record record;
    job_end end;
    ctl_exit code;
    bool has_run; /* the claim was ours */
} one_run;

/* --------------------------------------------------------------- settling it
 */

static idem_args settling_args(const one_run *run, const idem_run *claim) {
    idem_args args = IDEM_ARGS_INIT;
    args.ns = run->ask->args.ns;
    args.ns_len = run->ask->args.ns_len;
    args.key = run->ask->args.key;
    args.key_len = run->ask->args.key_len;
    args.timeout_ms = run->ask->args.timeout_ms > SETTLE_MS
                          ? run->ask->args.timeout_ms
                          : SETTLE_MS;
    idem_run_token(claim, &args.token);
    return args;
}

static ctl_exit say_unrecorded(const one_run *run, const idem_error *err) {
    char text[700];
    snprintf(text, sizeof text,
             "the command has ended with %d, and that is not surely recorded: "
             "%.500s; after its lease the next one may run it again",
             run->end.code, err->text);
    ctl_complain(text);
    fputc('\n', stderr);
    return CTL_EXIT_UNRECORDED;
}

static ctl_exit say_taken(const one_run *run, const idem_answer *answer) {
    fprintf(stderr,
            "idemctl: the command has ended with %d, and the claim was no "
            "longer its own (%s): another may have run the same; nothing of it "
            "is recorded\n",
            run->end.code, idem_outcome_name(answer->outcome));
    return ctl_ask_gives(run->ask, "keep-running") ? (ctl_exit)run->end.code
                                                   : CTL_EXIT_AGAIN;
}

static ctl_exit complete_run(one_run *run, const idem_run *claim) {
    idem_answer answer = IDEM_ANSWER_INIT;
    idem_error err = IDEM_ERROR_INIT;
    idem_args args = settling_args(run, claim);
    ctl_exit code = (ctl_exit)run->end.code;
    args.result = record_end(&run->record, run->end.code, &args.result_len);
    args.result_class =
        run->end.code == 0 ? IDEM_CLASS_SUCCESS : IDEM_CLASS_ERROR;
    if (idem_complete(run->client, &args, &answer, &err) != IDEM_OK)
        code = say_unrecorded(run, &err);
    else if (answer.outcome != IDEM_COMPLETED)
        code = say_taken(run, &answer);
    else if (!answer.kept)
        fputs("idemctl: it is recorded as done, without its code and its "
              "output: the server had no room for them\n",
              stderr);
    else if (run->record.dropped && run->ask->verbose)
        fputs("idemctl: its output is too long to be kept: a replay has its "
              "code alone\n",
              stderr);
    idem_answer_fini(&answer);
    return code;
}

/* unbind: nothing has happened, not even what the key stands for. */
static void give_run_back(const one_run *run, const idem_run *claim,
                          bool unbind) {
    idem_answer answer = IDEM_ANSWER_INIT;
    idem_error err = IDEM_ERROR_INIT;
    idem_args args = settling_args(run, claim);
    args.unbind = unbind;
    if (idem_release(run->client, &args, &answer, &err) != IDEM_OK)
        fprintf(stderr,
                "idemctl: the claim could not be given back (%s); its lease "
                "will end\n",
                idem_error_name(err.code));
    idem_answer_fini(&answer);
}

static ctl_exit settle_exit(one_run *run, const idem_run *claim) {
    const char *on_failure = ctl_ask_text(run->ask, "on-failure");
    bool failed = run->end.code != 0 && on_failure != NULL;
    if (failed && strcmp(on_failure, "leave") == 0)
        return (ctl_exit)run->end.code;
    if (!failed || strcmp(on_failure, "complete") == 0)
        return complete_run(run, claim);
    give_run_back(run, claim, false);
    return (ctl_exit)run->end.code;
}

static ctl_exit settle_not_started(one_run *run, const idem_run *claim) {
    char text[400];
    snprintf(text, sizeof text, "%.200s can't be run: %s; nothing has happened",
             run->ask->rest[0], strerror(run->end.code));
    ctl_complain(text);
    fputc('\n', stderr);
    give_run_back(run, claim, true);
    return run->end.code == ENOENT ? (ctl_exit)EXIT_NOT_FOUND
                                   : (ctl_exit)EXIT_NOT_RUNNABLE;
}

static ctl_exit settle(one_run *run, const idem_run *claim) {
    bool keeps_running = ctl_ask_gives(run->ask, "keep-running");
    if (run->end.left_behind)
        fputs("idemctl: something that the command has started holds its "
              "output; what that writes from now on is not kept\n",
              stderr);
    if (run->end.how == JOB_NOT_STARTED)
        return settle_not_started(run, claim);
    if (run->end.was_lost && !keeps_running)
        return CTL_EXIT_AGAIN;
    if (run->end.how == JOB_EXITED)
        return settle_exit(run, claim);
    fprintf(stderr,
            "idemctl: the command was ended by signal %d (%s): what it has "
            "done is unknown, and its claim is left to its lease\n",
            run->end.code, strsignal(run->end.code));
    return (ctl_exit)(EXIT_SIGNAL + run->end.code);
}

/* --------------------------------------------------------------- running it */

static bool is_run_lost(void *ctx) {
    return idem_run_lost(ctx) != 0;
}

/* A list with a NULL at its end, as exec takes it; NULL: no memory. */
static char **command_words(const ctl_ask *ask) {
    char **words = calloc(ask->rest_count + 1, sizeof *words);
    if (words != NULL)
        memcpy(words, ask->rest, ask->rest_count * sizeof *words);
    return words;
}

static uint64_t kill_after_ms(const ctl_ask *ask) {
    return ctl_ask_gives(ask, "kill-after") ? ask->kill_after_ms
                                            : KILL_AFTER_MS;
}

static void run_claimed_job(one_run *run, idem_run *claim,
                            const sigset_t *mask) {
    const ctl_ask *ask = run->ask;
    char **words = command_words(ask);
    char **env = run_env_new(&ask->args, claim);
    job_spec spec = {.words = words,
                     .env = env,
                     .mask = mask,
                     .no_stdin = ask->stdin_taken,
                     .keep_running = ctl_ask_gives(ask, "keep-running"),
                     .kill_after_ms = kill_after_ms(ask),
                     .is_lost = is_run_lost,
                     .ctx = claim,
                     .record = &run->record};
    if (words == NULL || env == NULL)
        run->end = (job_end){.how = JOB_NOT_STARTED, .code = ENOMEM};
    else
        run->end = job_run(&spec);
    run_env_free(env);
    free(words);
}

static int32_t run_with_claim(idem_run *claim, void *ctx) {
    one_run *run = ctx;
    sigset_t was;
    run->has_run = true;
    if (run->ask->verbose)
        fprintf(stderr,
                "idemctl: the claim is ours, attempt %lu (before: %s)\n",
                (unsigned long)idem_run_attempt(claim),
                idem_previous_name(idem_run_previous(claim)));
    job_block_signals(&was);
    run_claimed_job(run, claim, &was);
    run->code = settle(run, claim);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    return IDEM_RUN_UNSURE; /* it is settled, or is to be left */
}

/* ------------------------------------------------------------- asking for it
 */

/* Ends at once where there is nobody, or nobody who may say yes. */
static ctl_exit look_first(ctl_session *session, const ctl_ask *ask) {
    idem_answer answer = IDEM_ANSWER_INIT;
    idem_error err = IDEM_ERROR_INIT;
    idem_client *client = ctl_client(session, ask->args.timeout_ms != 0, &err);
    ctl_exit code = CTL_EXIT_DONE;
    if (client == NULL ||
        idem_peek(client, &ask->args, &answer, &err) != IDEM_OK)
        code = ctl_say_error(ask, &err);
    idem_answer_fini(&answer);
    return code;
}

static size_t result_bytes_max(idem_client *client) {
    idem_info info = IDEM_INFO_INIT;
    if (idem_client_info(client, 0, &info, NULL) != IDEM_OK)
        return 0; /* then only the code is kept */
    return info.result_bytes_max < SIZE_MAX / 4 ? (size_t)info.result_bytes_max
                                                : SIZE_MAX / 4;
}

/* The command line is what the key stands for. */
static bool add_fingerprint(ctl_ask *ask) {
    if (ask->args.fingerprint != NULL)
        return true;
    idem_slice *parts = calloc(ask->rest_count, sizeof *parts);
    if (parts == NULL)
        return ctl_why(ask, "out of memory");
    for (size_t i = 0; i < ask->rest_count; i++)
        parts[i] = (idem_slice){ask->rest[i], strlen(ask->rest[i])};
    idem_fingerprint(parts, ask->rest_count, ask->fingerprint);
    ask->args.fingerprint = ask->fingerprint;
    ask->args.fingerprint_len = IDEM_FINGERPRINT_BYTES;
    free(parts);
    return true;
}

static ctl_exit run_once(ctl_session *session, ctl_ask *ask, one_run *run) {
    idem_answer answer = IDEM_ANSWER_INIT;
    idem_error err = IDEM_ERROR_INIT;
    ctl_exit code;
    run->client = ctl_client(session, true, &err);
    if (run->client == NULL)
        return ctl_say_error(ask, &err);
    record_init(&run->record, result_bytes_max(run->client));
    if (idem_run_once(run->client, &ask->args, run_with_claim, run, &answer,
                      &err) != IDEM_OK)
        code = ctl_say_error(ask, &err);
    else
        code = run->has_run ? run->code : run_say_answer(ask, &answer);
    record_fini(&run->record);
    idem_answer_fini(&answer);
    return code;
}

ctl_exit ctl_run_run(ctl_session *session, ctl_ask *ask) {
    one_run run = {.ask = ask};
    if (!add_fingerprint(ask)) {
        ctl_usage_error(ask);
        return CTL_EXIT_ERROR;
    }
    ctl_exit code = look_first(session, ask);
    if (code != CTL_EXIT_DONE)
        return code;
    code = run_once(session, ask, &run);
    if (!job_flush(&run.end))
        fputs("idemctl: not all that the command wrote could be passed on: "
              "nobody takes it; it is recorded all the same\n",
              stderr);
    return code;
}
