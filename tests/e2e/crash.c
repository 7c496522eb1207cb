/* SPDX-License-Identifier: Apache-2.0 */
/* crash.c -- kill -9 under full load, again and again: what was acknowledged
 * is there after each.
 *
 *   crash IDEMSTORED always|everysec ROUNDS [POWERCUT]
 *
 * Each round workers claim and complete keys, pipelined, until the daemon is
 * killed; then it starts again on the same folder, and every claim and result
 * of the round is asked for, and of earlier rounds a few; at the end all.
 * POWERCUT is a library that is preloaded and makes the kill a power cut.
 *
 * With always nothing that was acknowledged may be missing. With everysec
 * what is missing was told within two seconds before the end. */
#include "tests/e2e/harness.h"
#include "tests/lib/rng.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS       4u
#define PIPELINE      8u
#define KEYS_MAX      (1u << 20)
#define TTL_MS        86400000u
#define LEASE_MS      3600000u
#define LOSS_MS_MAX   2000u
#define OLD_ONES      200u
#define SAMPLE        20000u
#define LEFT_CLAIMED  5u /* every fifth key is claimed and left so */
#define SNAPSHOT_SIZE "300k"

typedef enum told { NOTHING, CLAIMED, COMPLETED } told;

/* What the daemon has acknowledged of a key. */
typedef struct key {
    idp_token token;
    told told;
    uint64_t told_ms;
} key;

typedef struct stage {
    daemon_spec spec;
    daemon_t daemon;
    bool everysec;
    key *keys;
    uint32_t count;       /* of keys used */
    pthread_mutex_t lock; /* of count */
    uint64_t checked, lost;
    uint64_t started_ms, killed_ms;
    uint64_t oldest_loss_ms; /* how long before the end it was told */
} stage;

static void name_key(uint32_t index, char name[32]) {
    snprintf(name, 32, "order-%07u", index);
}

static void name_result(uint32_t index, char result[64]) {
    snprintf(result, 64, "receipt of order %u, paid and shipped", index);
}

/* The workers -------------------------------------------------------------- */

static uint32_t take_keys(stage *s) {
    pthread_mutex_lock(&s->lock);
    uint32_t first = s->count;
    CHECK(first + PIPELINE <= KEYS_MAX, "too many keys");
    s->count += PIPELINE;
    pthread_mutex_unlock(&s->lock);
    return first;
}

/* Claims PIPELINE keys; false when the daemon is gone. */
static bool claim(stage *s, wire *w, uint32_t first) {
    uint32_t msgid = w->msgid;
    for (uint32_t i = 0; i < PIPELINE; i++) {
        char name[32];
        name_key(first + i, name);
        idp_request q = ask_acquire(name, LEASE_MS, TTL_MS);
        if (!wire_send_request(w, &q))
            return false;
    }
    for (uint32_t i = 0; i < PIPELINE; i++) {
        idp_reply reply;
        idp_answer answer;
        if (!wire_reply(w, &reply))
            return false;
        CHECK(!reply.is_error &&
                  idp_answer_read(IDP_ACQUIRE, reply.result, &answer),
              "a claim is refused");
        CHECK(answer.outcome == IDP_OUTCOME_ACQUIRED, "a fresh key is taken");
        key *k = &s->keys[first + reply.msgid - msgid];
        *k = (key){answer.token, CLAIMED, e2e_now_ms()};
    }
    return true;
}

static bool complete(stage *s, wire *w, uint32_t first) {
    uint32_t asked[PIPELINE], count = 0, msgid = w->msgid;
    for (uint32_t i = 0; i < PIPELINE; i++) {
        char name[32], result[64];
        if ((first + i) % LEFT_CLAIMED == 0)
            continue;
        name_key(first + i, name);
        name_result(first + i, result);
        idp_request q = ask_complete(name, s->keys[first + i].token, result);
        if (!wire_send_request(w, &q))
            return false;
        asked[count++] = first + i;
    }
    for (uint32_t i = 0; i < count; i++) {
        idp_reply reply;
        if (!wire_reply(w, &reply))
            return false;
        CHECK(!reply.is_error, "a complete is refused");
        key *k = &s->keys[asked[reply.msgid - msgid]];
        k->told = COMPLETED;
        k->told_ms = e2e_now_ms();
    }
    return true;
}

