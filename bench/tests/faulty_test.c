/* SPDX-License-Identifier: Apache-2.0 */
/* faulty_test.c -- servers that lie, and --verify that finds each out.
 *
 * faulty_test IDEMBENCH IDEMSTORED */
#include "bench/tests/faulty.h"
#include "bench/tests/shell.h"

#include <stdio.h>
#include <string.h>

/* What a load makes of a server that is told to lie: its output. */
static const char *load_on(const char *bench, lie told, const char *options) {
    int status;
    uint16_t port = faulty_start(told);
    const char *said =
        shell(&status,
              "timeout 600 %s --target idem/blind/at=127.0.0.1:%u --warmup 0 "
              "--duration 1 --connections 4 %s",
              bench, port, options);
    faulty_stop();
    holds(status == 0, "the run ends by itself", said);
    return said;
}

/* It has no more room than for KEYS records: the keys are few. */
static void what_is_not_answered_is_told(const char *bench) {
    const char *said = load_on(bench, FALLS_SILENT,
                               "--rounds 1 --pipeline 8 --json /dev/stdout");
    holds(strstr(said, "! 32 requests were never answered") != NULL,
          "what was under way", said);
    holds(strstr(said, "\"unanswered\": 32,") != NULL, "the JSON", said);
    said = load_on(bench, FALLS_SILENT, "--rounds 1 --pipeline 2 --rate 2000");
    holds(strstr(said, "! 8 requests were never answered") != NULL,
          "in an open loop", said);
    holds(strstr(said, "jobs were planned and never sent") != NULL,
          "and what was overdue", said);
}

/* Round after round the pool is filled on the same server. */
static void keys_are_a_rounds_own(const char *bench) {
    const char *said =
        load_on(bench, TRUTH, "--rounds 3 --pool 200 --mix replay=1 --seed 5");
    holds(!strstr(said, "unexpected"), "no key was there before", said);
}

static void an_answer_is_told_in_words(const char *bench) {
    const char *said = load_on(bench, KNOWS_ALL, "--rounds 1");
    holds(strstr(said, "the first: fresh: acquire was answered with replay: "
                       "somebody else uses these keys") != NULL,
          "in words", said);
}

static bool says_one_of(const char *said, const char *const words[]) {
    for (; *words; words++)
        if (strstr(said, *words))
            return true;
    return false;
}

/* words, up to NULL: what the judge may say of the lie. A lie breaks more than
 * one promise, and which of them is seen first hangs on who asked when. */
static void told_as(const char *bench, lie told, const char *const words[]) {
    int status;
    uint16_t port = faulty_start(told);
    /* A lease longer than the run: nothing is orphaned. */
    const char *said =
        shell(&status,
              "timeout 600 %s --verify --target idem/at=127.0.0.1:%u "
              "--duration %s --connections 8 --pipeline 4 --lease 60000 "
              "--verify-keys 16",
              bench, port, told == TRUTH ? "0.5" : "20");
    faulty_stop();
    holds(status == (told == TRUTH ? 0 : 1), "the exit status", said);
    holds(says_one_of(said, words), words[0], said);
    if (told != TRUTH)
        holds(strstr(said, "violation: ") && strstr(said, " acquire k fp "),
              "the history", said);
}

#define NO_ORDER "L: no order of the calls explains all answers"

/* Of a replay that is spoilt no order is looked for. */
static const char *const words_of[][6] = {
    [TRUTH] = {"No promise was broken"},
    [GRANTS_TWICE] = {"I5: two askers have one token", NO_ORDER},
    [SPOILS_REPLAYS] = {"I3: a replay of what nobody completed",
                        "I3: two replays differ"},
    [FORGETS] = {"I2: completed, and granted again",
                 "I5: two askers have one token",
                 "I4: a token is not above an older one", NO_ORDER},
    [TAKES_STALE] = {"I4: ", "I1: ", "I2: ", NO_ORDER},
    [LETS_OTHERS_IN] = {"I6: another fingerprint, and no mismatch", NO_ORDER}};

int main(int argc, char **argv) {
    if (argc != 3)
        return 64;
    for (lie l = TRUTH; l <= LETS_OTHERS_IN; l++)
        told_as(argv[1], l, words_of[l]);
    what_is_not_answered_is_told(argv[1]);
    keys_are_a_rounds_own(argv[1]);
    an_answer_is_told_in_words(argv[1]);
    puts("bench: every lie is found out");
    return 0;
}
