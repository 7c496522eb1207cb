/* SPDX-License-Identifier: Apache-2.0 */
/* async_test.c -- what the async client has that the blocking one has not:
 * callbacks that call back into it, cancelling, bounds, leases by callback. Its
 * rules are tested by the blocking client's stories (tests/lib/async_client.h).
 * Where time matters it is an argument here, and nobody waits for it. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/include/idemclient_async_poll.h"
#include "client/src/mem.h"
#include "tests/unit/client/fake.h"

typedef struct heard {
    int times;
    int32_t outcome;
    int32_t code;
    uint8_t nonce[16];
} heard;

typedef struct story {
    idem_async *async;
    fake_server *server;
    _Atomic int requests;
    _Atomic int renewals;
    fake_action action; /* on acquires */
    idem_async *closes; /* a callback closes it */
    uint64_t cancels;   /* a callback ends that call */
    idem_lost_fn lost;  /* a callback keeps the claim */
    uint64_t lease;
    int told;    /* callbacks, in all */
    int lost_to; /* what lost was told; -1: nothing */
    idp_state renewed_as;
} story;

static void script(void *ctx, uint64_t link, const idp_request *request,
                   fake_reply *reply) {
    story *s = ctx;
    (void)link;
    atomic_fetch_add(&s->requests, 1);
    *reply = (fake_reply){.action = s->action, .answer = fake_acquired(1)};
    if (request->method == IDP_COMPLETE)
        *reply = (fake_reply){.answer = fake_completed(true)};
    if (request->method != IDP_RENEW)
        return;
    atomic_fetch_add(&s->renewals, 1);
    *reply = (fake_reply){.answer = {.outcome = IDP_OUTCOME_RENEWED,
                                     .lease_ms = request->lease_ms}};
    if (s->renewed_as != 0)
        reply->answer =
            (idp_answer){.outcome = IDP_OUTCOME_STALE, .state = s->renewed_as};
}

static story *begin(story *s) {
    fake_config config = {.script = script, .ctx = s};
    idem_error err = {.size = sizeof err};
    s->server = fake_start(&config);
    s->lost_to = -1;
    cr_assert_eq(idem_async_open(fake_uri(s->server, ""), &s->async, &err), 0,
                 "%s", err.text);
    return s;
}

static void end(story *s) {
    idem_async_close(s->async);
    fake_stop(s->server);
}

static story *teller;

static void hear(void *ctx, const idem_answer *answer, const idem_error *err) {
    heard *h = ctx;
    story *s = teller;
    h->times++;
    s->told++;
    cr_assert((answer == NULL) != (err == NULL));
    if (answer != NULL) {
        h->outcome = answer->outcome;
        memcpy(h->nonce, answer->nonce, sizeof h->nonce);
    } else {
        h->code = err->code;
        memcpy(h->nonce, err->nonce, sizeof h->nonce);
    }
    if (s->cancels != 0)
        cr_assert_eq(idem_async_cancel(s->async, s->cancels), 1);
    s->cancels = 0;
    if (s->lost != NULL && answer != NULL)
        cr_assert_eq(idem_async_keep(s->async, s->lost, s, &s->lease), 0);
    idem_async_close(s->closes);
    s->closes = NULL;
}

static uint64_t ask(story *s, const char *key, heard *h) {
    idem_args args = {.size = sizeof args, .key = key, .key_len = strlen(key)};
    uint64_t id = 0;
    teller = s;
    cr_assert_eq(idem_async_call(s->async, IDEM_ACQUIRE, &args, idem_now_ms(),
                                 hear, h, &id),
                 0);
    cr_assert_neq(id, 0);
    return id;
}

static void turn_until(story *s, const heard *h, int times) {
    while (h->times < times)
        cr_assert_eq(idem_async_poll_turn(s->async, 50), 1);
}

static void wait_for_requests(story *s, int count) {
    while (atomic_load(&s->requests) < count)
        cr_assert_eq(idem_async_poll_turn(s->async, 20), 1);
}

/* ------------------------------------------------------------- cancelling */

