/* SPDX-License-Identifier: Apache-2.0 */
/* http_call.c -- see the header. */
#include "tests/e2e/http_call.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int connect_to(uint16_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = HTTP_CALL_TIMEOUT_S};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_request(int fd, const http_call *call) {
    char text[HTTP_CALL_BYTES_MAX];
    int len = snprintf(text, sizeof text,
                       "%s %s HTTP/1.1\r\nHost: localhost\r\n"
                       "Connection: close\r\nContent-Length: %zu\r\n%s\r\n%s",
                       call->method != NULL ? call->method : "POST", call->path,
                       strlen(call->body), call->headers, call->body);
    return len > 0 && (size_t)len < sizeof text &&
           send(fd, text, (size_t)len, MSG_NOSIGNAL) == len;
}

static bool receive_all(int fd, http_reply *reply) {
    ssize_t got = 1;
    while (got > 0 && reply->bytes_len < HTTP_CALL_BYTES_MAX) {
        got = recv(fd, reply->bytes + reply->bytes_len,
                   HTTP_CALL_BYTES_MAX - reply->bytes_len, 0);
        if (got > 0)
            reply->bytes_len += (size_t)got;
    }
    reply->bytes[reply->bytes_len] = '\0';
    return got == 0;
}

static bool split_reply(http_reply *reply) {
    static const char version[] = "HTTP/1.1 ";
    char *end = strstr(reply->bytes, "\r\n\r\n");
    if (end == NULL || strncmp(reply->bytes, version, sizeof version - 1) != 0)
        return false;
    reply->status =
        (unsigned)strtoul(reply->bytes + sizeof version - 1, NULL, 10);
    reply->body = end + 4;
    reply->body_bytes = reply->bytes_len - (size_t)(reply->body - reply->bytes);
    return true;
}

bool http_post(const http_call *call, http_reply *reply) {
    *reply = (http_reply){.status = 0};
    int fd = connect_to(call->port);
    if (fd < 0)
        return false;
    bool whole =
        send_request(fd, call) && receive_all(fd, reply) && split_reply(reply);
    close(fd);
    char length[24];
    if (whole && http_header(reply, "Content-Length", length, sizeof length))
        whole = strtoul(length, NULL, 10) == reply->body_bytes;
    if (!whole)
        reply->status = 0;
    return whole;
}

bool http_header(const http_reply *reply, const char *name, char *to,
                 size_t cap) {
    size_t name_len = strlen(name);
    to[0] = '\0';
    if (reply->body == NULL)
        return false;
    const char *line = strstr(reply->bytes, "\r\n");
    for (; line != NULL && line + 4 < reply->body;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, name_len) == 0 && line[name_len] == ':') {
            line += name_len + 1;
            line += strspn(line, " ");
            snprintf(to, cap, "%.*s", (int)strcspn(line, "\r"), line);
            return true;
        }
    }
    return false;
}

bool http_body_same(const http_reply *one, const http_reply *other) {
    return one->status != 0 && other->status != 0 &&
           one->body_bytes == other->body_bytes &&
           memcmp(one->body, other->body, one->body_bytes) == 0;
}
