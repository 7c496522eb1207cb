/* SPDX-License-Identifier: Apache-2.0 */
/* admin.c -- see admin.h. */
#include "bench/admin.h"

#include "proto/reply.h"
#include "proto/request.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ASK_S 5

/* A reply that may be as long as any of the rare ones. */
typedef struct heard {
    uint8_t bytes[IDP_REPLICATION_BYTES_MAX + 4096];
    idp_reply reply;
} heard;

static const char *ask_server(int fd, const idp_request *request,
                              uint32_t timeout_s, heard *h) {
    uint8_t out[256];
    struct timeval patience = {.tv_sec = timeout_s};
    size_t frame, have = 0, len = idp_request_write(out, sizeof out, request);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (len == 0 || send(fd, out, len, MSG_NOSIGNAL) != (ssize_t)len)
        return "it closed the connection";
    for (;;) {
        ssize_t got = recv(fd, h->bytes + have, sizeof h->bytes - have, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return "it does not answer";
        if (got <= 0)
            return "it closed the connection";
        have += (size_t)got;
        switch (idp_reply_open(h->bytes, have, sizeof h->bytes, &h->reply,
                               &frame)) {
        case IDP_REPLY_WHOLE:
            return NULL;
        case IDP_REPLY_BROKEN:
            return "its answer is none";
        case IDP_REPLY_PARTIAL:
            if (have == sizeof h->bytes)
                return "its answer is none";
        }
    }
}

int idb_admin_connect(const idb_endpoint *at, uint32_t shard,
                      uint32_t *shards) {
    static const uint8_t name[] = "idembench";
    idp_request request = {.method = IDP_HELLO,
                           .has_shard = shard != UINT32_MAX,
                           .shard = shard,
                           .client = {name, sizeof name - 1}};
    idp_hello hello;
    heard h;
    int fd = idb_connect(at);
    if (fd < 0)
        return -1;
    if (ask_server(fd, &request, ASK_S, &h) || h.reply.is_error ||
        !idp_hello_read(h.reply.result, &hello)) {
        close(fd);
        return -1;
    }
    if (shards)
        *shards = hello.shards;
    return fd;
}

/* Asks over a connection of its own. */
static const char *ask_once(const idb_endpoint *at, idp_method method,
                            uint32_t timeout_s, heard *h) {
    const idp_request request = {.method = method};
    int fd = idb_connect(at);
    if (fd < 0)
        return "it accepts no connection";
    const char *failed = ask_server(fd, &request, timeout_s, h);
    close(fd);
    return failed;
}

static const char *say_failed(char *why, size_t cap, idp_method method,
                              const char *text, size_t len) {
    snprintf(why, cap, "%s: %.*s", idp_method_name(method), (int)len, text);
    return why;
}

const char *idb_admin(const idb_endpoint *at, idp_method method,
                      uint32_t timeout_s, idp_command_answer *answer, char *why,
                      size_t cap) {
    heard h;
    const char *failed = ask_once(at, method, timeout_s, &h);
    if (failed)
        return say_failed(why, cap, method, failed, strlen(failed));
    if (h.reply.is_error)
        return say_failed(why, cap, method, (const char *)h.reply.text.ptr,
                          h.reply.text.len);
    if (!idp_command_read(method, h.reply.result, answer))
        return say_failed(why, cap, method, "its answer is none", 18);
    if (answer->outcome == IDP_COMMAND_REFUSED)
        return say_failed(why, cap, method, (const char *)answer->text.ptr,
                          answer->text.len);
    answer->primary = answer->text = (idp_slice){0};
    return NULL;
}

bool idb_admin_replication(const idb_endpoint *at, idp_replication *report) {
    heard h;
    return !ask_once(at, IDP_REPLICATION, ASK_S, &h) && !h.reply.is_error &&
           idp_replication_read(h.reply.result, report);
}

uint64_t idb_admin_stat(const idb_endpoint *at, const char *name) {
    heard h;
    idp_slice found;
    uint64_t value;
    size_t walk = 0;
    if (ask_once(at, IDP_STATS, ASK_S, &h) || h.reply.is_error)
        return 0;
    while (idp_stats_next(h.reply.result, &walk, &found, &value))
        if (found.len == strlen(name) && !memcmp(found.ptr, name, found.len))
            return value;
    return 0;
}
