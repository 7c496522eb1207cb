/* SPDX-License-Identifier: Apache-2.0 */
/* tls_test.c -- loads over TLS: on a small server of the test's own behind a
 * thread that opens and seals, and on servers that idembench starts.
 *
 * tls_test IDEMBENCH IDEMSTORED */
#include "bench/tests/faulty.h"
#include "bench/tests/shell.h"
#include "tests/lib/tls_certs.h"
#include "tests/lib/tls_front.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUICK    "--duration 0.2 --warmup 0 --connections 4 --rounds 1"
/* The small server has room for few keys. */
#define FEW_KEYS QUICK " --pool 300 --mix replay=1"

static const char *bench, *stored;
static char folder[32];

/* Makes TARGET%u, of that port, the target. */
static const char *load_at(int *status, unsigned port, const char *target,
                           const char *options) {
    char full[128];
    snprintf(full, sizeof full, "%s/at=127.0.0.1:%u", target, port);
    return shell(status, "timeout 600 %s --target %s %s", bench, full, options);
}

static void make_certificates(void) {
    certs_begin(folder);
    certs_make_usual(folder);
    certs_make(folder, &(cert_spec){.name = "named",
                                    .issuer = "ca",
                                    .alt = "DNS:elsewhere.example"});
    certs_make(folder, &(cert_spec){.name = "stranger", .is_authority = true});
}

/* A load on a server with that lie; the new keys that the front asks for come
 * in the middle of it. */
static const char *load_on(lie told, const char *target, const char *options,
                           int want, uint32_t handshakes) {
    char all[512];
    int status;
    front_config config = {.folder = folder,
                           .cert = "server",
                           .ca = "ca",
                           .upstream = faulty_start(told),
                           .keys_each = 20};
    tls_front *front = front_start(&config);
    snprintf(all, sizeof all, "--tls-ca %s/ca.pem %s", folder, options);
    const char *said = load_at(&status, front_port(front), target, all);
    uint32_t shook = front_handshakes(front);
    front_stop(front);
    faulty_stop();
    holds(status == want, options, said);
    holds(shook >= handshakes, "it went over TLS", said);
    return said;
}

static void loads_go_over_tls(void) {
    const char *said = load_on(TRUTH, "idem/blind/tls",
                               FEW_KEYS " --pipeline 16 --threads 2", 0, 12);
    holds(!strstr(said, "unexpected") && !strstr(said, "lost"), "answers",
          said);
    said = load_on(TRUTH, "idem/blind/tls", FEW_KEYS " --rate 500", 0, 12);
    holds(strstr(said, "jobs planned") && !strstr(said, "unexpected"),
          "an open loop", said);
}

static void what_is_not_answered_is_told(void) {
    const char *said =
        load_on(FALLS_SILENT, "idem/blind/tls", QUICK " --pipeline 8", 0, 4);
    holds(strstr(said, "! 32 requests were never answered") != NULL,
          "what was under way", said);
}

static void promises_are_judged_over_tls(void) {
    const char *judge = "--verify --duration 0.5 --connections 8 --pipeline 4 "
                        "--lease 60000 --verify-keys 16";
    const char *said = load_on(TRUTH, "idem/tls", judge, 0, 8);
    holds(strstr(said, "No promise was broken") != NULL, "kept", said);
    said = load_on(TAKES_STALE, "idem/tls",
                   "--verify --duration 20 --connections 8 --pipeline 4 "
                   "--lease 60000 --verify-keys 16",
                   1, 8);
    holds(strstr(said, "violation: ") != NULL, "broken", said);
}

static void a_certificate_is_shown_if_asked(void) {
    char options[512];
    int status;
    front_config config = {.folder = folder,
                           .cert = "server",
                           .ca = "ca",
                           .upstream = faulty_start(TRUTH)};
    tls_front *front = front_start(&config);
    snprintf(options, sizeof options,
             FEW_KEYS " --tls-ca %s/ca.pem --tls-cert %s/client.pem "
                      "--tls-key %s/client.key",
             folder, folder, folder);
    const char *said =
        load_at(&status, front_port(front), "idem/blind/tls", options);
    holds(status == 0 && front_verified(front) >= 4, "it was good", said);
    front_stop(front);
    faulty_stop();
}

/* What a load says of a server with this certificate. */
static void met_with(const char *cert, const char *options, int want,
                     const char *words) {
    char all[512];
    int status;
    front_config config = {
        .folder = folder, .cert = cert, .upstream = faulty_start(TRUTH)};
    tls_front *front = front_start(&config);
    snprintf(all, sizeof all, FEW_KEYS " %s", options);
    const char *said =
        load_at(&status, front_port(front), "idem/blind/tls", all);
    front_stop(front);
    faulty_stop();
    holds(status == want && strstr(said, words) != NULL, options, said);
}

