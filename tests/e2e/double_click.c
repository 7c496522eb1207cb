/* SPDX-License-Identifier: Apache-2.0 */
/* double_click.c -- the scenario that idemstore exists for, played for real:
 * two backends behind nginx, one key, one execution.
 *
 *   double_click IDEMSTORED POINTS_SERVICE NGINX_CONF_IN
 *
 * It prints what happened as a story. A line that begins with "NOT SO" is a
 * promise broken; then it exits 1. */
#include "tests/e2e/click_stage.h"
#include "tests/e2e/http_call.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CLICKS               50
#define RETRIES              6
#define LEASE_MS             3000
#define BODY                 "{\"user\":\"ann\",\"cost\":10}"
#define OTHER_BODY           "{\"user\":\"ann\",\"cost\":20}"
#define DEAR_BODY            "{\"user\":\"bob\",\"cost\":5000}"
#define TAKEOVER_SECONDS_MAX 30

static click_stage stage;
static unsigned broken;

static bool expect(bool holds, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool expect(bool holds, const char *format, ...) {
    va_list args;
    if (holds)
        return true;
    broken++;
    fputs("  NOT SO: ", stdout);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    return false;
}

static void pause_ms(long ms) {
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

/* ------------------------------------------------------------- one request */

/* header: the whole Idempotency-Key value, NULL for none. */
static unsigned click(const char *header, const char *body,
                      const char *rehearse, http_reply *reply) {
    char headers[1024];
    snprintf(headers, sizeof headers, "%s%s%s%s%s%s",
             header ? "Idempotency-Key: " : "", header ? header : "",
             header ? "\r\n" : "", rehearse ? "X-Rehearse: " : "",
             rehearse ? rehearse : "", rehearse ? "\r\n" : "");
    http_post(&(http_call){stage.port, "/match", headers, body, NULL}, reply);
    return reply->status;
}

static bool has_header(const http_reply *reply, const char *name,
                       const char *value) {
    char text[128];
    return http_header(reply, name, text, sizeof text) &&
           (value == NULL || strcmp(text, value) == 0);
}

static bool is_replay(const http_reply *reply) {
    return has_header(reply, "Idempotency-Replayed", "true");
}

static void expect_problem(const http_reply *reply, unsigned status,
                           const char *what) {
    expect(reply->status == status, "%s: %u expected, %u came", what, status,
           reply->status);
    expect(has_header(reply, "Content-Type", "application/problem+json"),
           "%s: no application/problem+json", what);
}

static void expect_rows(const char *key, unsigned rows) {
    unsigned got = stage_rows(&stage, key);
    expect(got == rows, "points taken %u times for %s, not %u", got, key, rows);
}

/* Every further click is answered as the first one was. */
static void expect_replays(const char *key, const char *body,
                           const http_reply *first) {
    static http_reply reply;
    for (int i = 0; i < RETRIES; i++) {
        unsigned status = click(key, body, NULL, &reply);
        expect(status == first->status && is_replay(&reply),
               "a retry of %s: %u, replay %d", key, status, is_replay(&reply));
        expect(http_body_same(first, &reply), "a retry differs: %.*s",
               (int)reply.body_bytes, reply.body);
    }
    printf("  %d retries: %u each, replayed byte for byte\n", RETRIES,
           first->status);
}

/* ----------------------------------------------------------- many requests */

typedef struct volley {
    const char *key;
    char rehearse[16];
    pthread_barrier_t ready;
    http_reply replies[CLICKS];
    size_t next;
    pthread_mutex_t lock;
} volley;

static void *volley_one(void *ctx) {
    volley *v = ctx;
    pthread_mutex_lock(&v->lock);
    http_reply *reply = &v->replies[v->next++];
    pthread_mutex_unlock(&v->lock);
    pthread_barrier_wait(&v->ready);
    click(v->key, BODY, v->rehearse, reply);
    return NULL;
}

static void fire(volley *v) {
    pthread_t threads[CLICKS];
    v->next = 0;
    pthread_barrier_init(&v->ready, NULL, CLICKS);
    pthread_mutex_init(&v->lock, NULL);
    for (size_t i = 0; i < CLICKS; i++) {
        if (pthread_create(&threads[i], NULL, volley_one, v) != 0) {
            perror("pthread_create");
            exit(1);
        }
    }
    for (size_t i = 0; i < CLICKS; i++)
        pthread_join(threads[i], NULL);
    pthread_mutex_destroy(&v->lock);
    pthread_barrier_destroy(&v->ready);
}

typedef struct tally {
    unsigned firsts, replays, conflicts, others;
    unsigned by_a, by_b;
    const http_reply *first;
} tally;

static tally count(const volley *v) {
    tally t = {.first = NULL};
    for (size_t i = 0; i < CLICKS; i++) {
        const http_reply *reply = &v->replies[i];
        if (reply->status == 200 && is_replay(reply))
            t.replays++;
        else if (reply->status == 200)
            t.firsts++, t.first = reply;
        else if (reply->status == 409 && has_header(reply, "Retry-After", NULL))
            t.conflicts++;
        else
            t.others++;
        t.by_a += has_header(reply, "X-Backend", "a");
        t.by_b += has_header(reply, "X-Backend", "b");
    }
    return t;
}

/* What holds for every volley, whichever way the duplicates are answered. */
static tally judge(const volley *v) {
    tally t = count(v);
    printf("  %u executed, %u x 409, %u replayed; a answered %u, b %u\n",
           t.firsts, t.conflicts, t.replays, t.by_a, t.by_b);
    expect(t.firsts == 1, "%u executions were answered, not 1", t.firsts);
    expect(t.others == 0, "%u answers are none of 200, 409", t.others);
    expect(t.by_a > 0 && t.by_b > 0, "only one backend was asked");
    for (size_t i = 0; i < CLICKS && t.first != NULL; i++)
        expect(v->replies[i].status != 200 ||
                   http_body_same(t.first, &v->replies[i]),
               "two different answers under one key");
    expect_rows(v->key, 1);
    return t;
}

/* -------------------------------------------------------------- the story */

static volley shots;

/* How long the first one works decides only whether a duplicate meets it: it
 * takes longer and longer until one has. */
static void fifty_at_once(void) {
    char key[32];
    tally t = {.conflicts = 0};
    puts("fifty clicks at once under one key");
    for (unsigned i = 0; i < 3 && t.conflicts == 0; i++) {
        snprintf(key, sizeof key, "fifty-%u", i);
        snprintf(shots.rehearse, sizeof shots.rehearse, "sleep-%u", 600u << i);
        shots.key = key;
        fire(&shots);
        t = judge(&shots);
    }
    expect(t.conflicts > 0, "no duplicate heard 409");
    if (t.first != NULL)
        expect_replays(key, BODY, t.first);
}

static void fifty_that_wait(void) {
    puts("the same where duplicates wait for the answer");
    if (!expect(stage_restart_services(&stage, 20000), "no restart"))
        return;
    shots.key = "fifty-wait";
    strcpy(shots.rehearse, "sleep-300");
    fire(&shots);
    tally t = judge(&shots);
    expect(t.replays == CLICKS - 1, "%u replays, not %d", t.replays,
           CLICKS - 1);
    expect(stage_restart_services(&stage, 0), "no restart");
}

static void other_body(void) {
    static http_reply reply;
    puts("the same key with another body");
    click("other", BODY, NULL, &reply);
    click("other", OTHER_BODY, NULL, &reply);
    expect_problem(&reply, 422, "another body");
    expect_rows("other", 1);
    puts("  422");
}

static void bad_keys(void) {
    static const char *const bad[] = {"\"\"",     "\"open",  "two words",
                                      "one, two", "\"a\" b", "\xc3\xa4"};
    static http_reply reply;
    char long_key[400];
    puts("no key, malformed keys");
    click(NULL, BODY, NULL, &reply);
    expect_problem(&reply, 400, "no key");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        click(bad[i], BODY, NULL, &reply);
        expect_problem(&reply, 400, bad[i]);
    }
    memset(long_key, 'k', sizeof long_key - 1);
    long_key[sizeof long_key - 1] = '\0';
    click(long_key, BODY, NULL, &reply);
    expect_problem(&reply, 400, "a key of 399 characters");
    puts("  400 each");
}

static void quoted_key(void) {
    static http_reply first, reply;
    puts("the key bare, then as a structured-field string");
    click("quoted-1", BODY, NULL, &first);
    click("\"quoted-1\"", BODY, NULL, &reply);
    expect(reply.status == 200 && is_replay(&reply) &&
               http_body_same(&first, &reply),
           "they are not the same key: %u", reply.status);
    expect_rows("quoted-1", 1);
    puts("  one key");
}

static void clean_failure(void) {
    static http_reply reply;
    puts("a handler that fails");
    click("fails", BODY, "fail", &reply);
    expect_problem(&reply, 500, "the failure");
    expect_rows("fails", 0);
    click("fails", BODY, NULL, &reply);
    expect(reply.status == 200 && !is_replay(&reply), "the retry: %u",
           reply.status);
    expect(!has_header(&reply, "X-Attempt", NULL),
           "the retry is told of what was given back");
    puts("  500, nothing taken; the retry is executed as if it were the first");
    expect_replays("fails", BODY, &reply);
    expect_rows("fails", 1);
}

static void business_error(void) {
    static http_reply reply;
    puts("too few points: an answer like any other");
    click("dear", DEAR_BODY, NULL, &reply);
    expect(reply.status == 402 && !is_replay(&reply), "the first: %u",
           reply.status);
    expect_replays("dear", DEAR_BODY, &reply);
    expect_rows("dear", 0);
}

/* Retries until the dead holder's lease is over. */
static unsigned click_until_free(const char *key, http_reply *reply) {
    unsigned conflicts = 0;
    for (int i = 0; i < TAKEOVER_SECONDS_MAX * 10; i++) {
        if (click(key, BODY, NULL, reply) != 409)
            break;
        conflicts++;
        pause_ms(100);
    }
    return conflicts;
}

/* rows_then: whether the points were taken before the backend died. */
static void killed(const char *key, const char *how, unsigned rows_then) {
    static http_reply reply;
    printf("a backend that dies in the middle (%s the points are taken)\n",
           rows_then ? "after" : "before");
    click(key, BODY, how, &reply);
    expect(reply.status == 502 || reply.status == 0, "the click: %u",
           reply.status);
    const char *name = stage_revive(&stage);
    if (!expect(name != NULL, "no backend died, or it does not start again"))
        return;
    expect_rows(key, rows_then);
    unsigned conflicts = click_until_free(key, &reply);
    printf("  %s is dead; %u x 409 until its lease is over, then %u\n", name,
           conflicts, reply.status);
    expect(reply.status == 200 && !is_replay(&reply), "the takeover: %u",
           reply.status);
    expect(has_header(&reply, "X-Attempt", "2, previous orphaned"),
           "the takeover is not told what was before");
    expect_rows(key, 1);
    expect_replays(key, BODY, &reply);
    expect_rows(key, 1);
}

static void store_gone(void) {
    static http_reply reply;
    puts("no store to ask");
    child_stop(&stage.store);
    click("no-store", BODY, NULL, &reply);
    expect_problem(&reply, 503, "without the store");
    expect(has_header(&reply, "Retry-After", NULL), "no Retry-After");
    expect_rows("no-store", 0);
    puts("  503, nothing taken");
}

static void play(void) {
    fifty_at_once();
    other_body();
    bad_keys();
    quoted_key();
    clean_failure();
    business_error();
    killed("dies-before", "die-before", 0);
    killed("dies-after", "die-after", 1);
    fifty_that_wait();
    store_gone();
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fputs("usage: double_click IDEMSTORED POINTS_SERVICE NGINX_CONF_IN\n",
              stderr);
        return 64;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    stage = (click_stage){.store_program = argv[1],
                          .service_program = argv[2],
                          .nginx_template = argv[3],
                          .lease_ms = LEASE_MS};
    if (!stage_open(&stage)) {
        puts("NOT SO: the stage can't be set");
        return 1;
    }
    play();
    if (broken > 0)
        stage_print_logs(&stage);
    expect(stage_close(&stage), "a program did not end cleanly");
    printf(broken == 0 ? "all of it held\n" : "%u promises broken\n", broken);
    return broken == 0 ? 0 : 1;
}
