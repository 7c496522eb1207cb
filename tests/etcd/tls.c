/* SPDX-License-Identifier: Apache-2.0 */
/* tls.c -- an etcd behind TLS that wants a certificate of its clients: it is
 * asked only if it is who it says, and answers only to one that was signed. */
#include "tests/etcd/etcd_process.h"
#include "tests/lib/tls_certs.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[32];

/* From where etcd runs, too. */
static const char *of(const char *name) {
    static char paths[16][PATH_MAX];
    static int count;
    CHECK(count < 16 && realpath(certs_path(folder, name), paths[count]));
    return paths[count++];
}

static void make(const char *name, const char *issuer, const char *alt) {
    certs_make(folder, &(cert_spec){.name = name,
                                    .issuer = issuer,
                                    .alt = alt,
                                    .is_authority = !issuer});
}

static ids_etcd_config config_of(const char *url, const char *ca,
                                 const char *cert, const char *key) {
    return (ids_etcd_config){.endpoint = {url},
                             .endpoint_count = 1,
                             .prefix = "/idemstore/shop/",
                             .ca = ca,
                             .cert = cert,
                             .key = key,
                             .node = {"a"},
                             .lease_ms = 3000};
}

static void is(const char *what, ids_etcd_config config,
               ids_etcd_outcome outcome) {
    ids_agent_act act = {.kind = IDS_AGENT_READ};
    ids_etcd *client = ids_etcd_new(&config);
    CHECK(client != NULL);
    ids_etcd_answer answer = etcd_ask_until(client, &act, outcome);
    printf("%s: %s (%s)\n", what, ids_etcd_outcome_text(answer.outcome),
           answer.why);
    ids_etcd_free(client);
}

/* What is slow is no answer either: it must be the certificate. */
static void is_refused(const char *what, ids_etcd_config config) {
    ids_agent_act act = {.kind = IDS_AGENT_READ};
    for (int tries = 0;; tries++) {
        ids_etcd *client = ids_etcd_new(&config);
        CHECK(client != NULL);
        ids_etcd_answer answer = etcd_ask(client, &act);
        ids_etcd_free(client);
        printf("%s: %s\n", what, answer.why);
        CHECK(answer.outcome == IDS_ETCD_NO_ANSWER && answer.why[0]);
        if (strstr(answer.why, "SSL") || strstr(answer.why, "TLS") ||
            strstr(answer.why, "receiving data"))
            return;
        CHECK(tries < 200);
    }
}

int main(void) {
    etcd_process etcd;
    certs_begin(folder);
    make("ca", NULL, NULL);
    make("other-ca", NULL, NULL);
    make("etcd", "ca", "IP:127.0.0.1");
    make("elsewhere", "ca", "IP:127.0.0.2");
    make("agent", "ca", NULL);
    make("stranger", "other-ca", NULL);
    const char *ca = of("ca.pem"), *cert = of("agent.pem"),
               *key = of("agent.key");

    etcd_start_tls(&etcd, of("etcd.pem"), of("etcd.key"), ca);
    is("signed by each other's", config_of(etcd.url, ca, cert, key),
       IDS_ETCD_OK);
    is_refused("the system's authorities",
               config_of(etcd.url, NULL, cert, key));
    is_refused("another authority",
               config_of(etcd.url, of("other-ca.pem"), cert, key));
    is_refused("no certificate", config_of(etcd.url, ca, NULL, NULL));
    is_refused("a stranger's",
               config_of(etcd.url, ca, of("stranger.pem"), of("stranger.key")));
    etcd_stop(&etcd);

    etcd_start_tls(&etcd, of("elsewhere.pem"), of("elsewhere.key"), ca);
    is_refused("another host's", config_of(etcd.url, ca, cert, key));
    etcd_stop(&etcd);
    certs_end(folder);
    return 0;
}
