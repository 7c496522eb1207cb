/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_async.c -- an async client whose server says anything, in any pieces, at
 * any time, on any of its connections, while its driver asks, cancels, keeps
 * claims, lets time pass and closes it from callbacks. Each call is told once.
 *
 * The input is a script: a byte says what happens, the next how much of it. The
 * server is a unix socket of this process; time is an argument. */
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/include/idemclient_async.h"
#include "proto/reply.h"
#include "proto/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define LINKS     8
#define CALLS     64
#define IN_BYTES  65536
#define LINES_MAX 4u

enum {
    SAY,       /* so many bytes of the script */
    ASK,       /* a call */
    PASS,      /* time */
    HANG_UP,   /* the connection ends */
    CANCEL,    /* a call */
    REPLY,     /* the last request heard is answered */
    REFUSE,    /* it is refused */
    KEEP,      /* the next claim is kept */
    LET_GO,    /* the last lease */
    TALK,      /* another connection's turn */
    CLOSE,     /* by the next callback */
    ASK_AGAIN, /* by the next callback */
    ACTS
};

typedef struct link {
    int fd; /* -1: none */
    uint8_t in[IN_BYTES];
    size_t in_len;
    uint32_t msgid; /* of the last request that was heard */
    idp_method method;
} link_t;

typedef struct scene {
    idem_async *async; /* NULL: it was closed */
    int listener;
    bool answers_hello;
    uint32_t shards;
    uint64_t now_ms;
    link_t links[LINKS];
    uint32_t talks;
    uint32_t calls;
    int told[CALLS];
    uint64_t ids[CALLS];
    uint64_t lease;
    bool keeps, closes, asks;
} scene;

static scene s;
static struct sockaddr_un at;

static void listen_once(void) {
    if (at.sun_family == AF_UNIX)
        return;
    at.sun_family = AF_UNIX;
    snprintf(at.sun_path, sizeof at.sun_path, "/tmp/fuzz_async.%ld",
             (long)getpid());
    unlink(at.sun_path);
    s.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert(bind(s.listener, (const struct sockaddr *)&at, sizeof at) == 0);
    assert(listen(s.listener, 64) == 0);
}

/* ---------------------------------------------------------------- the driver
 */

static void hear_lost(void *ctx, int32_t outcome) {
    (void)ctx;
    assert(outcome == 0 || outcome == IDEM_STALE || outcome == IDEM_NO_RECORD);
    s.lease = 0;
}

static void ask(uint8_t how);

static void hear(void *ctx, const idem_answer *answer, const idem_error *err) {
    ++*(int *)ctx;
    assert((answer == NULL) != (err == NULL));
    assert(err == NULL || (err->code < 0 && err->text[0] != '\0'));
    if (s.keeps && answer != NULL &&
        idem_async_keep(s.async, hear_lost, NULL, &s.lease) == 0)
        s.keeps = false;
    if (s.asks) {
        s.asks = false;
        ask((uint8_t)s.calls);
    }
    if (s.closes)
        idem_async_close(s.async);
    s.closes = false;
}

static void ask(uint8_t how) {
    static const uint8_t result[3000];
    idem_args args = {.size = sizeof args,
                      .key = "key-of-mine",
                      .key_len = 1 + how % 8,
                      .timeout_ms = 1 + how * 40u,
                      .lease_ms = 3000,
                      .wait_ms = how % 3 == 0 ? how * 10u : 0,
                      .result = result,
                      .result_len = how % 2 == 0 ? sizeof result : 0};
    if (s.async == NULL || s.calls == CALLS)
        return;
    uint32_t call = s.calls;
    int32_t code = idem_async_call(
        s.async, IDEM_ACQUIRE + how % (IDEM_STATS - IDEM_ACQUIRE + 1), &args,
        s.now_ms, hear, &s.told[call], &s.ids[call]);
    assert(code == 0 || code == IDEM_E_CHANGES_WAIT || code == IDEM_E_CLOSED ||
           code == IDEM_E_BUSY);
    s.calls += code == 0;
}

static void turn(void) {
    idem_async_ready ready[LINES_MAX];
    if (s.async == NULL)
        return;
    uint32_t lines = idem_async_lines(s.async);
    assert(lines <= LINES_MAX);
    for (uint32_t i = 0; i < lines; i++) {
        assert((idem_async_fd(s.async, i) >= 0) ==
               (idem_async_wanted(s.async, i) != 0));
        ready[i] = (idem_async_ready){i, idem_async_wanted(s.async, i)};
    }
    int32_t left_ms = idem_async_timeout_ms(s.async, s.now_ms);
    assert(left_ms >= -1);
    if (idem_async_process(s.async, ready, lines, s.now_ms) == 0)
        s.async = NULL;
}

/* ---------------------------------------------------------------- the server
 */

