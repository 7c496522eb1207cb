/* SPDX-License-Identifier: Apache-2.0 */
/* http_conn.c -- see http_conn.h. */
#include "tests/e2e/http_conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { LIMIT_S = 120 };

uint16_t http_port_of(const daemon_t *daemon) {
    static const char mark[] = "http on 127.0.0.1:";
    char line[512];
    unsigned long port = 0;
    CHECK(daemon_said(daemon, mark), "it does not speak HTTP");
    FILE *log = fopen(daemon->child.log_path, "r");
    CHECK(log, "no log");
    while (!port && fgets(line, sizeof line, log))
        if (strncmp(line, mark, sizeof mark - 1) == 0)
            port = strtoul(line + sizeof mark - 1, NULL, 10);
    fclose(log);
    CHECK(port > 0 && port < 65536, "it says no port");
    return (uint16_t)port;
}

void http_open(http_conn *conn, uint16_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = LIMIT_S};
    *conn = (http_conn){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    CHECK(conn->fd >= 0, "no socket");
    setsockopt(conn->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(conn->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    CHECK(connect(conn->fd, (struct sockaddr *)&at, sizeof at) == 0,
          "not connected: %s", strerror(errno));
}

void http_close(http_conn *conn) {
    close(conn->fd);
    free(conn->in);
    *conn = (http_conn){.fd = -1};
}

void http_send(http_conn *conn, const char *bytes, size_t len) {
    while (len) {
        ssize_t sent = send(conn->fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the other side has had enough: what it says is read */
        bytes += sent;
        len -= (size_t)sent;
    }
}

void http_post_json(http_conn *conn, const char *path, const char *headers,
                    const char *json) {
    size_t cap = strlen(path) + strlen(headers) + strlen(json) + 256;
    char *text = malloc(cap);
    CHECK(text, "no memory");
    int len = snprintf(text, cap,
                       "POST %s HTTP/1.1\r\nHost: localhost\r\n"
                       "Content-Type: application/json\r\n"
                       "Content-Length: %zu\r\n%s\r\n%s",
                       path, strlen(json), headers, json);
    http_send(conn, text, (size_t)len);
    free(text);
}

/* False: the other side has ended. */
static bool receive(http_conn *conn) {
    if (conn->cap - conn->len < 65536) {
        conn->cap = 2 * conn->cap + 65537;
        conn->in = realloc(conn->in, conn->cap);
        CHECK(conn->in, "no memory");
    }
    ssize_t got = recv(conn->fd, conn->in + conn->len, 65536, 0);
    CHECK(got >= 0 || errno == ECONNRESET, "nothing came: %s", strerror(errno));
    conn->len += got > 0 ? (size_t)got : 0;
    conn->in[conn->len] = '\0';
    return got > 0;
}

static void drop_taken(http_conn *conn) {
    if (conn->taken)
        memmove(conn->in, conn->in + conn->taken, conn->len - conn->taken + 1);
    conn->len -= conn->taken;
    conn->taken = 0;
}

http_response http_read(http_conn *conn) {
    static const char length[] = "Content-Length: ";
    http_response response = {0};
    char *end = NULL;
    drop_taken(conn);
    while (!conn->len || !(end = strstr(conn->in, "\r\n\r\n")))
        if (!receive(conn))
            return response;
    const char *at = strstr(conn->in, length);
    response.body_len =
        at && at < end ? strtoul(at + sizeof length - 1, NULL, 10) : 0;
    size_t head = (size_t)(end - conn->in) + 4;
    while (conn->len < head + response.body_len)
        if (!receive(conn))
            return response;
    CHECK(strncmp(conn->in, "HTTP/1.1 ", 9) == 0, "%s", conn->in);
    response.status = (int)strtoul(conn->in + 9, NULL, 10);
    response.head = conn->in;
    response.body = conn->in + head;
    conn->taken = head + response.body_len;
    return response;
}

http_response http_answers(http_conn *conn, int status) {
    http_response response = http_read(conn);
    CHECK(response.status == status, "%d, not %d: %s", response.status, status,
          response.head ? response.head : "");
    return response;
}

void http_ends(http_conn *conn) {
    drop_taken(conn);
    while (receive(conn))
        ;
    CHECK(!conn->len, "it goes on: %s", conn->in);
}

const char *http_member(const http_response *response, const char *name) {
    static char value[2048];
    char mark[64];
    snprintf(mark, sizeof mark, "\"%s\":", name);
    const char *at = strstr(response->body, mark);
    value[0] = '\0';
    if (!at)
        return value;
    at += strlen(mark);
    bool is_string = *at == '"';
    at += is_string;
    size_t len = strcspn(at, is_string ? "\"" : ",}");
    CHECK(len < sizeof value, "a long value");
    memcpy(value, at, len);
    value[len] = '\0';
    return value;
}
