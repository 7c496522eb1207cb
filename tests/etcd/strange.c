/* SPDX-License-Identifier: Apache-2.0 */
/* strange.c -- something at etcd's port that is no etcd, or half of one. */
#include "tests/etcd/etcd_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HUGE_BYTES = 4 << 20 };

typedef struct fake {
    int fd;
    char url[64];
    const char *says; /* the whole answer */
    size_t len;
    pthread_t thread;
} fake;

static void *serve(void *ctx) {
    fake *f = ctx;
    for (int fd; (fd = accept(f->fd, NULL, NULL)) >= 0; close(fd)) {
        char asked[8192];
        size_t sent = 0;
        if (read(fd, asked, sizeof asked) <= 0)
            continue;
        while (sent < f->len) {
            ssize_t n = send(fd, f->says + sent, f->len - sent, MSG_NOSIGNAL);
            if (n <= 0)
                break;
            sent += (size_t)n;
        }
    }
    return NULL;
}

static void begin(fake *f, const char *says, size_t len) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t at_len = sizeof at;
    *f =
        (fake){.fd = socket(AF_INET, SOCK_STREAM, 0), .says = says, .len = len};
    CHECK(f->fd >= 0 && bind(f->fd, (struct sockaddr *)&at, sizeof at) == 0);
    CHECK(listen(f->fd, 8) == 0);
    CHECK(getsockname(f->fd, (struct sockaddr *)&at, &at_len) == 0);
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u", ntohs(at.sin_port));
    CHECK(pthread_create(&f->thread, NULL, serve, f) == 0);
}

static void finish(fake *f) {
    shutdown(f->fd, SHUT_RDWR);
    pthread_join(f->thread, NULL);
    close(f->fd);
}

/* Whoever is slow to answer is as good as silent: that is tried again. */
static void gives(const char *what, const char *says, size_t len,
                  ids_etcd_outcome outcome) {
    ids_agent_act act = {.kind = IDS_AGENT_READ};
    fake f;
    begin(&f, says, len);
    ids_etcd *client = etcd_client(f.url, NULL, NULL);
    ids_etcd_answer answer = etcd_ask_until(client, &act, outcome);
    printf("%s: %s (%s)\n", what, ids_etcd_outcome_text(answer.outcome),
           answer.why);
    CHECK(answer.view.revision == 0 && answer.view.alive_count == 0);
    ids_etcd_free(client);
    finish(&f);
}

#define GIVES(what, says, outcome) gives(what, says, strlen(says), outcome)
#define OK_HEAD                    "HTTP/1.1 200 OK\r\nConnection: close\r\n"

/* No answer's memory grows with what the other end sends. */
static void huge(void) {
    char *all = malloc(HUGE_BYTES);
    CHECK(all != NULL);
    memset(all, ' ', HUGE_BYTES);
    int head = snprintf(all, HUGE_BYTES, OK_HEAD "Content-Length: %d\r\n\r\n{",
                        HUGE_BYTES);
    all[head] = ' ';
    gives("4 MiB", all, HUGE_BYTES, IDS_ETCD_STRANGE);
    free(all);
}

int main(void) {
    GIVES("nothing", "", IDS_ETCD_NO_ANSWER);
    GIVES("an empty body", OK_HEAD "Content-Length: 0\r\n\r\n",
          IDS_ETCD_STRANGE);
    GIVES("half of a head", "HTTP/1.1 200 OK\r\nConn", IDS_ETCD_STRANGE);
    GIVES("half of a body", OK_HEAD "Content-Length: 500\r\n\r\n{\"header\"",
          IDS_ETCD_NO_ANSWER);
    GIVES("a page", OK_HEAD "\r\n<html>It works!</html>", IDS_ETCD_STRANGE);
    GIVES("another JSON", OK_HEAD "\r\n{\"status\":\"ok\"}", IDS_ETCD_STRANGE);
    GIVES("no cluster",
          OK_HEAD "\r\n{\"header\":{},\"responses\":[{\"response_range\":{}},"
                  "{\"response_range\":{}}]}",
          IDS_ETCD_STRANGE);
    GIVES("deep", OK_HEAD "\r\n[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
          IDS_ETCD_STRANGE);
    GIVES("a redirect",
          "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n"
          "Content-Length: 0\r\n\r\n",
          IDS_ETCD_NO_ANSWER);
    GIVES("400", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
          IDS_ETCD_REFUSED);
    GIVES("401", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
          IDS_ETCD_TOKEN);
    GIVES("403", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
          IDS_ETCD_DENIED);
    GIVES("503",
          "HTTP/1.1 503 Unavailable\r\nContent-Length: 45\r\n\r\n"
          "{\"error\":\"etcdserver: no leader\",\"code\":14}  ",
          IDS_ETCD_NO_ANSWER);
    huge();
    return 0;
}
