/* SPDX-License-Identifier: Apache-2.0 */
/* libidemclient.c -- libidemclient as a client under test: one JSON line a
 * call comes in, one goes out, each call on a thread of its own.
 *
 * What the lines hold: tests/conformance/client/README.md. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/conformance/clients/lines.h"

static idem_client *client;

/* The function of "run": it takes its time, then it is done. */
static int32_t work(idem_run *run, void *ctx) {
    const json_t *line = ctx;
    uint64_t ms = number_of(line, "work_ms");
    line_args args;
    read_args(line, &args);
    nanosleep(
        &(struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000},
        NULL);
    idem_run_set_result(run, args.args.result, args.args.result_len,
                        IDEM_CLASS_SUCCESS);
    return IDEM_RUN_DONE;
}

static void answer_call(json_t *line) {
    line_args args;
    idem_answer answer = IDEM_ANSWER_INIT;
    idem_error err = IDEM_ERROR_INIT;
    const char *call = text_of(line, "call");
    int32_t code;
    read_args(line, &args);
    if (strcmp(call, "run") == 0) {
        code = idem_run_once(client, &args.args, work, line, &answer, &err);
    } else {
        code = idem_call(client, method_of(call), &args.args, &answer, &err);
    }
    json_t *reply = reply_to(line);
    if (code == IDEM_OK) {
        add_answer(reply, &answer);
    } else {
        add_error(reply, &err);
    }
    print_line(reply);
    idem_answer_fini(&answer);
    json_decref(line);
}

static void *answer_thread(void *line) {
    answer_call(line);
    return NULL;
}

static void open_client(json_t *line) {
    idem_error err = IDEM_ERROR_INIT;
    json_t *reply = json_pack("{s:I, s:[s, s, s]}", "id", number_of(line, "id"),
                              "can", "together", "run", "fork");
    if (idem_client_open(text_of(line, "uri"), &client, &err) != IDEM_OK) {
        add_error(reply, &err);
    }
    print_line(reply);
    json_decref(line);
}

/* A forked child makes the call, and ends. */
static void answer_in_child(json_t *line) {
    hold_printing();
    pid_t pid = fork();
    let_print();
    if (pid == 0) {
        answer_call(line);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    json_decref(line);
}

int main(void) {
    char *text = NULL;
    size_t cap = 0;
    while (getline(&text, &cap, stdin) > 0) {
        json_t *line = json_loads(text, 0, NULL);
        const char *call = line ? text_of(line, "call") : NULL;
        pthread_t thread;
        if (!call) {
            return 1;
        }
        if (strcmp(call, "open") == 0) {
            open_client(line);
        } else if (strcmp(call, "in_child") == 0) {
            answer_in_child(line);
        } else if (pthread_create(&thread, NULL, answer_thread, line) == 0) {
            pthread_detach(thread);
        }
    }
    free(text);
    idem_client_close(client);
    return 0;
}
