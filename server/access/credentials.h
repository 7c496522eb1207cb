/* SPDX-License-Identifier: Apache-2.0 */
/* credentials.h -- who may come in, and what as: one version of it.
 *
 * Pure: text in, a version out; nothing in it changes afterwards but two
 * counts. It is shared by all workers, and freed with the last one who holds
 * it. Secrets are not in it, only what they are checked by. */
#ifndef IDS_CREDENTIALS_H
#define IDS_CREDENTIALS_H

#include "server/access/grants.h"

#include <stdatomic.h>

#define IDS_CREDENTIALS_LINES_MAX 1024
#define IDS_CREDENTIALS_BYTES_MAX (64u << 10)
#define IDS_VERIFIERS_A_LINE_MAX  8
#define IDS_VERIFIER_BYTES        32
#define IDS_CERT_NAME_BYTES_MAX   255

/* A secret: idm_NAME_ and these, base64url. */
#define IDS_SECRET_RANDOM_CHARS 43
#define IDS_USER_NAME_CHARS_MAX IDP_USER_BYTES_MAX

static inline bool ids_is_user_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

typedef enum ids_verifier_kind {
    IDS_VERIFIER_SHA256, /* of the whole secret, as it stands */
    IDS_VERIFIER_DNS,    /* a name in a verified client certificate */
    IDS_VERIFIER_URI,
    IDS_VERIFIER_CN
} ids_verifier_kind;

typedef struct ids_verifier {
    uint8_t id[IDS_VERIFIER_BYTES]; /* the hash; of a certificate's name, the
                                     * hash of what stands in the file */
    ids_verifier_kind kind;
    const ids_user *user;
    const char *cert_name;     /* of a certificate; else NULL */
    _Atomic uint32_t admitted; /* connections that it let in */
} ids_verifier;

typedef struct ids_credentials {
    _Atomic uint32_t holders;
    uint64_t number; /* of this version; whoever publishes it says it */
    bool any_name;   /* there is one user: every secret is compared with its */
    ids_user *users; /* by name */
    uint32_t users_count;
    ids_verifier *verifiers;
    uint32_t verifiers_count;
    ids_pattern *patterns;
    uint32_t patterns_count;
    uint8_t *bytes; /* what the others borrow from */
    size_t bytes_len;
} ids_credentials;

/* Reads the text of a file. NULL: why says what is wrong and, where it is of a
 * line, which: "line 3: ...". The one who gets it holds it. */
ids_credentials *ids_credentials_parse(const char *text, size_t len, char *why,
                                       size_t why_cap);

/* One user, "default", who may do everything and whose secret this is. NULL:
 * no memory. */
ids_credentials *ids_credentials_of_secret(idp_slice secret);

void ids_credentials_hold(ids_credentials *credentials);
/* NULL is fine. */
void ids_credentials_drop(ids_credentials *credentials);

/* Whose secret it is; NULL: nobody's. The time it takes does not tell whether
 * there is such a name, nor where a secret differs. */
ids_verifier *ids_credentials_find(const ids_credentials *credentials,
                                   idp_slice secret);

/* Whether a verified client certificate has exactly this name. */
typedef bool (*ids_cert_has)(const void *cert, ids_verifier_kind kind,
                             const char *name);

/* Whose certificate it is; NULL: nobody's, or that of two lines, and then
 * *is_ambiguous. */
ids_verifier *ids_credentials_find_cert(const ids_credentials *credentials,
                                        ids_cert_has has, const void *cert,
                                        bool *is_ambiguous);

/* The verifier with this id; NULL: it is not there any more. */
ids_verifier *
ids_credentials_by_id(const ids_credentials *credentials,
                      const uint8_t id[static IDS_VERIFIER_BYTES]);

/* Alike for two versions that let in the same, and as the same; in whatever
 * order their files say it. */
uint64_t ids_credentials_digest(const ids_credentials *credentials);

const ids_user *ids_credentials_user(const ids_credentials *credentials,
                                     const char *name);

/* The name in a secret, borrowed; len 0: it has none. */
idp_slice ids_secret_name(idp_slice secret);

/* Connections that are admitted, and those of them whose verifier is not in
 * next. */
typedef struct ids_admitted {
    uint64_t all, lost;
} ids_admitted;
ids_admitted ids_credentials_compare(const ids_credentials *now,
                                     const ids_credentials *next);
/* The same of one of now's users. */
ids_admitted ids_credentials_compare_user(const ids_user *user,
                                          const ids_credentials *next);

#endif
