/* SPDX-License-Identifier: Apache-2.0 */
/* test_secrets.c -- whose secret, or certificate, it is. */
#include "tests/unit/access/texts.h"

static ids_credentials *c;

static const char *user_of(const char *secret) {
    const ids_verifier *found = ids_credentials_find(c, slice_of(secret));
    return found ? found->user->name : "nobody";
}

static void parse_lines(const char *format, const char *one,
                        const char *other) {
    char text[512];
    snprintf(text, sizeof text, format, verifier_of(one), verifier_of(other));
    c = parse_good(text);
}

#define SHOP    "idm_shop_" RANDOM_A
#define ROTATED "idm_shop_" RANDOM_B

static void drop(void) {
    ids_credentials_drop(c);
}

TestSuite(secrets, .fini = drop);

Test(secrets, name_themselves) {
    parse_lines("shop %s claim=shop\nops %s admin\n", SHOP,
                "idm_ops_" RANDOM_B);
    cr_assert_str_eq(user_of(SHOP), "shop");
    cr_assert_str_eq(user_of("idm_ops_" RANDOM_B), "ops");
    /* Another's random part is no secret of this name. */
    cr_assert_str_eq(user_of("idm_shop_" RANDOM_B), "nobody");
    cr_assert_str_eq(user_of("idm_none_" RANDOM_A), "nobody");
    cr_assert_str_eq(user_of("sesame"), "nobody");
    cr_assert_str_eq(user_of(""), "nobody");
    cr_assert_str_eq(user_of(SHOP " "), "nobody");
}

Test(secrets, may_be_two_while_they_rotate) {
    parse_lines("shop %s,%s claim=shop\n", SHOP, ROTATED);
    cr_assert_str_eq(user_of(SHOP), "shop");
    cr_assert_str_eq(user_of(ROTATED), "shop");
}

#define TRICKY "__AAAA_AAAAAAA_AAAAAAAAAAAA_AAAAAAAAAAAA-__"
#define LINES  "___________________________________________"

Test(secrets, have_underscores_in_their_random_part) {
    cr_assert_eq(strlen(TRICKY), IDS_SECRET_RANDOM_CHARS);
    cr_assert_eq(strlen(LINES), IDS_SECRET_RANDOM_CHARS);
    parse_lines("shop %s claim=shop\na-b %s claim=shop\n", "idm_shop_" TRICKY,
                "idm_a-b_" LINES);
    cr_assert_str_eq(user_of("idm_shop_" TRICKY), "shop");
    cr_assert_str_eq(user_of("idm_a-b_" LINES), "a-b");
    cr_assert_str_eq(user_of("idm_shop_" LINES), "nobody");
    cr_assert_eq(ids_secret_name(slice_of("idm_a-b" LINES)).len, 0);
    cr_assert_eq(ids_secret_name(slice_of("idm_a_b_" LINES)).len, 0);
    cr_assert_eq(ids_secret_name(slice_of("idm_a-_" LINES)).len, 2);
    cr_assert_eq(ids_secret_name(slice_of("idm__" LINES)).len, 0);
    cr_assert_eq(ids_secret_name(slice_of("idm_a_" RANDOM_A "+")).len, 0);
}

Test(secrets, without_a_name_are_those_of_default) {
    parse_lines("default %s claim=*\nshop %s claim=shop\n", "sesame", SHOP);
    cr_assert_str_eq(user_of("sesame"), "default");
    cr_assert_str_eq(user_of("Sesame"), "nobody");
    cr_assert_str_eq(user_of(SHOP), "shop");
    cr_assert_str_eq(user_of("idm_shop_short"), "nobody");
}

Test(secrets, a_lone_one_is_default_and_may_do_everything) {
    c = ids_credentials_of_secret(slice_of(SHOP));
    cr_assert_str_eq(user_of(SHOP), "default");
    cr_assert_str_eq(user_of(ROTATED), "nobody");
    cr_assert_str_eq(user_of("sesame"), "nobody");
    for (int method = 0; method < IDP_METHOD_COUNT; method++)
        cr_assert(ids_user_may(c->users, (idp_method)method, slice_of("x")));
}

/* A certificate's name is no secret, though one knows what stands there. */
Test(secrets, a_certificates_name_is_none) {
    c = parse_good("default cert:CN:x claim=*\n");
    cr_assert_str_eq(user_of("cert:CN:x"), "nobody");
}

typedef struct cert {
    const char *dns, *uri, *cn;
} cert;

static bool cert_has(const void *shown, ids_verifier_kind kind,
                     const char *name) {
    const cert *of = shown;
    const char *own = kind == IDS_VERIFIER_DNS   ? of->dns
                      : kind == IDS_VERIFIER_URI ? of->uri
                                                 : of->cn;
    cr_assert_neq(kind, IDS_VERIFIER_SHA256);
    return own && strcmp(own, name) == 0;
}

static const char *cert_of(const char *dns, const char *uri, const char *cn) {
    bool is_ambiguous;
    const cert shown = {dns, uri, cn};
    const ids_verifier *found =
        ids_credentials_find_cert(c, cert_has, &shown, &is_ambiguous);
    if (is_ambiguous)
        return "two";
    return found ? found->user->name : "nobody";
}

Test(secrets, certificates_are_compared_exactly) {
    c = parse_good("a cert:DNS:a.prod\n"
                   "b cert:URI:spiffe://prod/b\n"
                   "c cert:CN:c\n"
                   "d cert:DNS:d.prod,cert:CN:d\n");
    cr_assert_str_eq(cert_of("a.prod", NULL, NULL), "a");
    cr_assert_str_eq(cert_of("A.prod", NULL, NULL), "nobody");
    cr_assert_str_eq(cert_of("x.a.prod", NULL, NULL), "nobody");
    cr_assert_str_eq(cert_of(NULL, "spiffe://prod/b", "other"), "b");
    cr_assert_str_eq(cert_of(NULL, NULL, "c"), "c");
    cr_assert_str_eq(cert_of("c", "c", NULL), "nobody");
    cr_assert_str_eq(cert_of(NULL, NULL, NULL), "nobody");
    /* Both of one line: it is this one's. Of two lines: nobody's. */
    cr_assert_str_eq(cert_of("d.prod", NULL, "d"), "d");
    cr_assert_str_eq(cert_of("a.prod", NULL, "c"), "two");
}

Test(secrets, who_would_be_lost_is_counted) {
    parse_lines("shop %s claim=shop\nops %s admin\n", SHOP,
                "idm_ops_" RANDOM_B);
    ids_credentials_find(c, slice_of(SHOP))->admitted = 3;
    ids_credentials_find(c, slice_of("idm_ops_" RANDOM_B))->admitted = 1;
    char text[256];
    snprintf(text, sizeof text, "ops %s stats\n",
             verifier_of("idm_ops_" RANDOM_B));
    ids_credentials *next = parse_good(text);
    ids_admitted sum = ids_credentials_compare(c, next);
    cr_assert_eq(sum.all, 4);
    cr_assert_eq(sum.lost, 3);
    sum = ids_credentials_compare(c, c);
    cr_assert_eq(sum.lost, 0);
    ids_credentials_drop(next);
}
