/* SPDX-License-Identifier: Apache-2.0 */
/* socket.c -- see socket.h. Writes nothing and knows no protocol. */
#include "client/src/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "client/src/port.h"

/* A peer that vanished without a word is noticed within half a minute, even
 * while a call waits long. */
static void tune(int fd) {
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
#ifdef TCP_KEEPIDLE
    int idle_s = 10;
    int interval_s = 5;
    int probes = 3;
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
#endif
#if IDEM_LINUX
    unsigned unheard_ms = 25000;
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unheard_ms,
               sizeof unheard_ms);
#endif
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

/* ------------------------------------------- what a child must let go of
 *
 * All descriptors of the library's sockets, each with its inode: a child may
 * have closed them all, and given their numbers to something of its own. */

#define SOCKETS_MAX 4096 /* of more, a child keeps copies until it ends */

static _Atomic uint64_t sockets[SOCKETS_MAX]; /* fd + 1, inode; 0: free */

static uint64_t socket_word(int fd) {
    struct stat about;
    if (fstat(fd, &about) != 0 || !S_ISSOCK(about.st_mode))
        return 0;
    return (uint64_t)(fd + 1) << 32 | (uint32_t)about.st_ino;
}

static void note_socket(int fd) {
    uint64_t word = socket_word(fd);
    for (int i = 0; i < SOCKETS_MAX && word != 0; i++) {
        uint64_t free_word = 0;
        if (atomic_compare_exchange_strong(&sockets[i], &free_word, word))
            return;
    }
}

static void forget_socket(int fd) {
    for (int i = 0; i < SOCKETS_MAX; i++) {
        uint64_t word = atomic_load_explicit(&sockets[i], memory_order_relaxed);
        if (word >> 32 == (uint64_t)fd + 1)
            atomic_compare_exchange_strong(&sockets[i], &word, 0);
    }
}

void idem__hang_up(int fd) {
    int why = errno;
    forget_socket(fd);
    shutdown(fd, SHUT_RDWR);
    close(fd);
    errno = why;
}

void idem__sockets_leave(void) {
    for (int i = 0; i < SOCKETS_MAX; i++) {
        uint64_t word = atomic_exchange(&sockets[i], 0);
        int fd = (int)(word >> 32) - 1;
        if (word != 0 && socket_word(fd) == word)
            close(fd);
    }
}

/* One that does not block, and that no program started from here inherits. */
static int open_socket(int family) {
#if IDEM_LINUX
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
    int fd = socket(family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
#ifdef SO_NOSIGPIPE
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &one, sizeof one);
#endif
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
        fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
        return fd;
    close(fd);
    return -1;
#endif
}

int idem__dial(const idem__addr *addr) {
    const struct sockaddr *to = (const struct sockaddr *)&addr->storage;
    int fd = above_streams(open_socket(to->sa_family));
    if (fd < 0)
        return -1;
    forget_socket(fd); /* of a number that was closed in another way */
    note_socket(fd);
    if (to->sa_family != AF_UNIX)
        tune(fd);
    if (connect(fd, to, addr->len) == 0 || errno == EINPROGRESS)
        return fd;
    idem__hang_up(fd);
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
