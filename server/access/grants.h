/* SPDX-License-Identifier: Apache-2.0 */
/* grants.h -- what a credential may do, method by method.
 *
 * Pure. There are no deny rules and no order: a call is allowed by a grant that
 * names it, and by nothing else. */
#ifndef IDS_GRANTS_H
#define IDS_GRANTS_H

#include "proto/terms.h"

/* The words of the file. Those before ADMIN name namespaces. */
typedef enum ids_grant {
    IDS_GRANT_CLAIM,
    IDS_GRANT_READ,
    IDS_GRANT_RESOLVE,
    IDS_GRANT_ADMIN,
    IDS_GRANT_STATS,
    IDS_GRANTS
} ids_grant;

#define IDS_GRANTS_OF_NAMESPACES IDS_GRANT_ADMIN

/* "claim" ... */
const char *ids_grant_name(ids_grant grant);

/* Bits, 1u << ids_grant. */
typedef unsigned ids_grant_set;
#define IDS_GRANT_BIT(grant) (1u << (grant))
#define IDS_GRANTED_TO_ANY   0u /* who is admitted needs no grant for it */

/* Any one of these allows the method. */
ids_grant_set ids_grants_of_method(idp_method method);

/* Namespaces: one, or those that begin with it. "*" is the prefix of none. */
typedef struct ids_pattern {
    const uint8_t *bytes;
    uint8_t len; /* 0..IDP_NS_BYTES_MAX */
    bool is_prefix;
} ids_pattern;

typedef struct ids_patterns {
    const ids_pattern *all;
    uint32_t count; /* 0: none of them */
} ids_patterns;

bool ids_patterns_match(const ids_patterns *patterns, idp_slice ns);

typedef struct ids_user {
    ids_grant_set words; /* that stand in its line */
    ids_patterns of[IDS_GRANTS_OF_NAMESPACES];
    struct ids_verifier *verifiers;
    uint32_t verifiers_count;
    uint32_t line; /* of the file; 0: it comes from no file */
    char name[IDP_USER_BYTES_MAX + 1];
} ids_user;

/* Whether this call is allowed. A method about a key is so in its namespace, of
 * any other ns is not looked at. */
bool ids_user_may(const ids_user *user, idp_method method, idp_slice ns);

/* Whether it has this grant; one of namespaces: in this one. */
bool ids_user_has(const ids_user *user, ids_grant grant, idp_slice ns);

/* Why not, as the answer says it: namespace shop: "grafana" may not claim.
 * Never a key. A namespace stands as in the file, with %XX; a long one is cut.
 */
#define IDS_DENIAL_BYTES 200
void ids_user_denial(const ids_user *user, idp_method method, idp_slice ns,
                     char text[static IDS_DENIAL_BYTES]);

/* Whether the byte stands in the file as it is, not as %XX. */
bool ids_ns_byte_is_plain(uint8_t byte);

#endif
