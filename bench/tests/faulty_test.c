/* SPDX-License-Identifier: Apache-2.0 */
/* faulty_test.c -- servers that lie, and --verify that finds each out.
 *
 * A small server in a thread keeps one record per key as it should, except
 * for the one lie that it is told to tell. faulty_test IDEMBENCH IDEMSTORED */
#include "bench/tests/shell.h"
#include "proto/reply.h"
#include "proto/request.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef enum lie {
    TRUTH,
    GRANTS_TWICE,
    SPOILS_REPLAYS,
    FORGETS,
    TAKES_STALE,
    LETS_OTHERS_IN,
    FALLS_SILENT,
    KNOWS_ALL
} lie;

#define KEYS     4096
#define CONNS    16
#define IN_BYTES 65536

typedef struct record {
    uint8_t key[64];
    size_t key_len;
    uint8_t print[64];
    uint32_t attempt; /* 0: free */
    idp_state state;
    uint8_t result[256];
    size_t result_len;
} record;

typedef struct faulty {
    lie lie;
    int listener;
    int conns[CONNS];
    uint8_t in[CONNS][IN_BYTES];
    size_t have[CONNS];
    record records[KEYS];
    uint32_t calls;
} faulty;

static record *record_of(faulty *f, const idp_request *r) {
    uint32_t at = 0;
    for (size_t i = 0; i < r->key.len; i++)
        at = at * 31 + r->key.ptr[i];
    for (;; at++) {
        record *rec = &f->records[at % KEYS];
        if (rec->key_len == 0) {
            memcpy(rec->key, r->key.ptr, r->key.len);
            rec->key_len = r->key.len;
            rec->state = IDP_STATE_ABSENT;
            return rec;
        }
        if (rec->key_len == r->key.len &&
            !memcmp(rec->key, r->key.ptr, r->key.len))
            return rec;
    }
}

static idp_answer grant(faulty *f, record *rec, const idp_request *r) {
    idp_previous previous = rec->state == IDP_STATE_RELEASED
                                ? IDP_PREVIOUS_RELEASED
                                : IDP_PREVIOUS_NONE;
    (void)f;
    memcpy(rec->print, r->fingerprint.ptr, r->fingerprint.len);
    rec->attempt++;
    rec->state = IDP_STATE_IN_PROGRESS;
    return (idp_answer){.outcome = IDP_OUTCOME_ACQUIRED,
                        .attempt = rec->attempt,
                        .previous = previous,
                        .token = {1, rec->attempt},
                        .lease_ms = r->lease_ms};
}

static idp_answer acquire(faulty *f, record *rec, const idp_request *r) {
    bool free_key = rec->state == IDP_STATE_ABSENT;
    bool other = !free_key && memcmp(rec->print, r->fingerprint.ptr,
                                     r->fingerprint.len) != 0;
    if (other && f->lie != LETS_OTHERS_IN)
        return (idp_answer){.outcome = IDP_OUTCOME_MISMATCH,
                            .state = rec->state};
    if (rec->state == IDP_STATE_COMPLETED && f->lie == FORGETS &&
        ++f->calls > 500) {
        rec->attempt = 0;
        rec->state = IDP_STATE_ABSENT;
    }
    if (rec->state == IDP_STATE_COMPLETED) {
        if (f->lie == SPOILS_REPLAYS && ++f->calls > 500)
            rec->result[rec->result_len / 2] ^= 4;
        return (idp_answer){.outcome = IDP_OUTCOME_REPLAY,
                            .has_result = true,
                            .ttl_left_ms = r->ttl_ms,
                            .result = {rec->result, rec->result_len}};
    }
    if (rec->state == IDP_STATE_IN_PROGRESS && f->lie == GRANTS_TWICE &&
        ++f->calls > 500)
        rec->attempt--;
    else if (rec->state == IDP_STATE_IN_PROGRESS && f->lie == TAKES_STALE)
        rec->state = IDP_STATE_RELEASED;
    else if (rec->state == IDP_STATE_IN_PROGRESS)
        return (idp_answer){.outcome = IDP_OUTCOME_IN_PROGRESS,
                            .attempt = rec->attempt,
                            .lease_left_ms = r->lease_ms};
    return grant(f, rec, r);
}

static idp_answer holder(faulty *f, record *rec, const idp_request *r) {
    bool current = r->token.sequence == rec->attempt &&
                   rec->state == IDP_STATE_IN_PROGRESS;
    if (!current && f->lie != TAKES_STALE)
        return (idp_answer){.outcome = IDP_OUTCOME_STALE, .state = rec->state};
    if (r->method == IDP_RENEW)
        return (idp_answer){.outcome = IDP_OUTCOME_RENEWED,
                            .lease_ms = r->lease_ms};
    if (r->method == IDP_RELEASE) {
        rec->state = IDP_STATE_RELEASED;
        return (idp_answer){.outcome = IDP_OUTCOME_RELEASED};
    }
    rec->state = IDP_STATE_COMPLETED;
    rec->result_len =
        r->result.len < sizeof rec->result ? r->result.len : sizeof rec->result;
    memcpy(rec->result, r->result.ptr, rec->result_len);
    return (idp_answer){.outcome = IDP_OUTCOME_COMPLETED, .kept = true};
}

