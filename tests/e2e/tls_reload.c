/* SPDX-License-Identifier: Apache-2.0 */
/* tls_reload.c -- a certificate is replaced while clients are served.
 *
 *   tls_reload IDEMSTORED */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/include/idemclient.h"
#include "tests/e2e/harness.h"
#include "tests/lib/tls_certs.h"

static char folder[32];

/* What the daemon's flags name. */
static void show(const char *certificate, const char *key) {
    char *text = certs_read(certs_path(folder, certificate));
    certs_write(certs_path(folder, "shown.pem"), text, 0644);
    free(text);
    text = certs_read(certs_path(folder, key));
    certs_write(certs_path(folder, "shown.key"), text, 0600);
    free(text);
}

static idem_client *trusts(const daemon_t *daemon, const char *authority) {
    char uri[256];
    idem_client *client = NULL;
    idem_error err = {.size = sizeof err};
    snprintf(uri, sizeof uri, "idems://127.0.0.1:%u/shop?ca=%s", daemon->port,
             certs_path(folder, authority));
    CHECK(idem_client_open(uri, &client, &err) == 0, "%s", err.text);
    return client;
}

static int32_t call(idem_client *client) {
    static int number;
    char key[32];
    idem_error err = {.size = sizeof err};
    snprintf(key, sizeof key, "k%d", number++);
    idem_args args = {.size = sizeof args, .key = key, .key_len = strlen(key)};
    return idem_acquire(client, &args, NULL, &err);
}

static void hears(const daemon_t *daemon, const char *authority, int32_t code) {
    idem_client *client = trusts(daemon, authority);
    int32_t got = call(client);
    CHECK(got == code, "who trusts %s hears %s", authority,
          idem_error_name(got));
    idem_client_close(client);
}

static void reload(const daemon_t *daemon, const char *line) {
    kill(daemon->child.pid, SIGHUP);
    bool said = daemon_said(daemon, line);
    if (!said)
        child_print_log(&daemon->child);
    CHECK(said, "it does not say %s", line);
}

int main(int argc, char **argv) {
    daemon_t daemon;
    CHECK(argc == 2, "usage: tls_reload IDEMSTORED");
    certs_begin(folder);
    certs_make_usual(folder);
    certs_make(folder, &(cert_spec){.name = "next-ca", .is_authority = true});
    certs_make(folder, &(cert_spec){.name = "next",
                                    .issuer = "next-ca",
                                    .usage = "serverAuth",
                                    .alt = "IP:127.0.0.1"});
    show("server.pem", "server.key");
    daemon_start(
        &daemon,
        &(daemon_spec){.program = argv[1],
                       .flags = {"--threads", "1", "--tls-cert",
                                 certs_path(folder, "shown.pem"), "--tls-key",
                                 certs_path(folder, "shown.key")}});
    idem_client *old = trusts(&daemon, "ca.pem");
    CHECK(call(old) == 0, "not served");
    show("next.pem", "server.key");
    reload(&daemon, "settings not reloaded: all stays as it was\" reason=\"--"
                    "tls-cert: the key file");
    hears(&daemon, "ca.pem", 0);
    puts("  a key of another certificate: the old ones stay");
    show("next.pem", "next.key");
    reload(&daemon, "msg=\"settings reloaded\"");
    hears(&daemon, "next-ca.pem", 0);
    hears(&daemon, "ca.pem", IDEM_E_TLS);
    puts("  both: who connects from now on is shown the new one");
    for (int i = 0; i < 20; i++)
        CHECK(call(old) == 0, "who was there before is not served any more");
    puts("  who was connected is served on");
    idem_client_close(old);
    daemon_stop(&daemon);
    certs_end(folder);
    return 0;
}
