/* SPDX-License-Identifier: Apache-2.0 */
/* both_died.c -- both nodes of a pair die under load, not at once, with a
 * journal that is behind: idemctl check says which has more, and so does
 * idemctl replication of the two alive, and that is so when every key that was
 * asked for is looked up at both. Where a story says what the verdict is to be,
 * the journal of who goes on has come as far as the story has.
 *
 *   both_died IDEMSTORED IDEMCTL */
#include "tests/e2e/pair.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { LOADERS = 8, KEYS_MAX = 20000, LEAST = 50, SAID_BYTES = 65536 };

typedef struct loader {
    pthread_t thread;
    const char *run;
    uint16_t port;
    unsigned number;
    atomic_uint asked, acked; /* keys; acked: completed, and it was said */
} loader;

static atomic_bool stops;
static const char *ctl;
static char said[SAID_BYTES];

static void key_of(char key[static 48], const char *run, unsigned number,
                   unsigned i) {
    snprintf(key, 48, "%s-%u-%u", run, number, i);
}

static void *load(void *ctx) {
    loader *l = ctx;
    char key[48];
    idp_answer answer;
    wire w;
    CHECK(wire_open(&w, l->port), "it can't be reached");
    while (!atomic_load(&stops) && atomic_load(&l->asked) < KEYS_MAX) {
        key_of(key, l->run, l->number, atomic_fetch_add(&l->asked, 1));
        idp_request acquire = ask_acquire(key, 600000, 86400000);
        if (wire_call(&w, &acquire, &answer) != 0)
            break;
        idp_request complete = ask_complete(key, answer.token, "paid");
        if (wire_call(&w, &complete, &answer) != 0)
            break;
        atomic_fetch_add(&l->acked, 1);
    }
    wire_close(&w);
    return NULL;
}

/* Returns once each has had a good deal acknowledged. */
static void start_load(loader loaders[static LOADERS], const pair_node *node,
                       const char *run) {
    atomic_store(&stops, false);
    for (unsigned i = 0; i < LOADERS; i++) {
        loader *l = &loaders[i];
        l->run = run;
        l->port = node->port;
        l->number = i;
        atomic_store(&l->asked, 0);
        atomic_store(&l->acked, 0);
        pthread_create(&l->thread, NULL, load, l);
    }
    for (unsigned i = 0; i < LOADERS; i++)
        for (unsigned ms = 0; atomic_load(&loaders[i].acked) < LEAST; ms++) {
            CHECK(ms < 60000, "loader %u does not get on", i);
            e2e_sleep_ms(1);
        }
}

static void end_load(loader loaders[static LOADERS]) {
    atomic_store(&stops, true);
    for (unsigned i = 0; i < LOADERS; i++)
        pthread_join(loaders[i].thread, NULL);
}

/* What idemctl says; it has to end with 0. */
static void run(const char *command) {
    FILE *from = popen(command, "r");
    CHECK(from != NULL, "%s", command);
    said[fread(said, 1, sizeof said - 1, from)] = '\0';
    int status = pclose(from);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s", said);
}

/* Of both folders. */
static void check(const pair_node *first, const pair_node *second) {
    char command[1024];
    snprintf(command, sizeof command, "%s --json check %s %s", ctl,
             first->data_dir, second->data_dir);
    run(command);
}

static bool says_more(const char *word) {
    char text[64];
    snprintf(text, sizeof text, "\"more\":\"%s\"", word);
    return strstr(said, text) != NULL;
}

/* What a daemon has of the key: nothing, a claim, a result. */
static int stage_at(wire *w, const char *key) {
    idp_request peek = {
        .method = IDP_PEEK, .ns = text_slice("e2e"), .key = text_slice(key)};
    idp_answer answer;
    CHECK(wire_call_confirmed(w, &peek, &answer) == 0, "%s can't be looked at",
          key);
    if (answer.outcome != IDP_OUTCOME_RECORD ||
        answer.state == IDP_STATE_ABSENT)
        return 0;
    return answer.state == IDP_STATE_COMPLETED ? 2 : 1;
}

