/* SPDX-License-Identifier: Apache-2.0 */
/* credentials_tls.c -- who is let in by a client certificate, and what as.
 *
 *   credentials_tls IDEMSTORED */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/include/idemclient.h"
#include "tests/e2e/harness.h"
#include "tests/lib/tls_certs.h"

#define SECRET "idm_ops_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const char *program;
static char folder[32];
static daemon_t one;
static const char *authority = "ca.pem";

static const char *file(const char *name) {
    return certs_path(folder, name);
}

static void write_credentials(const char *more) {
    char text[1024], hex[65];
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const uint8_t *)SECRET, strlen(SECRET));
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    snprintf(text, sizeof text,
             "pay cert:URI:spiffe://prod/till-pay claim=pay,pay-*\n"
             "till cert:CN:till claim=till\n"
             "ops sha256:%s claim=ops\n%s",
             hex, more);
    certs_write(file("credentials"), text, 0600);
}

/* On loopback, and at another address (NULL: none) as well. */
static void start(const char *clients, const char *listen) {
    const daemon_spec spec = {
        .program = program,
        .flags = {"--threads", "2", "--max-memory", "128m", "--tls-cert",
                  file("server.pem"), "--tls-key", file("server.key"),
                  "--tls-ca", file(authority), "--tls-clients", clients,
                  "--credentials", file("credentials"),
                  listen != NULL ? "--listen" : NULL, listen}};
    daemon_start(&one, &spec);
}

/* What an acquire in this namespace hears. cert, secret: NULL for none. */
static int32_t hear(const char *cert, const char *secret, const char *ns,
                    idem_error *err) {
    char uri[1024], pem[64], key[64], shown[256] = "";
    idem_client *client = NULL;
    if (cert != NULL) {
        snprintf(pem, sizeof pem, "%s.pem", cert);
        snprintf(key, sizeof key, "%s.key", cert);
        snprintf(shown, sizeof shown, "&cert=%s&key=%s", file(pem), file(key));
    }
    snprintf(uri, sizeof uri, "idems://%s%s%s127.0.0.1:%u/%s?ca=%s%s",
             secret != NULL ? ":" : "", secret != NULL ? secret : "",
             secret != NULL ? "@" : "", one.port, ns, file("ca.pem"), shown);
    *err = (idem_error){.size = sizeof *err};
    CHECK(idem_client_open(uri, &client, err) == 0, "%s", err->text);
    const idem_args args = {.size = sizeof args,
                            .key = "k",
                            .key_len = 1,
                            .nonce = "n",
                            .nonce_len = 1,
                            .timeout_ms = 60000};
    int32_t code = idem_acquire(client, &args, NULL, err);
    idem_client_close(client);
    return code;
}

static void is_let_in(const char *cert, const char *secret, const char *ns) {
    idem_error err;
    CHECK(hear(cert, secret, ns, &err) == IDEM_OK, "%s in %s: %s", cert, ns,
          err.text);
}

static void is_denied(const char *cert, const char *secret, const char *ns,
                      const char *said) {
    idem_error err;
    int32_t code = hear(cert, secret, ns, &err);
    CHECK(code == IDEM_E_DENIED, "%s in %s: %s", cert, ns,
          idem_error_name(code));
    CHECK(strstr(err.text, said) != NULL, "%s in %s: %s", cert, ns, err.text);
}

static void by_certificate(void) {
    write_credentials("");
    start("optional", NULL);
    is_let_in("pay", NULL, "pay");
    is_let_in("pay", NULL, "pay-eu");
    is_denied("pay", NULL, "pay2", "namespace pay2: \"pay\" may not claim");
    is_let_in("till", NULL, "till");
    is_denied("client", NULL, "pay", "secret");
    is_denied(NULL, NULL, "pay", "secret");
    puts("  a certificate is compared exactly, and lets in as its line says");
    is_let_in(NULL, SECRET, "ops");
    is_let_in("pay", SECRET, "ops");
    is_denied("pay", SECRET, "pay", "\"ops\" may not claim");
    is_denied("pay", "wrong", "pay", "the secret is wrong");
    puts("  where both are shown the secret decides");
    daemon_stop(&one);
}

static void of_two_lines(void) {
    write_credentials("both cert:CN:pay claim=pay\n");
    start("required", NULL);
    is_denied("pay", NULL, "pay", "that of two credentials");
    is_let_in("till", NULL, "till");
    puts("  a certificate that fits two lines is let in by neither");
    daemon_stop(&one);
}

static void beyond_loopback(void) {
    write_credentials("");
    start("optional", "0.0.0.0:0");
    is_let_in(NULL, SECRET, "ops");
    puts("  with TLS credentials are taken beyond loopback");
    daemon_stop(&one);
}

