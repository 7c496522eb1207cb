/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.c -- see credentials.h. What stands in a file is parse.c's. */
#include "server/access/credentials.h"

#include "server/access/parse.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_BEGINS "idm_"

/* One version ------------------------------------------------------------- */

/* Room for so many of each; NULL: no memory. */
static ids_credentials *new_credentials(size_t users, size_t verifiers,
                                        size_t patterns, size_t bytes) {
    ids_credentials *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->holders = 1;
    c->users = calloc(users + 1, sizeof *c->users);
    c->verifiers = calloc(verifiers + 1, sizeof *c->verifiers);
    c->patterns = calloc(patterns + 1, sizeof *c->patterns);
    c->bytes = malloc(bytes + 1);
    if (c->users && c->verifiers && c->patterns && c->bytes)
        return c;
    ids_credentials_drop(c);
    return NULL;
}

void ids_credentials_hold(ids_credentials *c) {
    atomic_fetch_add_explicit(&c->holders, 1, memory_order_relaxed);
}

void ids_credentials_drop(ids_credentials *c) {
    if (!c ||
        atomic_fetch_sub_explicit(&c->holders, 1, memory_order_acq_rel) != 1)
        return;
    free(c->users);
    free(c->verifiers);
    free(c->patterns);
    free(c->bytes);
    free(c);
}

static size_t count_marks(const char *text, size_t len, char mark) {
    size_t count = 0;
    for (size_t i = 0; i < len; i++)
        count += text[i] == mark;
    return count;
}

static int by_name(const void *one, const void *other) {
    return strcmp(((const ids_user *)one)->name,
                  ((const ids_user *)other)->name);
}

/* Users go into the order of their names, and their verifiers know where. */
static void sort_users(ids_credentials *c) {
    qsort(c->users, c->users_count, sizeof *c->users, by_name);
    for (uint32_t i = 0; i < c->users_count; i++) {
        const ids_user *user = &c->users[i];
        size_t first = (size_t)(user->verifiers - c->verifiers);
        for (uint32_t k = 0; k < user->verifiers_count; k++)
            c->verifiers[first + k].user = user;
    }
}

ids_credentials *ids_credentials_parse(const char *text, size_t len, char *why,
                                       size_t why_cap) {
    if (len > IDS_CREDENTIALS_BYTES_MAX) {
        snprintf(why, why_cap, "it has more than %u KiB",
                 IDS_CREDENTIALS_BYTES_MAX >> 10);
        return NULL;
    }
    size_t lines = count_marks(text, len, '\n') + 1;
    size_t commas = count_marks(text, len, ',');
    ids_credentials *c = new_credentials(
        lines, lines + commas, count_marks(text, len, '=') + commas, len);
    if (!c) {
        snprintf(why, why_cap, "there is no memory for it");
        return NULL;
    }
    if (!ids_credentials_fill(c, text, len, why, why_cap)) {
        ids_credentials_drop(c);
        return NULL;
    }
    sort_users(c);
    return c;
}

ids_credentials *ids_credentials_of_secret(idp_slice secret) {
    ids_credentials *c = new_credentials(1, 1, 1, 0);
    if (!c)
        return NULL;
    ids_user *user = &c->users[0];
    c->any_name = true;
    c->users_count = c->verifiers_count = c->patterns_count = 1;
    c->patterns[0] = (ids_pattern){.bytes = c->bytes, .is_prefix = true};
    strcpy(user->name, "default");
    user->words = IDS_GRANT_BIT(IDS_GRANTS) - 1;
    for (int i = 0; i < IDS_GRANTS_OF_NAMESPACES; i++)
        user->of[i] = (ids_patterns){c->patterns, 1};
    user->verifiers = c->verifiers;
    user->verifiers_count = 1;
    c->verifiers[0].user = user;
    crypto_hash_sha256(c->verifiers[0].id, secret.ptr, secret.len);
    return c;
}

/* Who it is --------------------------------------------------------------- */

const ids_user *ids_credentials_user(const ids_credentials *c,
                                     const char *name) {
    ids_user wanted = {.words = 0};
    snprintf(wanted.name, sizeof wanted.name, "%s", name);
    return bsearch(&wanted, c->users, c->users_count, sizeof *c->users,
                   by_name);
}

