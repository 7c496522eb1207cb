/* SPDX-License-Identifier: Apache-2.0 */
/* quota.c -- what a namespace may have: records and claims a second over all
 * threads, what is never refused, and that a restart counts the same.
 *
 *   quota IDEMSTORED */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECTIONS = 8, ALLOWED = 100, CLAIMS = 10000 };

static char folder[64];

static void write_settings(const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/conf", folder);
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
}

static void start(daemon_t *daemon, const char *program, const char *threads,
                  const char *data) {
    static char path[128];
    snprintf(path, sizeof path, "%s/conf", folder);
    daemon_start(daemon,
                 &(daemon_spec){.program = program,
                                .flags = {"--config", path, "--threads",
                                          threads, "--max-memory", "256m",
                                          data ? "--data-dir" : NULL, data}});
}

static idp_request acquire_in(const char *ns, const char *key) {
    idp_request q = ask_acquire(key, 60000, 600000);
    q.ns = text_slice(ns);
    return q;
}

static idp_request complete_in(const char *ns, const char *key, idp_token token,
                               const char *result) {
    idp_request q = ask_complete(key, token, result);
    q.ns = text_slice(ns);
    return q;
}

/* The error's whole text. Empty: it was granted, and here is the token. */
static const char *claim(wire *w, const char *ns, const char *key,
                         idp_token *token) {
    static char text[300];
    idp_request q = acquire_in(ns, key);
    idp_reply reply;
    idp_answer answer;
    *token = (idp_token){0};
    CHECK(wire_ask(w, &q, &reply), "the connection ended");
    snprintf(text, sizeof text, "%.*s",
             reply.is_error ? (int)reply.text.len : 0,
             reply.is_error ? (const char *)reply.text.ptr : "");
    if (!reply.is_error) {
        CHECK(idp_answer_read(IDP_ACQUIRE, reply.result, &answer) &&
                  answer.outcome == IDP_OUTCOME_ACQUIRED,
              "%s: no claim", key);
        *token = answer.token;
    }
    return text;
}

static void complete(wire *w, const char *ns, const char *key, idp_token token,
                     const char *result, bool kept) {
    idp_answer answer;
    idp_request q = complete_in(ns, key, token, result);
    int code = wire_call(w, &q, &answer);
    CHECK(code == 0 && answer.outcome == IDP_OUTCOME_COMPLETED,
          "%s: code %d, not completed", key, code);
    CHECK(answer.kept == kept, "%s: kept %d", key, answer.kept);
}

static void is_replayed(wire *w, const char *ns, const char *key) {
    idp_answer answer;
    idp_request q = acquire_in(ns, key);
    int code = wire_call(w, &q, &answer);
    CHECK(code == 0 && answer.outcome == IDP_OUTCOME_REPLAY,
          "%s: code %d, no replay", key, code);
}

/* --- records */

/* Whoever was granted completes at the limit, and is replayed. */
static void a_hundred_records(const char *program) {
    static idp_token tokens[CLAIMS];
    static bool has[CLAIMS];
    daemon_t daemon;
    wire w[CONNECTIONS];
    uint32_t granted = 0;
    char key[32];
    write_settings("namespace \"shop\" { max_records = 100 }\n");
    start(&daemon, program, "8", NULL);
    for (int i = 0; i < CONNECTIONS; i++)
        CHECK(wire_open(&w[i], daemon.port), "no connection");
    for (uint32_t i = 0; i < CLAIMS; i++) {
        snprintf(key, sizeof key, "order-%u", i);
        const char *error = claim(&w[i % CONNECTIONS], "shop", key, &tokens[i]);
        has[i] = !*error;
        granted += has[i];
        CHECK(has[i] || strcmp(error, "NO_MEMORY namespace shop: "
                                      "max_records") == 0,
              "%s", error);
    }
    CHECK(granted >= ALLOWED && granted <= ALLOWED + 2, "%u granted", granted);
    for (uint32_t i = 0; i < CLAIMS; i++) {
        snprintf(key, sizeof key, "order-%u", i);
        if (!has[i])
            continue;
        complete(&w[0], "shop", key, tokens[i], "paid", true);
        is_replayed(&w[1], "shop", key);
    }
    idp_ns_row row = daemon_namespace(&daemon, "shop");
    CHECK(row.records == granted && row.in_progress == 0 &&
              row.refused_full == CLAIMS - granted,
          "the daemon counts otherwise");
    /* Others have no limit. */
    CHECK(!*claim(&w[0], "toys", "order-0", &tokens[0]), "refused");
    for (int i = 0; i < CONNECTIONS; i++)
        wire_close(&w[i]);
    daemon_stop(&daemon);
    printf("  %u of %u claims on 8 threads are granted\n", granted, CLAIMS);
}

