/* SPDX-License-Identifier: Apache-2.0 */
/* both.c -- see both.h. */
#include "tests/unit/tls/both.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *with(const char *folder, const char *name,
                        const char *ending) {
    char file[64];
    if (name == NULL)
        return NULL;
    snprintf(file, sizeof file, "%s%s", name, ending);
    return certs_path(folder, file);
}

idp_tls_context *context_of(const char *folder, const char *cert,
                            const char *ca, const both_options *options,
                            idp_tls_version least) {
    idp_tls_why why;
    idp_tls_settings settings = {.cert_file = with(folder, cert, ".pem"),
                                 .key_file = with(folder, cert, ".key"),
                                 .ca_file = with(folder, ca, ".pem"),
                                 .any_purpose = options->any_purpose,
                                 .min_version = least};
    idp_tls_context *context = idp_tls_context_new(&settings, &why);
    if (context == NULL)
        fprintf(stderr, "%s\n", why.text);
    assert(context != NULL);
    return context;
}

static void engines_begin(both *b, const both_options *options) {
    b->server.tls =
        idp_tls_accept(b->server_context, options->server_ca != NULL);
    b->client.tls = idp_tls_connect(
        b->client_context, options->host != NULL ? options->host : "localhost",
        options->verify);
    assert(b->server.tls != NULL && b->client.tls != NULL);
    b->server.in_len = b->client.in_len = 0;
    b->server.heard_len = b->client.heard_len = 0;
}

both *both_begin(const both_options *options) {
    both *b = calloc(1, sizeof *b);
    assert(b != NULL);
    b->chunk = PIPE_BYTES;
    certs_begin(b->folder);
    certs_make_usual(b->folder);
    const char *cert =
        options->server_cert != NULL ? options->server_cert : "server";
    const char *ca = options->client_ca != NULL ? options->client_ca : "ca";
    b->server_context = context_of(b->folder, cert, options->server_ca, options,
                                   options->server_least);
    b->client_context = context_of(b->folder, options->client_cert, ca, options,
                                   options->client_least);
    engines_begin(b, options);
    return b;
}

static void engines_end(both *b) {
    idp_tls_free(b->server.tls);
    idp_tls_free(b->client.tls);
}

void both_again(both *b, const both_options *options) {
    engines_end(b);
    engines_begin(b, options);
}

void both_end(both *b) {
    engines_end(b);
    idp_tls_context_drop(b->server_context);
    idp_tls_context_drop(b->client_context);
    certs_end(b->folder);
    free(b);
}

size_t output(side *from, uint8_t *to, size_t room) {
    return idp_tls_write(from->tls, NULL, to, room);
}

static void hear(side *at, idp_slice *came) {
    size_t got;
    size_t room;
    do {
        room = sizeof at->heard - at->heard_len;
        got = idp_tls_read(at->tls, came, at->heard + at->heard_len, room);
        at->heard_len += got;
    } while (got == room);
}

static bool carry(both *b, side *from, side *to) {
    to->in_len += output(from, to->in + to->in_len, PIPE_BYTES - to->in_len);
    if (to->in_len == 0)
        return false;
    size_t part = to->in_len < b->chunk ? to->in_len : b->chunk;
    idp_slice came = {to->in, part};
    hear(to, &came);
    memmove(to->in, to->in + part, to->in_len - part);
    to->in_len -= part;
    return true;
}

void both_pump(both *b) {
    bool moved = true;
    while (moved) {
        moved = carry(b, &b->client, &b->server);
        moved |= carry(b, &b->server, &b->client);
    }
}

void feed(both *b, side *to, const uint8_t *bytes, size_t len) {
    idp_slice came = {bytes, len};
    (void)b;
    hear(to, &came);
}

void say(both *b, side *from, const void *bytes, size_t len) {
    side *to = from == &b->client ? &b->server : &b->client;
    idp_slice plain = {bytes, len};
    while (plain.len > 0) {
        size_t before = plain.len;
        to->in_len += idp_tls_write(from->tls, &plain, to->in + to->in_len,
                                    PIPE_BYTES - to->in_len);
        if (plain.len == before)
            break;
    }
    both_pump(b);
}

void say_text(both *b, side *from, const char *text) {
    say(b, from, text, strlen(text));
}

bool heard_is(const side *at, const char *text) {
    return at->heard_len == strlen(text) &&
           memcmp(at->heard, text, at->heard_len) == 0;
}

bool is_up(const side *at) {
    return idp_tls_state_of(at->tls) == IDP_TLS_UP;
}
