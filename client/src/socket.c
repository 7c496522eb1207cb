/* socket.c -- see socket.h. Writes nothing and knows no protocol. */
#include "client/src/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static uint32_t unix_address(const idem__endpoint *endpoint, idem__addr *addr) {
    struct sockaddr_un *path = (struct sockaddr_un *)&addr->storage;
    size_t len = strlen(endpoint->host); /* the URI's grammar bounds it */
    memset(addr, 0, sizeof *addr);
    path->sun_family = AF_UNIX;
    memcpy(path->sun_path, endpoint->host, len);
    addr->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    return 1;
}

uint32_t idem__resolve(const idem__endpoint *endpoint,
                       idem__addr addrs[IDEM__ADDRS_MAX], const char **why) {
    if (endpoint->is_unix)
        return unix_address(endpoint, addrs);
    char port[8];
    snprintf(port, sizeof port, "%u", endpoint->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int code = getaddrinfo(endpoint->host, port, &hints, &found);
    if (code != 0) {
        *why = gai_strerror(code);
        return 0;
    }
    uint32_t count = 0;
    for (struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        if (count == IDEM__ADDRS_MAX ||
            at->ai_addrlen > sizeof addrs[0].storage)
            break;
        memcpy(&addrs[count].storage, at->ai_addr, at->ai_addrlen);
        addrs[count++].len = at->ai_addrlen;
    }
    freeaddrinfo(found);
    *why = "no address";
    return count;
}

/* A peer that vanished without a word is noticed within half a minute, even
 * while a call waits long. */
static void tune(int fd) {
    int one = 1;
    int idle_s = 10;
    int interval_s = 5;
    int probes = 3;
    unsigned unheard_ms = 25000;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unheard_ms,
               sizeof unheard_ms);
}

/* In a process whose standard streams are closed a socket would get one of
 * their numbers, and what is printed there would go to the server. */
static int above_streams(int fd) {
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int higher = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int why = errno;
    close(fd);
    errno = why;
    return higher;
}

int idem__dial(const idem__addr *addr) {
    const struct sockaddr *to = (const struct sockaddr *)&addr->storage;
    int fd = above_streams(
        socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (fd < 0)
        return -1;
    if (to->sa_family != AF_UNIX)
        tune(fd);
    if (connect(fd, to, addr->len) == 0 || errno == EINPROGRESS)
        return fd;
    int why = errno;
    close(fd);
    errno = why;
    return -1;
}

int idem__dial_error(int fd) {
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
        return errno;
    return error;
}

int idem__poll(int fd, short events, int64_t timeout_ms) {
    struct pollfd entry = {.fd = fd, .events = events};
    if (timeout_ms < 0)
        timeout_ms = 0;
    if (timeout_ms > INT_MAX)
        timeout_ms = INT_MAX;
    return poll(&entry, 1, (int)timeout_ms) > 0;
}

bool idem__make_blocking(int fd, uint32_t recv_ms) {
    struct timeval limit = {.tv_sec = recv_ms / 1000,
                            .tv_usec = (recv_ms % 1000) * 1000};
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0;
}
