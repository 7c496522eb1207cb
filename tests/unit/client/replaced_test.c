/* SPDX-License-Identifier: Apache-2.0 */
/* replaced_test.c -- a primary that was replaced: whom the blocking client
 * believes, by the epochs that they tell, and what becomes of a claim that is
 * worked on meanwhile. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "client/src/selector.h"
#include "tests/unit/client/script.h"

static fake_server *serve_at_epoch(script *s, uint64_t epoch, uint16_t port) {
    fake_config config = {
        .script = follow, .ctx = s, .epoch = epoch, .port = port};
    return fake_start(&config);
}

/* ------------------------------------------------------------------ epochs */

Test(replaced, a_primary_that_was_replaced_is_not_believed) {
    script old = {.replies = {answer_with(fake_acquired(1))},
                  .replies_count = 1};
    script new = old;
    fake_server *a = serve_at_epoch(&old, 1, 0);
    fake_server *b = serve_at_epoch(&new, 2, 0);
    uint16_t port_b = fake_port(b);
    idem_client *client = open_two(b, a, "timeout_ms=300");
    idem_error err = {.size = sizeof err};
    idem_args args = args_of("k");
    args.timeout_ms = 60000; /* so that b has the time to answer */
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(atomic_load(&new.requests), 1);
    fake_stop(b);
    args.timeout_ms = 300;
    int32_t code = idem_acquire(client, &args, NULL, &err);
    cr_assert_neq(code, 0);
    cr_assert_eq(atomic_load(&old.requests), 0, "the old one was asked");
    b = serve_at_epoch(&new, 2, port_b);
    args.timeout_ms = 60000;
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0);
    cr_assert_eq(atomic_load(&old.requests), 0);
    fake_stop(b);
    b = serve_at_epoch(&new, 1, port_b);
    cr_assert_eq(idem_acquire(client, &args, NULL, NULL), 0,
                 "one that comes back is believed");
    close_all(client, a, b);
}

static bool hears(idem__selector *selector, const char *at, uint64_t epoch,
                  uint64_t now_ms, idem_error *err) {
    idem__endpoint endpoint;
    idp_hello hello = {.role = "primary", .epoch = epoch, .shards = 1};
    cr_assert(idem__endpoint_parse(at, strlen(at), &endpoint));
    idem__heard_hello heard = {.serial = atomic_load(&selector->serial),
                               .endpoint = &endpoint,
                               .hello = &hello,
                               .now_ms = now_ms};
    return idem__selector_learn(selector, &heard, err);
}

Test(replaced, an_older_primary_is_believed_in_the_end) {
    idem__uri uri = {.endpoints_count = 1};
    idem__selector selector;
    idem_error err = {.size = sizeof err};
    idem__selector_init(&selector, &uri);
    cr_assert(hears(&selector, "a:1", 5, 1000, &err));
    cr_assert(hears(&selector, "b:1", 6, 1000, &err));
    cr_assert_not(hears(&selector, "a:1", 5, 2000, &err));
    cr_assert(strstr(err.text, "a:1 calls itself the primary of epoch 5") !=
                  NULL,
              "%s", err.text);
    cr_assert_not(hears(&selector, "a:1", 5, 2000 + IDEM__DOUBT_MS - 1, &err));
    cr_assert(hears(&selector, "a:1", 5, 2000 + IDEM__DOUBT_MS, &err));
    cr_assert(hears(&selector, "b:1", 6, 20000, &err));
    cr_assert_not(hears(&selector, "a:1", 5, 20001, &err), "doubted anew");
    idem__selector_fini(&selector);
}

/* It was a replica at the first hello, and hears another one on the same
 * connection once it has confirmed a change. What it says late to a call that
 * has timed out is nobody else's answer. */
Test(replaced, a_late_answer_from_a_new_primary_is_not_another_calls) {
    fake_reply late = {
        .action = FAKE_DRIP, .answer = fake_replay("another's", 9), .hold = 2};
    fake_reply own = {
        .action = FAKE_DRIP, .answer = fake_acquired(9), .hold = 2};
    script s = {.replies = {late, answer_with(fake_completed(true)), own},
                .replies_count = 3};
    fake_server *server = fake_start(
        &(fake_config){.script = follow, .ctx = &s, .role = "replica"});
    idem_client *client = open_client(fake_uri(server, ""));
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k1");
    /* Long enough for it to be asked, however slow the machine is. */
    for (args.timeout_ms = 100; atomic_load(&s.requests) == 0;
         args.timeout_ms *= 2)
        cr_assert_neq(idem_acquire(client, &args, NULL, NULL), 0);
    args = args_of("k2");
    cr_assert_eq(idem_complete(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.outcome, IDEM_COMPLETED);
    args = args_of("k3");
    cr_assert_eq(idem_acquire(client, &args, &answer, NULL), 0);
    cr_assert_eq(answer.outcome, IDEM_ACQUIRED);
    cr_assert_eq(fake_links(server), 1);
    idem_answer_fini(&answer);
    idem_client_close(client);
    fake_stop(server);
}

/* ---------------------------------------------------------------- run once */

/* The first server grants the claim and stops at its first renewal. */
static void grant_then_stop(void *ctx, uint64_t link,
                            const idp_request *request, fake_reply *reply) {
    script *s = ctx;
    follow(s, link, request, reply);
    *reply = (fake_reply){.action = FAKE_STOP};
    if (request->method == IDP_ACQUIRE) {
        reply->action = FAKE_ANSWER;
        reply->answer = fake_acquired(7);
        reply->answer.lease_ms = 6000;
    }
}

static void renew_and_complete(void *ctx, uint64_t link,
                               const idp_request *request, fake_reply *reply) {
    script *s = ctx;
    follow(s, link, request, reply);
    reply->action = FAKE_ANSWER;
    reply->answer =
        request->method == IDP_RENEW
            ? (idp_answer){.outcome = IDP_OUTCOME_RENEWED, .lease_ms = 6000}
            : fake_completed(true);
}

typedef struct job {
    script *second;
    int ran;
    int32_t lost;
} job;

/* Works until the claim was renewed at the second server. */
static int32_t until_renewed_there(idem_run *run, void *ctx) {
    job *j = ctx;
    j->ran++;
    while (atomic_load(&j->second->requests) == 0 && !idem_run_lost(run))
        usleep(1000);
    j->lost = idem_run_lost(run);
    return IDEM_RUN_DONE;
}

Test(replaced, run_once_runs_once_and_its_claim_moves_along) {
    script first = {.replies = {{.action = FAKE_MUTE}}, .replies_count = 1};
    script second = first;
    fake_config config = {.script = grant_then_stop, .ctx = &first};
    fake_server *a = fake_start(&config);
    config = (fake_config){.script = renew_and_complete, .ctx = &second};
    fake_server *b = fake_start(&config);
    idem_client *client = open_two(a, b, "");
    idem_answer answer = {.size = sizeof answer};
    idem_args args = args_of("k");
    job j = {.second = &second};
    args.lease_ms = 6000;
    cr_assert_eq(
        idem_run_once(client, &args, until_renewed_there, &j, &answer, NULL),
        0);
    cr_assert_eq(answer.outcome, IDEM_COMPLETED);
    cr_assert_eq(j.ran, 1);
    cr_assert_eq(j.lost, 0);
    cr_assert_eq(first.methods[1], IDP_RENEW);
    cr_assert_eq(second.methods[0], IDP_RENEW);
    cr_assert_eq(second.methods[1], IDP_COMPLETE);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(second.tokens[i].sequence, 7);
    idem_answer_fini(&answer);
    close_all(client, a, b);
}
