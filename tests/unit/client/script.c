/* SPDX-License-Identifier: Apache-2.0 */
/* script.c -- see script.h. */
#include "tests/unit/client/script.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

void follow(void *ctx, uint64_t link, const idp_request *request,
            fake_reply *reply) {
    script *script_of = ctx;
    (void)link;
    int n = atomic_load(&script_of->requests);
    int last = script_of->replies_count - 1;
    *reply = script_of->replies[n < last ? n : last];
    if (n < 8) {
        script_of->methods[n] = request->method;
        script_of->nonce_lens[n] = request->nonce.len;
        if (request->nonce.len > 0)
            memcpy(script_of->nonces[n], request->nonce.ptr,
                   request->nonce.len);
        script_of->waits[n] = request->wait_ms;
        script_of->tokens[n] = request->token;
        script_of->had_result[n] = request->result.ptr != NULL;
    }
    atomic_fetch_add(&script_of->requests, 1);
}

fake_reply answer_with(idp_answer answer) {
    return (fake_reply){.action = FAKE_ANSWER, .answer = answer};
}

fake_reply refuse_with(idp_error error, const char *text) {
    return (fake_reply){.action = FAKE_REFUSE, .error = error, .text = text};
}

fake_server *serve(script *script_of) {
    fake_config config = {.script = follow, .ctx = script_of};
    return fake_start(&config);
}

idem_client *open_client(const char *uri) {
    idem_client *client = NULL;
    idem_error err = {.size = sizeof err};
    cr_assert_eq(idem_client_open(uri, &client, &err), 0, "%s", err.text);
    return client;
}

idem_args args_of(const char *key) {
    return (idem_args){
        .size = sizeof(idem_args), .key = key, .key_len = strlen(key)};
}

idem_client *open_two(fake_server *first, fake_server *second,
                      const char *options) {
    char uri[128];
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u,127.0.0.1:%u/t?%s",
             fake_port(first), fake_port(second), options);
    return open_client(uri);
}

void close_all(idem_client *client, fake_server *a, fake_server *b) {
    idem_client_close(client);
    fake_stop(a);
    fake_stop(b);
}
