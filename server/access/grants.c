/* SPDX-License-Identifier: Apache-2.0 */
/* grants.c -- see grants.h. */
#include "server/access/grants.h"

#include "proto/reply.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* A namespace in an answer: with its %XX, so many characters. */
#define SHOWN_NS_CHARS 64
#define NEEDS_CHARS    64

const char *ids_grant_name(ids_grant grant) {
    static const char *const names[IDS_GRANTS] = {[IDS_GRANT_CLAIM] = "claim",
                                                  [IDS_GRANT_READ] = "read",
                                                  [IDS_GRANT_RESOLVE] =
                                                      "resolve",
                                                  [IDS_GRANT_ADMIN] = "admin",
                                                  [IDS_GRANT_STATS] = "stats"};
    assert(grant < IDS_GRANTS);
    return names[grant];
}

#define CLAIM   IDS_GRANT_BIT(IDS_GRANT_CLAIM)
#define READ    IDS_GRANT_BIT(IDS_GRANT_READ)
#define RESOLVE IDS_GRANT_BIT(IDS_GRANT_RESOLVE)
#define ADMIN   IDS_GRANT_BIT(IDS_GRANT_ADMIN)
#define STATS   IDS_GRANT_BIT(IDS_GRANT_STATS)

/* A new method is a new row here: what it needs is decided, not inherited. */
ids_grant_set ids_grants_of_method(idp_method method) {
    switch (method) {
    case IDP_ACQUIRE:
    case IDP_COMPLETE:
    case IDP_RELEASE:
    case IDP_RENEW:
        return CLAIM;
    case IDP_PEEK:
        return CLAIM | READ;
    case IDP_LIST:    /* the rows of those namespaces */
    case IDP_EVENTS:  /* events of those namespaces */
    case IDP_INSPECT: /* token and result to who may resolve there */
        return READ;
    case IDP_RESOLVE:
    case IDP_ERASE:
        return RESOLVE;
    case IDP_HELLO:
    case IDP_PING:
        return IDS_GRANTED_TO_ANY;
    case IDP_STATS:
    case IDP_REPLICATION:
    case IDP_METRICS:
    case IDP_CLIENTS: /* addresses to who may administer */
    case IDP_SLOW:
        return STATS;
    case IDP_NAMESPACES: /* names are told to who may administer */
    case IDP_PROMOTE:
    case IDP_DETACH:
    case IDP_SWITCHOVER:
    case IDP_SNAPSHOT:
    case IDP_BACKUP:
    case IDP_RELOAD:
    case IDP_KILL:
    case IDP_CONFIG:
    case IDP_OFFER:
        return ADMIN;
    case IDP_METHOD_COUNT:
        break;
    }
    return ADMIN;
}

bool ids_patterns_match(const ids_patterns *patterns, idp_slice ns) {
    for (uint32_t i = 0; i < patterns->count; i++) {
        const ids_pattern *one = &patterns->all[i];
        bool fits = one->is_prefix ? ns.len >= one->len : ns.len == one->len;
        if (fits &&
            (one->len == 0 || memcmp(one->bytes, ns.ptr, one->len) == 0))
            return true;
    }
    return false;
}

__attribute__((noinline)) static bool
may_by_any(const ids_user *user, idp_method method, idp_slice ns) {
    ids_grant_set need = ids_grants_of_method(method);
    ids_grant_set has = need & user->words;
    if (need == IDS_GRANTED_TO_ANY ||
        has >= IDS_GRANT_BIT(IDS_GRANTS_OF_NAMESPACES))
        return true;
    if ((method == IDP_LIST || method == IDP_EVENTS) && ns.ptr == NULL)
        return user->of[IDS_GRANT_READ].count > 0; /* of those */
    for (int i = 0; i < IDS_GRANTS_OF_NAMESPACES; i++)
        if (has & IDS_GRANT_BIT(i) && ids_patterns_match(&user->of[i], ns))
            return true;
    return false;
}

bool ids_user_has(const ids_user *user, ids_grant grant, idp_slice ns) {
    if (!(user->words & IDS_GRANT_BIT(grant)))
        return false;
    return grant >= IDS_GRANTS_OF_NAMESPACES ||
           ids_patterns_match(&user->of[grant], ns);
}

static_assert(IDP_ACQUIRE == 0 && IDP_PEEK == 4,
              "claim allows the methods up to peek");

/* Asked for each call: where it is about the first namespace of claim=, which
 * is most of the time, that is all that is looked at. */
bool ids_user_may(const ids_user *user, idp_method method, idp_slice ns) {
    const ids_patterns *claims = &user->of[IDS_GRANT_CLAIM];
    if (method <= IDP_PEEK && claims->count) {
        const ids_pattern *first = claims->all;
        if (ns.len == first->len && ns.len &&
            memcmp(first->bytes, ns.ptr, ns.len) == 0)
            return true;
    }
    return may_by_any(user, method, ns);
}

bool ids_ns_byte_is_plain(uint8_t byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') ||
           (byte != 0 && strchr("._:/-", byte) != NULL);
}

static void show_ns(idp_slice ns, char text[static SHOWN_NS_CHARS + 8]) {
    char *to = text;
    memcpy(text, "\"\"", 3);
    for (size_t i = 0; i < ns.len; i++) {
        if (to - text > SHOWN_NS_CHARS - 3) {
            memcpy(to, "...", 4);
            return;
        }
        to += sprintf(to, ids_ns_byte_is_plain(ns.ptr[i]) ? "%c" : "%%%02X",
                      ns.ptr[i]);
    }
}

/* "claim or read", for any one of them. */
static void put_needs(ids_grant_set need, char text[static NEEDS_CHARS]) {
    size_t len = 0;
    text[0] = '\0';
    for (int i = 0; i < IDS_GRANTS; i++)
        if (need & IDS_GRANT_BIT(i))
            len += (size_t)snprintf(text + len, NEEDS_CHARS - len, "%s%s",
                                    len ? " or " : "",
                                    ids_grant_name((ids_grant)i));
    assert(len < NEEDS_CHARS);
}

void ids_user_denial(const ids_user *user, idp_method method, idp_slice ns,
                     char text[static IDS_DENIAL_BYTES]) {
    ids_grant_set need = ids_grants_of_method(method);
    char needs[NEEDS_CHARS], shown[SHOWN_NS_CHARS + 8];
    put_needs(need, needs);
    if (need >= IDS_GRANT_BIT(IDS_GRANTS_OF_NAMESPACES)) {
        snprintf(text, IDS_DENIAL_BYTES, "%s: \"%s\" has no grant %s",
                 idp_method_name(method), user->name, needs);
        return;
    }
    show_ns(ns, shown);
    snprintf(text, IDS_DENIAL_BYTES, "namespace %s: \"%s\" may not %s", shown,
             user->name, needs);
}
