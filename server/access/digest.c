/* SPDX-License-Identifier: Apache-2.0 */
/* digest.c -- one number for what a version of the credentials allows, to be
 * compared with another node's. */
#include "server/access/credentials.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

/* A fact about a user: what it is, and its bytes. */
static uint64_t fact(const ids_user *user, uint8_t what, const void *bytes,
                     size_t len) {
    uint8_t hash[crypto_generichash_BYTES];
    crypto_generichash_state state;
    uint64_t number;
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    crypto_generichash_update(&state, (const uint8_t *)user->name,
                              strlen(user->name) + 1);
    crypto_generichash_update(&state, &what, 1);
    crypto_generichash_update(&state, bytes, len);
    crypto_generichash_final(&state, hash, sizeof hash);
    memcpy(&number, hash, sizeof number);
    return number;
}

/* What is added up has no order: as the file's words have none. */
static uint64_t of_user(const ids_user *user) {
    enum { WORDS, VERIFIER, EXACT, PREFIX = EXACT + IDS_GRANTS };
    uint64_t sum = fact(user, WORDS, &user->words, sizeof user->words);
    for (uint32_t i = 0; i < user->verifiers_count; i++)
        sum += fact(user, VERIFIER, user->verifiers[i].id, IDS_VERIFIER_BYTES);
    for (unsigned grant = 0; grant < IDS_GRANTS_OF_NAMESPACES; grant++) {
        const ids_patterns *of = &user->of[grant];
        for (uint32_t i = 0; i < of->count; i++) {
            const ids_pattern *one = &of->all[i];
            uint8_t first = one->is_prefix ? PREFIX : EXACT;
            sum += fact(user, (uint8_t)(first + grant), one->bytes, one->len);
        }
    }
    return sum;
}

uint64_t ids_credentials_digest(const ids_credentials *credentials) {
    uint64_t sum = 0;
    assert(credentials->users_count > 0 || credentials->verifiers_count == 0);
    for (uint32_t i = 0; i < credentials->users_count; i++)
        sum += of_user(&credentials->users[i]);
    return sum;
}
