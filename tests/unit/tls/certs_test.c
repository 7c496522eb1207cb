/* SPDX-License-Identifier: Apache-2.0 */
/* certs_test.c -- whom a certificate is good for, and the five sentences of
 * one that is not. */
#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "tests/unit/tls/both.h"

/* What the client says of a server with such a certificate. */
static void refused(const cert_spec *spec, const both_options *options,
                    idp_tls_fault fault, const char *words) {
    both *b = both_begin(&(both_options){0});
    cert_spec named = *spec;
    both_options with = *options;
    named.name = "other";
    with.server_cert = "other";
    certs_make(b->folder, &named);
    idp_tls_context_drop(b->server_context);
    b->server_context =
        context_of(b->folder, "other", NULL, &with, IDP_TLS_1_3);
    both_again(b, &with);
    both_pump(b);
    const char *why = idp_tls_why_of(b->client.tls);
    cr_assert_eq(idp_tls_fault_of(b->client.tls), fault, "%s", why);
    cr_assert(strstr(why, words) != NULL, "%s", why);
    cr_assert(strstr(why, options->host != NULL ? options->host
                                                : "localhost") != NULL,
              "%s", why);
    cr_assert_eq(idp_tls_fault_of(b->server.tls), IDP_TLS_REFUSED, "%s",
                 idp_tls_why_of(b->server.tls));
    cr_assert(strstr(idp_tls_why_of(b->server.tls), "the client refused"));
    both_end(b);
}

Test(tls_certs, a_name_that_is_not_its_own) {
    refused(&(cert_spec){.issuer = "ca", .alt = "DNS:db1.example,IP:10.0.0.1"},
            &(both_options){.host = "db2.example"}, IDP_TLS_WRONG_NAME,
            "is for DNS:db1.example, IP Address:10.0.0.1");
    refused(&(cert_spec){.issuer = "ca", .alt = "DNS:db1.example"},
            &(both_options){.host = "10.0.0.1"}, IDP_TLS_WRONG_NAME,
            "DNS:db1.example");
    refused(&(cert_spec){.issuer = "ca", .cn = "db1"},
            &(both_options){.host = "db2"}, IDP_TLS_WRONG_NAME, "db1");
    refused(&(cert_spec){.issuer = "ca", .alt = "DNS:a\nb"}, &(both_options){0},
            IDP_TLS_WRONG_NAME, "DNS:a?b");
}

Test(tls_certs, an_issuer_whom_nobody_knows) {
    refused(&(cert_spec){.alt = "DNS:localhost"}, &(both_options){0},
            IDP_TLS_UNKNOWN_ISSUER, "ca.pem");
    refused(&(cert_spec){.alt = "DNS:localhost"},
            &(both_options){.verify = IDP_TLS_VERIFY_CA},
            IDP_TLS_UNKNOWN_ISSUER, "signed by /CN=other");
}

/* Such a certificate no server begins with: it runs out while it is up. So here
 * the authority's does. */
static void out_of_time(long begins_s, long ends_s, idp_tls_fault fault,
                        const char *words) {
    both *b = both_begin(&(both_options){0});
    certs_make(b->folder, &(cert_spec){.name = "late",
                                       .is_authority = true,
                                       .begins_s = begins_s,
                                       .ends_s = ends_s});
    certs_make(b->folder, &(cert_spec){.name = "server",
                                       .issuer = "late",
                                       .alt = "DNS:localhost"});
    const both_options options = {.client_ca = "late"};
    idp_tls_context_drop(b->server_context);
    idp_tls_context_drop(b->client_context);
    b->server_context =
        context_of(b->folder, "server", NULL, &options, IDP_TLS_1_3);
    b->client_context =
        context_of(b->folder, NULL, "late", &options, IDP_TLS_1_3);
    both_again(b, &options);
    both_pump(b);
    cr_assert_eq(idp_tls_fault_of(b->client.tls), fault);
    cr_assert(strstr(idp_tls_why_of(b->client.tls), words) != NULL, "%s",
              idp_tls_why_of(b->client.tls));
    both_end(b);
}

Test(tls_certs, an_authority_out_of_its_time) {
    out_of_time(-3 * DAY_S, -DAY_S, IDP_TLS_EXPIRED,
                "an authority above it has expired");
    out_of_time(DAY_S, 3 * DAY_S, IDP_TLS_NOT_YET_VALID,
                "an authority above it is not yet valid");
}