static void *work(void *ctx) {
    stage *s = ctx;
    wire w;
    if (!wire_open(&w, s->daemon.port))
        return NULL;
    for (;;) {
        uint32_t first = take_keys(s);
        if (!claim(s, &w, first) || !complete(s, &w, first))
            break;
    }
    wire_close(&w);
    return NULL;
}

/* The check ---------------------------------------------------------------- */

static void lost(stage *s, uint32_t index) {
    key *k = &s->keys[index];
    uint64_t ago_ms = s->killed_ms > k->told_ms ? s->killed_ms - k->told_ms : 0;
    CHECK(s->everysec, "order %u was acknowledged, and is gone", index);
    CHECK(ago_ms <= LOSS_MS_MAX,
          "order %u, told %llu ms before the end, is "
          "gone",
          index, (unsigned long long)ago_ms);
    s->lost++;
    if (ago_ms > s->oldest_loss_ms)
        s->oldest_loss_ms = ago_ms;
    k->told = NOTHING;
}

/* A claim that was acknowledged still stands, and its token is good. */
static void check_claimed(stage *s, wire *w, uint32_t index) {
    char name[32], result[64];
    key *k = &s->keys[index];
    idp_answer answer;
    name_key(index, name);
    name_result(index, result);
    idp_request q = ask_acquire(name, LEASE_MS, TTL_MS);
    CHECK(wire_call(w, &q, &answer) == 0, "order %u: an error", index);
    if (answer.outcome == IDP_OUTCOME_ACQUIRED) {
        lost(s, index);
        return;
    }
    if (answer.outcome == IDP_OUTCOME_REPLAY)
        return; /* the complete that was not acknowledged had come through */
    CHECK(answer.outcome == IDP_OUTCOME_IN_PROGRESS && answer.attempt == 1,
          "order %u: outcome %d", index, answer.outcome);
    q = ask_complete(name, k->token, result);
    CHECK(wire_call(w, &q, &answer) == 0 &&
              answer.outcome == IDP_OUTCOME_COMPLETED,
          "order %u: its token is not good any more", index);
    k->told = COMPLETED;
    k->told_ms = e2e_now_ms();
}

static void check_completed(stage *s, wire *w, uint32_t index) {
    char name[32], result[64];
    idp_answer answer;
    name_key(index, name);
    name_result(index, result);
    idp_request q = ask_acquire(name, LEASE_MS, TTL_MS);
    CHECK(wire_call(w, &q, &answer) == 0, "order %u: an error", index);
    if (s->everysec && answer.outcome != IDP_OUTCOME_REPLAY) {
        lost(s, index);
        return;
    }
    CHECK(answer.outcome == IDP_OUTCOME_REPLAY,
          "order %u was completed, and is outcome %d now", index,
          answer.outcome);
    CHECK(answer.result.len == strlen(result) &&
              !memcmp(answer.result.ptr, result, answer.result.len),
          "order %u: another result", index);
}

static void check_key(stage *s, wire *w, uint32_t index) {
    if (s->keys[index].told == CLAIMED)
        check_claimed(s, w, index);
    else if (s->keys[index].told == COMPLETED)
        check_completed(s, w, index);
    s->checked += s->keys[index].told != NOTHING;
}

/* All rounds' keys; a sample, where they are very many. */
static void check_all(stage *s) {
    wire w;
    CHECK(wire_open(&w, s->daemon.port), "it can't be reached");
    for (uint32_t i = 0; i < s->count; i += 1 + s->count / SAMPLE)
        check_key(s, &w, i);
    wire_close(&w);
}

