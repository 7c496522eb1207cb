/* SPDX-License-Identifier: Apache-2.0 */
/* tls_reload.c -- the certificate is changed under load: who connects then is
 * shown the new one, who is connected stays, and what can't be used changes
 * nothing.
 *
 *   tls_reload IDEMSTORED [CALLS]     so many under reloads, instead of 2,000
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/include/idemclient.h"
#include "tests/e2e/harness.h"
#include "tests/lib/tls_certs.h"

#define LOADERS 2

static const char *program;
static char folder[32];
static uint16_t port;
static atomic_bool is_over;
static atomic_ulong answered;

static idem_client *client_of(const char *ca) {
    char plain[64], uri[512];
    idem_client *client = NULL;
    idem_error err = {.size = sizeof err};
    const idem_tls tls = {.size = sizeof tls, .ca = certs_path(folder, ca)};
    snprintf(plain, sizeof plain, "idems://127.0.0.1:%u/shop", port);
    CHECK(idem_tls_uri(plain, &tls, uri, sizeof uri, &err) == 0, "%s",
          err.text);
    CHECK(idem_client_open(uri, &client, &err) == 0, "%s", err.text);
    return client;
}

static int32_t ask_once(idem_client *client, const char *key, idem_error *err) {
    idem_args args = {.size = sizeof args, .key = key, .key_len = strlen(key)};
    *err = (idem_error){.size = sizeof *err};
    return idem_acquire(client, &args, NULL, err);
}

/* Keeps its connections, and asks all the while. */
static void *load(void *arg) {
    idem_client *client = client_of("ca.pem");
    for (unsigned i = 0; !atomic_load(&is_over); i++) {
        char key[64];
        idem_error err;
        snprintf(key, sizeof key, "load %d %u", *(int *)arg, i);
        CHECK(ask_once(client, key, &err) == 0, "%s", err.text);
        atomic_fetch_add(&answered, 1);
    }
    idem_client_close(client);
    return NULL;
}

/* A new connection is shown a certificate that this authority has signed, and
 * no other. */
static void is_shown(const char *ca, const char *other) {
    idem_error err;
    idem_client *client = client_of(ca);
    CHECK(ask_once(client, "shown", &err) == 0, "by %s: %s", ca, err.text);
    idem_client_close(client);
    client = client_of(other);
    CHECK(ask_once(client, "shown", &err) == IDEM_E_TLS, "by %s, too", other);
    idem_client_close(client);
}

/* Puts a file in another's place, as whole as it is. */
static void put(const char *from, const char *to) {
    char *text = certs_read(certs_path(folder, from));
    certs_write(certs_path(folder, to), text, 0600);
    free(text);
}

static void reload(const daemon_t *one, const char *says) {
    CHECK(kill(one->child.pid, SIGHUP) == 0, "it is gone");
    bool said = daemon_said(one, says);
    if (!said)
        child_print_log(&one->child);
    CHECK(said, "it does not say \"%s\"", says);
}

static void waits_for_good(const daemon_t *one, uint64_t end_s) {
    while (daemon_stat(one, "tls_certificate_end_s") == end_s)
        e2e_sleep_ms(20);
    CHECK(daemon_stat(one, "reload_failed") == 0, "it failed");
}

static void bad_files(const daemon_t *one) {
    char *cert = certs_read(certs_path(folder, "other.pem"));
    put("server.key", "live.key");
    reload(one, "live.key holds another key than that of the certificate");
    put("over.pem", "live.pem");
    put("over.key", "live.key");
    reload(one, "live.pem holds a certificate that expired");
    cert[strlen(cert) / 2] = '\0';
    certs_write(certs_path(folder, "live.pem"), cert, 0600);
    reload(one, "live.pem is cut off");
    put("other.pem", "live.pem");
    put("other.key", "live.key");
    CHECK(chmod(certs_path(folder, "live.key"), 0644) == 0, "no chmod");
    reload(one, "live.key may be read by others");
    unlink(certs_path(folder, "live.key"));
    reload(one, "live.key can't be opened");
    CHECK(daemon_stat(one, "reload_failed") == 1, "it is not told");
    free(cert);
}