/* One that ends a moment from now is loaded, and then it ends. */
Test(tls_certs, one_that_has_expired) {
    idp_tls_why why;
    both *b = both_begin(&(both_options){0});
    certs_make(b->folder, &(cert_spec){.name = "server",
                                       .issuer = "ca",
                                       .alt = "DNS:localhost",
                                       .ends_s = 2});
    idp_tls_settings settings = {
        .cert_file = certs_path(b->folder, "server.pem"),
        .key_file = certs_path(b->folder, "server.key")};
    idp_tls_context *brief = idp_tls_context_new(&settings, &why);
    if (brief == NULL)
        cr_skip_test("this machine was away for two seconds");
    idp_tls_context_drop(b->server_context);
    b->server_context = brief;
    while ((int64_t)time(NULL) <= idp_tls_context_end_s(brief))
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    both_again(b, &(both_options){0});
    both_pump(b);
    cr_assert_eq(idp_tls_fault_of(b->client.tls), IDP_TLS_EXPIRED);
    cr_assert(strstr(idp_tls_why_of(b->client.tls),
                     "that localhost shows has expired, on 20"));
    cr_assert_eq(idp_tls_fault_of(b->server.tls), IDP_TLS_REFUSED);
    both_end(b);
}

/* The client's certificate is only asked for, and its state is told. */
static void shown_and_not_good(const cert_spec *spec, const char *words) {
    idp_tls_why why;
    both *b =
        both_begin(&(both_options){.server_ca = "ca", .client_cert = "client"});
    certs_make(b->folder, spec);
    idp_tls_context_drop(b->server_context);
    const both_options options = {.server_ca = spec->name,
                                  .client_cert = "client"};
    b->server_context =
        context_of(b->folder, "server", spec->name, &options, IDP_TLS_1_3);
    both_again(b, &options);
    both_pump(b);
    cr_assert(is_up(&b->server) && is_up(&b->client), "it was only asked for");
    cr_assert(idp_tls_peer(b->server.tls).shown);
    cr_assert_not(idp_tls_peer(b->server.tls).verified);
    cr_assert(idp_tls_peer_why(b->server.tls, &why));
    cr_assert(strstr(why.text, words) != NULL, "%s", why.text);
    cr_assert(strstr(why.text, "the client") != NULL, "%s", why.text);
    both_end(b);
}

Test(tls_certs, a_clients_that_is_not_good_is_told_of) {
    shown_and_not_good(&(cert_spec){.name = "strangers", .is_authority = true},
                       "whom no authority in");
}

Test(tls_certs, without_verification_all_are_taken) {
    both *b = both_begin(&(both_options){.client_ca = "client",
                                         .host = "elsewhere",
                                         .verify = IDP_TLS_VERIFY_NONE});
    both_pump(b);
    cr_assert(is_up(&b->client) && is_up(&b->server));
    cr_assert(idp_tls_peer(b->client.tls).shown);
    cr_assert_not(idp_tls_peer(b->client.tls).verified);
    both_end(b);
}

Test(tls_certs, with_verify_ca_the_name_does_not_count) {
    both *b = both_begin(
        &(both_options){.host = "elsewhere", .verify = IDP_TLS_VERIFY_CA});
    both_pump(b);
    cr_assert(is_up(&b->client) && idp_tls_peer(b->client.tls).verified);
    both_end(b);
}

Test(tls_certs, addresses_are_names_too) {
    static const char *const hosts[] = {"127.0.0.1", "::1", "LOCALHOST"};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        both *b = both_begin(&(both_options){.host = hosts[i]});
        both_pump(b);
        cr_assert(is_up(&b->client), "%s: %s", hosts[i],
                  idp_tls_why_of(b->client.tls));
        both_end(b);
    }
}

/* ------------------------------------------------------- a client's own */

static bool has(const both *b, idp_tls_name kind, const char *name) {
    return idp_tls_peer_has(b->server.tls, kind,
                            (idp_slice){(const uint8_t *)name, strlen(name)});
}

