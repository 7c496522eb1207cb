/* SPDX-License-Identifier: Apache-2.0 */
/* mistakes_strangers.c -- what may listen at a port in idemstored's place, as
 * far as a client sees it. */
#include "tests/e2e/mistakes.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

typedef void (*manner)(int fd);

static void web(int fd) {
    static const char words[] =
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    char bytes[512];
    if (recv(fd, bytes, sizeof bytes, 0) > 0)
        send(fd, words, sizeof words - 1, MSG_NOSIGNAL);
}

/* Reads no line that has a zero byte, and waits for its end. */
static void redis(int fd) {
    static const char words[] = "-NOAUTH Authentication required.\r\n";
    char bytes[512];
    ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got > 0 && memchr(bytes, '\0', (size_t)got) == NULL)
        send(fd, words, sizeof words - 1, MSG_NOSIGNAL);
    else if (got > 0)
        recv(fd, bytes, sizeof bytes, 0);
}

static void ssh(int fd) {
    static const char words[] = "SSH-2.0-OpenSSH_9.2\r\n";
    send(fd, words, sizeof words - 1, MSG_NOSIGNAL);
}

static void silent(int fd) {
    char bytes[512];
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
}

static void closing(int fd) {
    (void)fd;
}

/* Each connection has a process, so that none waits for another. */
_Noreturn static void serve(int listener, manner behave) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            behave(fd);
            _exit(0);
        }
        close(fd);
    }
}

static void start(const char *name, manner behave) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    char port[16];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0 &&
              listen(fd, 16) == 0 &&
              getsockname(fd, (struct sockaddr *)&at, &len) == 0,
          "no listener");
    fflush(NULL);
    if (fork() == 0)
        serve(fd, behave);
    close(fd);
    snprintf(port, sizeof port, "%u", ntohs(at.sin_port));
    setenv(name, port, 1);
}

void mistakes_strangers_start(void) {
    start("WEB", web);
    start("REDIS", redis);
    start("SSH", ssh);
    start("SILENT", silent);
    start("CLOSING", closing);
}