static uint32_t claim_many(wire *w, uint32_t from, uint32_t count) {
    uint32_t granted = 0;
    idp_token token = {0};
    char key[32];
    for (uint32_t i = from; i < from + count; i++) {
        snprintf(key, sizeof key, "order-%u", i);
        granted += !*claim(w, "shop", key, &token);
    }
    return granted;
}

static void a_restart_counts_the_same(const char *program) {
    char data[128];
    daemon_t daemon;
    wire w;
    snprintf(data, sizeof data, "%s/data", folder);
    write_settings("namespace \"shop\" {\n  max_records = 100 # for now\n}\n");
    start(&daemon, program, "4", data);
    CHECK(wire_open(&w, daemon.port), "no connection");
    CHECK(claim_many(&w, 0, 60) == 60, "refused");
    wire_close(&w);
    daemon_stop(&daemon);
    start(&daemon, program, "2", data);
    CHECK(wire_open(&w, daemon.port), "no connection");
    uint32_t more = claim_many(&w, 1000, 1000);
    CHECK(more >= 40 && more <= 42, "%u more after a restart", more);
    wire_close(&w);
    daemon_stop(&daemon);
    printf("  60 records, and %u more after a restart\n", more);
}

/* --- complete is never refused */

static void a_complete_at_full_limits(const char *program) {
    daemon_t daemon;
    wire w;
    idp_token token = {0};
    idp_answer answer;
    write_settings("threads = 2\nnamespace \"shop\" { max_records = 1 "
                   "max_memory = 200 rate = 1 burst = 1\n max_ttl = 10m "
                   "max_result = 64k }\nnamespace \"*\" { max_ttl = 5m }\n");
    start(&daemon, program, "2", NULL);
    CHECK(wire_open(&w, daemon.port), "no connection");
    CHECK(!*claim(&w, "shop", "order", &token), "refused");
    char result[300];
    memset(result, 'r', sizeof result - 1);
    result[sizeof result - 1] = 0;
    idp_request q = complete_in("shop", "order", token, result);
    q.ttl_ms = 3600000;
    for (int i = 0; i < 2; i++) { /* and the same when asked again */
        int code = wire_call(&w, &q, &answer);
        CHECK(code == 0 && answer.outcome == IDP_OUTCOME_COMPLETED, "code %d",
              code);
        CHECK(!answer.kept && answer.ttl_ms == 600000, "kept %d, ttl_ms %llu",
              answer.kept, (unsigned long long)answer.ttl_ms);
    }
    for (int i = 0; i < 1000; i++)
        is_replayed(&w, "shop", "order");
    const char *error = claim(&w, "toys", "order", &token);
    CHECK(strcmp(error, "BAD_REQUEST namespace toys: max_ttl") == 0, "%s",
          error);
    wire_close(&w);
    daemon_stop(&daemon);
    printf("  a complete at full limits completes, and is replayed\n");
}

/* --- a tenant of many namespaces */

/* 5,000 of its own: those that a section names keep their places and limits,
 * and what ends gives its place back to whoever comes. */
