/* SPDX-License-Identifier: Apache-2.0 */
/* stranger.c -- see stranger.h. */
#include "tests/e2e/stranger.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/tls/tls.h"
#include "tests/e2e/harness.h"

#define SOURCES 32
#define FAR_MS  10
#define LOOK_MS 20

struct strangers {
    pthread_t thread;
    uint16_t port;
    stranger_does does;
    unsigned count;
    uint8_t words[1024];
    size_t words_len;
    atomic_ullong came;
    atomic_bool is_over;
};

/* [0, 1, "ping", []] */
static const uint8_t ping[] = {0x94, 0, 1, 0xa4, 'p', 'i', 'n', 'g', 0x90};

/* What they say is the same each time: it costs them nothing. */
static void learn_words(strangers *all) {
    idp_tls_why why;
    if (all->does == STRANGERS_PING) {
        memcpy(all->words, ping, sizeof ping);
        all->words_len = sizeof ping;
        return;
    }
    idp_tls_context *context =
        idp_tls_context_new(&(idp_tls_settings){.system_ca = false}, &why);
    CHECK(context != NULL, "%s", why.text);
    idp_tls *tls = idp_tls_connect(context, "localhost", IDP_TLS_VERIFY_NONE);
    CHECK(tls != NULL, "no engine");
    all->words_len = idp_tls_write(tls, NULL, all->words, sizeof all->words);
    if (all->does == STRANGERS_STAY)
        all->words_len /= 2;
    idp_tls_free(tls);
    idp_tls_context_drop(context);
}

static int come(strangers *all, unsigned which) {
    struct linger now = {1, 0};
    struct sockaddr_in own = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(all->port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    own.sin_addr.s_addr = htonl(0x7f000100 + which % SOURCES);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    if (bind(fd, (struct sockaddr *)&own, sizeof own) == 0 &&
        (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 ||
         errno == EINPROGRESS))
        return fd;
    close(fd);
    return -1;
}

/* True: it goes. */
static bool serve(strangers *all, struct pollfd *entry) {
    uint8_t heard[4096];
    if (entry->revents & (POLLERR | POLLHUP))
        return true;
    if (entry->revents & POLLOUT) {
        ssize_t sent =
            send(entry->fd, all->words, all->words_len, MSG_NOSIGNAL);
        entry->events = POLLIN;
        return sent != (ssize_t)all->words_len;
    }
    return (entry->revents & POLLIN) &&
           (recv(entry->fd, heard, sizeof heard, 0) <= 0 ||
            all->does != STRANGERS_STAY);
}

static void *crowd(void *arg) {
    strangers *all = arg;
    struct pollfd *fds = calloc(all->count, sizeof *fds);
    CHECK(fds != NULL, "no memory");
    for (unsigned i = 0; i < all->count; i++)
        fds[i].fd = -1;
    while (!atomic_load(&all->is_over)) {
        for (unsigned i = 0; i < all->count; i++) {
            if (fds[i].fd >= 0 && fds[i].revents && serve(all, &fds[i])) {
                close(fds[i].fd);
                fds[i].fd = -1;
                atomic_fetch_add(&all->came, 1);
            }
            fds[i].revents = 0;
            if (fds[i].fd < 0)
                fds[i] = (struct pollfd){come(all, i), POLLOUT, 0};
        }
        poll(fds, all->count, LOOK_MS);
    }
    for (unsigned i = 0; i < all->count; i++)
        if (fds[i].fd >= 0)
            close(fds[i].fd);
    free(fds);
    return NULL;
}

strangers *strangers_start(uint16_t port, stranger_does does, unsigned count) {
    strangers *all = calloc(1, sizeof *all);
    CHECK(all != NULL, "no memory");
    all->port = port;
    all->does = does;
    all->count = does == STRANGERS_NONE ? 0 : count;
    learn_words(all);
    int error = pthread_create(&all->thread, NULL, crowd, all);
    CHECK(error == 0, "no thread");
    return all;
}

uint64_t strangers_came(const strangers *all) {
    return atomic_load(&all->came);
}

void strangers_stop(strangers *all) {
    atomic_store(&all->is_over, true);
    pthread_join(all->thread, NULL);
    free(all);
}

/* The proxy ---------------------------------------------------------------- */

struct far_proxy {
    pthread_t thread;
    int listener;
    uint16_t port, to;
    atomic_bool is_over;
};

static int connect_on(const far_proxy *proxy) {
    int on = 1;
    struct sockaddr_in own = {.sin_family = AF_INET};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(proxy->to)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, "127.0.2.1", &own.sin_addr);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&own, sizeof own) == 0 &&
              connect(fd, (struct sockaddr *)&to, sizeof to) == 0,
          "the proxy can't connect: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

/* A flight at a time is under way in a handshake, and with one call: so a wait
 * before each is what a long way is. */
static bool carry(int from, int to) {
    uint8_t piece[16384];
    ssize_t got = recv(from, piece, sizeof piece, 0);
    e2e_sleep_ms(FAR_MS);
    return got > 0 && send(to, piece, (size_t)got, MSG_NOSIGNAL) == got;
}

static void join(far_proxy *proxy, int near) {
    int far = connect_on(proxy), on = 1;
    bool is_open = true;
    setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while (is_open && !atomic_load(&proxy->is_over)) {
        struct pollfd fds[] = {{near, POLLIN, 0}, {far, POLLIN, 0}};
        poll(fds, 2, LOOK_MS);
        if (fds[0].revents)
            is_open = carry(near, far);
        if (is_open && fds[1].revents)
            is_open = carry(far, near);
    }
    close(near);
    close(far);
}

static void *pass_on(void *arg) {
    far_proxy *proxy = arg;
    while (!atomic_load(&proxy->is_over)) {
        struct pollfd entry = {proxy->listener, POLLIN, 0};
        int near = poll(&entry, 1, LOOK_MS) == 1
                       ? accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC)
                       : -1;
        if (near >= 0)
            join(proxy, near);
    }
    return NULL;
}

far_proxy *far_proxy_start(uint16_t to) {
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof at;
    far_proxy *proxy = calloc(1, sizeof *proxy);
    CHECK(proxy != NULL, "no memory");
    proxy->to = to;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    CHECK(proxy->listener >= 0 &&
              bind(proxy->listener, (struct sockaddr *)&at, sizeof at) == 0 &&
              listen(proxy->listener, 16) == 0 &&
              getsockname(proxy->listener, (struct sockaddr *)&at, &len) == 0,
          "no listener: %s", strerror(errno));
    proxy->port = ntohs(at.sin_port);
    int error = pthread_create(&proxy->thread, NULL, pass_on, proxy);
    CHECK(error == 0, "no thread");
    return proxy;
}

uint16_t far_proxy_port(const far_proxy *proxy) {
    return proxy->port;
}

void far_proxy_stop(far_proxy *proxy) {
    atomic_store(&proxy->is_over, true);
    pthread_join(proxy->thread, NULL);
    close(proxy->listener);
    free(proxy);
}
