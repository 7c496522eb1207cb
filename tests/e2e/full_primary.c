/* SPDX-License-Identifier: Apache-2.0 */
/* full_primary.c -- a primary whose memory is full gets a replica, with the
 * same
 * --max-memory and more threads or fewer: it can load all of it.
 *
 *   full_primary IDEMSTORED */
#include "tests/e2e/pair.h"
#include "tests/lib/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES = 200000, TTL_MS = 3600000 };

static uint8_t result[200000];
static uint64_t seed = 20261129;

/* Results of every size, until there is no memory for a claim of a few bytes.
 * Returns how many keys there are. */
static unsigned fill(uint16_t port) {
    idt_rng rng;
    wire w;
    char key[64];
    idt_rng_seed(&rng, seed);
    CHECK(wire_open(&w, port), "no connection");
    for (unsigned n = 0; n < TRIES; n++) {
        idp_answer answer;
        snprintf(key, sizeof key, "full-%u", n);
        idp_request acquire = ask_acquire(key, 60000, TTL_MS);
        int code = wire_call_confirmed(&w, &acquire, &answer);
        if (code == IDP_E_NO_MEMORY) {
            wire_close(&w);
            return n;
        }
        CHECK(code == 0, "claim %u: code %d", n, code);
        idp_request complete = ask_complete(key, answer.token, "");
        complete.result = (idp_slice){
            result,
            idt_rng_below(&rng, sizeof result >> idt_rng_below(&rng, 12))};
        CHECK(wire_call_confirmed(&w, &complete, &answer) == 0, "complete %u",
              n);
    }
    CHECK(false, "no end of memory");
}

static void story(const char *program, unsigned a_threads, unsigned b_threads) {
    pair p;
    pair_init(&p, program, a_threads, b_threads);
    p.a.more[0] = p.b.more[0] = "--max-memory=16m";
    p.a.more[1] = p.b.more[1] = "--max-result=1m";
    pair_start(&p, &p.a, NULL);
    unsigned keys = fill(p.a.port);
    pair_start(&p, &p.b, &p.a);
    pair_await_in_sync(&p.a);
    uint64_t of_a = daemon_stat(&p.a.daemon, "records");
    uint64_t of_b = daemon_stat(&p.b.daemon, "records");
    printf("  %u threads to %u: %u keys, %llu and %llu records, %.1f and %.1f "
           "MiB\n",
           a_threads, b_threads, keys, (unsigned long long)of_a,
           (unsigned long long)of_b,
           (double)daemon_stat(&p.a.daemon, "memory_bytes") / (1 << 20),
           (double)daemon_stat(&p.b.daemon, "memory_bytes") / (1 << 20));
    CHECK(of_a >= keys && of_b == of_a, "not all of it");
    pair_stop(&p.b);
    pair_stop(&p.a);
    pair_end(&p);
}

int main(int argc, char **argv) {
    CHECK(argc > 1, "usage: full_primary IDEMSTORED");
    story(argv[1], 1, 1);
    story(argv[1], 1, 4);
    story(argv[1], 4, 1);
    story(argv[1], 2, 8);
    return 0;
}
