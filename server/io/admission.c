/* SPDX-License-Identifier: Apache-2.0 */
/* admission.c -- see admission.h. */
#include "server/io/admission.h"

#include "server/access/file.h"
#include "server/base/log.h"
#include "server/line/admit.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static bool complain_admission(const char *what, const char *flag,
                               const char *path, const char *why) {
    ids_log(IDS_LOG_ERROR, what, "at=\"%s %s\" reason=\"%s\"", flag, path, why);
    return false;
}

/* A secret of --secret-file beside credentials is that of the line default. */
static bool fits_default(const ids_credentials *read, const ids_secret *secret,
                         const ids_config *config,
                         char why[static IDS_ADMISSION_WHY_BYTES]) {
    const ids_verifier *found =
        ids_credentials_find(read, (idp_slice){secret->bytes, secret->len});
    if (found && strcmp(found->user->name, "default") == 0)
        return true;
    snprintf(
        why, IDS_ADMISSION_WHY_BYTES,
        "%.200s: the secret of --secret-file %.200s must stand there, in a "
        "line that begins with default",
        config->credentials, config->secret_file);
    return false;
}

static ids_credentials *combine(const ids_config *config,
                                const ids_secret *secret,
                                char why[static IDS_ADMISSION_WHY_BYTES]) {
    if (!config->credentials) {
        ids_credentials *read =
            ids_credentials_of_secret((idp_slice){secret->bytes, secret->len});
        if (!read)
            snprintf(why, IDS_ADMISSION_WHY_BYTES, "there is no memory for it");
        return read;
    }
    ids_credentials *read =
        ids_credentials_load(config->credentials, why, IDS_ADMISSION_WHY_BYTES);
    if (!read || !secret->len || fits_default(read, secret, config, why))
        return read;
    ids_credentials_drop(read);
    return NULL;
}

ids_credentials *ids_admission_read(const ids_config *config,
                                    char why[static IDS_ADMISSION_WHY_BYTES]) {
    ids_secret secret = {.len = 0};
    char what[256];
    const char *path = config->secret_file;
    ids_credentials *read = NULL;
    if (path && !ids_secret_load(&secret, path, what, sizeof what))
        snprintf(why, IDS_ADMISSION_WHY_BYTES, "%.200s: %s", path, what);
    else
        read = combine(config, &secret, why);
    sodium_memzero(&secret, sizeof secret);
    return read;
}

bool ids_admission_open(ids_access **access, const ids_config *config) {
    char why[IDS_ADMISSION_WHY_BYTES] = "there is no memory for it";
    const char *path =
        config->credentials ? config->credentials : config->secret_file;
    if (!path)
        return true;
    ids_credentials *read = ids_admission_read(config, why);
    *access = read ? ids_access_new(read) : NULL;
    if (*access)
        return true;
    ids_credentials_drop(read);
    return config->credentials
               ? complain_admission("the credentials can't be used",
                                    "--credentials", path, why)
               : complain_admission("the secret can't be used", "--secret-file",
                                    path, why);
}

bool ids_admission_peer_secrets(const ids_secret **secrets,
                                const ids_config *config) {
    char why[256] = "there is no memory for it";
    bool is_own = config->peer_secret_file != NULL;
    const char *flag = is_own ? "--peer-secret-file" : "--secret-file";
    const char *path = is_own ? config->peer_secret_file : config->secret_file;
    if (!path)
        return true;
    /* libsodium's pages: locked where that is allowed, MADV_DONTDUMP. */
    ids_secret *two = sodium_malloc(2 * sizeof *two);
    *secrets = two;
    if (!two)
        return complain_admission("the secret can't be used", flag, path, why);
    memset(two, 0, 2 * sizeof *two);
    bool good =
        is_own ? ids_secret_load_two(&two[0], &two[1], path, why, sizeof why)
               : ids_secret_load(&two[0], path, why, sizeof why);
    return good ||
           complain_admission("the secret can't be used", flag, path, why);
}

void ids_admission_forget(const ids_secret *secrets) {
    sodium_free((void *)(uintptr_t)secrets);
}

/* Reload ------------------------------------------------------------------ */

static ids_admitted compare_with_now(ids_access *access,
                                     const ids_credentials *next) {
    ids_credentials *now = ids_access_take(access);
    ids_admitted of = ids_credentials_compare(now, next);
    ids_credentials_drop(now);
    return of;
}

static bool is_most(ids_admitted of) {
    return of.lost > of.all / 2;
}

ids_credentials *
ids_admission_reread(ids_access *access, const ids_config *config, bool force,
                     char why[static IDS_ADMISSION_WHY_BYTES]) {
    ids_credentials *next = ids_admission_read(config, why);
    ids_admitted of = next ? compare_with_now(access, next) : (ids_admitted){0};
    if (force || !is_most(of))
        return next;
    snprintf(why, IDS_ADMISSION_WHY_BYTES,
             "%.200s: it would close %llu of the %llu connections that are "
             "admitted; to rotate a secret put the new one beside the old one "
             "first, or: idemctl reload --force",
             config->credentials, (unsigned long long)of.lost,
             (unsigned long long)of.all);
    ids_credentials_drop(next);
    return NULL;
}

void ids_admission_preview(ids_access *access, const ids_credentials *next,
                           ids_preview *preview) {
    ids_credentials *now = ids_access_take(access);
    ids_admitted sum = ids_credentials_compare(now, next);
    preview->closed = sum.lost;
    preview->admitted = sum.all;
    if (is_most(sum))
        ids_preview_add(preview, "most connections are closed: needs --force");
    for (uint32_t i = 0; i < now->users_count; i++) {
        const ids_user *user = &now->users[i];
        ids_admitted of = ids_credentials_compare_user(user, next);
        if (of.lost)
            ids_preview_add(preview, "%s: closes %llu of its %llu connections",
                            user->name, (unsigned long long)of.lost,
                            (unsigned long long)of.all);
    }
    ids_credentials_drop(now);
}

void ids_admission_apply(ids_access *access, ids_line *first,
                         ids_credentials *next) {
    ids_admitted of = compare_with_now(access, next);
    unsigned users = next->users_count;
    ids_access_publish(access, next);
    ids_log(IDS_LOG_INFO, "credentials taken",
            "users=%u admitted=%llu closed=%llu", users,
            (unsigned long long)of.all, (unsigned long long)of.lost);
    ids_worker_tell_others(&first->worker, IDS_NOTICE_CREDENTIALS);
    ids_admit_renew(first);
}
