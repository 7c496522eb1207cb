/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_tls.c -- any bytes as what comes from a socket, to both sides of a TLS
 * connection, at any time of its life.
 *
 * The input is a list of steps, each a byte and a length byte: bytes of the
 * input to one side, words said by one side, carrying what waits, new keys, an
 * end. Whatever comes, no state is left that was final, output stays bounded,
 * and a failure has a sentence. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/tls/tls.h"
#include "tests/lib/tls_certs.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define PIPE_BYTES 262144u

typedef struct side {
    idp_tls *tls;
    idp_tls_state state; /* as it was seen last */
    uint8_t out[PIPE_BYTES];
    size_t out_len;
} side;

static idp_tls_context *server_context, *client_context;
static side sides[2]; /* the server, the client */

/* A folder of its own, which goes again: no file is read later. */
static void make_contexts(void) {
    char folder[32];
    idp_tls_why why;
    certs_begin(folder);
    certs_make_usual(folder);
    idp_tls_settings settings = {.cert_file = certs_path(folder, "server.pem"),
                                 .key_file = certs_path(folder, "server.key"),
                                 .ca_file = certs_path(folder, "ca.pem"),
                                 .min_version = IDP_TLS_1_2};
    server_context = idp_tls_context_new(&settings, &why);
    settings.cert_file = certs_path(folder, "client.pem");
    settings.key_file = certs_path(folder, "client.key");
    client_context = idp_tls_context_new(&settings, &why);
    assert(server_context != NULL && client_context != NULL);
    certs_end(folder);
}

static void check(side *at) {
    idp_tls_state now = idp_tls_state_of(at->tls);
    assert(now >= at->state);
    at->state = now;
    assert(idp_tls_waiting(at->tls) <= 65536);
    assert((now == IDP_TLS_FAILED) == (idp_tls_why_of(at->tls)[0] != '\0'));
    assert((now == IDP_TLS_FAILED) ==
           (idp_tls_fault_of(at->tls) != IDP_TLS_NO_FAULT));
    idp_tls_peer_facts facts = idp_tls_peer(at->tls);
    assert(facts.shown || !facts.verified);
}

static void hear(side *at, const uint8_t *bytes, size_t len) {
    uint8_t room[1000];
    size_t got;
    idp_slice came = {bytes, len};
    do {
        got = idp_tls_read(at->tls, &came, room, sizeof room);
    } while (got == sizeof room);
    assert(came.len == 0 || idp_tls_state_of(at->tls) >= IDP_TLS_ENDED);
    check(at);
}

static void say(side *at, size_t len) {
    static const uint8_t words[4096];
    idp_slice plain = {words, len * 16};
    if (PIPE_BYTES - at->out_len < 2 * idp_tls_bound(plain.len) + 65536)
        at->out_len = 0; /* the network has lost it */
    at->out_len += idp_tls_write(at->tls, &plain, at->out + at->out_len,
                                 PIPE_BYTES - at->out_len);
    check(at);
}

static void carry(side *from, side *to) {
    say(from, 0);
    hear(to, from->out, from->out_len);
    from->out_len = 0;
}

/* Bytes of the input that the step took. */
static size_t step(uint8_t what, uint8_t count, const uint8_t *bytes,
                   size_t len) {
    side *at = &sides[what & 1];
    side *other = &sides[(what & 1) ^ 1];
    size_t part = count < len ? count : len;
    switch (what >> 1 & 7) {
    case 0:
        hear(at, bytes, part);
        return part;
    case 1:
        say(at, count);
        break;
    case 2:
        idp_tls_update_keys(at->tls);
        break;
    case 3:
        idp_tls_close(at->tls);
        break;
    case 4:
        idp_tls_eof(at->tls);
        break;
    case 5: /* one byte of what is under way is another */
        if (at->out_len > 0)
            at->out[at->out_len * count / 256] ^= 1;
        break;
    default:
        carry(at, other);
        break;
    }
    check(at);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    if (server_context == NULL)
        make_contexts();
    memset(sides, 0, sizeof sides);
    sides[0].tls = idp_tls_accept(server_context, true);
    sides[1].tls =
        idp_tls_connect(client_context, "localhost", IDP_TLS_VERIFY_FULL);
    assert(sides[0].tls != NULL && sides[1].tls != NULL);
    for (size_t at = 0; at + 1 < len;)
        at += 2 + step(bytes[at], bytes[at + 1], bytes + at + 2, len - at - 2);
    idp_tls_free(sides[0].tls);
    idp_tls_free(sides[1].tls);
    return 0;
}
