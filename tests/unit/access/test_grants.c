/* SPDX-License-Identifier: Apache-2.0 */
/* test_grants.c -- each method of the wire has a row; namespaces by pattern. */
#include "tests/unit/access/texts.h"

#include "proto/reply.h"

/* What the wire has, and what is needed for it; a method that is new has to be
 * written here as well as there. */
static const struct {
    const char *method;
    ids_grant_set needs;
} rows[] = {
    {"acquire", IDS_GRANT_BIT(IDS_GRANT_CLAIM)},
    {"complete", IDS_GRANT_BIT(IDS_GRANT_CLAIM)},
    {"release", IDS_GRANT_BIT(IDS_GRANT_CLAIM)},
    {"renew", IDS_GRANT_BIT(IDS_GRANT_CLAIM)},
    {"peek", IDS_GRANT_BIT(IDS_GRANT_CLAIM) | IDS_GRANT_BIT(IDS_GRANT_READ)},
    {"hello", IDS_GRANTED_TO_ANY},
    {"ping", IDS_GRANTED_TO_ANY},
    {"stats", IDS_GRANT_BIT(IDS_GRANT_STATS)},
    {"replication", IDS_GRANT_BIT(IDS_GRANT_STATS)},
    {"promote", IDS_GRANT_BIT(IDS_GRANT_ADMIN)},
    {"detach", IDS_GRANT_BIT(IDS_GRANT_ADMIN)},
    {"switchover", IDS_GRANT_BIT(IDS_GRANT_ADMIN)},
    {"snapshot", IDS_GRANT_BIT(IDS_GRANT_ADMIN)},
    {"backup", IDS_GRANT_BIT(IDS_GRANT_ADMIN)},
    {"metrics", IDS_GRANT_BIT(IDS_GRANT_STATS)},
    {"reload", IDS_GRANT_BIT(IDS_GRANT_ADMIN)},
    {"erase", IDS_GRANT_BIT(IDS_GRANT_RESOLVE)},
    {"resolve", IDS_GRANT_BIT(IDS_GRANT_RESOLVE)},
    {"namespaces", IDS_GRANT_BIT(IDS_GRANT_ADMIN)},
    {"list", IDS_GRANT_BIT(IDS_GRANT_READ)},
    {"inspect", IDS_GRANT_BIT(IDS_GRANT_READ)},
    {"events", IDS_GRANT_BIT(IDS_GRANT_READ)},
    {"clients", IDS_GRANT_BIT(IDS_GRANT_STATS)},
    {"kill", IDS_GRANT_BIT(IDS_GRANT_ADMIN)},
    {"slow", IDS_GRANT_BIT(IDS_GRANT_STATS)},
    {"config", IDS_GRANT_BIT(IDS_GRANT_ADMIN)},
    {"offer", IDS_GRANT_BIT(IDS_GRANT_ADMIN)},
};
#define ROWS (sizeof rows / sizeof rows[0])

Test(grants, each_method_and_command_has_a_row) {
    cr_assert_eq(ROWS, IDP_METHOD_COUNT);
    for (int method = 0; method < IDP_METHOD_COUNT; method++) {
        const char *name = idp_method_name((idp_method)method);
        size_t at = 0;
        while (at < ROWS && strcmp(rows[at].method, name) != 0)
            at++;
        cr_assert_lt(at, ROWS, "%s has no row", name);
        cr_assert_eq(ids_grants_of_method((idp_method)method), rows[at].needs,
                     "%s", name);
    }
}

/* Each method with each single grant: allowed by those of its row, by no other.
 */
Test(grants, a_method_is_allowed_by_its_grants_alone) {
    static const char *const lines[IDS_GRANTS] = {
        "u cert:CN:u claim=ns\n", "u cert:CN:u read=ns\n",
        "u cert:CN:u resolve=ns\n", "u cert:CN:u admin\n",
        "u cert:CN:u stats\n"};
    for (int grant = 0; grant < IDS_GRANTS; grant++) {
        ids_credentials *c = parse_good(lines[grant]);
        const ids_user *u = ids_credentials_user(c, "u");
        for (size_t i = 0; i < ROWS; i++) {
            idp_method method = 0;
            while (strcmp(idp_method_name(method), rows[i].method) != 0)
                method++;
            bool may = !rows[i].needs || rows[i].needs & IDS_GRANT_BIT(grant);
            cr_assert_eq(ids_user_may(u, method, slice_of("ns")), may,
                         "%s with %s", rows[i].method, lines[grant]);
        }
        ids_credentials_drop(c);
    }
}