static void waits_to_be_shown(const char *ca) {
    int32_t code;
    do {
        idem_error err;
        idem_client *client = client_of(ca);
        code = ask_once(client, "shown", &err);
        CHECK(code == 0 || code == IDEM_E_TLS, "%s", err.text);
        idem_client_close(client);
    } while (code != 0);
}

/* One certificate and the other, in turns, until so many calls are answered; of
 * those that have come back from reloads, the slowest is told. */
static void many_reloads(const daemon_t *one, unsigned long calls) {
    unsigned long most = atomic_load(&answered) + calls;
    unsigned reloads = 0;
    uint64_t longest_ms = 0;
    while (atomic_load(&answered) < most || reloads < 4) {
        bool is_other = reloads++ % 2 != 0;
        const char *ca = is_other ? "ca2.pem" : "ca.pem";
        put(is_other ? "other.pem" : "server.pem", "live.pem");
        put(is_other ? "other.key" : "server.key", "live.key");
        uint64_t before_ms = e2e_now_ms();
        CHECK(kill(one->child.pid, SIGHUP) == 0, "it is gone");
        waits_to_be_shown(ca);
        uint64_t took_ms = e2e_now_ms() - before_ms;
        longest_ms = took_ms > longest_ms ? took_ms : longest_ms;
        is_shown(ca, is_other ? "ca.pem" : "ca2.pem");
    }
    printf(
        "  %lu calls, %u reloads, in effect after %llu ms at most (%zu KiB)\n",
        atomic_load(&answered), reloads, (unsigned long long)longest_ms,
        daemon_rss_kb(one));
}

static void make_all(void) {
    certs_begin(folder);
    certs_make_usual(folder);
    certs_make(folder, &(cert_spec){.name = "ca2", .is_authority = true});
    certs_make(folder, &(cert_spec){.name = "other",
                                    .issuer = "ca2",
                                    .alt = "IP:127.0.0.1",
                                    .ends_s = 40 * DAY_S});
    certs_make(folder, &(cert_spec){.name = "over",
                                    .issuer = "ca",
                                    .begins_s = -2 * DAY_S,
                                    .ends_s = -DAY_S});
    put("server.pem", "live.pem");
    put("server.key", "live.key");
}

int main(int argc, char **argv) {
    daemon_t one;
    pthread_t threads[LOADERS];
    int numbers[LOADERS] = {0, 1};
    unsigned long calls = argc > 2 ? strtoul(argv[2], NULL, 10) : 2000;
    CHECK(argc > 1, "usage: tls_reload IDEMSTORED [CALLS]");
    program = argv[1];
    make_all();
    daemon_start(
        &one,
        &(daemon_spec){.program = program,
                       .flags = {"--threads", "2", "--tls", "optional",
                                 "--tls-cert", certs_path(folder, "live.pem"),
                                 "--tls-key", certs_path(folder, "live.key")}});
    port = one.port;
    for (int i = 0; i < LOADERS; i++)
        pthread_create(&threads[i], NULL, load, &numbers[i]);
    is_shown("ca.pem", "ca2.pem");
    uint64_t end_s = daemon_stat(&one, "tls_certificate_end_s");
    put("other.pem", "live.pem");
    put("other.key", "live.key");
    CHECK(kill(one.child.pid, SIGHUP) == 0, "it is gone");
    waits_for_good(&one, end_s);
    is_shown("ca2.pem", "ca.pem");
    puts("  who connects now is shown the new one");
    bad_files(&one);
    is_shown("ca2.pem", "ca.pem");
    puts("  what can't be used is named, and changes nothing");
    many_reloads(&one, calls);
    atomic_store(&is_over, true);
    for (int i = 0; i < LOADERS; i++)
        pthread_join(threads[i], NULL);
    daemon_stop(&one);
    puts("  and no call failed");
    certs_end(folder);
    return 0;
}