/* A connection that stays. */
static idem_client *come_in(const char *cert, const char *ns) {
    char uri[1024], pem[64], key[64];
    idem_error err = {.size = sizeof err};
    idem_client *client = NULL;
    snprintf(pem, sizeof pem, "%s.pem", cert);
    snprintf(key, sizeof key, "%s.key", cert);
    snprintf(uri, sizeof uri, "idems://127.0.0.1:%u/%s?ca=%s&cert=%s&key=%s",
             one.port, ns, file("ca.pem"), file(pem), file(key));
    CHECK(idem_client_open(uri, &client, &err) == 0, "%s", err.text);
    return client;
}

static int32_t claim(idem_client *client, const char *key, idem_error *err) {
    const idem_args args = {.size = sizeof args,
                            .key = key,
                            .key_len = strlen(key),
                            .timeout_ms = 60000};
    *err = (idem_error){.size = sizeof *err};
    return idem_acquire(client, &args, NULL, err);
}

static void is_served(idem_client *client, const char *key) {
    idem_error err;
    CHECK(claim(client, key, &err) == IDEM_OK, "%s: %s", key, err.text);
}

static void reload(void) {
    CHECK(kill(one.child.pid, SIGHUP) == 0, "it is gone");
    CHECK(daemon_said(&one, "msg=\"settings reloaded\""), "not reloaded");
}

/* Until the last call was on a connection that was closed since. */
static void comes_to_be_denied(idem_client *client) {
    char key[32];
    idem_error err;
    int32_t code = IDEM_OK;
    for (int i = 0; code == IDEM_OK; i++) {
        snprintf(key, sizeof key, "until%d", i);
        code = claim(client, key, &err);
        e2e_sleep_ms(5);
    }
    /* The call that was under way as it was closed may not know its fate. */
    CHECK(strstr(err.text, "DENIED") != NULL, "%s", err.text);
}

#define TILLS 3

/* Less than half of those who are there. */
static void a_name_that_is_taken_out(void) {
    idem_client *pay, *till[TILLS];
    write_credentials("");
    start("optional", NULL);
    pay = come_in("pay", "pay");
    is_served(pay, "a");
    for (int i = 0; i < TILLS; i++) {
        till[i] = come_in("till", "till");
        is_served(till[i], (char[]){(char)('a' + i), '\0'});
    }
    reload();
    is_served(pay, "b");
    certs_write(file("credentials"), "till cert:CN:till claim=till\n", 0600);
    reload();
    comes_to_be_denied(pay);
    for (int i = 0; i < TILLS; i++) {
        is_served(till[i], (char[]){(char)('k' + i), '\0'});
        idem_client_close(till[i]);
    }
    idem_client_close(pay);
    puts("  a name that is taken out closes who came in by it, and no other");
    daemon_stop(&one);
}

static void trust(bool guests) {
    char *ours = certs_read(file("ca.pem")),
         *theirs = certs_read(file("ca2.pem"));
    char both[8192];
    snprintf(both, sizeof both, "%s%s", ours, guests ? theirs : "");
    certs_write(file("clients.pem"), both, 0600);
    free(ours);
    free(theirs);
}

/* The credentials are the same, the certificates' authorities are not. */
static void an_authority_that_is_taken_away(void) {
    write_credentials("guest cert:CN:guest claim=guest\n");
    trust(true);
    authority = "clients.pem";
    start("optional", NULL);
    idem_client *pay = come_in("pay", "pay");
    idem_client *guest = come_in("guest", "guest");
    is_served(pay, "a");
    is_served(guest, "a");
    trust(false);
    reload();
    comes_to_be_denied(guest);
    is_served(pay, "b");
    idem_client_close(pay);
    idem_client_close(guest);
    puts("  an authority that is taken away closes whom it has signed");
    daemon_stop(&one);
}

int main(int argc, char **argv) {
    CHECK(argc > 1 && sodium_init() >= 0, "usage: credentials_tls IDEMSTORED");
    program = argv[1];
    unsetenv("IDEMSTORE_SECRET");
    certs_begin(folder);
    certs_make_usual(folder);
    certs_make(folder, &(cert_spec){.name = "pay",
                                    .alt = "URI:spiffe://prod/till-pay",
                                    .issuer = "ca",
                                    .usage = "clientAuth"});
    certs_make(
        folder,
        &(cert_spec){.name = "till", .issuer = "ca", .usage = "clientAuth"});
    by_certificate();
    of_two_lines();
    beyond_loopback();
    certs_make(folder, &(cert_spec){.name = "ca2", .is_authority = true});
    certs_make(
        folder,
        &(cert_spec){.name = "guest", .issuer = "ca2", .usage = "clientAuth"});
    a_name_that_is_taken_out();
    an_authority_that_is_taken_away();
    certs_end(folder);
    return 0;
}