static void a_certificate_that_is_not_good_is_told(void) {
    char ca[128], more[256];
    snprintf(ca, sizeof ca, "--tls-ca %s/ca.pem", folder);
    met_with("server", "", 1, "whom no authority in");
    met_with("server", "--tls-verify none", 0, "idem/blind/tls");
    snprintf(more, sizeof more, "--tls-ca %s/stranger.pem", folder);
    met_with("server", more, 1, "stranger.pem vouches for");
    met_with("named", ca, 1, "is for DNS:elsewhere.example, not for it");
    snprintf(more, sizeof more, "%s --tls-verify ca", ca);
    met_with("named", more, 0, "idem/blind/tls");
    snprintf(more, sizeof more, "%s --tls-name elsewhere.example", ca);
    met_with("named", more, 0, "idem/blind/tls");
    met_with("server", "--tls-ca ./nowhere.pem", 1, "nowhere.pem");
    snprintf(more, sizeof more,
             "%s --tls-cert %s/client.pem --tls-key "
             "%s/server.key",
             ca, folder, folder);
    met_with("server", more, 1, "server.key");
}

static void a_plain_port_is_told(void) {
    int status;
    front_config config = {.folder = folder, .says = "-ERR what is that\r\n"};
    tls_front *front = front_start(&config);
    const char *said = load_at(&status, front_port(front), "redis/tls",
                               QUICK " --tls-verify none");
    holds(status == 1 && strstr(said, "does not speak TLS"), "who answers",
          said);
    front_stop(front);
    uint16_t port = faulty_start(TRUTH);
    said = load_at(&status, port, "idem/tls", QUICK " --tls-verify none");
    holds(status == 1 && strstr(said, "is its port plain?"), "who does not",
          said);
    faulty_stop();
}

static void plain_to_a_port_with_tls_is_told(void) {
    static const char *const targets[] = {"idem", "idem/blind", "redis"};
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        int status;
        front_config config = {.folder = folder,
                               .cert = "server",
                               .upstream = faulty_start(TRUTH)};
        tls_front *front = front_start(&config);
        const char *said =
            load_at(&status, front_port(front), targets[i], QUICK);
        holds(status == 1 && strstr(said, "wants TLS: /tls at the target"),
              targets[i], said);
        front_stop(front);
        faulty_stop();
    }
}

static void a_certificate_that_cannot_be_made_is_told(void) {
    int status;
    const char *said =
        shell(&status,
              "PATH=%s %s --idemstored %s --spawn --data-in %s " QUICK
              " --target idem/tls",
              folder, bench, stored, folder);
    holds(status == 1 && strstr(said, "is openssl 3 (the program) installed?"),
          "no openssl", said);
}

static void spawned(const char *what, const char *options) {
    int status;
    const char *said =
        shell(&status, "%s --idemstored %s --spawn --data-in %s " QUICK " %s",
              bench, stored, folder, options);
    holds(status == 0 && !strstr(said, "unexpected") && !strstr(said, "lost"),
          what, said);
    said = shell(&status, "ls -d %s/idembench-* 2>/dev/null", folder);
    holds(status != 0, "nothing stays behind", said);
}

static void idemstored_is_started_with_tls(void) {
    spawned("every job", "--pipeline 16 --pool 500 "
                         "--mix fresh=1,replay=1,mismatch=1,inflight=1 "
                         "--target idem,idem/tls/threads=2,idem/tls/blind");
    spawned("results of many records",
            "--pipeline 4 --result-bytes 100000 --pool 50 "
            "--mix fresh=1,replay=1 --target idem/tls");
    spawned("with a replica",
            "--pipeline 4 --target idem/tls/replication=sync");
    spawned("a client of its own", "--scenario client --target idem/tls");
    spawned("a change of the primary",
            "--scenario failover --rounds 1 --target idem/tls");
    spawned("pings", "--scenario snapshot --rate 500 --records 20000 "
                     "--target idem/tls/threads=2");
    spawned("judged", "--verify --duration 1 --target idem/tls");
}

static void redis_is_started_with_tls(void) {
    if (!shell_has("redis-server")) {
        puts("bench: no redis-server; what needs it is left out");
        return;
    }
    spawned("beside each other",
            "--pipeline 16 --pool 500 --mix fresh=1,replay=1,mismatch=1 "
            "--target redis,redis/tls,redis-lua/tls");
    spawned("results of many records",
            "--pipeline 4 --result-bytes 100000 --pool 50 "
            "--mix fresh=1,replay=1 --target redis/tls");
    spawned("with a replica",
            "--pipeline 4 --target redis/tls/replication=sync/batch");
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 64;
    bench = argv[1];
    stored = argv[2];
    make_certificates();
    loads_go_over_tls();
    what_is_not_answered_is_told();
    promises_are_judged_over_tls();
    a_certificate_is_shown_if_asked();
    a_certificate_that_is_not_good_is_told();
    a_plain_port_is_told();
    plain_to_a_port_with_tls_is_told();
    a_certificate_that_cannot_be_made_is_told();
    idemstored_is_started_with_tls();
    redis_is_started_with_tls();
    certs_end(folder);
    puts("bench: loads over TLS work");
    return 0;
}
