/* SPDX-License-Identifier: Apache-2.0 */
/* double_click_failover.c -- the double click while the store's primary dies at
 * the two moments that matter: between acquire and complete, and between
 * complete and its reply. The points are taken once.
 *
 *   double_click_failover IDEMSTORED POINTS_SERVICE NGINX_CONF_IN */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "client/include/idemclient_http.h"
#include "tests/e2e/byte_proxy.h"
#include "tests/e2e/click_stage.h"
#include "tests/e2e/http_call.h"
#include "tests/e2e/pair.h"

#define BODY     "{\"user\":\"ann\",\"cost\":10}"
#define RETRIES  6
#define LEASE_MS 20000 /* no takeover: who has the claim finishes it */
#define PATIENCE 20    /* seconds */

/* Two stores, the services that know both, and what is between them. */
typedef struct scene {
    pair two;
    byte_proxy *proxy; /* before the primary */
    click_stage stage;
} scene;

typedef struct click {
    scene *scene;
    const char *key;
    const char *rehearse;
    http_reply reply;
    pthread_t thread;
} click;

static void *post(void *arg) {
    click *c = arg;
    char headers[256];
    snprintf(headers, sizeof headers,
             "Idempotency-Key: %s\r\nX-Rehearse: %s\r\n", c->key, c->rehearse);
    http_post(&(http_call){c->scene->stage.port, "/match", headers, BODY, NULL},
              &c->reply);
    return NULL;
}

static void click_begin(click *c) {
    CHECK(pthread_create(&c->thread, NULL, post, c) == 0, "no thread");
}

static void click_end(click *c) {
    pthread_join(c->thread, NULL);
}

static bool is_replay(const http_reply *reply) {
    char text[16];
    return http_header(reply, "Idempotency-Replayed", text, sizeof text);
}

/* What the primary has of the header's key. */
static idp_state state_of(const pair_node *node, const char *header) {
    wire w;
    char key[IDEM_HTTP_STORE_KEY_BYTES_MAX + 1] = "";
    size_t len;
    idem_http_request match = IDEM_HTTP_REQUEST_INIT;
    match.method = (idem_slice){"POST", 4};
    match.target = (idem_slice){"/match", 6};
    match.for_anyone = 1;
    CHECK(idem_http_store_key(&match, header, strlen(header), key,
                              sizeof key - 1, &len) == 0,
          "no key for %s", header);
    idp_request ask = {
        .method = IDP_PEEK, .ns = text_slice("points"), .key = text_slice(key)};
    idp_answer answer = {.outcome = IDP_OUTCOME_COUNT};
    CHECK(wire_open(&w, node->port), "no connection");
    CHECK(wire_call_confirmed(&w, &ask, &answer) == 0, "peek is refused");
    wire_close(&w);
    return answer.state;
}

static void await_state(const pair_node *node, const char *key,
                        idp_state state) {
    uint64_t until_ms = e2e_now_ms() + PATIENCE * 1000;
    while (state_of(node, key) != state) {
        CHECK(e2e_now_ms() < until_ms, "%s is not %s", key,
              idp_state_name(state));
        e2e_sleep_ms(1);
    }
}

static void set(scene *s, char **argv) {
    static char uri[96];
    pair_init(&s->two, argv[1], 2, 2);
    pair_start(&s->two, &s->two.a, NULL);
    pair_start(&s->two, &s->two.b, &s->two.a);
    pair_await_in_sync(&s->two.a);
    s->proxy = proxy_start(s->two.a.port);
    snprintf(uri, sizeof uri,
             "idem://127.0.0.1:%u,127.0.0.1:%u/points?timeout_ms=20000",
             proxy_port(s->proxy), s->two.b.port);
    s->stage = (click_stage){.service_program = argv[2],
                             .nginx_template = argv[3],
                             .stores = uri,
                             .lease_ms = LEASE_MS};
    CHECK(stage_open(&s->stage), "the stage can't be set");
}

static void fail_over(scene *s) {
    char text[IDP_COMMAND_TEXT_BYTES_MAX + 1] = "";
    uint64_t until_ms = e2e_now_ms() + PATIENCE * 1000;
    pair_kill(&s->two.a);
    while (pair_command(&s->two.b, IDP_PROMOTE, false, text, sizeof text) !=
           IDP_COMMAND_PROMOTED) {
        CHECK(e2e_now_ms() < until_ms, "not promoted: %s", text);
        e2e_sleep_ms(10);
    }
}

/* The click is answered, and every further one is its replay. */
static void judge(scene *s, click *first) {
    char attempt[64];
    CHECK(first->reply.status == 200 && !is_replay(&first->reply),
          "the click: %u, replay %d", first->reply.status,
          is_replay(&first->reply));
    CHECK(!http_header(&first->reply, "X-Attempt", attempt, sizeof attempt),
          "it was a second attempt: %s", attempt);
    for (int i = 0; i < RETRIES; i++) {
        click again = {.scene = s, .key = first->key, .rehearse = "no"};
        post(&again);
        CHECK(again.reply.status == 200 && is_replay(&again.reply) &&
                  http_body_same(&first->reply, &again.reply),
              "a retry: %u, replay %d", again.reply.status,
              is_replay(&again.reply));
    }
    CHECK(stage_rows(&s->stage, first->key) == 1, "points taken %u times",
          stage_rows(&s->stage, first->key));
    printf("  200; %d retries replayed byte for byte; points taken once\n",
           RETRIES);
}

static void strike(scene *s) {
    CHECK(stage_close(&s->stage), "a program did not end cleanly");
    proxy_stop(s->proxy);
    pair_end(&s->two);
}

static void between_acquire_and_complete(char **argv) {
    static scene s;
    static click c = {.scene = &s, .key = "early", .rehearse = "sleep-1500"};
    puts("the primary dies between acquire and complete");
    set(&s, argv);
    click_begin(&c);
    await_state(&s.two.a, c.key, IDP_STATE_IN_PROGRESS);
    CHECK(stage_rows(&s.stage, c.key) == 0, "the points are taken already");
    fail_over(&s);
    CHECK(state_of(&s.two.b, c.key) == IDP_STATE_IN_PROGRESS,
          "the replica does not know of the claim");
    click_end(&c);
    judge(&s, &c);
    strike(&s);
}

static void between_complete_and_its_reply(char **argv) {
    static scene s;
    static click c = {.scene = &s, .key = "late", .rehearse = "no"};
    puts("the primary dies between complete and its reply");
    set(&s, argv);
    proxy_swallow_after(s.proxy, "complete");
    click_begin(&c);
    CHECK(proxy_has_swallowed(s.proxy, PATIENCE), "no complete was seen");
    CHECK(state_of(&s.two.a, c.key) == IDP_STATE_COMPLETED,
          "it is not completed");
    CHECK(stage_rows(&s.stage, c.key) == 1, "the points are not taken");
    fail_over(&s);
    CHECK(state_of(&s.two.b, c.key) == IDP_STATE_COMPLETED,
          "the replica has forgotten that it was completed");
    click_end(&c);
    judge(&s, &c);
    strike(&s);
}

int main(int argc, char **argv) {
    CHECK(argc == 4, "usage: double_click_failover IDEMSTORED POINTS_SERVICE "
                     "NGINX_CONF_IN");
    setvbuf(stdout, NULL, _IOLBF, 0);
    between_acquire_and_complete(argv);
    between_complete_and_its_reply(argv);
    return 0;
}
