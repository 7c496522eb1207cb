/* SPDX-License-Identifier: Apache-2.0 */
/* lines.c -- see lines.h. */
#include "tests/conformance/clients/lines.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t printing = PTHREAD_MUTEX_INITIALIZER;

void hold_printing(void) {
    pthread_mutex_lock(&printing);
}

void let_print(void) {
    pthread_mutex_unlock(&printing);
}

void print_line(json_t *line) {
    char *text = json_dumps(line, JSON_COMPACT);
    pthread_mutex_lock(&printing);
    printf("%s\n", text);
    fflush(stdout);
    pthread_mutex_unlock(&printing);
    free(text);
    json_decref(line);
}

const char *text_of(const json_t *line, const char *name) {
    return json_string_value(json_object_get(line, name));
}

uint64_t number_of(const json_t *line, const char *name) {
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

void add_answer(json_t *line, const idem_answer *a) {
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

void add_error(json_t *line, const idem_error *err) {
    static const char *const assumes[] = {"", "unchanged", "unknown",
                                          "refused"};
    json_object_set_new(line, "error", json_string(idem_error_name(err->code)));
    json_object_set_new(line, "assume", json_string(assumes[err->assume & 3]));
    json_object_set_new(line, "text", json_string(err->text));
}

void read_args(const json_t *line, line_args *to) {
    idem_args *args = &to->args;
    const void *at;
    const char *on_orphan = text_of(line, "on_orphan");
    const char *word = text_of(line, "class");
    *args = (idem_args)IDEM_ARGS_INIT;
    args->ns = text_of(line, "ns");
    args->ns_len = args->ns ? strlen(args->ns) : 0;
    args->key = text_of(line, "key");
    args->key_len = args->key ? strlen(args->key) : 0;
    args->fingerprint_len =
        bytes_of(line, "fingerprint", to->fingerprint, &args->fingerprint);
    args->nonce_len = bytes_of(line, "nonce", to->nonce, &args->nonce);
    args->result_len = bytes_of(line, "result", to->result, &args->result);
    if (bytes_of(line, "token", to->token, &at) == IDEM_TOKEN_BYTES) {
        memcpy(args->token.bytes, to->token, IDEM_TOKEN_BYTES);
    }
    args->lease_ms = (uint32_t)number_of(line, "lease_ms");
    args->ttl_ms = number_of(line, "ttl_ms");
    args->wait_ms = (uint32_t)number_of(line, "wait_ms");
    args->timeout_ms = (uint32_t)number_of(line, "timeout_ms");
    args->on_orphan = on_orphan && strcmp(on_orphan, "report") == 0
                          ? IDEM_REPORT
                          : IDEM_TAKEOVER;
    args->result_class =
        word && strcmp(word, "error") == 0 ? IDEM_CLASS_ERROR : 0;
    args->unbind = (int32_t)number_of(line, "unbind");
}

int32_t method_of(const char *call) {
    static const struct {
        const char *name;
        int32_t method;
    } methods[] = {{"acquire", IDEM_ACQUIRE}, {"complete", IDEM_COMPLETE},
                   {"release", IDEM_RELEASE}, {"renew", IDEM_RENEW},
                   {"peek", IDEM_PEEK},       {"in_child", IDEM_ACQUIRE},
                   {"run", IDEM_ACQUIRE}};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(methods[i].name, call) == 0) {
            return methods[i].method;
        }
    }
    return 0;
}

json_t *reply_to(const json_t *line) {
    return json_pack("{s:I}", "id", number_of(line, "id"));
}