/* All that the killed one had told, of keys of earlier rounds as well: a loss
 * that is only found after the next kill would seem to be older than it is.
 * And some of what came through a kill before. */
static void check(stage *s, idt_rng *rng, uint64_t since_ms) {
    wire w;
    CHECK(wire_open(&w, s->daemon.port), "it can't be reached");
    for (uint32_t i = 0; i < s->count; i++)
        if (s->keys[i].told_ms >= since_ms)
            check_key(s, &w, i);
    for (uint32_t i = 0; s->count > 0 && i < OLD_ONES; i++)
        check_key(s, &w, idt_rng_below(rng, s->count));
    wire_close(&w);
}

/* The rounds --------------------------------------------------------------- */

static void kill_daemon(stage *s) {
    int status;
    s->killed_ms = e2e_now_ms();
    kill(s->daemon.child.pid, SIGKILL);
    CHECK(child_wait(&s->daemon.child, &status, 60), "it does not die");
}

static void forget_log(stage *s) {
    CHECK(!daemon_has_said(&s->daemon, "Sanitizer"), "see %s",
          s->daemon.child.log_path);
    unlink(s->daemon.child.log_path);
}

static void start(stage *s) {
    s->started_ms = e2e_now_ms();
    daemon_start(&s->daemon, &s->spec);
}

static void round_of_load(stage *s, idt_rng *rng) {
    pthread_t workers[WORKERS];
    uint64_t since_ms = s->started_ms;
    for (uint32_t i = 0; i < WORKERS; i++)
        CHECK(pthread_create(&workers[i], NULL, work, s) == 0, "no thread");
    e2e_sleep_ms(idt_rng_between(rng, 5, s->everysec ? 1200 : 150));
    kill_daemon(s);
    for (uint32_t i = 0; i < WORKERS; i++)
        pthread_join(workers[i], NULL);
    forget_log(s);
    start(s);
    check(s, rng, since_ms);
}

static void remove_folder(const char *path) {
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    if (system(command) != 0)
        fprintf(stderr, "%s stays behind\n", path);
}

int main(int argc, char **argv) {
    static stage s = {.lock = PTHREAD_MUTEX_INITIALIZER};
    char folder[] = "/tmp/idemstore-crash-XXXXXX", prefix[600] = "";
    uint64_t seed = (uint64_t)getpid();
    idt_rng rng;
    CHECK(argc >= 4, "usage: crash IDEMSTORED always|everysec ROUNDS");
    CHECK(mkdtemp(folder), "no temporary folder");
    if (argc > 4)
        snprintf(prefix, sizeof prefix, "export LD_PRELOAD='%s';", argv[4]);
    s.everysec = strcmp(argv[2], "everysec") == 0;
    s.spec = (daemon_spec){.program = argv[1],
                           .prefix = prefix,
                           .flags = {"--threads", "2", "--data-dir", folder,
                                     "--fsync", argv[2], "--snapshot-log",
                                     SNAPSHOT_SIZE}};
    s.keys = calloc(KEYS_MAX, sizeof *s.keys);
    CHECK(s.keys, "no memory");
    idt_rng_seed(&rng, seed);
    printf("seed %llu\n", (unsigned long long)seed);
    start(&s);
    CHECK(argc <= 4 || daemon_said(&s.daemon, "writes are held back"),
          "%s is not in effect", argv[4]);
    long rounds = strtol(argv[3], NULL, 10);
    for (long i = 0; i < rounds; i++)
        round_of_load(&s, &rng);
    check_all(&s);
    daemon_stop(&s.daemon);
    forget_log(&s);
    start(&s);
    check_all(&s);
    daemon_stop(&s.daemon);
    printf("%ld kills, %u keys, %llu times acknowledged and looked for, %llu "
           "lost, the oldest told %llu ms before the end\n",
           rounds, s.count, (unsigned long long)s.checked,
           (unsigned long long)s.lost, (unsigned long long)s.oldest_loss_ms);
    remove_folder(folder);
    return 0;
}
