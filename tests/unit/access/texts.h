/* SPDX-License-Identifier: Apache-2.0 */
/* texts.h -- files of credentials as the tests write them. */
#ifndef UNIT_ACCESS_TEXTS_H
#define UNIT_ACCESS_TEXTS_H

#include "server/access/credentials.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define RANDOM_A "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define RANDOM_B "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
/* Hashes that stand for nothing. */
#define HASH_1                                                 \
    "11111111111111111111111111111111111111111111111111111111" \
    "11111111"
#define HASH_2                                                 \
    "22222222222222222222222222222222222222222222222222222222" \
    "22222222"

static inline idp_slice slice_of(const char *text) {
    return (idp_slice){(const uint8_t *)text, strlen(text)};
}

/* sha256:HASH of this secret; borrowed until the fourth call from now. */
static inline const char *verifier_of(const char *secret) {
    static char texts[4][80];
    static int next;
    char *text = texts[next++ % 4];
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, (const uint8_t *)secret, strlen(secret));
    strcpy(text, "sha256:");
    sodium_bin2hex(text + 7, 80 - 7, hash, sizeof hash);
    return text;
}

/* It must be good. */
static inline ids_credentials *parse_good(const char *text) {
    char why[256] = "";
    ids_credentials *c =
        ids_credentials_parse(text, strlen(text), why, sizeof why);
    cr_assert(c, "refused: %s\n%s", why, text);
    return c;
}

/* It must be refused, and this be said. */
static inline void parse_bad(const char *text, size_t len, const char *said) {
    char why[256] = "";
    ids_credentials *c = ids_credentials_parse(text, len, why, sizeof why);
    cr_assert_null(c, "taken: %s", text);
    cr_assert(strstr(why, said), "%s\nis refused: %s\nand not for: %s", text,
              why, said);
}

#endif
