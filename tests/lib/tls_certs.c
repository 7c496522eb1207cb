/* SPDX-License-Identifier: Apache-2.0 */
/* tls_certs.c -- see tls_certs.h. */
#include "tests/lib/tls_certs.h"

#include <assert.h>
#include <dirent.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void certs_begin(char folder[32]) {
    strcpy(folder, "/tmp/idem-tls-XXXXXX");
    char *made = mkdtemp(folder);
    assert(made != NULL);
}

void certs_end(const char *folder) {
    DIR *dir = opendir(folder);
    assert(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (entry->d_name[0] != '.')
            unlink(certs_path(folder, entry->d_name));
    closedir(dir);
    rmdir(folder);
}

const char *certs_path(const char *folder, const char *name) {
    static _Thread_local char paths[16][384];
    static _Thread_local unsigned next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void certs_write(const char *path, const char *text, unsigned mode) {
    unlink(path);
    FILE *file = fopen(path, "w");
    assert(file != NULL);
    fputs(text, file);
    fclose(file);
    int changed = chmod(path, (mode_t)mode);
    assert(changed == 0);
}

char *certs_read(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 65536);
    assert(file != NULL && text != NULL);
    size_t got = fread(text, 1, 65535, file);
    assert(got > 0);
    fclose(file);
    return text;
}

static const char *file_of(const char *folder, const char *name,
                           const char *ending) {
    char file[64];
    snprintf(file, sizeof file, "%s%s", name, ending);
    return certs_path(folder, file);
}

static X509 *read_cert(const char *path) {
    FILE *file = fopen(path, "r");
    assert(file != NULL);
    X509 *cert = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    assert(cert != NULL);
    return cert;
}

static EVP_PKEY *read_key(const char *path) {
    FILE *file = fopen(path, "r");
    assert(file != NULL);
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);
    assert(key != NULL);
    return key;
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value) {
    X509V3_CTX ctx;
    if (value == NULL)
        return;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *one = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert(one != NULL);
    X509_add_ext(cert, one, -1);
    X509_EXTENSION_free(one);
}

static X509 *fill(const cert_spec *spec, EVP_PKEY *key, X509 *issuer) {
    X509 *cert = X509_new();
    uint64_t serial = 0;
    long begins_s = spec->begins_s != 0 ? spec->begins_s : -DAY_S;
    long ends_s = spec->ends_s != 0 ? spec->ends_s : 30 * DAY_S;
    assert(cert != NULL && RAND_bytes((uint8_t *)&serial, 7) == 1);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), begins_s);
    X509_gmtime_adj(X509_getm_notAfter(cert), ends_s);
    X509_set_pubkey(cert, key);
    const char *cn = spec->cn != NULL ? spec->cn : spec->name;
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
                               (const uint8_t *)cn, -1, -1, 0);
    issuer = issuer != NULL ? issuer : cert;
    X509_set_issuer_name(cert, X509_get_subject_name(issuer));
    extend(cert, issuer, NID_basic_constraints,
           spec->is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(cert, issuer, NID_subject_alt_name, spec->alt);
    extend(cert, issuer, NID_ext_key_usage, spec->usage);
    return cert;
}

static void write_files(const char *folder, const char *name, X509 *cert,
                        EVP_PKEY *key) {
    FILE *file = fopen(file_of(folder, name, ".pem"), "w");
    assert(file != NULL && PEM_write_X509(file, cert) == 1);
    fclose(file);
    file = fopen(file_of(folder, name, ".key"), "w");
    assert(file != NULL &&
           PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    fclose(file);
    chmod(file_of(folder, name, ".key"), 0600);
}

void certs_make(const char *folder, const cert_spec *spec) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    EVP_PKEY *signs = key;
    X509 *issuer = NULL;
    assert(key != NULL);
    if (spec->issuer != NULL) {
        issuer = read_cert(file_of(folder, spec->issuer, ".pem"));
        signs = read_key(file_of(folder, spec->issuer, ".key"));
    }
    X509 *cert = fill(spec, key, issuer);
    int signature = X509_sign(cert, signs, EVP_sha256());
    assert(signature > 0);
    write_files(folder, spec->name, cert, key);
    if (signs != key)
        EVP_PKEY_free(signs);
    X509_free(issuer);
    X509_free(cert);
    EVP_PKEY_free(key);
}

void certs_make_usual(const char *folder) {
    certs_make(folder, &(cert_spec){.name = "ca", .is_authority = true});
    certs_make(folder,
               &(cert_spec){.name = "server",
                            .issuer = "ca",
                            .usage = "serverAuth",
                            .alt = "DNS:localhost,IP:127.0.0.1,IP:::1"});
    certs_make(folder, &(cert_spec){.name = "client",
                                    .issuer = "ca",
                                    .usage = "clientAuth",
                                    .cn = "payments",
                                    .alt = "URI:spiffe://prod/pay,"
                                           "DNS:pay.prod"});
}
