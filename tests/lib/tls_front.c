/* SPDX-License-Identifier: Apache-2.0 */
/* tls_front.c -- see tls_front.h. A bug here stops the test: it asserts. */
#include "tests/lib/tls_front.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/tls_certs.h"

#define PAIRS_MAX  64
#define PIPE_BYTES 262144u

typedef struct pipe_of {
    uint8_t bytes[PIPE_BYTES];
    size_t len;
} pipe_of;

typedef struct pair {
    int client, server; /* -1: none */
    idp_tls *tls;
    bool is_up;
    uint32_t turns;
    pipe_of in;   /* opened, for the server */
    pipe_of out;  /* sealed, for the client */
    pipe_of said; /* by the server, not sealed yet */
} pair;

struct tls_front {
    front_config config;
    idp_tls_context *context;
    int listener, bell;
    uint16_t port;
    _Atomic uint32_t handshakes, verified;
    _Atomic bool stops, cuts;
    pthread_t thread;
    pair pairs[PAIRS_MAX];
};

static idp_tls_context *make_context(const front_config *config) {
    char cert[64], key[64], ca[64];
    idp_tls_why why;
    snprintf(cert, sizeof cert, "%s.pem", config->cert);
    snprintf(key, sizeof key, "%s.key", config->cert);
    snprintf(ca, sizeof ca, "%s.pem", config->ca != NULL ? config->ca : "");
    idp_tls_settings settings = {
        .cert_file = certs_path(config->folder, cert),
        .key_file = certs_path(config->folder, key),
        .ca_file = config->ca != NULL ? certs_path(config->folder, ca) : NULL};
    idp_tls_context *context = idp_tls_context_new(&settings, &why);
    if (context == NULL)
        fprintf(stderr, "%s\n", why.text);
    assert(context != NULL);
    return context;
}

static void pair_end(pair *one) {
    if (one->client >= 0)
        close(one->client);
    if (one->server >= 0)
        close(one->server);
    idp_tls_free(one->tls);
    *one = (pair){.client = -1, .server = -1};
}