Test(async, a_call_that_was_not_sent_is_cancelled_as_closed) {
    story s = {0};
    heard a = {0};
    begin(&s);
    uint64_t id = ask(&s, "a", &a); /* nothing is connected yet */
    cr_assert_eq(idem_async_cancel(s.async, id), 1);
    cr_assert_eq(a.times, 0, "told outside of a turn");
    cr_assert_eq(idem_async_timeout_ms(s.async, idem_now_ms()), 0);
    turn_until(&s, &a, 1);
    cr_assert_eq(a.code, IDEM_E_CLOSED);
    cr_assert_eq(idem_async_cancel(s.async, id), 0);
    end(&s);
    cr_assert_eq(a.times, 1);
}

Test(async, a_call_that_was_sent_is_cancelled_as_lost_and_told_its_nonce) {
    static const uint8_t none[16];
    story s = {.action = FAKE_MUTE};
    heard a = {0}, b = {0};
    begin(&s);
    uint64_t id = ask(&s, "a", &a);
    ask(&s, "b", &b);
    wait_for_requests(&s, 2);
    cr_assert_eq(idem_async_cancel(s.async, id), 1);
    turn_until(&s, &a, 1);
    cr_assert_eq(a.code, IDEM_E_LOST);
    cr_assert_neq(memcmp(a.nonce, none, sizeof none), 0);
    cr_assert_eq(b.times, 0);
    end(&s);
    cr_assert_eq(b.times, 1);
    cr_assert_eq(b.code, IDEM_E_LOST);
}

Test(async, a_callback_cancels_another_call) {
    story s = {.action = FAKE_ANSWER};
    heard a = {0}, b = {0};
    begin(&s);
    ask(&s, "a", &a);
    turn_until(&s, &a, 1);
    s.action = FAKE_MUTE;
    uint64_t silent = ask(&s, "b", &b);
    wait_for_requests(&s, 2);
    s.action = FAKE_ANSWER;
    s.cancels = silent;
    ask(&s, "a", &a);
    turn_until(&s, &b, 1);
    cr_assert_eq(a.times, 2);
    cr_assert_eq(b.code, IDEM_E_LOST);
    end(&s);
}

Test(async, an_id_names_one_call_and_none_after_it) {
    story s = {.action = FAKE_ANSWER};
    heard a = {0};
    begin(&s);
    uint64_t first = ask(&s, "a", &a);
    turn_until(&s, &a, 1);
    uint64_t second = ask(&s, "a", &a);
    cr_assert_neq(first, second);
    cr_assert_eq(idem_async_cancel(s.async, first), 0);
    cr_assert_eq(idem_async_cancel(s.async, 0), 0);
    cr_assert_eq(idem_async_cancel(s.async, UINT64_MAX), 0);
    turn_until(&s, &a, 2);
    cr_assert_eq(a.outcome, IDEM_ACQUIRED);
    end(&s);
}

/* ---------------------------------------------------------------- closing */

Test(async, a_callback_closes_it_and_each_call_is_told_once) {
    story s = {.action = FAKE_MUTE};
    heard sent[3] = {0}, last = {0}, refused = {0};
    begin(&s);
    for (int i = 0; i < 3; i++)
        ask(&s, "muted", &sent[i]);
    wait_for_requests(&s, 3);
    s.action = FAKE_ANSWER;
    s.closes = s.async;
    ask(&s, "last", &last);
    while (idem_async_poll_turn(s.async, 50))
        cr_assert_eq(last.times, 0);
    cr_assert_eq(last.outcome, IDEM_ACQUIRED);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(sent[i].times, 1);
        cr_assert_eq(sent[i].code, IDEM_E_LOST);
    }
    cr_assert_eq(refused.times, 0);
    fake_stop(s.server);
}

Test(async, what_was_never_sent_is_closed) {
    story s = {0};
    heard a = {0};
    begin(&s);
    ask(&s, "a", &a);
    end(&s);
    cr_assert_eq(a.times, 1);
    cr_assert_eq(a.code, IDEM_E_CLOSED);
    idem_async_close(NULL);
}