static void say(link_t *link, const void *bytes, size_t len) {
    if (link->fd >= 0 && len > 0)
        (void)send(link->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void hang_up(link_t *link) {
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
    link->in_len = 0;
    link->method = IDP_METHOD_COUNT;
}

static void answer_hello(link_t *link, uint32_t msgid) {
    uint8_t bytes[1024];
    idp_hello hello = {.protocol = 1,
                       .shards = s.shards,
                       .epoch = 1,
                       .result_bytes_max = 2000,
                       .pending_max = 8};
    snprintf(hello.server, sizeof hello.server, "fuzz");
    snprintf(hello.role, sizeof hello.role, "primary");
    say(link, bytes, idp_hello_write(bytes, sizeof bytes, msgid, &hello));
}

static void hear_requests(link_t *link) {
    idp_read_limits limits = {.result_bytes_max = 4096};
    size_t read_to = 0;
    for (;;) {
        idp_request request;
        idp_read_fault fault;
        size_t frame = 0;
        if (idp_request_read(link->in + read_to, link->in_len - read_to,
                             &limits, &request, &frame,
                             &fault) != IDP_READ_WHOLE)
            break;
        read_to += frame;
        link->msgid = request.msgid;
        link->method = request.method;
        if (request.method == IDP_HELLO && s.answers_hello)
            answer_hello(link, request.msgid);
    }
    memmove(link->in, link->in + read_to, link->in_len - read_to);
    link->in_len -= read_to;
}

static void serve(void) {
    int fd;
    while ((fd = accept4(s.listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        uint32_t i = 0;
        while (i < LINKS - 1 && s.links[i].fd >= 0)
            i++;
        hang_up(&s.links[i]);
        s.links[i].fd = fd;
        s.talks = i;
    }
    for (uint32_t i = 0; i < LINKS; i++) {
        link_t *link = &s.links[i];
        if (link->fd < 0)
            continue;
        ssize_t got = recv(link->fd, link->in + link->in_len,
                           sizeof link->in - link->in_len, 0);
        if (got > 0)
            link->in_len += (size_t)got;
        hear_requests(link);
    }
}

static void reply(link_t *link, uint8_t how) {
    uint8_t bytes[512];
    idp_answer answer = {.outcome = (idp_outcome)(how % IDP_OUTCOME_COUNT),
                         .state = IDP_STATE_COMPLETED,
                         .lease_ms = 3000,
                         .attempt = 1,
                         .result = {(const uint8_t *)"done", 4}};
    if (link->method == IDP_PING)
        say(link, bytes, idp_pong_write(bytes, sizeof bytes, link->msgid));
    else if (idp_answer_write_bound(&answer) <= sizeof bytes)
        say(link, bytes,
            idp_answer_write(bytes, sizeof bytes, link->msgid, &answer));
}

static void refuse(link_t *link, uint8_t how) {
    static const idp_error errors[] = {IDP_E_NOT_PRIMARY,  IDP_E_SHUTTING_DOWN,
                                       IDP_E_UNREPLICATED, IDP_E_LIMIT,
                                       IDP_E_DENIED,       IDP_E_BAD_REQUEST};
    uint8_t bytes[300];
    size_t which = how % (sizeof errors / sizeof errors[0]);
    say(link, bytes,
        idp_error_write(bytes, sizeof bytes, link->msgid, errors[which],
                        how & 64 ? "127.0.0.1:1" : ""));
}

/* ----------------------------------------------------------------- the story
 */

static void act(int what, uint8_t how) {
    link_t *link = &s.links[s.talks];
    switch (what) {
    case ASK:
        ask(how);
        break;
    case PASS:
        s.now_ms += (uint64_t)how * how / 4;
        break;
    case HANG_UP:
        hang_up(link);
        break;
    case CANCEL:
        if (s.async != NULL && s.calls > 0)
            (void)idem_async_cancel(s.async, s.ids[how % s.calls]);
        break;
    case REPLY:
        reply(link, how);
        break;
    case REFUSE:
        refuse(link, how);
        break;
    case KEEP:
        s.keeps = true;
        break;
    case LET_GO:
        if (s.async != NULL)
            (void)idem_async_let_go(s.async, s.lease);
        break;
    case TALK:
        s.talks = how % LINKS;
        break;
    case CLOSE:
        s.closes = how == 77;
        break;
    case ASK_AGAIN:
        s.asks = true;
        break;
    default:
        break;
    }
}

static void begin(uint8_t how) {
    char uri[160];
    int listener = s.listener;
    s = (scene){.listener = listener, .now_ms = 1000};
    s.answers_hello = (how & 1) != 0;
    s.shards = 1 + how / 2 % LINES_MAX;
    for (uint32_t i = 0; i < LINKS; i++)
        s.links[i].fd = -1;
    snprintf(uri, sizeof uri, "idem+unix://%s?%s", at.sun_path,
             how & 8 ? "fail_fast_ms=500" : "connect_timeout_ms=400");
    assert(idem_async_open(uri, &s.async, NULL) == 0);
}

static void end(void) {
    idem_async_close(s.async);
    for (uint32_t i = 0; i < LINKS; i++)
        hang_up(&s.links[i]);
    int fd;
    while ((fd = accept(s.listener, NULL, NULL)) >= 0)
        close(fd);
    for (uint32_t i = 0; i < s.calls; i++)
        assert(s.told[i] == 1);
}

static void remove_socket(void) {
    unlink(at.sun_path);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len) {
    if (len < 1)
        return 0;
    if (at.sun_family == 0)
        atexit(remove_socket);
    listen_once();
    begin(bytes[0]);
    for (size_t i = 1; i + 2 <= len;) {
        int what = bytes[i] % ACTS;
        uint8_t how = bytes[i + 1];
        i += 2;
        if (what == SAY) {
            size_t part = how < len - i ? how : len - i;
            say(&s.links[s.talks], bytes + i, part);
            i += part;
        } else {
            act(what, how);
        }
        turn();
        serve();
        turn();
    }
    end();
    return 0;
}
