/* SPDX-License-Identifier: Apache-2.0 */
/* address.c -- where to listen: from words to a bound socket. */
#include "server/net/address.h"

#include "server/peer/endpoint.h"
#include "server/worker/who.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG     4096
#define UNIX_PREFIX "unix:"

static bool parse_unix(ids_address *address, const char *path, char *why,
                       size_t why_cap) {
    struct sockaddr_un *un = (struct sockaddr_un *)&address->at;
    if (*path != '/' || strlen(path) >= sizeof un->sun_path) {
        snprintf(why, why_cap, "a path begins with / and has at most %zu bytes",
                 sizeof un->sun_path - 1);
        return false;
    }
    un->sun_family = AF_UNIX;
    snprintf(un->sun_path, sizeof un->sun_path, "%s", path);
    address->len = sizeof *un;
    return true;
}

bool ids_address_is_same(const ids_address *a, const ids_address *b) {
    return a->len == b->len && memcmp(&a->at, &b->at, a->len) == 0;
}

/* A resolver may say an address twice: for each protocol, or line of a file. */
static bool is_among(const ids_address *addresses, size_t count,
                     const ids_address *one) {
    for (size_t i = 0; i < count; i++)
        if (ids_address_is_same(&addresses[i], one))
            return true;
    return false;
}

static size_t resolve_host(ids_address *addresses, size_t cap, const char *host,
                           const char *port, char *why, size_t why_cap) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC,
                                   .ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    size_t count = 0;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error) {
        snprintf(why, why_cap, "%s", gai_strerror(error));
        return 0;
    }
    for (const struct addrinfo *at = found; at && count < cap;
         at = at->ai_next) {
        ids_address one = {.len = at->ai_addrlen};
        memcpy(&one.at, at->ai_addr, at->ai_addrlen);
        if (!is_among(addresses, count, &one))
            addresses[count++] = one;
    }
    freeaddrinfo(found);
    return count;
}

size_t ids_address_parse(ids_address *addresses, size_t cap, const char *words,
                         char *why, size_t why_cap) {
    char host[IDS_ENDPOINT_BYTES];
    const char *port;
    addresses[0] = (ids_address){0};
    if (strncmp(words, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
        return parse_unix(&addresses[0], words + strlen(UNIX_PREFIX), why,
                          why_cap);
    if (ids_endpoint_split(words, host, &port)) /* port 0 is a free one */
        return resolve_host(addresses, cap, host, port, why, why_cap);
    snprintf(why, why_cap, "not HOST:PORT, [V6]:PORT or unix:/PATH");
    return 0;
}

bool ids_address_is_local(const ids_address *address) {
    ids_who who = {0};
    ids_who_set(&who, -1, (const struct sockaddr *)&address->at);
    return ids_who_is_local(&who);
}

static bool is_same_inode(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
           a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Removes a unix socket that nobody answers on, if it is still the one that
 * was asked: another daemon may start at the same time. */
static void remove_stale(const ids_address *address) {
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->at;
    struct stat about, now;
    if (lstat(un->sun_path, &about) != 0 || !S_ISSOCK(about.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)un, address->len) != 0 &&
        errno == ECONNREFUSED && lstat(un->sun_path, &now) == 0 &&
        is_same_inode(&about, &now))
        unlink(un->sun_path);
    close(fd);
}

/* What the system says, and what to look for. */
static void say_why(int error, char *why, size_t why_cap) {
    const char *cure = "";
    if (error == EADDRINUSE)
        cure = ": another program listens there, perhaps an idemstored (ss "
               "-ltnp tells); stop it, or name another port";
    else if (error == EADDRNOTAVAIL)
        cure = ": this machine has no such address (ip addr lists them)";
    else if (error == EACCES)
        cure = ": this user may not listen there; take a port from 1024 on, or "
               "a folder of its own";
    snprintf(why, why_cap, "%s%s", strerror(error), cure);
}

static int bind_unix(int fd, const ids_address *address, mode_t mode) {
    mode_t before = umask((mode_t)~mode & 0777);
    int result = bind(fd, (const struct sockaddr *)&address->at, address->len);
    umask(before);
    return result;
}

static int bind_to(int fd, const ids_address *address, mode_t unix_mode) {
    int on = 1;
    if (address->at.ss_family == AF_UNIX) {
        remove_stale(address);
        return bind_unix(fd, address, unix_mode);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->at.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    return bind(fd, (const struct sockaddr *)&address->at, address->len);
}

int ids_address_listen(const ids_address *address, mode_t unix_mode, char *why,
                       size_t why_cap) {
    int fd = socket(address->at.ss_family,
                    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && bind_to(fd, address, unix_mode) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    int error = errno;
    say_why(error, why, why_cap);
    if (fd >= 0)
        close(fd);
    errno = error;
    return -1;
}

void ids_address_of(int fd, char *text, size_t cap) {
    ids_address address = {.len = sizeof address.at};
    char host[INET6_ADDRSTRLEN] = "?";
    getsockname(fd, (struct sockaddr *)&address.at, &address.len);
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address.at;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address.at;
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address.at;
    if (address.at.ss_family == AF_UNIX) {
        snprintf(text, cap, UNIX_PREFIX "%s", un->sun_path);
    } else if (address.at.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(text, cap, "[%s]:%u", host, ntohs(in6->sin6_port));
    } else {
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(text, cap, "%s:%u", host, ntohs(in->sin_port));
    }
}
