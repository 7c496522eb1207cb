/* SPDX-License-Identifier: Apache-2.0 */
/* clock_back.c -- the machine's clock was set back, and the daemon restarts:
 * where an epoch is on record no token shrinks, and a clock that can't be right
 * is named.
 *
 *   clock_back IDEMSTORED [OLD_CLOCK]
 *
 * OLD_CLOCK is a library that is preloaded; without it there is no story. */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HOUR_S  "3600"
#define YEARS_S "800000000" /* before this program was written */

static const char *program, *library;
static char folder[64], secret[80];

static void start(daemon_t *daemon, const char *back_s,
                  const char *const flags[]) {
    static char prefix[512];
    daemon_spec spec = {.program = program};
    for (unsigned n = 0; flags[n]; n++)
        spec.flags[n] = flags[n];
    snprintf(prefix, sizeof prefix, "export LD_PRELOAD='%s' OLD_CLOCK_S=%s;",
             library, back_s);
    spec.prefix = prefix;
    daemon_start(daemon, &spec);
}

/* A claim of this key, given back. */
static idp_token token_of(const daemon_t *daemon, const char *key) {
    wire w;
    idp_hello hello;
    idp_answer answer;
    idp_request claim = ask_acquire(key, 60000, 60000);
    CHECK(wire_open(&w, daemon->port), "no connection");
    CHECK(wire_hello(&w, -1, "sesame", &hello) == 0, "hello");
    uint64_t until_ms = e2e_now_ms() + 60000;
    int code;
    while ((code = wire_call(&w, &claim, &answer)) != 0) {
        CHECK(e2e_now_ms() < until_ms, "acquire: code %d", code);
        e2e_sleep_ms(10);
    }
    CHECK(answer.outcome == IDP_OUTCOME_ACQUIRED, "not acquired");
    const idp_token token = answer.token;
    idp_request release = ask_release(key, token);
    CHECK(wire_call(&w, &release, &answer) == 0, "release");
    wire_close(&w);
    return token;
}

/* Three starts, each an hour before the one before. */
static void tokens_grow(const char *what, const char *const flags[]) {
    static const char *const back_s[] = {"0", HOUR_S, "7200"};
    idp_token last = {0};
    for (unsigned i = 0; i < 3; i++) {
        daemon_t daemon;
        start(&daemon, back_s[i], flags);
        const idp_token token = token_of(&daemon, "row-1");
        CHECK(last.epoch < token.epoch,
              "%s: a token shrank when the clock was %s s back", what,
              back_s[i]);
        CHECK(!daemon_has_said(&daemon, "the clock is before"),
              "an hour is nothing to doubt");
        last = token;
        daemon_stop(&daemon);
    }
    printf("  %s: tokens grow while the clock goes back\n", what);
}

static void a_clock_that_cannot_be_right(void) {
    daemon_t daemon;
    const char *const flags[] = {"--secret-file", secret, NULL};
    start(&daemon, YEARS_S, flags);
    CHECK(daemon_said(&daemon, "the clock is before this program was built"),
          "nothing is said of the clock");
    token_of(&daemon, "row-1");
    daemon_stop(&daemon);
    puts("  a clock from before the build is named, and served with");
}

int main(int argc, char **argv) {
    char data[80], state[80], command[128];
    CHECK(argc == 2 || argc == 3, "usage: clock_back IDEMSTORED [OLD_CLOCK]");
    if (argc == 2) {
        puts("nothing can be preloaded under a sanitizer");
        return 0;
    }
    program = argv[1], library = argv[2];
    snprintf(folder, sizeof folder, "/tmp/idemstore-clock-XXXXXX");
    CHECK(mkdtemp(folder) != NULL, "no folder");
    snprintf(secret, sizeof secret, "%s/secret", folder);
    snprintf(data, sizeof data, "%s/data", folder);
    snprintf(state, sizeof state, "%s/state", folder);
    snprintf(command, sizeof command, "umask 077; echo sesame >%s", secret);
    CHECK(system(command) == 0, "no secret"); /* NOLINT: its own folder */
    a_clock_that_cannot_be_right();
    tokens_grow("with a data folder",
                (const char *const[]){"--secret-file", secret, "--data-dir",
                                      data, NULL});
    tokens_grow("a node of a pair, alone so far",
                (const char *const[]){"--secret-file", secret, "--replication",
                                      "sync", "--peer-state", state, NULL});
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0, "%s", command); /* NOLINT: its own folder */
    return 0;
}