static bool is_base64url(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* From the end: the random part may have a _ in it. */
idp_slice ids_secret_name(idp_slice secret) {
    static const idp_slice none = {NULL, 0};
    size_t head = sizeof SECRET_BEGINS - 1;
    if (secret.len < head + 1 + 1 + IDS_SECRET_RANDOM_CHARS ||
        memcmp(secret.ptr, SECRET_BEGINS, head) != 0)
        return none;
    size_t mark = secret.len - IDS_SECRET_RANDOM_CHARS - 1;
    if (secret.ptr[mark] != '_' || mark - head > IDS_USER_NAME_CHARS_MAX)
        return none;
    for (size_t i = mark + 1; i < secret.len; i++)
        if (!is_base64url(secret.ptr[i]))
            return none;
    for (size_t i = head; i < mark; i++)
        if (!ids_is_user_char((char)secret.ptr[i]))
            return none;
    return (idp_slice){secret.ptr + head, mark - head};
}

/* Whose it would be: a secret without a name is that of the line default. */
static const ids_user *named_by(const ids_credentials *c, idp_slice secret) {
    char name[IDS_USER_NAME_CHARS_MAX + 1] = "default";
    idp_slice said = ids_secret_name(secret);
    if (c->any_name)
        return &c->users[0];
    if (said.len) {
        memcpy(name, said.ptr, said.len);
        name[said.len] = '\0';
    }
    return ids_credentials_user(c, name);
}

/* As many comparisons whatever there is to compare with. */
ids_verifier *ids_credentials_find(const ids_credentials *c, idp_slice secret) {
    static const ids_verifier dummy = {.kind = IDS_VERIFIER_SHA256};
    const ids_user *user = named_by(c, secret);
    ids_verifier *found = NULL;
    uint8_t hash[IDS_VERIFIER_BYTES];
    static_assert(sizeof hash == crypto_hash_sha256_BYTES, "it is a sha256");
    crypto_hash_sha256(hash, secret.ptr, secret.len);
    for (uint32_t i = 0; i < IDS_VERIFIERS_A_LINE_MAX; i++) {
        bool is_there = user && i < user->verifiers_count;
        const ids_verifier *one = is_there ? &user->verifiers[i] : &dummy;
        bool same = sodium_memcmp(one->id, hash, sizeof hash) == 0;
        if (same && is_there && one->kind == IDS_VERIFIER_SHA256)
            found = &user->verifiers[i];
    }
    sodium_memzero(hash, sizeof hash);
    return found;
}

ids_verifier *ids_credentials_find_cert(const ids_credentials *c,
                                        ids_cert_has has, const void *cert,
                                        bool *is_ambiguous) {
    ids_verifier *found = NULL;
    *is_ambiguous = false;
    for (uint32_t i = 0; i < c->verifiers_count; i++) {
        ids_verifier *one = &c->verifiers[i];
        if (one->kind == IDS_VERIFIER_SHA256 ||
            !has(cert, one->kind, one->cert_name))
            continue;
        *is_ambiguous |= found && found->user != one->user;
        if (!found)
            found = one;
    }
    return *is_ambiguous ? NULL : found;
}

/* From one version to the next -------------------------------------------- */

ids_verifier *
ids_credentials_by_id(const ids_credentials *c,
                      const uint8_t id[static IDS_VERIFIER_BYTES]) {
    for (uint32_t i = 0; i < c->verifiers_count; i++)
        if (memcmp(c->verifiers[i].id, id, IDS_VERIFIER_BYTES) == 0)
            return &c->verifiers[i];
    return NULL;
}

static ids_admitted compare_verifiers(const ids_verifier *all, uint32_t many,
                                      const ids_credentials *next) {
    ids_admitted sum = {0, 0};
    for (uint32_t i = 0; i < many; i++) {
        uint32_t count =
            atomic_load_explicit(&all[i].admitted, memory_order_relaxed);
        sum.all += count;
        if (count && !ids_credentials_by_id(next, all[i].id))
            sum.lost += count;
    }
    return sum;
}

ids_admitted ids_credentials_compare(const ids_credentials *now,
                                     const ids_credentials *next) {
    return compare_verifiers(now->verifiers, now->verifiers_count, next);
}

ids_admitted ids_credentials_compare_user(const ids_user *user,
                                          const ids_credentials *next) {
    return compare_verifiers(user->verifiers, user->verifiers_count, next);
}
