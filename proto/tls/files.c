/* SPDX-License-Identifier: Apache-2.0 */
/* files.c -- certificates, keys and authorities out of their files. Each
 * refusal names the file and what is wrong with it. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "proto/tls/inner.h"

#define FILE_BYTES_MAX (1u << 20) /* all authorities of a system are less */

typedef struct text_file {
    const char *path;
    const char *what; /* "certificate" */
    char *text;       /* NUL at its end */
    size_t len;
    BIO *bio;
} text_file;

static bool refuse_files(idp_tls_why *why, const text_file *file,
                         const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse_files(idp_tls_why *why, const text_file *file,
                         const char *format, ...) {
    char reason[256];
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    snprintf(why->text, sizeof why->text, "the %s file %.200s %s", file->what,
             file->path, reason);
    ERR_clear_error();
    return false;
}

static bool check_mode(const text_file *file, const struct stat *about,
                       idp_tls_why *why) {
    if ((about->st_mode & (S_IRWXO | S_IWGRP)) == 0)
        return true;
    return refuse_files(
        why, file,
        "may be read by others, or written by its group (mode %04o): "
        "chmod 600 or 640",
        (unsigned)about->st_mode & 07777);
}

static bool read_text_file(text_file *file, int fd, idp_tls_why *why) {
    file->text = malloc(FILE_BYTES_MAX + 1);
    if (file->text == NULL)
        return refuse_files(why, file, "can't be read: there is no memory");
    for (;;) {
        ssize_t got =
            read(fd, file->text + file->len, FILE_BYTES_MAX + 1 - file->len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return refuse_files(why, file, "can't be read: %s",
                                strerror(errno));
        if (got == 0)
            break;
        file->len += (size_t)got;
        if (file->len > FILE_BYTES_MAX)
            return refuse_files(why, file, "is larger than %u KiB",
                                FILE_BYTES_MAX / 1024);
    }
    file->text[file->len] = '\0';
    return true;
}

static unsigned count_words(const char *text, const char *words) {
    unsigned count = 0;
    while ((text = strstr(text, words)) != NULL) {
        text += strlen(words);
        count++;
    }
    return count;
}

/* Whole, and of PEM. */
static bool check_form(const text_file *file, idp_tls_why *why) {
    unsigned begins = count_words(file->text, "-----BEGIN ");
    unsigned ends = count_words(file->text, "-----END ");
    bool is_cut = begins != ends;
    const char *last = NULL;
    for (const char *at = file->text; (at = strstr(at, "-----END ")) != NULL;
         at++)
        last = at;
    if (begins == 0)
        return refuse_files(
            why, file, "is not PEM: there is no line -----BEGIN ...-----%s",
            file->len == 0 ? ", it is empty" : "");
    if (last != NULL && strstr(last + 9, "-----") == NULL)
        is_cut = true;
    if (is_cut)
        return refuse_files(
            why, file,
            "is cut off: a -----BEGIN line has no -----END line; is "
            "it just being written?");
    return true;
}

static bool open_text_file(text_file *file, bool is_secret, idp_tls_why *why) {
    struct stat about;
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return refuse_files(why, file, "can't be opened: %s", strerror(errno));
    bool good = fstat(fd, &about) == 0;
    if (!good)
        refuse_files(why, file, "can't be opened: %s", strerror(errno));
    else if (S_ISDIR(about.st_mode))
        good = refuse_files(why, file, "is a folder");
    good = good && (!is_secret || check_mode(file, &about, why)) &&
           read_text_file(file, fd, why) && check_form(file, why);
    close(fd);
    if (good &&
        (file->bio = BIO_new_mem_buf(file->text, (int)file->len)) == NULL)
        good = refuse_files(why, file, "can't be read: there is no memory");
    return good;
}

static void close_text_file(text_file *file) {
    BIO_free(file->bio);
    if (file->text != NULL)
        OPENSSL_cleanse(file->text, file->len);
    free(file->text);
}

/* No memory of the next certificate is an end like any other. */
static X509 *next_cert(text_file *file) {
    X509 *cert = PEM_read_bio_X509(file->bio, NULL, NULL, NULL);
    return cert;
}

static bool is_at_end(void) {
    unsigned long code = ERR_peek_last_error();
    bool at_end = ERR_GET_LIB(code) == ERR_LIB_PEM &&
                  ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
    if (at_end)
        ERR_clear_error();
    return at_end;
}

static bool refuse_part(const text_file *file, unsigned number,
                        idp_tls_why *why) {
    char reason[160];
    idp_tls_reason(reason, sizeof reason);
    return refuse_files(why, file,
                        "has a certificate that can't be read, number %u: "
                        "%s",
                        number, reason);
}

/* ------------------------------------------------------------- our own */

static int64_t unix_seconds(const ASN1_TIME *date) {
    struct tm at;
    if (ASN1_TIME_to_tm(date, &at) != 1)
        return 0;
    return (int64_t)timegm(&at);
}

static bool check_dates(const text_file *file, X509 *cert, int64_t *end_s,
                        idp_tls_why *why) {
    char date[40];
    time_t now = time(NULL);
    *end_s = unix_seconds(X509_get0_notAfter(cert));
    if (X509_cmp_time(X509_get0_notAfter(cert), &now) < 0) {
        idp_tls_date(X509_get0_notAfter(cert), date, sizeof date);
        return refuse_files(why, file, "holds a certificate that expired %s",
                            date);
    }
    if (X509_cmp_time(X509_get0_notBefore(cert), &now) > 0) {
        idp_tls_date(X509_get0_notBefore(cert), date, sizeof date);
        return refuse_files(
            why, file,
            "holds a certificate that is not valid before %s; is the "
            "clock right?",
            date);
    }
    return true;
}

static bool use_certs(idp_tls_context *context, text_file *file,
                      idp_tls_why *why) {
    X509 *cert = next_cert(file);
    if (cert == NULL && is_at_end())
        return refuse_files(why, file, "holds no certificate");
    if (cert == NULL)
        return refuse_part(file, 1, why);
    bool good = check_dates(file, cert, &context->end_s, why);
    if (good && SSL_CTX_use_certificate(context->ctx, cert) != 1)
        good = refuse_part(file, 1, why);
    X509_free(cert);
    for (unsigned number = 2; good && (cert = next_cert(file)) != NULL;
         number++) {
        if (SSL_CTX_add0_chain_cert(context->ctx, cert) != 1) {
            X509_free(cert);
            good = refuse_part(file, number, why);
        }
    }
    if (good && !is_at_end())
        good = refuse_part(file, 2, why);
    return good;
}

/* A daemon has nobody to ask. */
static int no_passphrase(char *to, int size, int writing, void *asked) {
    (void)to;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static bool use_key(idp_tls_context *context, text_file *file,
                    const char *cert_file, idp_tls_why *why) {
    bool asked = false;
    char reason[160];
    if (file->text == NULL || strstr(file->text, "PRIVATE KEY-----") == NULL)
        return refuse_files(why, file, "holds no private key");
    EVP_PKEY *key =
        PEM_read_bio_PrivateKey(file->bio, NULL, no_passphrase, &asked);
    if (key == NULL && asked)
        return refuse_files(why, file,
                            "holds a key under a passphrase, and there is "
                            "nobody to ask for it");
    if (key == NULL) {
        idp_tls_reason(reason, sizeof reason);
        return refuse_files(why, file, "holds a key that can't be read: %s",
                            reason);
    }
    bool good = X509_check_private_key(SSL_CTX_get0_certificate(context->ctx),
                                       key) == 1 &&
                SSL_CTX_use_PrivateKey(context->ctx, key) == 1;
    EVP_PKEY_free(key);
    return good ||
           refuse_files(why, file,
                        "holds another key than that of the certificate in "
                        "%.100s",
                        cert_file);
}

static bool load_own(idp_tls_context *context, const idp_tls_settings *settings,
                     idp_tls_why *why) {
    bool is_one = settings->key_file == NULL;
    text_file cert = {.path = settings->cert_file, .what = "certificate"};
    text_file key = {.path = is_one ? settings->cert_file : settings->key_file,
                     .what = "key"};
    bool good =
        open_text_file(&cert, false, why) && use_certs(context, &cert, why);
    close_text_file(&cert);
    good = good && open_text_file(&key, true, why) &&
           use_key(context, &key, settings->cert_file, why);
    close_text_file(&key);
    return good;
}

/* --------------------------------------------------------- authorities */

#define NAMES_SENT_MAX 16 /* a request for a certificate stays small */

static bool use_authorities(idp_tls_context *context, text_file *file,
                            idp_tls_why *why) {
    X509_STORE *store = SSL_CTX_get_cert_store(context->ctx);
    unsigned count = 0;
    X509 *cert;
    while ((cert = next_cert(file)) != NULL) {
        bool good = X509_STORE_add_cert(store, cert) == 1;
        if (good && count < NAMES_SENT_MAX)
            good = SSL_CTX_add_client_CA(context->ctx, cert) == 1;
        X509_free(cert);
        count++;
        if (!good)
            return refuse_part(file, count, why);
    }
    if (!is_at_end())
        return refuse_part(file, count + 1, why);
    if (count == 0)
        return refuse_files(why, file, "holds no certificate");
    /* One that is named is trusted, whoever has signed it. */
    return X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) == 1;
}

static bool load_authorities(idp_tls_context *context, const char *path,
                             idp_tls_why *why) {
    text_file file = {.path = path, .what = "authorities'"};
    bool good = open_text_file(&file, false, why) &&
                use_authorities(context, &file, why);
    close_text_file(&file);
    snprintf(context->ca_name, sizeof context->ca_name, "%.200s", path);
    context->has_ca = good;
    return good;
}

bool idp_tls_load(idp_tls_context *context, const idp_tls_settings *settings,
                  idp_tls_why *why) {
    if (settings->cert_file == NULL && settings->key_file != NULL) {
        snprintf(why->text, sizeof why->text,
                 "there is a key file, %.200s, and no certificate file",
                 settings->key_file);
        return false;
    }
    if (settings->cert_file != NULL && !load_own(context, settings, why))
        return false;
    snprintf(context->ca_name, sizeof context->ca_name, "this system");
    if (settings->ca_file != NULL)
        return load_authorities(context, settings->ca_file, why);
    if (settings->system_ca)
        context->has_ca = SSL_CTX_set_default_verify_paths(context->ctx) == 1;
    ERR_clear_error();
    return true;
}
