/* SPDX-License-Identifier: Apache-2.0 */
/* http.c -- see http.h. Requests are read by server/http's strict reader. */
#include "server/idemagent/http.h"

#include "server/http/head.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 5000 };

bool ida_http_open(ida_http *http, const char *at,
                   char why[static IDA_WHY_BYTES]) {
    char host[IDS_ENDPOINT_BYTES];
    const char *port;
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE};
    *http = (ida_http){.fd = -1, .at = at};
    for (int i = 0; i < IDA_HTTP_CONNS_MAX; i++)
        http->conns[i].fd = -1;
    if (!at)
        return true;
    int one = 1;
    if (!ids_endpoint_split(at, host, &port) ||
        getaddrinfo(host, port, &hints, &found) != 0) {
        snprintf(why, IDA_WHY_BYTES, "http %.300s: no such address", at);
        return false;
    }
    http->fd =
        socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool good =
        http->fd >= 0 &&
        setsockopt(http->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        bind(http->fd, found->ai_addr, found->ai_addrlen) == 0 &&
        listen(http->fd, 16) == 0;
    if (!good)
        snprintf(why, IDA_WHY_BYTES, "http %.300s: %s", at, strerror(errno));
    freeaddrinfo(found);
    return good;
}

static void hang_up_http(ida_http_conn *conn) {
    if (conn->fd >= 0)
        close(conn->fd);
    conn->fd = -1;
}

void ida_http_close(ida_http *http) {
    for (int i = 0; i < IDA_HTTP_CONNS_MAX; i++)
        hang_up_http(&http->conns[i]);
    if (http->fd >= 0)
        close(http->fd);
    http->fd = -1;
}

size_t ida_http_fds(const ida_http *http, int fds[1 + IDA_HTTP_CONNS_MAX]) {
    size_t count = 0;
    if (http->fd >= 0)
        fds[count++] = http->fd;
    for (int i = 0; i < IDA_HTTP_CONNS_MAX; i++)
        if (http->conns[i].fd >= 0)
            fds[count++] = http->conns[i].fd;
    return count;
}

/* --- an answer -------------------------------------------------------------
 */

/* What the socket does not take at once it does not get: it is of this machine,
 * and its buffer is larger than what is said. */
static void answer_http(ida_http_conn *conn, int status, const char *type,
                        const char *text) {
    char head[256];
    const char *word = status == 200   ? "OK"
                       : status == 202 ? "Accepted"
                       : status == 503 ? "Service Unavailable"
                                       : "Refused";
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 %d %s\r\nContent-Type: %s\r\n"
                       "Content-Length: %zu\r\nCache-Control: no-store\r\n"
                       "Connection: close\r\n\r\n",
                       status, word, type, strlen(text));
    (void)!send(conn->fd, head, (size_t)len, MSG_NOSIGNAL);
    (void)!send(conn->fd, text, strlen(text), MSG_NOSIGNAL);
    hang_up_http(conn);
}

static void answer_made(ida_http_conn *conn, const char *type, char *text) {
    answer_http(conn, text ? 200 : 503, type, text ? text : "no memory\n");
    free(text);
}

static void get(ida_http_conn *conn, const ida_agent *agent, idp_slice path) {
    char why[IDA_WHY_BYTES], said[IDA_WHY_BYTES + 2];
    bool ready = ida_agent_is_ready(agent, why);
    snprintf(said, sizeof said, "%s\n", ready ? "it decides" : why);
    if (ids_http_is(path, "/metrics"))
        answer_made(conn, "text/plain; version=0.0.4", ida_text_metrics(agent));
    else if (ids_http_is(path, "/v1/status"))
        answer_made(conn, "application/json", ida_text_status(agent));
    else if (ids_http_is(path, "/healthz"))
        answer_http(conn, 200, "text/plain", "it runs\n");
    else if (ids_http_is(path, "/readyz"))
        answer_http(conn, ready ? 200 : 503, "text/plain", said);
    else
        answer_http(conn, 404, "text/plain", "no such path\n");
}

static void post(ida_http_conn *conn, ida_agent *agent, idp_slice path) {
    static const char *const paths[] = {"/v1/switchover", "/v1/accept-loss",
                                        "/v1/pause", "/v1/resume"};
    for (int i = 0; i < 4; i++)
        if (ids_http_is(path, paths[i])) {
            ida_agent_order(agent, (ida_order)i);
            answer_http(conn, 202, "application/json",
                        "{\"state\":\"under way\"}\n");
            return;
        }
    answer_http(conn, 404, "text/plain", "no such order\n");
}

/* A page of somebody else's, in a browser on this machine, may not order; nor
 * may one that has made its own name this address. */
static bool is_foreign(const ida_http *http, const ids_http_head *head) {
    return head->origin.ptr ||
           !(ids_http_is(head->host, http->at) ||
             (head->host.len > 10 &&
              memcmp(head->host.ptr, "localhost:", 10) == 0));
}

static void serve(ida_http *http, ida_http_conn *conn, ida_agent *agent) {
    ids_http_head head;
    ids_http_fault fault;
    if (!ids_http_head_read(conn->bytes, conn->seen, &head, &fault))
        answer_http(conn, fault.status, "text/plain", fault.text);
    else if (is_foreign(http, &head))
        answer_http(conn, 403, "text/plain",
                    "not from another page, nor by another "
                    "name of this machine\n");
    else if (head.length > 0 || head.is_chunked)
        answer_http(conn, 413, "text/plain", "no request here has a body\n");
    else if (head.method == IDS_HTTP_GET)
        get(conn, agent, head.path);
    else if (head.method == IDS_HTTP_POST)
        post(conn, agent, head.path);
    else
        answer_http(conn, 405, "text/plain", "GET or POST\n");
}

/* --- connections -----------------------------------------------------------
 */

static void take_http_bytes(ida_http *http, ida_http_conn *conn,
                            ida_agent *agent) {
    ids_http_fault fault;
    ssize_t n = recv(conn->fd, conn->bytes + conn->len,
                     sizeof conn->bytes - conn->len, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (agent->now_ms >= conn->until_ms)
            hang_up_http(conn);
        return;
    }
    if (n <= 0) {
        hang_up_http(conn);
        return;
    }
    conn->len += (size_t)n;
    ids_http_read read =
        ids_http_head_seek(conn->bytes, conn->len, &conn->seen, &fault);
    if (read == IDS_HTTP_WHOLE)
        serve(http, conn, agent);
    else if (read == IDS_HTTP_BAD || conn->len == sizeof conn->bytes)
        answer_http(conn, 400, "text/plain", "that is no request\n");
}

static void take_conn(ida_http *http, uint64_t now_ms) {
    int fd = accept4(http->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    for (int i = 0; i < IDA_HTTP_CONNS_MAX; i++) {
        ida_http_conn *conn = &http->conns[i];
        if (conn->fd >= 0)
            continue;
        *conn = (ida_http_conn){.fd = fd, .until_ms = now_ms + PATIENCE_MS};
        return;
    }
    close(fd);
}

void ida_http_turn(ida_http *http, ida_agent *agent) {
    if (http->fd < 0)
        return;
    take_conn(http, agent->now_ms);
    for (int i = 0; i < IDA_HTTP_CONNS_MAX; i++)
        if (http->conns[i].fd >= 0)
            take_http_bytes(http, &http->conns[i], agent);
}