static unsigned keys_of(const loader loaders[static LOADERS]) {
    unsigned keys = 0;
    for (unsigned i = 0; i < LOADERS; i++)
        keys += atomic_load(&loaders[i].asked);
    return keys;
}

/* Appends what the node has of every key that these have asked for. */
static unsigned look_up(const pair_node *node,
                        const loader loaders[static LOADERS], int *stages,
                        unsigned *acked_there) {
    unsigned count = 0;
    char key[48];
    wire w;
    CHECK(wire_open(&w, node->port), "it can't be reached");
    for (unsigned l = 0; l < LOADERS; l++)
        for (unsigned i = 0; i < atomic_load(&loaders[l].asked); i++) {
            key_of(key, loaders[l].run, l, i);
            stages[count] = stage_at(&w, key);
            *acked_there +=
                i < atomic_load(&loaders[l].acked) && stages[count] == 2;
            count++;
        }
    wire_close(&w);
    return count;
}

typedef struct truth {
    unsigned keys, acked[2]; /* acknowledged, and there */
    unsigned more[2];        /* keys of which one has more than the other */
} truth;

/* The start, alone, that an operator would give it; then all is looked up. */
static void revive(pair *p, pair_node *node, const pair_node *of) {
    pair_start(p, node, of);
    pair_carry_out(node, IDP_PROMOTE, true);
    pair_await_role(node, "primary");
}

static truth find_truth(pair *p, const loader (*runs)[LOADERS],
                        unsigned count) {
    truth t = {0};
    int *stages[2];
    pair_node *nodes[2] = {&p->a, &p->b};
    for (unsigned r = 0; r < count; r++)
        t.keys += keys_of(runs[r]);
    for (int n = 0; n < 2; n++) {
        unsigned at = 0;
        stages[n] = calloc(t.keys + 1, sizeof(int));
        CHECK(stages[n] != NULL, "no memory");
        revive(p, nodes[n], n == 0 ? NULL : &p->a);
        for (unsigned r = 0; r < count; r++)
            at += look_up(nodes[n], runs[r], stages[n] + at, &t.acked[n]);
        pair_kill(nodes[n]);
    }
    for (unsigned i = 0; i < t.keys; i++) {
        t.more[0] += stages[0][i] > stages[1][i];
        t.more[1] += stages[1][i] > stages[0][i];
    }
    free(stages[0]);
    free(stages[1]);
    return t;
}

static void is_right(const truth *t, const char *verdict, const char *live,
                     const char *story) {
    bool each = t->more[0] > 0 && t->more[1] > 0;
    const char *right = each             ? "each"
                        : t->more[0] > 0 ? "first"
                        : t->more[1] > 0 ? "second"
                                         : "same";
    printf("  %s: of %u keys both have acknowledged ones %u and %u, one has "
           "more than the other of %u and %u; it says %s, and alive %s\n",
           story, t->keys, t->acked[0], t->acked[1], t->more[0], t->more[1],
           verdict, live);
    CHECK(strcmp(verdict, right) == 0 ||
              (each && strcmp(verdict, "unknown") == 0),
          "it says %s, and it is %s: %s", verdict, right, said);
    CHECK(strcmp(live, right) == 0 || strcmp(right, "each") == 0,
          "alive they say %s, and it is %s", live, right);
    CHECK(strcmp(live, "first") != 0 || t->more[0] > t->more[1],
          "alive they say first, and it has less");
    CHECK(strcmp(live, "second") != 0 || t->more[1] > t->more[0],
          "alive they say second, and it has less");
    CHECK(strcmp(verdict, "first") != 0 || t->acked[0] >= t->acked[1],
          "first, with fewer that were acknowledged");
    CHECK(strcmp(verdict, "second") != 0 || t->acked[1] >= t->acked[0],
          "second, with fewer that were acknowledged");
}

