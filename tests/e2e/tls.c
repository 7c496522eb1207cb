/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c -- who is served by TLS, who is not, and what each of them hears.
 *
 *   tls IDEMSTORED */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/include/idemclient.h"
#include "tests/e2e/harness.h"
#include "tests/lib/tls_certs.h"

static const char *program;
static char folder[32];

static const char *file(const char *name) {
    return certs_path(folder, name);
}

/* The daemon shows the usual certificate. */
static void begin(daemon_t *one, const char *const more[6]) {
    daemon_spec spec = {.program = program,
                        .flags = {"--threads", "2", "--tls-cert",
                                  file("server.pem"), "--tls-key",
                                  file("server.key")}};
    for (int i = 0; more[i] != NULL; i++)
        spec.flags[6 + i] = more[i];
    daemon_start(one, &spec);
}

#define BEGIN(one, ...) begin(one, (const char *const[6]){__VA_ARGS__})

static idem_client *client_of(const char *scheme, uint16_t port,
                              const char *options) {
    char uri[512];
    idem_client *client = NULL;
    idem_error err = {.size = sizeof err};
    snprintf(uri, sizeof uri, "%s://127.0.0.1:%u/shop?%s", scheme, port,
             options);
    CHECK(idem_client_open(uri, &client, &err) == 0, "%s", err.text);
    return client;
}

static const char *trusting(const char *more) {
    static char options[256];
    snprintf(options, sizeof options, "ca=%s&%s", file("ca.pem"), more);
    return options;
}