static int dial(uint16_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(fd >= 0);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void take(tls_front *front) {
    int one = 1;
    int fd = accept4(front->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    for (int i = 0; i < PAIRS_MAX; i++) {
        pair *at = &front->pairs[i];
        if (at->client >= 0)
            continue;
        at->client = fd;
        if (front->config.says != NULL)
            (void)!write(fd, front->config.says, strlen(front->config.says));
        else
            at->tls = idp_tls_accept(front->context, front->config.ca != NULL);
        return;
    }
    assert(!"too many connections");
}

/* Sends from the front of it; false: the connection is gone. */
static bool drain(int fd, pipe_of *from) {
    if (fd < 0 || from->len == 0)
        return true;
    ssize_t sent = send(fd, from->bytes, from->len, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN;
    from->len -= (size_t)sent;
    memmove(from->bytes, from->bytes + sent, from->len);
    return true;
}

static void seal(pair *one) {
    idp_slice plain = {one->said.bytes, one->said.len};
    one->out.len +=
        idp_tls_write(one->tls, &plain, one->out.bytes + one->out.len,
                      PIPE_BYTES - one->out.len);
    memmove(one->said.bytes, plain.ptr, plain.len);
    one->said.len = plain.len;
}

static void note_handshake(tls_front *front, pair *one) {
    if (one->is_up || idp_tls_state_of(one->tls) != IDP_TLS_UP)
        return;
    one->is_up = true;
    atomic_fetch_add(&front->handshakes, 1);
    if (idp_tls_peer(one->tls).verified)
        atomic_fetch_add(&front->verified, 1);
    one->server = dial(front->config.upstream);
}

/* Bytes of the client's; false: it is over. */
static bool hear_client(tls_front *front, pair *one) {
    static uint8_t sealed[16384];
    size_t room = PIPE_BYTES - one->in.len;
    if (room < 2 * sizeof sealed)
        return true; /* the server is slow */
    ssize_t got = recv(one->client, sealed, sizeof sealed, 0);
    if (got < 0 && errno == EAGAIN)
        return true;
    if (got <= 0 || front->config.closes || one->tls == NULL)
        return false;
    idp_slice came = {sealed, (size_t)got};
    one->in.len +=
        idp_tls_read(one->tls, &came, one->in.bytes + one->in.len, room);
    note_handshake(front, one);
    if (front->config.keys_each != 0 &&
        ++one->turns % front->config.keys_each == 0)
        idp_tls_update_keys(one->tls);
    if (idp_tls_state_of(one->tls) < IDP_TLS_ENDED)
        return !one->is_up || one->server >= 0;
    if (idp_tls_fault_of(one->tls) == IDP_TLS_NOT_TLS) {
        static const uint8_t alert[] = {0x15, 3, 3, 0, 2, 2, 10};
        (void)!send(one->client, alert, sizeof alert, MSG_NOSIGNAL);
    }
    seal(one);
    (void)drain(one->client, &one->out);
    return false;
}

static bool hear_server(pair *one) {
    size_t room = PIPE_BYTES / 2 - one->said.len;
    if (room == 0 || one->out.len > PIPE_BYTES / 2)
        return true;
    ssize_t got = recv(one->server, one->said.bytes + one->said.len, room, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    one->said.len += (size_t)got;
    return true;
}

static void turn_pair(tls_front *front, pair *one, short client, short server) {
    bool lives = true;
    if (client != 0)
        lives = hear_client(front, one);
    if (lives && server != 0 && one->server >= 0)
        lives = hear_server(one);
    if (one->tls != NULL)
        seal(one);
    lives = drain(one->client, &one->out) && lives;
    lives = lives && drain(one->server, &one->in);
    if (!lives)
        pair_end(one);
}

static void turn(tls_front *front) {
    struct pollfd fds[2 + 2 * PAIRS_MAX];
    fds[0] = (struct pollfd){.fd = front->listener, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = front->bell, .events = POLLIN};
    for (int i = 0; i < PAIRS_MAX; i++) {
        const pair *one = &front->pairs[i];
        short writes = one->out.len > 0 ? POLLOUT : 0;
        fds[2 + 2 * i] = (struct pollfd){.fd = one->client,
                                         .events = (short)(POLLIN | writes)};
        writes = one->in.len > 0 ? POLLOUT : 0;
        fds[3 + 2 * i] = (struct pollfd){.fd = one->server,
                                         .events = (short)(POLLIN | writes)};
    }
    poll(fds, 2 + 2 * PAIRS_MAX, 1000);
    bool cuts = atomic_load(&front->cuts);
    for (int i = 0; i < PAIRS_MAX; i++) {
        if (cuts)
            pair_end(&front->pairs[i]);
        else if (front->pairs[i].client >= 0)
            turn_pair(front, &front->pairs[i], fds[2 + 2 * i].revents,
                      fds[3 + 2 * i].revents);
    }
    if (cuts)
        atomic_store(&front->cuts, false);
    if (fds[0].revents != 0)
        take(front);
    uint64_t rung;
    if (fds[1].revents != 0)
        (void)!read(front->bell, &rung, sizeof rung);
}

static void *run(void *arg) {
    tls_front *front = arg;
    while (!atomic_load(&front->stops))
        turn(front);
    return NULL;
}

tls_front *front_start(const front_config *config) {
    tls_front *front = calloc(1, sizeof *front);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    assert(front != NULL);
    front->config = *config;
    if (config->says == NULL)
        front->context = make_context(config);
    for (int i = 0; i < PAIRS_MAX; i++)
        front->pairs[i].client = front->pairs[i].server = -1;
    front->listener =
        socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    front->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert(front->listener >= 0 && front->bell >= 0);
    int bound = bind(front->listener, (struct sockaddr *)&at, sizeof at);
    bound |= listen(front->listener, 64);
    bound |= getsockname(front->listener, (struct sockaddr *)&at, &len);
    assert(bound == 0);
    front->port = ntohs(at.sin_port);
    int began = pthread_create(&front->thread, NULL, run, front);
    assert(began == 0);
    return front;
}

uint16_t front_port(const tls_front *front) {
    return front->port;
}

uint32_t front_handshakes(const tls_front *front) {
    return atomic_load(&front->handshakes);
}

uint32_t front_verified(const tls_front *front) {
    return atomic_load(&front->verified);
}

static void ring(tls_front *front) {
    uint64_t one = 1;
    (void)!write(front->bell, &one, sizeof one);
}

void front_cut(tls_front *front) {
    const struct timespec a_while = {.tv_nsec = 1000000};
    atomic_store(&front->cuts, true);
    ring(front);
    while (atomic_load(&front->cuts))
        nanosleep(&a_while, NULL);
}

void front_stop(tls_front *front) {
    atomic_store(&front->stops, true);
    ring(front);
    pthread_join(front->thread, NULL);
    for (int i = 0; i < PAIRS_MAX; i++)
        pair_end(&front->pairs[i]);
    close(front->listener);
    close(front->bell);
    idp_tls_context_drop(front->context);
    free(front);
}