/* ----------------------------------------------------------------- bounds */

Test(async, more_than_so_many_calls_are_busy) {
    story s = {0};
    heard a = {0};
    idem_args args = {.size = sizeof args, .key = "k", .key_len = 1};
    begin(&s);
    teller = &s;
    for (uint32_t i = 0; i < IDEM_ASYNC_CALLS_MAX; i++)
        cr_assert_eq(
            idem_async_call(s.async, IDEM_PEEK, &args, 1, hear, &a, NULL), 0);
    cr_assert_eq(idem_async_call(s.async, IDEM_PEEK, &args, 1, hear, &a, NULL),
                 IDEM_E_BUSY);
    end(&s);
    cr_assert_eq(a.times, (int)IDEM_ASYNC_CALLS_MAX);
}

Test(async, more_than_so_many_bytes_are_busy) {
    story s = {0};
    heard a = {0};
    size_t len = IDEM_ASYNC_BYTES_MAX / 4;
    void *result = calloc(1, len);
    idem_args args = {.size = sizeof args,
                      .key = "k",
                      .key_len = 1,
                      .result = result,
                      .result_len = len};
    int taken = 0;
    begin(&s);
    teller = &s;
    while (idem_async_call(s.async, IDEM_COMPLETE, &args, 1, hear, &a, NULL) ==
           0)
        taken++;
    cr_assert_eq(taken, 3);
    args.result_len = 1;
    cr_assert_eq(
        idem_async_call(s.async, IDEM_COMPLETE, &args, 1, hear, &a, NULL), 0);
    free(result);
    end(&s);
    cr_assert_eq(a.times, 4);
}

static _Atomic int allocations;

static bool count_allocation(void) {
    atomic_fetch_add(&allocations, 1);
    return false;
}

Test(async, no_call_allocates_in_the_steady_state) {
    story s = {.action = FAKE_ANSWER};
    heard a = {0};
    begin(&s);
    idem__mem_refuse = count_allocation;
    for (int round = 0; round < 200; round++) {
        if (round == 20)
            atomic_store(&allocations, 0);
        for (int i = 0; i < 16; i++)
            ask(&s, "a key of some length", &a);
        turn_until(&s, &a, 16 * (round + 1));
    }
    cr_assert_eq(atomic_load(&allocations), 0);
    idem__mem_refuse = NULL;
    end(&s);
}

Test(async, arguments_that_are_none_are_told_at_once) {
    story s = {0};
    heard a = {0};
    idem_args args = {.size = sizeof args};
    uint64_t id = 0;
    begin(&s);
    cr_assert_eq(
        idem_async_call(s.async, IDEM_ACQUIRE, &args, 1, hear, &a, NULL),
        IDEM_E_ARGUMENT);
    cr_assert_eq(idem_async_call(s.async, 7, &args, 1, hear, &a, NULL),
                 IDEM_E_ARGUMENT);
    cr_assert_eq(idem_async_keep(s.async, NULL, NULL, &id), IDEM_E_ARGUMENT);
    cr_assert_eq(idem_async_let_go(s.async, 1), 0);
    end(&s);
    cr_assert_eq(a.times, 0);
}

/* ----------------------------------------------------------------- leases */

static void hear_lost(void *ctx, int32_t outcome) {
    ((story *)ctx)->lost_to = outcome;
}

/* Acquires and keeps; the clock stands at *now_ms from then on. */
static void keep(story *s, heard *a, uint64_t *now_ms) {
    begin(s);
    s->lost = hear_lost;
    ask(s, "a", a); /* the default lease: 30 s */
    turn_until(s, a, 1);
    s->lost = NULL;
    *now_ms = idem_now_ms();
}

/* Turns for as long as it takes, at one moment of the clock. */
static void turn_at(story *s, uint64_t now_ms, const _Atomic int *what,
                    int count) {
    struct pollfd fds[4];
    while (atomic_load(what) < count || idem_async_has_output(s->async)) {
        int timeout_ms = 20;
        idem_async_ready ready = {0, 0};
        idem_async_process(s->async, NULL, 0, now_ms);
        idem_async_poll_fill(s->async, fds, 4, &timeout_ms);
        poll(fds, 1, 20);
        ready.events = fds[0].revents != 0 ? IDEM_READ : 0;
        idem_async_process(s->async, &ready, 1, now_ms);
    }
}

