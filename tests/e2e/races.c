/* SPDX-License-Identifier: Apache-2.0 */
/* races.c -- many threads in many processes hammer few keys over TCP; who won
 * is counted here, outside the daemon, in memory that all of them share.
 *
 *   races IDEMSTORED [SECONDS]
 *
 * Every worker has a connection on each shard. Half of the workers send each
 * key to its owner, half deliberately to another shard, so that the mailbox
 * lies in the way. Claims are completed, released, abandoned until their lease
 * is over, or lost with their connection. What must hold:
 *
 *   one winner per key and attempt; one complete per key; no claim after a
 *   complete that was acknowledged; every replay is what the completing
 *   attempt stored; tokens grow with the attempt. */
#include "proto/owner.h"
#include "tests/e2e/harness.h"
#include "tests/lib/rng.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES    3u
#define THREADS_EACH 6u
#define SHARDS       3u
#define KEYS         20000u
#define KEYS_AT_ONCE 4u
#define ATTEMPTS_MAX 64u
#define REPLAYS_EACH 12u
#define LEASE_MS_MAX 30u
#define TTL_MS       600000u

/* All that is known of one key from outside. */
typedef struct key_ledger {
    atomic_uint grants[ATTEMPTS_MAX];
    atomic_ullong token_sequence[ATTEMPTS_MAX]; /* 0: its reply was lost */
    atomic_uint completes;
    atomic_uint settled_by; /* the attempt whose complete was acknowledged, or
                             * seen in a replay; 0: not yet */
    atomic_uint replays;
} key_ledger;

typedef struct ledger {
    atomic_uint base; /* the first key that is not yet used up */
    atomic_bool stop;
    atomic_ullong calls;
    atomic_ullong acquired;
    atomic_ullong lost; /* connections dropped on purpose */
    key_ledger keys[KEYS];
} ledger;

typedef struct worker {
    ledger *book;
    uint16_t port;
    unsigned number;
    idt_rng rng;
    idp_hello hello;
    wire to_shard[SHARDS];
} worker;

static void worker_connect(worker *me, uint32_t shard) {
    wire *w = &me->to_shard[shard];
    CHECK(wire_open(w, me->port), "can't connect");
    int code = wire_hello(w, (int32_t)shard, NULL, &me->hello);
    CHECK(code == 0 && me->hello.shard == shard && me->hello.shards == SHARDS,
          "hello {shard: %u} left us on shard %u of %u", shard, me->hello.shard,
          me->hello.shards);
}

/* The connection for a key: its owner's, or deliberately another's. */
static wire *worker_wire(worker *me, const char *key) {
    uint64_t hash =
        idp_owner_hash(me->hello.hash_key, text_slice("e2e"), text_slice(key));
    uint32_t shard = idp_owner_shard(hash, SHARDS);
    if (me->number % 2 == 0)
        shard = (shard + 1 + me->number / 2 % (SHARDS - 1)) % SHARDS;
    wire *w = &me->to_shard[shard];
    if (w->fd < 0)
        worker_connect(me, shard);
    return w;
}

static unsigned draw(worker *me, unsigned below) {
    return idt_rng_below(&me->rng, below);
}

static void result_text(char *to, size_t cap, const char *key,
                        unsigned attempt) {
    snprintf(to, cap, "%s done by attempt %u", key, attempt);
}

/* A key is completed by one attempt, whoever asks. */
static void settle(key_ledger *k, const char *key, unsigned attempt) {
    unsigned known = 0;
    if (!atomic_compare_exchange_strong(&k->settled_by, &known, attempt))
        CHECK(known == attempt, "%s: completed by attempt %u and by %u", key,
              known, attempt);
}

static void saw_replay(key_ledger *k, const char *key,
                       const idp_answer *answer) {
    char text[96];
    snprintf(text, sizeof text, "%.*s", (int)answer->result.len,
             (const char *)answer->result.ptr);
    char *at = strstr(text, " done by attempt ");
    CHECK(answer->has_result && at != NULL &&
              strncmp(text, key, strlen(key)) == 0,
          "%s: the replay is another key's: %s", key, text);
    settle(k, key, (unsigned)strtoul(at + 17, NULL, 10));
    atomic_fetch_add(&k->replays, 1);
}

/* Completes, and says so in the ledger. */
static void finish(wire *w, key_ledger *k, const char *key,
                   const idp_answer *grant) {
    char text[96];
    idp_answer answer;
    result_text(text, sizeof text, key, grant->attempt);
    idp_request complete = ask_complete(key, grant->token, text);
    CHECK(wire_call(w, &complete, &answer) == 0, "%s: complete failed", key);
    if (answer.outcome == IDP_OUTCOME_STALE)
        return; /* the lease was over, and another took it */
    CHECK(answer.outcome == IDP_OUTCOME_COMPLETED, "%s: complete says %d", key,
          (int)answer.outcome);
    unsigned before = atomic_fetch_add(&k->completes, 1);
    CHECK(before == 0, "%s: a second complete succeeded, by attempt %u", key,
          grant->attempt);
    settle(k, key, grant->attempt);
}