Test(tls_certs, a_clients_names_are_compared_exactly) {
    both *b =
        both_begin(&(both_options){.server_ca = "ca", .client_cert = "client"});
    both_pump(b);
    cr_assert(idp_tls_peer(b->server.tls).verified);
    cr_assert(has(b, IDP_TLS_NAME_URI, "spiffe://prod/pay"));
    cr_assert(has(b, IDP_TLS_NAME_DNS, "pay.prod"));
    cr_assert(has(b, IDP_TLS_NAME_CN, "payments"));
    cr_assert_not(has(b, IDP_TLS_NAME_URI, "spiffe://prod/pa"));
    cr_assert_not(has(b, IDP_TLS_NAME_URI, "spiffe://prod/pay2"));
    cr_assert_not(has(b, IDP_TLS_NAME_URI, "SPIFFE://prod/pay"));
    cr_assert_not(has(b, IDP_TLS_NAME_DNS, "payments"));
    cr_assert_not(has(b, IDP_TLS_NAME_CN, "pay.prod"));
    cr_assert_not(has(b, IDP_TLS_NAME_DNS, "*.prod"));
    cr_assert_not(has(b, IDP_TLS_NAME_CN, ""));
    both_end(b);
}

Test(tls_certs, who_shows_none_is_up_and_known_by_it) {
    idp_tls_why why;
    both *b = both_begin(&(both_options){.server_ca = "ca"});
    both_pump(b);
    cr_assert(is_up(&b->server));
    cr_assert_not(idp_tls_peer(b->server.tls).shown);
    cr_assert_not(idp_tls_peer_why(b->server.tls, &why));
    cr_assert_not(has(b, IDP_TLS_NAME_CN, "payments"));
    both_end(b);
}

Test(tls_certs, a_servers_is_no_clients_but_between_peers) {
    idp_tls_why why;
    both *b =
        both_begin(&(both_options){.server_ca = "ca", .client_cert = "server"});
    both_pump(b);
    cr_assert_not(idp_tls_peer(b->server.tls).verified);
    cr_assert(idp_tls_peer_why(b->server.tls, &why));
    cr_assert(strstr(why.text, "purpose") != NULL, "%s", why.text);
    both_options peers = {.any_purpose = true};
    idp_tls_context *of_peers =
        context_of(b->folder, "server", "ca", &peers, IDP_TLS_1_3);
    cr_assert(idp_tls_peer_is_of(b->server.tls, of_peers, &why));
    idp_tls_context *of_others =
        context_of(b->folder, "server", "client", &peers, IDP_TLS_1_3);
    cr_assert_not(idp_tls_peer_is_of(b->server.tls, of_others, &why));
    cr_assert(strstr(why.text, "client.pem") != NULL, "%s", why.text);
    idp_tls_context_drop(of_peers);
    idp_tls_context_drop(of_others);
    both_end(b);
    b = both_begin(&(both_options){
        .server_ca = "ca", .client_cert = "server", .any_purpose = true});
    both_pump(b);
    cr_assert(idp_tls_peer(b->server.tls).verified);
    both_end(b);
}

Test(tls_certs, versions_that_do_not_meet_are_a_sentence) {
    static const uint8_t alert[] = {0x15, 3, 3, 0, 2, 2, 70};
    both *b = both_begin(&(both_options){0});
    feed(b, &b->client, alert, sizeof alert);
    cr_assert_eq(idp_tls_fault_of(b->client.tls), IDP_TLS_REFUSED);
    cr_assert(strstr(idp_tls_why_of(b->client.tls), "no version of TLS"));
    both_end(b);
}

Test(tls_certs, alerts_are_told_in_words) {
    static const struct {
        uint8_t alert;
        const char *words;
    } rows[] = {{40, "it may want a certificate"},
                {42, "bad certificate"},
                {48, "unknown CA"},
                {116, "it may want a certificate"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const uint8_t alert[] = {0x15, 3, 3, 0, 2, 2, rows[i].alert};
        both *b = both_begin(&(both_options){0});
        feed(b, &b->client, alert, sizeof alert);
        const char *why = idp_tls_why_of(b->client.tls);
        cr_assert_eq(idp_tls_fault_of(b->client.tls), IDP_TLS_REFUSED);
        cr_assert(strstr(why, rows[i].words) != NULL, "%s", why);
        both_end(b);
    }
}

Test(tls_certs, the_end_of_ones_own_is_told) {
    both *b = both_begin(&(both_options){0});
    idp_tls_context *none = b->client_context;
    cr_assert_eq(idp_tls_context_end_s(none), 0);
    cr_assert_not(idp_tls_context_has_cert(none));
    int64_t left_s =
        idp_tls_context_end_s(b->server_context) - (int64_t)time(NULL);
    cr_assert(left_s > 29 * DAY_S && left_s <= 30 * DAY_S);
    both_end(b);
}

Test(tls_certs, no_name_is_not_any_name) {
    both *b = both_begin(&(both_options){0});
    cr_assert_null(idp_tls_connect(b->client_context, "", IDP_TLS_VERIFY_FULL));
    both_end(b);
}
