/* SPDX-License-Identifier: Apache-2.0 */
/* agent.c -- what an operator asks of a failover agent on this machine: HTTP,
 * one request a connection. */
#include "client/ctl/ctl.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_BYTES = 64 * 1024, HOST_BYTES = 256, TRIES = 60, TRY_MS = 250 };

static int dial(const char *at) {
    char host[HOST_BYTES];
    const char *colon = strrchr(at, ':');
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    const struct timeval patience = {.tv_sec = 10};
    size_t len = colon ? (size_t)(colon - at) : 0;
    bool v6 = len > 2 && at[0] == '[' && at[len - 1] == ']';
    if (len == 0 || len >= sizeof host)
        return -1;
    snprintf(host, sizeof host, "%.*s", (int)(len - (v6 ? 2 : 0)),
             at + (v6 ? 1 : 0));
    if (getaddrinfo(host, colon + 1, &hints, &found) != 0)
        return -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
}

/* The whole answer, NUL-terminated; where its body begins. NULL: there is no
 * such answer. */
static char *ask(const char *at, const char *method, const char *path,
                 char answer[static ANSWER_BYTES], int *status) {
    char request[512];
    size_t have = 0;
    int fd = dial(at);
    int len = snprintf(request, sizeof request,
                       "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: "
                       "close\r\nContent-Length: 0\r\n\r\n",
                       method, path, at);
    if (fd < 0)
        return NULL;
    bool good = len > 0 && (size_t)len < sizeof request &&
                send(fd, request, (size_t)len, MSG_NOSIGNAL) == len;
    for (ssize_t n = 1; good && n > 0 && have < ANSWER_BYTES - 1;) {
        n = recv(fd, answer + have, ANSWER_BYTES - 1 - have, 0);
        have += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    answer[have] = '\0';
    char *body = strstr(answer, "\r\n\r\n");
    *status = strncmp(answer, "HTTP/1.1 ", 9) == 0
                  ? (int)strtol(answer + 9, NULL, 10)
                  : 0;
    return body && *status ? body + 4 : NULL;
}

static ctl_exit no_agent(const char *at) {
    fprintf(stderr,
            "idemctl: no idemagent answers at %s: is it running, and is that "
            "its http? Name HOST:PORT behind the order\n",
            at);
    return CTL_EXIT_UNAVAILABLE;
}

/* "ordered": as /v1/status says it; NULL: it says nothing of that. */
static char *ordered_of(char *body) {
    static const char key[] = "\"ordered\": \"";
    char *text = strstr(body, key);
    if (!text)
        return NULL;
    text += sizeof key - 1;
    text[strcspn(text, "\"")] = '\0';
    return text;
}

static ctl_exit await_order(const char *at, char answer[static ANSWER_BYTES]) {
    const struct timespec pause = {.tv_nsec = TRY_MS * 1000000L};
    int status;
    char *text = NULL;
    for (int tries = 0; tries < TRIES; tries++) {
        char *body = ask(at, "GET", "/v1/status", answer, &status);
        text = body ? ordered_of(body) : NULL;
        if (text && strncmp(text, "under way", 9) != 0)
            break;
        nanosleep(&pause, NULL);
    }
    if (!text)
        return no_agent(at);
    puts(text);
    return strncmp(text, "done", 4) == 0 ? CTL_EXIT_DONE : CTL_EXIT_REFUSED;
}

static ctl_exit carry_out_order(const char *at, const char *order,
                                char answer[static ANSWER_BYTES]) {
    char path[64];
    int status;
    snprintf(path, sizeof path, "/v1/%.40s", order);
    char *body = ask(at, "POST", path, answer, &status);
    if (!body)
        return no_agent(at);
    if (status == 202)
        return await_order(at, answer);
    fprintf(stderr, "idemctl: %s: %s", at, body);
    return CTL_EXIT_REFUSED;
}

static ctl_exit show_agent(const char *at, char answer[static ANSWER_BYTES]) {
    int status;
    char *body = ask(at, "GET", "/v1/status", answer, &status);
    if (!body || status != 200)
        return no_agent(at);
    puts(body);
    return CTL_EXIT_DONE;
}

ctl_exit ctl_run_agent(ctl_session *session, ctl_ask *given) {
    static const char *const orders[] = {"switchover", "accept-loss", "pause",
                                         "resume"};
    const char *what = given->operands[0];
    const char *at =
        given->operand_count > 1 ? given->operands[1] : "127.0.0.1:7118";
    char *answer = malloc(ANSWER_BYTES);
    ctl_exit end = CTL_EXIT_USAGE;
    (void)session;
    if (!answer)
        return CTL_EXIT_ERROR;
    if (strcmp(what, "status") == 0)
        end = show_agent(at, answer);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        if (strcmp(what, orders[i]) == 0)
            end = carry_out_order(at, what, answer);
    free(answer);
    if (end == CTL_EXIT_USAGE)
        fprintf(stderr,
                "idemctl: agent %s: it takes status, switchover, pause, resume "
                "or accept-loss\n",
                what);
    return end;
}
