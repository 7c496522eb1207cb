/* SPDX-License-Identifier: Apache-2.0 */
/* libidemclient.c -- libidemclient as a client under test: one JSON line a
 * call comes in, one goes out, each call on a thread of its own.
 *
 * What the lines hold: tests/conformance/client/README.md. */
#include "client/include/idemclient.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static idem_client *client;
/* Held over a fork, too: a child may print. */
static pthread_mutex_t printing = PTHREAD_MUTEX_INITIALIZER;

static void print_line(json_t *line) {
    char *text = json_dumps(line, JSON_COMPACT);
    pthread_mutex_lock(&printing);
    printf("%s\n", text);
    fflush(stdout);
    pthread_mutex_unlock(&printing);
    free(text);
    json_decref(line);
}

static const char *text_of(const json_t *line, const char *name) {
    return json_string_value(json_object_get(line, name));
}

static uint64_t number_of(const json_t *line, const char *name) {
    return (uint64_t)json_integer_value(json_object_get(line, name));
}

/* Hexadecimal into memory that the call keeps until it is over. */
static size_t bytes_of(const json_t *line, const char *name, uint8_t *to,
                       const void **at) {
    const char *hex = text_of(line, name);
    size_t len = hex ? strlen(hex) / 2 : 0;
    for (size_t i = 0; i < len && i < 64; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], 0};
        to[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    *at = hex ? to : NULL;
    return len;
}

static void add_hex(json_t *line, const char *name, const uint8_t *bytes,
                    size_t len) {
    char *hex = malloc(2 * len + 1);
    for (size_t i = 0; i < len; i++) {
        sprintf(hex + 2 * i, "%02x", bytes[i]);
    }
    hex[2 * len] = 0;
    json_object_set_new(line, name, json_string(hex));
    free(hex);
}

static void add_answer(json_t *line, const idem_answer *a) {
    const char *outcome = a->outcome == IDEM_RECORD
                              ? idem_state_name(a->state)
                              : idem_outcome_name(a->outcome);
    json_object_set_new(line, "outcome", json_string(outcome));
    json_object_set_new(line, "state", json_string(idem_state_name(a->state)));
    json_object_set_new(line, "attempt", json_integer(a->attempt));
    json_object_set_new(line, "previous",
                        json_string(idem_previous_name(a->previous)));
    json_object_set_new(line, "lease_ms",
                        json_integer((json_int_t)a->lease_ms));
    json_object_set_new(line, "lease_left_ms",
                        json_integer((json_int_t)a->lease_left_ms));
    json_object_set_new(line, "class",
                        json_string(idem_class_name(a->result_class)));
    json_object_set_new(line, "kept", json_boolean(a->kept));
    json_object_set_new(line, "result", json_null());
    if (a->outcome == IDEM_ACQUIRED) {
        add_hex(line, "token", a->token.bytes, IDEM_TOKEN_BYTES);
    }
    if (a->has_result && a->outcome == IDEM_REPLAY) {
        add_hex(line, "result", a->result, a->result_len);
    }
}

static void add_error(json_t *line, const idem_error *err) {
    static const char *const assumes[] = {"", "unchanged", "unknown",
                                          "refused"};
    json_object_set_new(line, "error", json_string(idem_error_name(err->code)));
    json_object_set_new(line, "assume", json_string(assumes[err->assume & 3]));
    json_object_set_new(line, "text", json_string(err->text));
}

/* The function of "run": it takes its time, then it is done. */
static int32_t work(idem_run *run, void *ctx) {
    const json_t *line = ctx;
    uint64_t ms = number_of(line, "work_ms");
    uint8_t result[64];
    const void *at;
    size_t len = bytes_of(line, "result", result, &at);
    nanosleep(
        &(struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000},
        NULL);
    idem_run_set_result(run, at, len, IDEM_CLASS_SUCCESS);
    return IDEM_RUN_DONE;
}

static int32_t ask(const char *call, const idem_args *args, json_t *line,
                   idem_answer *answer, idem_error *err) {
    static const struct {
        const char *name;
        int32_t method;
    } methods[] = {{"acquire", IDEM_ACQUIRE}, {"complete", IDEM_COMPLETE},
                   {"release", IDEM_RELEASE}, {"renew", IDEM_RENEW},
                   {"peek", IDEM_PEEK},       {"in_child", IDEM_ACQUIRE}};
    if (strcmp(call, "run") == 0) {
        return idem_run_once(client, args, work, line, answer, err);
    }
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(methods[i].name, call) == 0) {
            return idem_call(client, methods[i].method, args, answer, err);
        }
    }
    return IDEM_E_ARGUMENT;
}

static void answer_call(json_t *line) {
    idem_args args = IDEM_ARGS_INIT;
    idem_answer answer = IDEM_ANSWER_INIT;
    idem_error err = IDEM_ERROR_INIT;
    uint8_t fingerprint[64], token[64], result[64], nonce[64];
    const void *at;
    const char *on_orphan = text_of(line, "on_orphan");
    const char *word = text_of(line, "class");
    args.ns = text_of(line, "ns");
    args.ns_len = args.ns ? strlen(args.ns) : 0;
    args.key = text_of(line, "key");
    args.key_len = args.key ? strlen(args.key) : 0;
    args.fingerprint_len =
        bytes_of(line, "fingerprint", fingerprint, &args.fingerprint);
    args.nonce_len = bytes_of(line, "nonce", nonce, &args.nonce);
    args.result_len = bytes_of(line, "result", result, &args.result);
    if (bytes_of(line, "token", token, &at) == IDEM_TOKEN_BYTES) {
        memcpy(args.token.bytes, token, IDEM_TOKEN_BYTES);
    }
    args.lease_ms = (uint32_t)number_of(line, "lease_ms");
    args.ttl_ms = number_of(line, "ttl_ms");
    args.wait_ms = (uint32_t)number_of(line, "wait_ms");
    args.timeout_ms = (uint32_t)number_of(line, "timeout_ms");
    args.on_orphan = on_orphan && strcmp(on_orphan, "report") == 0
                         ? IDEM_REPORT
                         : IDEM_TAKEOVER;
    args.result_class =
        word && strcmp(word, "error") == 0 ? IDEM_CLASS_ERROR : 0;
    args.unbind = (int32_t)number_of(line, "unbind");
    int32_t code = ask(text_of(line, "call"), &args, line, &answer, &err);
    json_t *reply = json_pack("{s:I}", "id", number_of(line, "id"));
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
    pthread_mutex_lock(&printing);
    pid_t pid = fork();
    pthread_mutex_unlock(&printing);
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