static void a_tenant_of_5000(const char *program) {
    enum { TENANTS = 5000 };
    static idp_token of[TENANTS];
    daemon_t daemon;
    wire w;
    idp_token token = {0};
    char ns[32];
    write_settings("namespace \"shop\" { max_records = 2 }\n"
                   "namespace \"toys\" { max_records = 1 }\n");
    start(&daemon, program, "1", NULL);
    CHECK(wire_open(&w, daemon.port), "no connection");
    CHECK(!*claim(&w, "shop", "order-0", &token), "refused");
    for (uint32_t i = 0; i < TENANTS; i++) {
        snprintf(ns, sizeof ns, "t-%u", i);
        CHECK(!*claim(&w, ns, "order", &of[i]), "%s is refused", ns);
    }
    CHECK(!*claim(&w, "shop", "order-1", &token), "a place is taken");
    CHECK(*claim(&w, "shop", "order-2", &token), "over the limit");
    CHECK(!*claim(&w, "toys", "order-0", &token), "a place is taken");
    CHECK(*claim(&w, "toys", "order-1", &token), "over the limit");
    CHECK(daemon_namespace(&daemon, "shop").records == 2 &&
              daemon_namespace(&daemon, NULL).records == TENANTS,
          "they are counted otherwise");
    for (uint32_t i = 0; i < TENANTS; i++) {
        snprintf(ns, sizeof ns, "t-%u", i);
        idp_request q = ask_release("order", of[i]);
        idp_answer answer;
        q.ns = text_slice(ns);
        q.unbind = true;
        CHECK(wire_call(&w, &q, &answer) == 0 &&
                  answer.outcome == IDP_OUTCOME_RELEASED,
              "%s: not released", ns);
    }
    CHECK(daemon_namespace(&daemon, NULL).records == 0 &&
              daemon_namespace(&daemon, NULL).bytes == 0,
          "something is left of them");
    wire_close(&w);
    daemon_stop(&daemon);
    printf("  %d namespaces of one tenant take nobody's place\n", TENANTS);
}

/* --- records that end */

/* What was taken comes back, to the last byte. */
static void expiry_gives_back(const char *program) {
    enum { RECORDS = 300, TTL_MS = 400 };
    daemon_t daemon;
    wire w;
    write_settings("namespace \"shop\" { max_records = 300 }\n");
    start(&daemon, program, "4", NULL);
    CHECK(wire_open(&w, daemon.port), "no connection");
    for (int round = 0; round < 3; round++) {
        uint32_t granted = 0;
        for (uint32_t i = 0; i < RECORDS; i++) {
            idp_answer answer;
            char key[32];
            snprintf(key, sizeof key, "order-%u", i);
            idp_request q = ask_acquire(key, 100, TTL_MS);
            q.ns = text_slice("shop");
            int code = wire_call(&w, &q, &answer);
            CHECK(code == 0 || code == IDP_E_NO_MEMORY, "%s: code %d", key,
                  code);
            granted += code == 0 && answer.outcome == IDP_OUTCOME_ACQUIRED;
        }
        CHECK(granted >= RECORDS - RECORDS / 64, "%u granted", granted);
        idp_ns_row row;
        do
            row = daemon_namespace(&daemon, "shop");
        while (row.records > 0);
        CHECK(row.bytes == 0 && row.in_progress == 0, "%llu bytes are left",
              (unsigned long long)row.bytes);
    }
    wire_close(&w);
    daemon_stop(&daemon);
    printf("  %d records ended, three times, and gave all back\n", RECORDS);
}

/* --- rates */

/* How long the daemon says that there is no claim. */
static unsigned retry_ms_of(const char *error) {
    unsigned retry_ms = 0;
    char rest[64] = "";
    CHECK(sscanf(error, "LIMIT retry_ms=%u %63[^\n]", &retry_ms, rest) == 2 &&
              strcmp(rest, "namespace shop: rate") == 0 && retry_ms > 0,
          "%s", error);
    return retry_ms;
}

static uint64_t uptime_ms(wire *w) {
    idp_request ask = {.method = IDP_STATS};
    idp_reply reply;
    idp_slice name;
    uint64_t value;
    CHECK(wire_ask(w, &ask, &reply) && !reply.is_error, "no stats");
    for (size_t at = 0; idp_stats_next(reply.result, &at, &name, &value);)
        if (name.len == 9 && memcmp(name.ptr, "uptime_ms", 9) == 0)
            return value;
    CHECK(false, "stats has no uptime_ms");
    return 0;
}

