/* SPDX-License-Identifier: Apache-2.0 */
/* admin.c -- see admin.h. */
#include "bench/admin.h"

#include "proto/reply.h"
#include "proto/request.h"

#include <errno.h>
#include <stdio.h>

#define ASK_S 5

/* A reply that may be as long as any of the rare ones. */
typedef struct heard {
    uint8_t bytes[IDP_REPLICATION_BYTES_MAX + 4096];
    idp_reply reply;
} heard;

static const char *ask_server(idb_wire *wire, const idp_request *request,
                              uint32_t timeout_s, heard *h) {
    uint8_t out[256];
    size_t frame, have = 0, len = idp_request_write(out, sizeof out, request);
    idb_wire_patience(wire, timeout_s);
    if (len == 0 || !idb_wire_send(wire, out, len))
        return "it closed the connection";
    for (;;) {
        ssize_t got =
            idb_wire_recv(wire, h->bytes + have, sizeof h->bytes - have);
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

bool idb_admin_connect(idb_wire *wire, const idb_endpoint *at, uint32_t shard,
                       uint32_t *shards) {
    static const uint8_t name[] = "idembench";
    idp_request request = {.method = IDP_HELLO,
                           .has_shard = shard != UINT32_MAX,
                           .shard = shard,
                           .client = {name, sizeof name - 1}};
    idp_hello hello;
    heard h;
    if (idb_wire_open(wire, at) || ask_server(wire, &request, ASK_S, &h) ||
        h.reply.is_error || !idp_hello_read(h.reply.result, &hello)) {
        idb_wire_close(wire);
        return false;
    }
    if (shards)
        *shards = hello.shards;
    return true;
}

/* Asks over a connection of its own. */
static const char *ask_once(const idb_endpoint *at, idp_method method,
                            uint32_t timeout_s, heard *h) {
    const idp_request request = {.method = method};
    idb_wire wire;
    const char *failed = idb_wire_open(&wire, at)
                             ? "it accepts no connection"
                             : ask_server(&wire, &request, timeout_s, h);
    idb_wire_close(&wire);
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