static idp_answer answer_to(faulty *f, const idp_request *r) {
    if (f->lie == KNOWS_ALL)
        return (idp_answer){.outcome = IDP_OUTCOME_REPLAY,
                            .has_result = true,
                            .result = {r->key.ptr, r->key.len}};
    record *rec = record_of(f, r);
    return r->method == IDP_ACQUIRE ? acquire(f, rec, r) : holder(f, rec, r);
}

static bool serve(faulty *f, int c) {
    uint8_t out[1024];
    const idp_read_limits limits = {.result_bytes_max = 1024};
    ssize_t got =
        recv(f->conns[c], f->in[c] + f->have[c], IN_BYTES - f->have[c], 0);
    if (got <= 0)
        return false;
    f->have[c] += (size_t)got;
    size_t at = 0, frame;
    for (;;) {
        idp_request r;
        idp_read_fault fault;
        if (idp_request_read(f->in[c] + at, f->have[c] - at, &limits, &r,
                             &frame, &fault) != IDP_READ_WHOLE)
            break;
        at += frame;
        if (f->lie == FALLS_SILENT && ++f->calls > 100)
            continue;
        idp_answer answer = answer_to(f, &r);
        size_t len = idp_answer_write(out, sizeof out, r.msgid, &answer);
        if (send(f->conns[c], out, len, MSG_NOSIGNAL) != (ssize_t)len)
            return false;
    }
    memmove(f->in[c], f->in[c] + at, f->have[c] - at);
    f->have[c] -= at;
    return true;
}

static void *faulty_main(void *arg) {
    faulty *f = arg;
    for (;;) {
        struct pollfd fds[CONNS + 1];
        for (int i = 0; i < CONNS; i++)
            fds[i] = (struct pollfd){.fd = f->conns[i], .events = POLLIN};
        fds[CONNS] = (struct pollfd){.fd = f->listener, .events = POLLIN};
        if (poll(fds, CONNS + 1, -1) < 0)
            return NULL;
        if (fds[CONNS].revents & ~POLLIN)
            return NULL;
        for (int i = 0; i < CONNS; i++)
            if (fds[i].fd >= 0 && fds[i].revents && !serve(f, i)) {
                close(f->conns[i]);
                f->conns[i] = -1;
            }
        for (int i = 0; fds[CONNS].revents && i < CONNS; i++)
            if (f->conns[i] < 0) {
                f->conns[i] = accept(f->listener, NULL, NULL);
                f->have[i] = 0;
                break;
            }
    }
}

static uint16_t faulty_start(faulty *f, lie told, pthread_t *thread) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    memset(f, 0, sizeof *f);
    f->lie = told;
    for (int i = 0; i < CONNS; i++)
        f->conns[i] = -1;
    f->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    holds(bind(f->listener, (struct sockaddr *)&at, size) == 0 &&
              listen(f->listener, 64) == 0 &&
              getsockname(f->listener, (struct sockaddr *)&at, &size) == 0 &&
              pthread_create(thread, NULL, faulty_main, f) == 0,
          "a faulty server starts", "");
    return ntohs(at.sin_port);
}

static void faulty_stop(faulty *f, pthread_t thread) {
    shutdown(f->listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    for (int i = 0; i < CONNS; i++)
        if (f->conns[i] >= 0)
            close(f->conns[i]);
    close(f->listener);
}

/* What a load makes of a server that is told to lie: its output. */
static const char *load_on(const char *bench, lie told, const char *options) {
    static faulty f;
    pthread_t thread;
    int status;
    uint16_t port = faulty_start(&f, told, &thread);
    const char *said =
        shell(&status,
              "timeout 600 %s --target idem/blind/at=127.0.0.1:%u --warmup 0 "
              "--duration 1 --connections 4 %s",
              bench, port, options);
    faulty_stop(&f, thread);
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
    static faulty f;
    pthread_t thread;
    int status;
    uint16_t port = faulty_start(&f, told, &thread);
    /* A lease longer than the run: nothing is orphaned. */
    const char *said =
        shell(&status,
              "timeout 600 %s --verify --target idem/at=127.0.0.1:%u "
              "--duration %s --connections 8 --pipeline 4 --lease 60000 "
              "--verify-keys 16",
              bench, port, told == TRUTH ? "0.5" : "20");
    faulty_stop(&f, thread);
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
