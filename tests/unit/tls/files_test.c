/* SPDX-License-Identifier: Apache-2.0 */
/* files_test.c -- files that are no good: each is told by its name, and why. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/tls_certs.h"
#include "tests/unit/tls/both.h"

static char folder[32];

static void begin(void) {
    certs_begin(folder);
    certs_make_usual(folder);
}

static void end(void) {
    certs_end(folder);
}

TestSuite(tls_files, .init = begin, .fini = end);

static const char *at(const char *name) {
    return certs_path(folder, name);
}

static void refused(const idp_tls_settings *settings, const char *file,
                    const char *words) {
    idp_tls_why why;
    cr_assert_null(idp_tls_context_new(settings, &why));
    cr_assert(strstr(why.text, file) != NULL, "%s", why.text);
    cr_assert(strstr(why.text, words) != NULL, "%s", why.text);
}

static void refused_own(const char *cert, const char *key, const char *file,
                        const char *words) {
    idp_tls_settings settings = {.cert_file = at(cert), .key_file = at(key)};
    refused(&settings, file, words);
}

static void accepted(const idp_tls_settings *settings) {
    idp_tls_why why;
    idp_tls_context *context = idp_tls_context_new(settings, &why);
    cr_assert_not_null(context, "%s", why.text);
    idp_tls_context_drop(context);
}

Test(tls_files, what_is_missing) {
    refused_own("none.pem", "server.key", "none.pem", "No such file");
    refused_own("server.pem", "none.key", "none.key", "No such file");
    idp_tls_settings settings = {.ca_file = at("none.pem")};
    refused(&settings, "none.pem", "No such file");
    settings = (idp_tls_settings){.key_file = at("server.key")};
    refused(&settings, "server.key", "no certificate file");
    settings = (idp_tls_settings){.ca_file = folder};
    refused(&settings, folder, "is a folder");
}

Test(tls_files, what_may_not_be_read) {
    if (geteuid() == 0)
        return; /* root may read all */
    certs_write(at("shut.pem"), "", 0);
    refused_own("shut.pem", "server.key", "shut.pem", "Permission denied");
}

Test(tls_files, what_is_no_pem) {
    certs_write(at("der.pem"), "\x30\x82\x01\x02", 0600);
    refused_own("der.pem", "server.key", "der.pem", "is not PEM");
    certs_write(at("empty.pem"), "", 0600);
    refused_own("empty.pem", "server.key", "empty.pem", "it is empty");
    refused_own("server.key", "server.key", "server.key",
                "holds no certificate");
    refused_own("server.pem", "server.pem", "server.pem", "chmod 600");
    char *cert = certs_read(at("server.pem"));
    certs_write(at("nokey.pem"), cert, 0600);
    free(cert);
    refused_own("nokey.pem", "nokey.pem", "nokey.pem", "holds no private key");
}

Test(tls_files, what_is_half_written) {
    char *whole = certs_read(at("server.pem"));
    size_t len = strlen(whole);
    for (size_t cut = 28; cut < len - 1; cut += 13) {
        char *half = strdup(whole);
        half[cut] = '\0';
        certs_write(at("half.pem"), half, 0644);
        refused_own("half.pem", "server.key", "half.pem", "is cut off");
        free(half);
    }
    whole[len - 60] = '!';
    certs_write(at("bad.pem"), whole, 0644);
    refused_own("bad.pem", "server.key", "bad.pem", "can't be read, number 1");
    free(whole);
}

Test(tls_files, a_key_that_others_may_read) {
    static const unsigned bad[] = {0604, 0602, 0620, 0644, 0660, 0777};
    static const unsigned good[] = {0600, 0400, 0640, 0440};
    idp_tls_settings settings = {.cert_file = at("server.pem"),
                                 .key_file = at("server.key")};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        chmod(settings.key_file, (mode_t)bad[i]);
        refused(&settings, "server.key", "chmod 600 or 640");
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        chmod(settings.key_file, (mode_t)good[i]);
        accepted(&settings);
    }
}

Test(tls_files, a_key_of_another_certificate) {
    refused_own("server.pem", "client.key", "client.key",
                "holds another key than that of the certificate in");
}

Test(tls_files, a_key_under_a_passphrase) {
    certs_write(
        at("locked.key"),
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        "MIHjME4GCSqGSIb3DQEFDTBBMCkGCSqGSIb3DQEFDDAcBAgfF1cF2XpBrQICCAAw\n"
        "DAYIKoZIhvcNAgkFADAUBggqhkiG9w0DBwQIAAAAAAAAAAAEgZAAAAAAAAAAAAAA\n"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
        "-----END ENCRYPTED PRIVATE KEY-----\n",
        0600);
    refused_own("server.pem", "locked.key", "locked.key", "passphrase");
}

Test(tls_files, a_certificate_out_of_its_time) {
    certs_make(folder, &(cert_spec){.name = "old",
                                    .issuer = "ca",
                                    .begins_s = -3 * DAY_S,
                                    .ends_s = -60});
    refused_own("old.pem", "old.key", "old.pem", "expired 20");
    certs_make(folder, &(cert_spec){.name = "new",
                                    .issuer = "ca",
                                    .begins_s = 3600,
                                    .ends_s = DAY_S});
    refused_own("new.pem", "new.key", "new.pem", "is not valid before 20");
}

Test(tls_files, a_chain_and_its_key_in_one_file) {
    char all[16384];
    char *cert = certs_read(at("server.pem"));
    char *ca = certs_read(at("ca.pem"));
    char *key = certs_read(at("server.key"));
    snprintf(all, sizeof all, "%s%s%s", cert, ca, key);
    certs_write(at("all.pem"), all, 0600);
    idp_tls_settings settings = {.cert_file = at("all.pem"),
                                 .ca_file = at("all.pem")};
    accepted(&settings);
    char broken[16384];
    ca[60] = '!';
    snprintf(broken, sizeof broken, "%s%s%s", cert, ca, key);
    certs_write(at("broken.pem"), broken, 0600);
    refused_own("broken.pem", "broken.pem", "broken.pem", "number 2");
    settings = (idp_tls_settings){.ca_file = at("broken.pem")};
    refused(&settings, "broken.pem", "number 2");
    free(cert);
    free(ca);
    free(key);
}

Test(tls_files, a_file_without_end) {
    idp_tls_settings settings = {.ca_file = "/dev/zero"};
    refused(&settings, "/dev/zero", "larger than 1024 KiB");
}
