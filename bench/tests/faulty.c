/* SPDX-License-Identifier: Apache-2.0 */
/* faulty.c -- see faulty.h. */
#include "bench/tests/faulty.h"
#include "bench/tests/shell.h"
#include "proto/reply.h"
#include "proto/request.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
        if (f->lie == FALLS_SILENT && ++f->calls > 20)
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

static faulty only;
static pthread_t thread;

uint16_t faulty_start(lie told) {
    faulty *f = &only;
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
              pthread_create(&thread, NULL, faulty_main, f) == 0,
          "a faulty server starts", "");
    return ntohs(at.sin_port);
}

void faulty_stop(void) {
    faulty *f = &only;
    shutdown(f->listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    for (int i = 0; i < CONNS; i++)
        if (f->conns[i] >= 0)
            close(f->conns[i]);
    close(f->listener);
}
