/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c -- a daemon that runs out of memory says so and goes on.
 *
 *   memory IDEMSTORED
 *
 * Once at its own limit (--max-memory), once at the system's (RLIMIT_AS, where
 * an allocation fails below what the daemon thinks it may have). Either way:
 * new claims get NO_MEMORY, claims that are held complete, what is stored is
 * replayed, and room comes back when records end. */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES        400000u
#define HELD         64u
#define RESULT_BYTES 4000u
#define PATIENCE_MS  60000u

static void key_name(char *to, size_t cap, unsigned n) {
    snprintf(to, cap, "a-key-that-fills-the-memory-%010u", n);
}

/* Claims and completes until memory is refused; returns how many it did. A slow
 * machine fills no memory with records that end meanwhile: they are kept twice
 * as long each time that the first ones are about to end. */
static unsigned fill(wire *w, unsigned *ttl_ms) {
    char key[64];
    uint64_t since_ms = e2e_now_ms();
    static char result[RESULT_BYTES + 1];
    memset(result, 'x', RESULT_BYTES);
    for (unsigned n = 0; n < TRIES; n++) {
        idp_answer answer;
        if (e2e_now_ms() - since_ms > *ttl_ms / 2) {
            *ttl_ms *= 2;
            since_ms = e2e_now_ms();
        }
        key_name(key, sizeof key, n);
        idp_request acquire = ask_acquire(key, *ttl_ms, *ttl_ms);
        int code = wire_call(w, &acquire, &answer);
        if (code == IDP_E_NO_MEMORY)
            return n;
        CHECK(code == 0 && answer.outcome == IDP_OUTCOME_ACQUIRED,
              "claim %u: code %d", n, code);
        idp_request complete = ask_complete(key, answer.token, result);
        code = wire_call(w, &complete, &answer);
        CHECK(code == 0 && answer.outcome == IDP_OUTCOME_COMPLETED,
              "complete %u: code %d; memory must not matter here", n, code);
    }
    CHECK(false, "no end of memory after %u records", TRIES);
}

/* Every claim that was held before memory ran out can be completed. */
static void held_claims_complete(wire *w, const idp_token *tokens) {
    char key[64];
    unsigned kept = 0;
    for (unsigned i = 0; i < HELD; i++) {
        idp_answer answer;
        snprintf(key, sizeof key, "held-%u", i);
        idp_request complete = ask_complete(key, tokens[i], "late result");
        int code = wire_call(w, &complete, &answer);
        CHECK(code == 0 && answer.outcome == IDP_OUTCOME_COMPLETED,
              "a held claim can't complete: code %d", code);
        kept += answer.kept;
        idp_request again = ask_acquire(key, 1000, 1000);
        code = wire_call(w, &again, &answer);
        CHECK(code == 0 && answer.outcome == IDP_OUTCOME_REPLAY,
              "a completed key is handed out again");
    }
    printf("  %u claims held meanwhile completed, %u with their result\n", HELD,
           kept);
}

/* It comes some time after the records have ended. */
static void await_room(wire *w) {
    uint64_t until_ms = e2e_now_ms() + PATIENCE_MS;
    int code;
    do {
        idp_answer answer;
        idp_request acquire = ask_acquire("is-there-room", 1000, 1000);
        code = wire_call(w, &acquire, &answer);
        CHECK(code == 0 || code == IDP_E_NO_MEMORY, "code %d", code);
        if (code != 0)
            e2e_sleep_ms(20);
    } while (code != 0 && e2e_now_ms() < until_ms);
    CHECK(code == 0, "no room %u s after the records' end", PATIENCE_MS / 1000);
}

static void story(const daemon_spec *spec, const char *title) {
    daemon_t daemon;
    wire w;
    idp_token tokens[HELD];
    char key[64];
    daemon_start(&daemon, spec);
    CHECK(wire_open(&w, daemon.port), "can't connect");
    for (unsigned i = 0; i < HELD; i++) {
        idp_answer answer;
        snprintf(key, sizeof key, "held-%u", i);
        idp_request acquire = ask_acquire(key, 600000, 600000);
        CHECK(wire_call(&w, &acquire, &answer) == 0, "no claim");
        tokens[i] = answer.token;
    }
    unsigned ttl_ms = e2e_sanitized() ? 20000 : 8000;
    unsigned stored = fill(&w, &ttl_ms);
    printf("%s: NO_MEMORY after %u records, at %zu KiB\n", title, stored,
           daemon_rss_kb(&daemon));
    CHECK(stored > 100, "full after %u records", stored);
    held_claims_complete(&w, tokens);

    /* They end; then there is room for as many again. */
    e2e_sleep_ms(ttl_ms);
    await_room(&w);
    for (unsigned i = 0; i < stored / 2; i++) {
        snprintf(key, sizeof key, "after-%u", i);
        e2e_do_once(&w, key, "room again");
    }
    CHECK(daemon_stat(&daemon, "error_NO_MEMORY_total") > 0,
          "stats don't tell that claims were refused");
    wire_close(&w);
    daemon_stop(&daemon);
}

int main(int argc, char **argv) {
    CHECK(argc > 1, "usage: memory IDEMSTORED");
    story(&(daemon_spec){.program = argv[1],
                         .flags = {"--threads", "1", "--max-memory", "16M"}},
          "--max-memory 16M");
    /* A sanitizer needs more address space than any such limit leaves. */
    if (!e2e_sanitized())
        story(&(daemon_spec){.program = argv[1],
                             .prefix = "ulimit -v 262144;",
                             .flags = {"--threads", "1", "--max-memory", "4G"}},
              "RLIMIT_AS of 256 MiB");
    return 0;
}
