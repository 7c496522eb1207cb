/* SPDX-License-Identifier: Apache-2.0 */
/* byte_proxy.c -- see the header. One thread; a word is looked for in what
 * arrives at once, which for one small request is all of it. */
#include "tests/e2e/byte_proxy.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/e2e/harness.h"

#define LINKS_MAX 64

typedef struct proxy_link {
    int client, server; /* -1: free */
    bool mute;          /* nothing goes back any more */
} proxy_link;

struct byte_proxy {
    int listener;
    uint16_t port, server_port;
    pthread_t thread;
    _Atomic bool stopping;
    _Atomic(const char *) word; /* NULL: pass all */
    _Atomic bool swallowed;
    proxy_link links[LINKS_MAX];
};

static int dial(uint16_t port) {
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static void let_go(proxy_link *link) {
    close(link->client);
    close(link->server);
    *link = (proxy_link){-1, -1, false};
}

static void take_in(byte_proxy *proxy) {
    int one = 1;
    int client = accept(proxy->listener, NULL, NULL);
    int server = client >= 0 ? dial(proxy->server_port) : -1;
    proxy_link *link = proxy->links;
    while (link < proxy->links + LINKS_MAX && link->client >= 0)
        link++;
    if (server >= 0 && link < proxy->links + LINKS_MAX) {
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        *link = (proxy_link){client, server, false};
        return;
    }
    if (server >= 0)
        close(server);
    if (client >= 0)
        close(client); /* the server is gone: so is its proxy */
}

/* False when one side is gone. */
static bool pass(int from, int to, char *bytes, size_t cap, size_t *len) {
    ssize_t got = recv(from, bytes, cap, 0);
    *len = got > 0 ? (size_t)got : 0;
    for (size_t at = 0; to >= 0 && at < *len;) {
        ssize_t sent = send(to, bytes + at, *len - at, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        at += (size_t)sent;
    }
    return got > 0;
}

static void serve_link(byte_proxy *proxy, proxy_link *link, bool from_client,
                       bool from_server) {
    static char bytes[65536];
    size_t len = 0;
    const char *word = atomic_load(&proxy->word);
    bool lives = true;
    if (from_client) {
        lives = pass(link->client, link->server, bytes, sizeof bytes, &len);
        link->mute |=
            word != NULL && memmem(bytes, len, word, strlen(word)) != NULL;
    }
    if (lives && from_server) {
        int to = link->mute ? -1 : link->client;
        lives = pass(link->server, to, bytes, sizeof bytes, &len);
        if (link->mute && len > 0)
            atomic_store(&proxy->swallowed, true);
    }
    if (!lives)
        let_go(link);
}

static void *serve(void *arg) {
    byte_proxy *proxy = arg;
    while (!atomic_load(&proxy->stopping)) {
        struct pollfd polls[2 * LINKS_MAX + 1];
        for (int i = 0; i < LINKS_MAX; i++) {
            polls[2 * i] =
                (struct pollfd){.fd = proxy->links[i].client, .events = POLLIN};
            polls[2 * i + 1] =
                (struct pollfd){.fd = proxy->links[i].server, .events = POLLIN};
        }
        polls[2 * LINKS_MAX] =
            (struct pollfd){.fd = proxy->listener, .events = POLLIN};
        if (poll(polls, 2 * LINKS_MAX + 1, 20) <= 0)
            continue;
        for (int i = 0; i < LINKS_MAX; i++)
            if (proxy->links[i].client >= 0)
                serve_link(proxy, &proxy->links[i], polls[2 * i].revents != 0,
                           polls[2 * i + 1].revents != 0);
        if (polls[2 * LINKS_MAX].revents != 0)
            take_in(proxy);
    }
    return NULL;
}

byte_proxy *proxy_start(uint16_t server_port) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    byte_proxy *proxy = calloc(1, sizeof *proxy);
    CHECK(proxy != NULL, "no memory");
    proxy->server_port = server_port;
    for (int i = 0; i < LINKS_MAX; i++)
        proxy->links[i] = (proxy_link){-1, -1, false};
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(bind(proxy->listener, (struct sockaddr *)&at, len) == 0 &&
              listen(proxy->listener, 64) == 0 &&
              getsockname(proxy->listener, (struct sockaddr *)&at, &len) == 0,
          "no port for a proxy");
    proxy->port = ntohs(at.sin_port);
    CHECK(pthread_create(&proxy->thread, NULL, serve, proxy) == 0, "no thread");
    return proxy;
}

uint16_t proxy_port(const byte_proxy *proxy) {
    return proxy->port;
}

void proxy_swallow_after(byte_proxy *proxy, const char *word) {
    atomic_store(&proxy->word, word);
}

bool proxy_has_swallowed(byte_proxy *proxy, unsigned seconds_max) {
    uint64_t until_ms = e2e_now_ms() + seconds_max * 1000;
    while (!atomic_load(&proxy->swallowed) && e2e_now_ms() < until_ms)
        e2e_sleep_ms(1);
    return atomic_load(&proxy->swallowed);
}

void proxy_stop(byte_proxy *proxy) {
    atomic_store(&proxy->stopping, true);
    pthread_join(proxy->thread, NULL);
    for (int i = 0; i < LINKS_MAX; i++)
        if (proxy->links[i].client >= 0)
            let_go(&proxy->links[i]);
    close(proxy->listener);
    free(proxy);
}