static const char *as(const char *name) {
    char pem[64], key[64];
    static char options[512];
    snprintf(pem, sizeof pem, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    snprintf(options, sizeof options, "ca=%s&cert=%s&key=%s", file("ca.pem"),
             file(pem), file(key));
    return options;
}

/* Keys of all shards, so that connections move from loop to loop. */
static void is_served(idem_client *client, const char *who) {
    for (int i = 0; i < 20; i++) {
        char key[64];
        idem_error err = {.size = sizeof err};
        snprintf(key, sizeof key, "%s %d", who, i);
        idem_args args = {
            .size = sizeof args, .key = key, .key_len = strlen(key)};
        CHECK(idem_acquire(client, &args, NULL, &err) == 0, "%s: %s", who,
              err.text);
    }
    idem_client_close(client);
}

/* At the first call, with this code and these words. */
static void is_refused(idem_client *client, int32_t code, const char *words) {
    idem_error err = {.size = sizeof err};
    idem_args args = {.size = sizeof args, .key = "k", .key_len = 1};
    int32_t got = idem_acquire(client, &args, NULL, &err);
    CHECK(got == code, "%s: %s", idem_error_name(got), err.text);
    CHECK(strstr(err.text, words) != NULL, "%s", err.text);
    idem_client_close(client);
}

/* A client that says no hello. */
static void ping_is_denied(uint16_t port, const char *words) {
    wire w;
    idp_reply reply;
    CHECK(wire_open(&w, port), "can't connect");
    idp_request ping = {.method = IDP_PING};
    CHECK(wire_ask(&w, &ping, &reply), "no answer");
    CHECK(reply.is_error && reply.error == IDP_E_DENIED &&
              memmem(reply.text.ptr, reply.text.len, words, strlen(words)),
          "%.*s", (int)reply.text.len, (const char *)reply.text.ptr);
    CHECK(!wire_reply(&w, &reply), "it is not closed");
    wire_close(&w);
}

static void required(void) {
    static const char words[] = "this port wants TLS: use idems://";
    daemon_t one;
    BEGIN(&one, NULL);
    is_served(client_of("idems", one.port, trusting("")), "by TLS");
    is_refused(client_of("idem", one.port, ""), IDEM_E_DENIED, words);
    ping_is_denied(one.port, words);
    is_refused(client_of("idems", one.port, ""), IDEM_E_TLS, "signed by");
    CHECK(daemon_said(&one, "unknown CA"), "it does not say why");
    daemon_stop(&one);
    puts("  required: by TLS, and whoever comes plain is told");
}

static void optional(void) {
    daemon_t one;
    BEGIN(&one, "--tls", "optional");
    is_served(client_of("idems", one.port, trusting("")), "by TLS");
    is_served(client_of("idem", one.port, ""), "plain");
    daemon_stop(&one);
    puts("  optional: the one and the other");
}

static void no_certificate(void) {
    daemon_t one;
    daemon_start(&one, &(daemon_spec){.program = program});
    is_refused(client_of("idems", one.port, trusting("")), IDEM_E_TLS,
               "does not speak TLS");
    is_served(client_of("idem", one.port, ""), "plain");
    daemon_stop(&one);
    puts("  without a certificate: idems:// hears so at once");
}

static void unix_socket(void) {
    char path[64], flag[80];
    daemon_t one;
    wire w;
    snprintf(path, sizeof path, "/tmp/idemstore-tls-%d", (int)getpid());
    snprintf(flag, sizeof flag, "unix:%s", path);
    BEGIN(&one, "--listen", flag);
    wire_open_unix(&w, path);
    e2e_do_once(&w, "over-unix", "done");
    wire_close(&w);
    daemon_stop(&one);
    puts("  a unix socket is plain");
}

static void client_certificates(void) {
    static const char words[] = "a client certificate is needed";
    daemon_t one;
    certs_make(folder, &(cert_spec){.name = "stranger", .cn = "stranger"});
    BEGIN(&one, "--tls-ca", file("ca.pem"));
    is_served(client_of("idems", one.port, as("client")), "with a certificate");
    is_refused(client_of("idems", one.port, trusting("")), IDEM_E_DENIED,
               words);
    is_refused(client_of("idems", one.port, as("stranger")), IDEM_E_DENIED,
               "stranger");
    daemon_stop(&one);
    BEGIN(&one, "--tls-ca", file("ca.pem"), "--tls-clients", "optional");
    is_served(client_of("idems", one.port, as("client")), "with a certificate");
    is_served(client_of("idems", one.port, trusting("")), "without one");
    daemon_stop(&one);
    puts("  clients' certificates: demanded, or only asked for");
}

/* Ends by itself with this code, and says so. */
static void ends(const char *saying, const char *const flags[8]) {
    daemon_t one;
    daemon_spec spec = {.program = program, .own_listen = true};
    for (int i = 0; flags[i] != NULL; i++)
        spec.flags[i] = flags[i];
    daemon_start(&one, &spec);
    int code = daemon_exit(&one, 60);
    if (code != 64 || !daemon_has_said(&one, saying))
        child_print_log(&one.child);
    CHECK(code == 64, "ends with %d", code);
    CHECK(daemon_has_said(&one, saying), "it does not say \"%s\"", saying);
    unlink(one.child.log_path);
}

#define ENDS(saying, ...) ends(saying, (const char *const[8]){__VA_ARGS__})

static void bad_starts(void) {
    const char *cert = file("server.pem"), *key = file("server.key");
    certs_make(folder, &(cert_spec){.name = "over",
                                    .issuer = "ca",
                                    .begins_s = -2 * DAY_S,
                                    .ends_s = -DAY_S});
    ENDS("--tls-key: there is no TLS without --tls-cert", "--tls-key", key);
    ENDS("--tls: there is no TLS", "--tls", "required");
    ENDS("--tls-min: there is no TLS", "--tls-min", "1.2");
    ENDS("--tls-clients: needs --tls-ca", "--tls-cert", cert, "--tls-clients",
         "required");
    ENDS("--tls-min 1.1: must be", "--tls-min", "1.1");
    ENDS("client.key holds another key", "--tls-cert", cert, "--tls-key",
         file("client.key"));
    ENDS("nowhere.pem can't be opened", "--tls-cert", file("nowhere.pem"));
    ENDS("over.pem holds a certificate that expired", "--tls-cert",
         file("over.pem"), "--tls-key", file("over.key"));
    puts("  what can't be used ends the start, with the file and the reason");
}

int main(int argc, char **argv) {
    CHECK(argc > 1, "usage: tls IDEMSTORED");
    program = argv[1];
    certs_begin(folder);
    certs_make_usual(folder);
    required();
    optional();
    no_certificate();
    unix_socket();
    client_certificates();
    bad_starts();
    certs_end(folder);
    return 0;
}