static void won(worker *me, wire *w, key_ledger *k, const char *key,
                const idp_answer *grant) {
    CHECK(grant->attempt >= 1 && grant->attempt < ATTEMPTS_MAX,
          "%s: attempt %u", key, grant->attempt);
    unsigned before = atomic_fetch_add(&k->grants[grant->attempt], 1);
    CHECK(before == 0, "%s: two winners of attempt %u", key, grant->attempt);
    atomic_store(&k->token_sequence[grant->attempt], grant->token.sequence);
    atomic_fetch_add(&me->book->acquired, 1);
    unsigned fate = draw(me, 10);
    idp_answer answer;
    if (grant->attempt > ATTEMPTS_MAX / 2 || fate < 6) {
        finish(w, k, key, grant);
    } else if (fate < 8) {
        idp_request release = ask_release(key, grant->token);
        CHECK(wire_call(w, &release, &answer) == 0, "%s: release failed", key);
    } else if (fate < 9) {
        e2e_sleep_ms(draw(me, 2 * LEASE_MS_MAX)); /* late, perhaps too late */
        finish(w, k, key, grant);
    } /* else abandoned */
}

static void one_call(worker *me) {
    char key[32];
    unsigned n = atomic_load(&me->book->base) + draw(me, KEYS_AT_ONCE);
    key_ledger *k = &me->book->keys[n % KEYS];
    snprintf(key, sizeof key, "race-%u", n);
    wire *w = worker_wire(me, key);
    bool done_before = atomic_load(&k->settled_by) != 0;

    idp_answer answer;
    idp_request acquire = ask_acquire(key, 1 + draw(me, LEASE_MS_MAX), TTL_MS);
    acquire.wait_ms = draw(me, 2) ? draw(me, 3 * LEASE_MS_MAX) : 0;
    atomic_fetch_add(&me->book->calls, 1);
    if (draw(me, 50) == 0) { /* gone before the answer, perhaps while parked */
        wire_send_request(w, &acquire);
        wire_close(w);
        atomic_fetch_add(&me->book->lost, 1);
        return;
    }
    int code = wire_call(w, &acquire, &answer);
    CHECK(code == 0, "%s: acquire ended with %d", key, code);
    CHECK(!done_before || answer.outcome == IDP_OUTCOME_REPLAY,
          "%s: completed and acknowledged, then outcome %d", key,
          (int)answer.outcome);
    if (answer.outcome == IDP_OUTCOME_ACQUIRED)
        won(me, w, k, key, &answer);
    else if (answer.outcome == IDP_OUTCOME_REPLAY)
        saw_replay(k, key, &answer);
    if (atomic_load(&k->replays) >= REPLAYS_EACH &&
        n == atomic_load(&me->book->base))
        atomic_compare_exchange_strong(&me->book->base, &n, n + 1);
}

static void *work(void *arg) {
    worker *me = arg;
    for (uint32_t shard = 0; shard < SHARDS; shard++)
        worker_connect(me, shard);
    while (!atomic_load(&me->book->stop) &&
           atomic_load(&me->book->base) + KEYS_AT_ONCE < KEYS)
        one_call(me);
    for (uint32_t shard = 0; shard < SHARDS; shard++)
        wire_close(&me->to_shard[shard]);
    return NULL;
}

static _Noreturn void process(ledger *book, uint16_t port, unsigned number) {
    static worker workers[THREADS_EACH];
    pthread_t threads[THREADS_EACH];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (unsigned i = 0; i < THREADS_EACH; i++) {
        unsigned n = number * THREADS_EACH + i;
        workers[i] = (worker){.book = book, .port = port, .number = n};
        idt_rng_seed(&workers[i].rng, 4711 + n);
        CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0,
              "no thread");
    }
    for (unsigned i = 0; i < THREADS_EACH; i++)
        pthread_join(threads[i], NULL);
    exit(0);
}

/* Tokens grow with the attempt; at most one complete each. */
static void audit(ledger *book) {
    unsigned used = atomic_load(&book->base) + KEYS_AT_ONCE;
    unsigned retries = 0;
    for (unsigned n = 0; n < used && n < KEYS; n++) {
        key_ledger *k = &book->keys[n];
        unsigned long long last = 0;
        for (unsigned a = 1; a < ATTEMPTS_MAX; a++) {
            unsigned long long token = atomic_load(&k->token_sequence[a]);
            if (token == 0)
                continue;
            CHECK(token > last, "race-%u: attempt %u has a lower token", n, a);
            last = token;
            retries += a > 1;
        }
    }
    printf("races: %llu calls, %llu claims on %u keys, %u of them not the "
           "first attempt, %llu connections dropped\n",
           (unsigned long long)atomic_load(&book->calls),
           (unsigned long long)atomic_load(&book->acquired), used, retries,
           (unsigned long long)atomic_load(&book->lost));
    CHECK(atomic_load(&book->base) > 10 && retries > 10,
          "too little happened for this to be a test");
}

int main(int argc, char **argv) {
    unsigned seconds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 6;
    ledger *book = mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(argc > 1 && book != MAP_FAILED, "usage: races IDEMSTORED [SECONDS]");
    daemon_t daemon;
    daemon_start(&daemon, &(daemon_spec){.program = argv[1],
                                         .flags = {"--threads", "3"}});
    pid_t pids[PROCESSES];
    for (unsigned p = 0; p < PROCESSES; p++)
        if ((pids[p] = fork()) == 0)
            process(book, daemon.port, p);
    for (unsigned i = 0; i < seconds * 20; i++)
        e2e_sleep_ms(50);
    atomic_store(&book->stop, true);
    for (unsigned p = 0; p < PROCESSES; p++) {
        int status = 0;
        waitpid(pids[p], &status, 0);
        CHECK(status == 0, "a process of workers failed");
    }
    uint64_t hops = daemon_stat(&daemon, "forwarded_total");
    CHECK(hops > atomic_load(&book->calls) / 4,
          "only %llu requests went through the mailbox",
          (unsigned long long)hops);
    audit(book);
    daemon_stop(&daemon);
    return 0;
}