static bool may_claim(const char *list, const char *ns) {
    char text[256];
    snprintf(text, sizeof text, "u cert:CN:u claim=%s\n", list);
    ids_credentials *c = parse_good(text);
    bool may =
        ids_user_may(ids_credentials_user(c, "u"), IDP_ACQUIRE, slice_of(ns));
    ids_credentials_drop(c);
    return may;
}

Test(grants, a_namespace_is_matched_whole) {
    cr_assert(may_claim("shop", "shop"));
    static const char *const others[] = {"shop2", "sho", "shop-",   "Shop",
                                         "",      "s",   "shopshop"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        cr_assert_not(may_claim("shop", others[i]), "%s", others[i]);
}

Test(grants, a_prefix_matches_what_begins_with_it) {
    cr_assert(may_claim("shop-*", "shop-"));
    cr_assert(may_claim("shop-*", "shop-eu"));
    cr_assert_not(may_claim("shop-*", "shop"));
    cr_assert_not(may_claim("shop-*", "shop2"));
    cr_assert_not(may_claim("shop-*", "xshop-eu"));
    cr_assert(may_claim("shop*", "shop2"));
    cr_assert(may_claim("shop*", "shop"));
}

Test(grants, a_star_is_all_and_the_empty_one) {
    cr_assert(may_claim("*", "shop"));
    cr_assert(may_claim("*", ""));
    cr_assert(may_claim("\"\"", ""));
    cr_assert_not(may_claim("\"\"", "shop"));
    cr_assert(may_claim("shop,\"\"", ""));
    cr_assert_not(may_claim("", "shop"));
    cr_assert_not(may_claim("", ""));
}

Test(grants, bytes_are_written_in_hex) {
    cr_assert(may_claim("a%20b", "a b"));
    cr_assert(may_claim("a%2ab", "a*b"));
    cr_assert(may_claim("a%2A", "a*"));
    cr_assert_not(may_claim("a%2A", "ab"));
    cr_assert(may_claim("%25*", "%x"));
    cr_assert(may_claim("%C3%A4,x", "\xc3\xa4"));
    cr_assert(may_claim("%61", "a"));
}

Test(grants, a_name_of_64_bytes) {
    char list[70], ns[66];
    memset(ns, 'n', 64);
    ns[64] = '\0';
    cr_assert(may_claim(ns, ns));
    snprintf(list, sizeof list, "%s*", ns);
    cr_assert(may_claim(list, ns));
    cr_assert_not(may_claim(ns, ns + 1));
    cr_assert_not(may_claim(list, ns + 1));
}

Test(grants, a_denial_names_namespace_and_user) {
    char text[IDS_DENIAL_BYTES], ns[65];
    ids_credentials *c = parse_good("grafana cert:CN:g stats\n");
    const ids_user *u = ids_credentials_user(c, "grafana");
    ids_user_denial(u, IDP_ACQUIRE, slice_of("shop"), text);
    cr_assert_str_eq(text, "namespace shop: \"grafana\" may not claim");
    ids_user_denial(u, IDP_PEEK, slice_of(""), text);
    cr_assert_str_eq(text, "namespace \"\": \"grafana\" may not claim or read");
    ids_user_denial(u, IDP_PROMOTE, (idp_slice){NULL, 0}, text);
    cr_assert_str_eq(text, "promote: \"grafana\" has no grant admin");
    memset(ns, '\n', 64);
    ns[64] = '\0';
    ids_user_denial(u, IDP_RENEW, slice_of(ns), text);
    cr_assert(strstr(text, "%0A%0A..."), "%s", text);
    cr_assert_null(strchr(text, '\n'));
    ids_credentials_drop(c);
}