/* Over ten seconds of the server's own clock: never more than the rate, to
 * 5 %, and no less where somebody always asks. Who asks too seldom, since the
 * machine is slow, is told by the refusals: with none in a row of the rate's
 * whole burst the rate was not used up, and the lower bound is not judged. */
static void a_rate_holds(const char *program, int connections) {
    enum { RATE = 200, BURST = 20, MS = 10000, GAP_MS = BURST * 1000 / RATE };
    daemon_t daemon;
    wire w[CONNECTIONS];
    idp_token token = {0};
    char key[32];
    uint32_t granted = 0, asked = 0, refused = 0, gaps = 0;
    write_settings("namespace \"shop\" { rate = 200 burst = 20 }\n");
    start(&daemon, program, "4", NULL);
    for (int i = 0; i < connections; i++)
        CHECK(wire_open(&w[i], daemon.port), "no connection");
    uint64_t begin_ms = uptime_ms(&w[0]), now_ms = begin_ms, full_ms = begin_ms;
    while (now_ms < begin_ms + MS) {
        snprintf(key, sizeof key, "order-%u", asked);
        const char *error =
            claim(&w[asked++ % (uint32_t)connections], "shop", key, &token);
        if (*error)
            retry_ms_of(error);
        granted += !*error;
        refused += *error != 0;
        uint64_t before_ms = now_ms;
        now_ms = uptime_ms(&w[0]);
        if (*error) /* it is used up between these two */
            gaps += before_ms > full_ms + GAP_MS, full_ms = before_ms;
    }
    uint64_t allowed = BURST + RATE * (now_ms - begin_ms + 2) / 1000;
    CHECK(granted <= allowed * 105 / 100, "%u claims, %llu are allowed",
          granted, (unsigned long long)allowed);
    CHECK(gaps > 0 || refused == 0 ||
              granted + BURST >= (allowed - BURST) * 95 / 100,
          "%u claims of %llu, and %u were refused", granted,
          (unsigned long long)allowed, refused);
    for (int i = 0; i < connections; i++)
        wire_close(&w[i]);
    daemon_stop(&daemon);
    printf("  %u claims in %llu ms on %d connections, %u refused\n", granted,
           (unsigned long long)(now_ms - begin_ms), connections, refused);
}

/* After retry_ms there is one, where nobody else asks. */
static void retry_ms_is_right(const char *program) {
    daemon_t daemon;
    wire w;
    idp_token token = {0};
    write_settings("namespace \"shop\" { rate = 1 burst = 1 }\n");
    start(&daemon, program, "2", NULL);
    CHECK(wire_open(&w, daemon.port), "no connection");
    CHECK(!*claim(&w, "shop", "order-0", &token), "refused");
    complete(&w, "shop", "order-0", token, "paid", true);
    const char *error = claim(&w, "shop", "order-1", &token);
    if (*error) { /* else this machine took a second for it */
        unsigned ms = retry_ms_of(error);
        CHECK(ms <= 1000, "retry_ms=%u", ms);
        is_replayed(&w, "shop", "order-0");
        e2e_sleep_ms(ms + 1);
        error = claim(&w, "shop", "order-1", &token);
        CHECK(!*error, "%s after its %u ms", error, ms);
    }
    wire_close(&w);
    daemon_stop(&daemon);
    printf("  retry_ms is when there is a claim\n");
}

int main(int argc, char **argv) {
    CHECK(argc > 1, "quota IDEMSTORED");
    snprintf(folder, sizeof folder, "/tmp/idem-quota-XXXXXX");
    CHECK(mkdtemp(folder), "no folder");
    a_hundred_records(argv[1]);
    a_restart_counts_the_same(argv[1]);
    a_complete_at_full_limits(argv[1]);
    a_tenant_of_5000(argv[1]);
    expiry_gives_back(argv[1]);
    a_rate_holds(argv[1], 1);
    a_rate_holds(argv[1], CONNECTIONS);
    retry_ms_is_right(argv[1]);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    CHECK(system(command) == 0, "%s stays", folder);
    printf("quota: good\n");
    return 0;
}