static const char *verdict_of_check(void) {
    static const char *const words[] = {"same", "first", "second", "each",
                                        "unknown"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (says_more(words[i]))
            return words[i];
    return "nothing";
}

/* Both are started as they were, and neither leads: what each brought back. */
static const char *verdict_alive(pair *p) {
    char command[512];
    pair_start(p, &p->a, NULL);
    pair_start(p, &p->b, &p->a);
    snprintf(command, sizeof command,
             "%s --json --server 127.0.0.1:%u replication 127.0.0.1:%u", ctl,
             p->a.port, p->b.port);
    run(command);
    CHECK(strstr(said, "\"text\":\"") && strstr(said, "\"first_records\":") &&
              strstr(said, "\"second_tokens\":"),
          "it does not say why: %s", said);
    const char *verdict = verdict_of_check();
    pair_kill(&p->b);
    pair_kill(&p->a);
    return verdict;
}

static void begin(pair *p, const char *program) {
    pair_init(p, program, 2, 3);
    pair_keep(p);
    snprintf(p->a.state, sizeof p->a.state, "%s/a/peer", p->folder);
    snprintf(p->b.state, sizeof p->b.state, "%s/b/peer", p->folder);
    p->a.more[0] = p->b.more[0] = "--fsync";
    p->a.more[1] = p->b.more[1] = "everysec";
    pair_start_both(p);
}

/* The folders are different once the truth was looked for. */
static void end(pair *p, const loader (*runs)[LOADERS], unsigned count,
                const char *story) {
    const char *verdict = verdict_of_check(), *live = verdict_alive(p);
    truth t = find_truth(p, runs, count);
    is_right(&t, verdict, live, story);
    pair_end(p);
}

/* The primary goes on for a while: what it holds back it has, and nobody
 * else. */
static void replica_dies_first(const char *program) {
    static loader runs[1][LOADERS];
    idp_answer answer;
    wire w;
    pair p;
    begin(&p, program);
    start_load(runs[0], &p.a, "one");
    pair_kill(&p.b);
    CHECK(wire_open(&w, p.a.port), "no connection");
    /* Of a loader's, so that it is looked up: the next that it would ask. */
    end_load(runs[0]);
    char key[48];
    key_of(key, "one", 0, atomic_fetch_add(&runs[0][0].asked, 1));
    idp_request late = ask_acquire(key, 600000, 86400000);
    CHECK(wire_call(&w, &late, &answer) == IDP_E_UNREPLICATED,
          "it is acknowledged, and there is no replica");
    wire_close(&w);
    pair_await_synced(&p.a);
    pair_kill(&p.a);
    check(&p.a, &p.b);
    CHECK(strstr(said, "\"role\":\"primary\"") &&
              strstr(said, "\"role\":\"replica\"") &&
              strstr(said, "\"in_sync\":\"with its replica\"") &&
              strstr(said, "\"in_sync\":\"as the replica\"") &&
              strstr(said, "\"last_stop\":\"sudden\""),
          "it does not say who they were: %s", said);
    check(&p.b, &p.a);
    CHECK(says_more("second"), "asked the other way round: %s", said);
    check(&p.a, &p.b);
    CHECK(says_more("first"), "the primary went on: %s", said);
    end(&p, (const loader(*)[LOADERS])runs, 1, "the replica died first");
}

/* The replica is promoted, and acknowledges what the old primary never had. */
static void primary_dies_first(const char *program) {
    static loader runs[2][LOADERS];
    pair p;
    begin(&p, program);
    start_load(runs[0], &p.a, "one");
    end_load(runs[0]);
    pair_kill(&p.a);
    pair_carry_out(&p.b, IDP_PROMOTE, true);
    pair_await_role(&p.b, "primary");
    start_load(runs[1], &p.b, "two");
    pair_await_synced(&p.b);
    pair_kill(&p.b);
    end_load(runs[1]);
    check(&p.a, &p.b);
    CHECK(says_more("second"), "the replica went on: %s", said);
    end(&p, (const loader(*)[LOADERS])runs, 2, "the primary died first");
}

/* The claim that both have: in progress, and its key is asked for once. */
static idp_token claim_at(wire *w, const char *key) {
    idp_answer answer;
    idp_request acquire = ask_acquire(key, 600000, 86400000);
    CHECK(wire_call_confirmed(w, &acquire, &answer) == 0, "%s is not claimed",
          key);
    return answer.token;
}

static void complete_at(wire *w, const char *key, idp_token token) {
    idp_answer answer;
    idp_request complete = ask_complete(key, token, "paid");
    CHECK(wire_call_confirmed(w, &complete, &answer) == 0,
          "%s is not completed", key);
}

/* The primary goes on alone, and dies; then the replica that was left behind is
 * promoted. What the first one completed alone the second one has in progress:
 * of keys that it does not have, of an epoch that is over for it, it can't be
 * told whether it has forgotten them. */
static void each_goes_on(const char *program) {
    static loader runs[3][LOADERS];
    wire w;
    pair p;
    begin(&p, program);
    CHECK(wire_open(&w, p.a.port), "no connection");
    idp_token token = claim_at(&w, "begun-by-both");
    start_load(runs[0], &p.a, "one");
    end_load(runs[0]);
    pair_await_synced(&p.b);
    pair_kill(&p.b);
    pair_carry_out(&p.a, IDP_DETACH, false);
    complete_at(&w, "begun-by-both", token);
    wire_close(&w);
    start_load(runs[1], &p.a, "two");
    end_load(runs[1]);
    pair_await_synced(&p.a);
    pair_kill(&p.a);
    pair_start(&p, &p.b, &p.a);
    pair_carry_out(&p.b, IDP_PROMOTE, true);
    pair_await_role(&p.b, "primary");
    start_load(runs[2], &p.b, "three");
    end_load(runs[2]);
    pair_await_synced(&p.b);
    pair_kill(&p.b);
    check(&p.a, &p.b);
    CHECK(strcmp(verdict_of_check(), "each") == 0, "each went on: %s", said);
    const char *live = verdict_alive(&p);
    CHECK(strcmp(live, "same") != 0, "each went on: %s", said);
    CHECK(strcmp(live, "each") == 0 || strstr(said, "counts"),
          "that counts are no proof is not said: %s", said);
    printf("  each went on alone: alive they say %s\n", live);
    pair_end(&p);
}

/* Whatever they have then, it is told as it is. */
static void both_die_at_once(const char *program, bool primary_first) {
    static loader runs[1][LOADERS];
    pair p;
    begin(&p, program);
    start_load(runs[0], &p.a, "one");
    pair_kill(primary_first ? &p.a : &p.b);
    pair_kill(primary_first ? &p.b : &p.a);
    end_load(runs[0]);
    check(&p.a, &p.b);
    end(&p, (const loader(*)[LOADERS])runs, 1, "both died at once");
}

int main(int argc, char **argv) {
    char path[4096];
    CHECK(argc == 3 && strchr(argv[1], '/'),
          "usage: both_died IDEMSTORED IDEMCTL");
    size_t folder = (size_t)(strrchr(argv[1], '/') - argv[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    ctl = argv[2];
    snprintf(path, sizeof path, "%.*s:%s", (int)folder, argv[1],
             getenv("PATH"));
    setenv("PATH", path, 1);
    replica_dies_first(argv[1]);
    primary_dies_first(argv[1]);
    each_goes_on(argv[1]);
    for (int i = 0; i < 4; i++)
        both_die_at_once(argv[1], i % 2 == 0);
    puts("good");
    return 0;
}
