/* SPDX-License-Identifier: Apache-2.0 */
/* script.h -- a fake server that follows a list of replies, and what it saw. */
#ifndef SCRIPT_H
#define SCRIPT_H

#include <stdatomic.h>

#include "client/include/idemclient_admin.h"
#include "tests/unit/client/fake.h"

/* What the server has seen, and what it is told to do with each request. */
typedef struct script {
    _Atomic int requests;
    fake_reply replies[8]; /* the n-th one; the last goes on */
    int replies_count;
    idp_method methods[8];
    uint8_t nonces[8][IDP_NONCE_BYTES_MAX];
    size_t nonce_lens[8];
    uint32_t waits[8];
    idp_token tokens[8];
    bool had_result[8];
} script;

/* A fake_script; ctx is a script. */
void follow(void *ctx, uint64_t link, const idp_request *request,
            fake_reply *reply);

fake_reply answer_with(idp_answer answer);
fake_reply refuse_with(idp_error error, const char *text);
fake_server *serve(script *script_of);

/* Fails the test when it can't be opened. */
idem_client *open_client(const char *uri);
/* A client that knows two servers, in this order. */
idem_client *open_two(fake_server *first, fake_server *second,
                      const char *options);
void close_all(idem_client *client, fake_server *a, fake_server *b);
idem_args args_of(const char *key);

#endif
