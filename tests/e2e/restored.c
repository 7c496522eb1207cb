/* SPDX-License-Identifier: Apache-2.0 */
/* restored.c -- a backup of the data folder is put back: what was acknowledged
 * since is gone, but no token of the lost life is given out again, and nobody
 * takes the copy for the node's memory.
 *
 *   restored IDEMSTORED */
#include "tests/e2e/pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COPIED "was copied or restored"

typedef struct stage {
    char top[64], folder[80];
    daemon_spec spec;
    daemon_t daemon;
} stage;

/* In the folder above: the data folder is d. */
static void shell(const stage *s, const char *words) {
    char command[512];
    snprintf(command, sizeof command, "cd %s && { %s ; }", s->top, words);
    CHECK(system(command) == 0, "%s", words);
}

static idp_token claim(const stage *s, const char *key) {
    idp_request request = ask_acquire(key, 600000, 86400000);
    idp_answer answer;
    wire w;
    CHECK(wire_open(&w, s->daemon.port), "it can't be reached");
    CHECK(wire_call(&w, &request, &answer) == 0 &&
              answer.outcome == IDP_OUTCOME_ACQUIRED,
          "%s is not to be had", key);
    wire_close(&w);
    return answer.token;
}

static bool is_above(idp_token a, idp_token b) {
    return a.epoch != b.epoch ? a.epoch > b.epoch : a.sequence > b.sequence;
}

static void start(stage *s) {
    daemon_start(&s->daemon, &s->spec);
}

static bool stop(stage *s) {
    bool copied = daemon_has_said(&s->daemon, COPIED);
    daemon_stop(&s->daemon);
    return copied;
}

/* backup and restore are shell words. What says so. */
static void put_back(stage *s, const char *backup, const char *restore,
                     bool tells) {
    idp_token last;
    shell(s, "rm -rf d b b.tar");
    start(s);
    claim(s, "before");
    CHECK(!stop(s), "a folder that is new is no copy");
    shell(s, backup);
    for (int life = 0; life < 3; life++) {
        start(s);
        char key[16];
        snprintf(key, sizeof key, "lost-%d", life);
        last = claim(s, key);
        CHECK(!stop(s), "what goes on is no copy");
    }
    shell(s, restore);
    start(s);
    idp_token next = claim(s, "lost-2");
    bool told = stop(s);
    CHECK(told == tells, "%s, %s: the daemon takes it for %s", backup, restore,
          told ? "a copy" : "the original");
    CHECK(is_above(next, last), "%s: a token of the lost life again", restore);
    start(s);
    CHECK(is_above(claim(s, "lost-1"), next), "tokens shrink");
    CHECK(!stop(s), "after %s it goes on, and is told again", restore);
}

static void test_copies(stage *s) {
    put_back(s, "cp -a d b", "rm -rf d; cp -a b d", true);
    put_back(s, "cp -a d b", "cp -a b/. d/", true);
    put_back(s, "cp -a d b", "rm -rf d; mv b d", true);
    put_back(s, "cp -al d b", "rm -rf d; mv b d", true);
    put_back(s, "tar cf b.tar d", "tar xf b.tar", true);
    put_back(s, "cp -a d b", "cp -p b/MANIFEST d/MANIFEST; cp -p b/snap* d/",
             true);
}

/* What moves is what it was. */
static void test_moves(stage *s) {
    char moved[80];
    shell(s, "rm -rf d b e");
    start(s);
    idp_token first = claim(s, "k");
    CHECK(!stop(s), "new");
    shell(s, "mkdir e; mv d e/d2; touch e/d2/*; chmod 700 e/d2");
    snprintf(moved, sizeof moved, "%s/e/d2", s->top);
    s->spec.flags[3] = moved;
    start(s);
    CHECK(is_above(claim(s, "k2"), first), "tokens shrink");
    CHECK(!stop(s), "a folder that is moved is no copy");
    s->spec.flags[3] = s->folder;
}

/* A whole volume is put back: only the operator knows. */
static void test_told(stage *s) {
    shell(s, "rm -rf d");
    start(s);
    idp_token first = claim(s, "k");
    CHECK(!stop(s), "new");
    s->spec.flags[6] = "--restored";
    start(s);
    idp_token next = claim(s, "k2");
    CHECK(stop(s), "it does not believe --restored");
    CHECK(next.epoch > first.epoch + 1000, "the epoch is not the clock's");
    s->spec.flags[6] = NULL;
}

/* A copy of the replica's folder is put back, and the primary is dead. */
static void test_pair(const char *program, bool state_alone) {
    pair p;
    char text[512], command[1024];
    pair_init(&p, program, 1, 1);
    pair_keep(&p);
    pair_start(&p, &p.a, NULL);
    pair_start(&p, &p.b, &p.a);
    pair_await_in_sync(&p.b);
    pair_stop(&p.b);
    const char *what = state_alone ? p.b.state : p.b.data_dir;
    snprintf(command, sizeof command, "cp -a %s %s.old", what, what);
    CHECK(system(command) == 0, "%s", command);
    pair_start(&p, &p.b, &p.a);
    pair_await_in_sync(&p.b);
    pair_stop(&p.a);
    pair_stop(&p.b);
    snprintf(command, sizeof command, "rm -rf %s; cp -a %s.old %s", what, what,
             what);
    CHECK(system(command) == 0, "%s", command);
    pair_start(&p, &p.b, &p.a);
    CHECK(pair_command(&p.b, IDP_PROMOTE, false, text, sizeof text) !=
              IDP_COMMAND_PROMOTED,
          "a copy is promoted, and nobody accepted loss");
    CHECK(strstr(text, "accept-loss"), "it says: %s", text);
    pair_carry_out(&p.b, IDP_PROMOTE, true);
    pair_end(&p);
}

int main(int argc, char **argv) {
    stage s = {.top = "/tmp/idem-restored-XXXXXX"};
    CHECK(argc == 2, "usage: restored IDEMSTORED");
    CHECK(mkdtemp(s.top) != NULL, "no folder");
    snprintf(s.folder, sizeof s.folder, "%s/d", s.top);
    s.spec = (daemon_spec){.program = argv[1],
                           .flags = {"--threads", "2", "--data-dir", s.folder,
                                     "--fsync", "always"}};
    test_copies(&s);
    test_moves(&s);
    test_told(&s);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", s.top);
    CHECK(system(command) == 0, "can't clean up");
    test_pair(argv[1], false);
    test_pair(argv[1], true);
    puts("copies are told from what was written, and moves are not copies");
    return 0;
}
