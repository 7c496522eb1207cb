/* SPDX-License-Identifier: Apache-2.0 */
/* fake.c -- see fake.h. A bug here stops the test: it asserts freely. */
#include "tests/unit/client/fake.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINKS_MAX 64
#define IN_BYTES  (4u << 20)
#define HELD_MAX  256

typedef struct held {
    uint32_t msgid;
    idp_answer answer;
} held;

typedef struct fake_link {
    int fd; /* -1: free */
    uint64_t number;
    uint8_t *in;
    size_t len;
    held held[HELD_MAX];
    uint32_t held_count;
} fake_link;

struct fake_server {
    fake_config config;
    int listener;
    int stop;
    uint16_t port;
    _Atomic uint64_t accepted;
    _Atomic bool frozen;
    pthread_t thread;
    fake_link links[LINKS_MAX];
};

static void say(fake_link *link, const uint8_t *bytes, size_t len) {
    while (len > 0) {
        ssize_t sent = send(link->fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the client is gone; the next read tells */
        bytes += sent;
        len -= (size_t)sent;
    }
}

static void say_answer(fake_link *link, uint32_t msgid,
                       const idp_answer *answer) {
    size_t bound = idp_answer_write_bound(answer);
    uint8_t *bytes = malloc(bound);
    size_t len = idp_answer_write(bytes, bound, msgid, answer);
    assert(len > 0);
    say(link, bytes, len);
    free(bytes);
}

static void say_error(fake_link *link, uint32_t msgid, idp_error error,
                      const char *text) {
    uint8_t bytes[IDP_ERROR_REPLY_BYTES_MAX];
    say(link, bytes, idp_error_write(bytes, sizeof bytes, msgid, error, text));
}

/* Half a reply, then a reset. */
static void cut(fake_link *link, uint32_t msgid, const idp_answer *answer) {
    uint8_t bytes[512];
    struct linger hard = {.l_onoff = 1};
    size_t len = idp_answer_write(bytes, sizeof bytes, msgid, answer);
    assert(len > 0);
    say(link, bytes, len / 2);
    setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

static void hang_up(fake_link *link) {
    close(link->fd);
    free(link->in);
    link->fd = -1;
    link->in = NULL;
}

static void be_gone(fake_server *fake, fake_link *link) {
    close(fake->listener);
    fake->listener = -1;
    hang_up(link);
}

static void hello(fake_server *fake, fake_link *link,
                  const idp_request *request) {
    const fake_config *config = &fake->config;
    size_t len = config->secret != NULL ? strlen(config->secret) : 0;
    if (len > 0 && (request->secret.len != len ||
                    memcmp(request->secret.ptr, config->secret, len) != 0)) {
        say_error(link, request->msgid, IDP_E_DENIED, NULL);
        return;
    }
    idp_hello answer = {.server = "fake",
                        .version = "0",
                        .protocol = 1,
                        .role = "primary",
                        .epoch = config->epoch,
                        .shards = config->shards != 0 ? config->shards : 1,
                        .hash_key = {1, 2, 3},
                        .result_bytes_max = config->result_bytes_max,
                        .pending_max = config->pending_max};
    if (request->has_shard && request->shard >= answer.shards) {
        say_error(link, request->msgid, IDP_E_BAD_REQUEST, "no such shard");
        return;
    }
    if (config->role != NULL)
        snprintf(answer.role, sizeof answer.role, "%s", config->role);
    answer.shard = request->has_shard ? request->shard : 0;
    if (answer.result_bytes_max == 0)
        answer.result_bytes_max = 1 << 20;
    answer.frame_bytes_max = idp_request_bytes_max(answer.result_bytes_max);
    uint8_t bytes[IDP_HELLO_BYTES_MAX];
    say(link, bytes,
        idp_hello_write(bytes, sizeof bytes, request->msgid, &answer));
}

static void hold(fake_link *link, uint32_t msgid, const fake_reply *reply) {
    assert(link->held_count < HELD_MAX);
    link->held[link->held_count++] = (held){msgid, reply->answer};
    uint32_t count = link->held_count;
    if (count < reply->hold)
        return;
    bool drip = reply->action == FAKE_DRIP;
    for (uint32_t i = 0; i < count; i++) {
        held *next = &link->held[drip ? i : count - 1 - i];
        if (drip)
            usleep(20000);
        say_answer(link, next->msgid, &next->answer);
    }
    link->held_count = 0;
}

static void carry_out(fake_server *fake, fake_link *link,
                      const idp_request *request) {
    uint8_t bytes[64];
    fake_reply reply = {0};
    if (request->method == IDP_HELLO) {
        hello(fake, link, request);
        return;
    }
    if (request->method == IDP_PING) {
        say(link, bytes, idp_pong_write(bytes, sizeof bytes, request->msgid));
        return;
    }
    fake->config.script(fake->config.ctx, link->number, request, &reply);
    switch (reply.action) {
    case FAKE_ANSWER:
        say_answer(link, request->msgid, &reply.answer);
        break;
    case FAKE_REFUSE:
        say_error(link, request->msgid, reply.error, reply.text);
        break;
    case FAKE_MUTE:
        break;
    case FAKE_HANG_UP:
        hang_up(link);
        break;
    case FAKE_GONE:
        be_gone(fake, link);
        break;
    case FAKE_HOLD:
    case FAKE_DRIP:
        hold(link, request->msgid, &reply);
        break;
    case FAKE_CUT:
        cut(link, request->msgid, &reply.answer);
        hang_up(link);
        break;
    case FAKE_STOP:
        atomic_store(&fake->frozen, true);
        break;
    case FAKE_BABBLE:
        say(link, (const uint8_t *)"HTTP/1.1 400 Bad Request\r\n", 26);
        break;
    }
}

static void read_link(fake_server *fake, fake_link *link) {
    ssize_t got = recv(link->fd, link->in + link->len, IN_BYTES - link->len, 0);
    if (got <= 0) {
        hang_up(link);
        return;
    }
    link->len += (size_t)got;
    idp_read_limits limits = {.result_bytes_max = 2u << 20};
    size_t at = 0;
    while (link->fd >= 0 && at < link->len && !atomic_load(&fake->frozen)) {
        idp_request request;
        idp_read_fault fault;
        size_t frame_bytes = 0;
        idp_read read = idp_request_read(link->in + at, link->len - at, &limits,
                                         &request, &frame_bytes, &fault);
        if (read == IDP_READ_PARTIAL)
            break;
        assert(read == IDP_READ_WHOLE);
        carry_out(fake, link, &request);
        at += frame_bytes;
    }
    if (link->fd < 0)
        return;
    memmove(link->in, link->in + at, link->len - at);
    link->len -= at;
}

static void accept_link(fake_server *fake) {
    int fd = accept(fake->listener, NULL, NULL);
    int one = 1;
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    uint64_t number = atomic_fetch_add(&fake->accepted, 1) + 1;
    for (int i = 0; i < LINKS_MAX && !fake->config.refuse_hello; i++) {
        if (fake->links[i].fd >= 0)
            continue;
        fake->links[i] = (fake_link){.fd = fd, .number = number};
        fake->links[i].in = malloc(IN_BYTES);
        return;
    }
    fake_link link = {.fd = fd};
    if (fake->config.last_word != 0)
        say_error(&link, 0, fake->config.last_word, "too many connections");
    close(fd);
}

static void *serve(void *arg) {
    fake_server *fake = arg;
    for (;;) {
        struct pollfd polls[LINKS_MAX + 2] = {
            {.fd = fake->listener, .events = POLLIN},
            {.fd = fake->stop, .events = POLLIN}};
        for (int i = 0; i < LINKS_MAX; i++) {
            polls[i + 2].fd = fake->links[i].fd;
            polls[i + 2].events = POLLIN;
        }
        if (poll(polls, LINKS_MAX + 2, -1) < 0)
            continue;
        if (polls[1].revents != 0)
            return NULL;
        if (atomic_load(&fake->frozen)) {
            usleep(1000);
            continue;
        }
        for (int i = 0; i < LINKS_MAX; i++)
            if (polls[i + 2].revents != 0)
                read_link(fake, &fake->links[i]);
        if (polls[0].revents != 0 && fake->listener >= 0)
            accept_link(fake);
    }
}

static int listen_tcp(fake_server *fake) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(fake->config.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0)
        abort();
    getsockname(fd, (struct sockaddr *)&at, &len);
    fake->port = ntohs(at.sin_port);
    return fd;
}

static int listen_unix(const fake_server *fake) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(at.sun_path, sizeof at.sun_path, "%s", fake->config.path);
    unlink(at.sun_path);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) != 0)
        abort();
    return fd;
}

