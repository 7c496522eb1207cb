/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_credentials.c -- any bytes as a file of credentials.
 *
 * What is taken holds together: each verifier is its user's, each user is found
 * by name, and no secret that nobody wrote down opens anything. What is refused
 * says why. */
#include "server/access/credentials.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_user(const ids_credentials *c, const ids_user *user) {
    size_t name_len = strlen(user->name);
    assert(name_len >= 1 && name_len <= IDS_USER_NAME_CHARS_MAX);
    assert(ids_credentials_user(c, user->name) == user);
    assert(user->verifiers_count >= 1 &&
           user->verifiers_count <= IDS_VERIFIERS_A_LINE_MAX);
    for (uint32_t i = 0; i < user->verifiers_count; i++) {
        const ids_verifier *one = &user->verifiers[i];
        assert(one->user == user);
        assert(ids_credentials_by_id(c, one->id) == one);
    }
    for (int grant = 0; grant < IDS_GRANTS_OF_NAMESPACES; grant++) {
        const ids_patterns *of = &user->of[grant];
        assert(of->count == 0 || user->words & IDS_GRANT_BIT(grant));
        for (uint32_t i = 0; i < of->count; i++) {
            const ids_pattern *one = &of->all[i];
            assert(one->len <= IDP_NS_BYTES_MAX);
            assert(ids_patterns_match(of, (idp_slice){one->bytes, one->len}));
        }
    }
}

static void check_secret(const ids_credentials *c, idp_slice secret) {
    idp_slice name = ids_secret_name(secret);
    assert(name.len <= IDS_USER_NAME_CHARS_MAX);
    assert(ids_credentials_find(c, secret) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    char why[256] = "";
    ids_credentials *c =
        ids_credentials_parse((const char *)bytes, len, why, sizeof why);
    if (!c) {
        assert(why[0] != '\0' && strlen(why) < sizeof why);
        return 0;
    }
    assert(len <= IDS_CREDENTIALS_BYTES_MAX && bytes[len - 1] == '\n');
    assert(c->users_count >= 1 && c->users_count <= IDS_CREDENTIALS_LINES_MAX);
    for (uint32_t i = 0; i < c->users_count; i++)
        check_user(c, &c->users[i]);
    check_secret(c, (idp_slice){bytes, len < 256 ? len : 256});
    ids_credentials_drop(c);
    return 0;
}