static void settle(story *s, uint64_t now_ms) {
    _Atomic int turns = 0;
    for (int i = 0; i < 10; i++) {
        idem_async_ready ready = {0, IDEM_READ};
        idem_async_process(s->async, &ready, 1, now_ms);
        usleep(2000);
    }
    turn_at(s, now_ms, &turns, 0);
}

Test(async, a_claim_is_renewed_each_third_of_its_lease_until_let_go) {
    story s = {.action = FAKE_ANSWER};
    heard a = {0};
    uint64_t now_ms;
    keep(&s, &a, &now_ms);
    for (int third = 1; third <= 4; third++) {
        settle(&s, now_ms + 9000);
        cr_assert_eq(atomic_load(&s.renewals), third - 1);
        now_ms += 10100;
        turn_at(&s, now_ms, &s.renewals, third);
        settle(&s, now_ms);
    }
    cr_assert_eq(idem_async_let_go(s.async, s.lease), 1);
    cr_assert_eq(idem_async_let_go(s.async, s.lease), 0);
    settle(&s, now_ms + 60000);
    cr_assert_eq(atomic_load(&s.renewals), 4);
    cr_assert_eq(s.lost_to, -1);
    end(&s);
}

Test(async, a_claim_that_is_stale_is_told_as_lost_once) {
    story s = {.action = FAKE_ANSWER, .renewed_as = IDP_STATE_IN_PROGRESS};
    heard a = {0};
    uint64_t now_ms;
    keep(&s, &a, &now_ms);
    turn_at(&s, now_ms + 10100, &s.renewals, 1);
    settle(&s, now_ms + 10100);
    cr_assert_eq(s.lost_to, IDEM_STALE);
    cr_assert_eq(idem_async_let_go(s.async, s.lease), 0);
    settle(&s, now_ms + 40000);
    cr_assert_eq(atomic_load(&s.renewals), 1);
    end(&s);
}

Test(async, a_lease_that_runs_out_unconfirmed_is_told_as_lost) {
    story s = {.action = FAKE_ANSWER};
    heard a = {0};
    uint64_t now_ms;
    keep(&s, &a, &now_ms);
    fake_freeze(s.server);
    settle(&s, now_ms + 10100);
    cr_assert_eq(s.lost_to, -1);
    settle(&s, now_ms + 30100);
    cr_assert_eq(s.lost_to, 0);
    cr_assert_eq(idem_async_let_go(s.async, s.lease), 0);
    end(&s);
}

/* ------------------------------------------------------------------- forks */

static pid_t child;

static void fork_within(void *ctx, const idem_answer *answer,
                        const idem_error *err) {
    (void)err;
    if (answer != NULL)
        child = fork();
    ++*(int *)ctx;
}

Test(async, a_callback_forks_and_the_childs_copy_begins_anew) {
    story s = {.action = FAKE_ANSWER};
    heard a = {0};
    int told = 0;
    idem_args args = {.size = sizeof args, .key = "k", .key_len = 1};
    begin(&s);
    cr_assert_eq(idem_async_call(s.async, IDEM_ACQUIRE, &args, idem_now_ms(),
                                 fork_within, &told, NULL),
                 0);
    while (told == 0)
        idem_async_poll_turn(s.async, 50);
    if (child == 0) {
        idem_async_close(NULL);
        uint64_t id = ask(&s, "child", &a);
        while (a.times == 0)
            idem_async_poll_turn(s.async, 50);
        idem_async_close(s.async);
        _exit(id != 0 && a.outcome == IDEM_ACQUIRED ? 0 : 1);
    }
    int status = 1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    ask(&s, "parent", &a);
    turn_until(&s, &a, 1);
    cr_assert_eq(fake_links(s.server), 2, "the parent connected again");
    end(&s);
}