fake_server *fake_start(const fake_config *config) {
    fake_server *fake = calloc(1, sizeof *fake);
    fake->config = *config;
    for (int i = 0; i < LINKS_MAX; i++)
        fake->links[i].fd = -1;
    fake->listener =
        config->path != NULL ? listen_unix(fake) : listen_tcp(fake);
    listen(fake->listener, 64);
    fake->stop = eventfd(0, EFD_CLOEXEC);
    pthread_create(&fake->thread, NULL, serve, fake);
    return fake;
}

void fake_stop(fake_server *fake) {
    eventfd_write(fake->stop, 1);
    pthread_join(fake->thread, NULL);
    for (int i = 0; i < LINKS_MAX; i++)
        if (fake->links[i].fd >= 0)
            hang_up(&fake->links[i]);
    if (fake->listener >= 0)
        close(fake->listener);
    close(fake->stop);
    if (fake->config.path != NULL)
        unlink(fake->config.path);
    free(fake);
}

void fake_freeze(fake_server *fake) {
    atomic_store(&fake->frozen, true);
}

uint16_t fake_port(const fake_server *fake) {
    return fake->port;
}

uint64_t fake_links(fake_server *fake) {
    return atomic_load(&fake->accepted);
}

const char *fake_uri(const fake_server *fake, const char *options) {
    static _Thread_local char uri[256];
    snprintf(uri, sizeof uri, "idem://127.0.0.1:%u/t?%s", fake->port, options);
    return uri;
}

idp_answer fake_acquired(uint64_t sequence) {
    return (idp_answer){.outcome = IDP_OUTCOME_ACQUIRED,
                        .token = {.epoch = 1, .sequence = sequence},
                        .attempt = 1,
                        .lease_ms = 30000};
}

idp_answer fake_completed(bool kept) {
    return (idp_answer){.outcome = IDP_OUTCOME_COMPLETED, .kept = kept};
}

idp_answer fake_replay(const void *result, size_t len) {
    return (idp_answer){.outcome = IDP_OUTCOME_REPLAY,
                        .has_result = true,
                        .result = {result, len}};
}
