/* SPDX-License-Identifier: Apache-2.0 */
/* command.c -- an operator's commands: one server, one connection, one try.
 *
 * Never looks for another server and never asks twice: who gives a command
 * wants to know what became of it there. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/src/command.h"
#include "client/src/command_report.h"
#include "client/src/error.h"
#include "client/src/queued.h"
#include "client/src/sized.h"
#include "client/src/socket.h"
#include "proto/commands.h"
#include "proto/metrics.h"

static_assert(sizeof((idem_command_answer *)0)->primary >
                      IDP_ENDPOINT_BYTES_MAX &&
                  sizeof((idem_command_answer *)0)->text >
                      IDP_COMMAND_TEXT_BYTES_MAX,
              "what a server may say fits");
static_assert(sizeof((idem_command_answer *)0)->changes >
                  IDP_RELOAD_TEXT_BYTES_MAX,
              "what a server may have changed fits");
static_assert(IDEM_IN_SYNC_MAX >= IDP_IN_SYNC_MAX &&
                  IDEM_STREAMS_MAX >= IDP_STREAMS_MAX &&
                  IDEM_REPLICAS_MAX >= IDP_REPLICAS_MAX,
              "what a server may tell fits");

int32_t idem__queued_prepare(idem__queued *e, const char *uri,
                             uint32_t timeout_ms, idem_error *err) {
    int32_t code = idem__uri_parse(uri, &e->uri, err);
    if (code != 0)
        return code;
    if (e->uri.endpoints_count != 1)
        return idem__fail(err, IDEM_E_URI,
                          "a command goes to one server, and the URI names %u; "
                          "name the one that is meant",
                          e->uri.endpoints_count);
    e->deadline_ms =
        idem_now_ms() +
        (timeout_ms != 0 ? timeout_ms : IDEM_COMMAND_TIMEOUT_MS_DEFAULT);
    return 0;
}

static int connect_queued(idem__queued *e, idem_error *err) {
    uint64_t connected_ms = idem_now_ms() + e->uri.connect_timeout_ms;
    idem__handshake handshake = {.uri = &e->uri,
                                 .endpoint = &e->uri.endpoints[0],
                                 .shard = -1,
                                 .seal = &e->seal,
                                 .deadline_ms = connected_ms < e->deadline_ms
                                                    ? connected_ms
                                                    : e->deadline_ms};
    idem__lookup lookup = {0};
    idem__addr good = {0};
    handshake.lookup = &lookup;
    handshake.good = &good;
    idp_hello hello;
    int fd = idem__handshake_server(&handshake, &e->wire, &hello, err);
    idem__lookup_drop(&lookup);
    return fd;
}

/* What was sent and not answered may have been carried out. */
static int32_t lost(const idem__queued *e, idem_error *err, int os_error,
                    bool late) {
    const char *name = e->uri.endpoints[0].name;
    return idem__fail_at(err, late ? IDEM_E_TIMEOUT : IDEM_E_LOST,
                         (idem__where){.endpoint = name, .os_error = os_error},
                         "%s %s; whether the command was carried out is "
                         "unknown: ask it how replication stands",
                         name,
                         late ? "did not answer in time"
                              : "closed the connection before its answer");
}

static int32_t exchange_queued(idem__queued *e, int fd, idem_error *err) {
    const char *name = e->uri.endpoints[0].name;
    idem__op op = {.deadline_ms = UINT64_MAX};
    if (idem__wire_queue(&e->wire, &op, &e->request) != 0)
        return idem__fail(err, IDEM_E_MEMORY, "no memory for a request");
    idem__heard heard = idem__handshake_exchange(fd, &e->wire, &e->seal,
                                                 e->deadline_ms, &e->reply);
    int why = errno;
    if (op.pending)
        idem__calls_remove(&e->wire.calls, &op);
    if (heard == IDEM__HEARD_STRANGER)
        return idem__fail_at(err, IDEM_E_GARBLED,
                             (idem__where){.endpoint = name},
                             "%s sent something that is no reply", name);
    if (heard == IDEM__HEARD_FAILED || heard == IDEM__HEARD_NO_TLS)
        return lost(e, err, why, why == ETIMEDOUT);
    return e->reply.is_error ? idem__fail_reply(err, name, &e->reply) : 0;
}

/* The reply is there when this returns 0; done frees it. */
int32_t idem__queued_run(idem__queued *e, idem_error *err) {
    int fd = connect_queued(e, err);
    if (fd < 0)
        return err->code;
    int32_t code = exchange_queued(e, fd, err);
    idem__seal_hang_up(&e->seal, fd);
    return code;
}

void idem__queued_begin(idem__queued *e, idp_method method) {
    *e = (idem__queued){.request = {.method = method}};
    idem__wire_init(&e->wire);
}

void idem__queued_done(idem__queued *e) {
    idem__seal_end(&e->seal);
    idem__wire_fini(&e->wire);
    idem__uri_fini(&e->uri);
}

int32_t idem__queued_garbled(const idem__queued *e, idem_error *err) {
    const char *name = e->uri.endpoints[0].name;
    return idem__fail_at(err, IDEM_E_GARBLED, (idem__where){.endpoint = name},
                         "%s answers in words that this version does not know",
                         name);
}

static void copy_slice(char *to, size_t size, idp_slice from) {
    idem__text_copy(to, size, from, ' ', UINT8_MAX);
}

/* What is no text in it, but the ends of lines, is no text for us either. */
static void copy_lines(char *to, size_t size, idp_slice from) {
    copy_slice(to, size, from);
    for (size_t i = 0; to[i] != '\0'; i++)
        if (from.ptr[i] == '\n')
            to[i] = '\n';
}

/* An address that can be dialled, or nothing. */
static void copy_endpoint(char *to, size_t size, idp_slice from) {
    idem__endpoint endpoint;
    bool is_one =
        idem__endpoint_parse((const char *)from.ptr, from.len, &endpoint);
    copy_slice(to, size, is_one ? from : (idp_slice){0});
}

/* Commands ----------------------------------------------------------------- */

static void fill_command_answer(idem_command_answer *theirs,
                                const idp_command_answer *from) {
    idem_command_answer own = {.outcome = from->outcome == IDP_COMMAND_REFUSED
                                              ? IDEM_COMMAND_REFUSED
                                              : IDEM_COMMAND_DONE,
                               .epoch = from->epoch,
                               .records = from->records,
                               .bytes = from->bytes,
                               .ms = from->ms,
                               .closed = from->closed,
                               .admitted = from->admitted};
    copy_endpoint(own.primary, sizeof own.primary, from->primary);
    if (from->outcome == IDP_COMMAND_REFUSED)
        copy_slice(own.text, sizeof own.text, from->text);
    else
        copy_lines(own.changes, sizeof own.changes, from->text);
    idem__sized_out(&idem__command_answer_layout, theirs, &own);
}

static int32_t check_node(const idem_command_args *args, idem_error *err) {
    size_t len = args->node != NULL ? strlen(args->node) : 1;
    return len >= 1 && len <= IDP_NODE_BYTES_MAX
               ? 0
               : idem__fail(err, IDEM_E_ARGUMENT,
                            "node has %zu bytes; a name has 1 to %d", len,
                            IDP_NODE_BYTES_MAX);
}

static int32_t read_command(const idem_command_args *theirs,
                            idem_command_args *args,
                            const idem_command_answer *answer,
                            idem_error *err) {
    int32_t code =
        idem__sized_in(&idem__command_args_layout, args, theirs, "args", err);
    if (code == 0)
        code = idem__sized_check(&idem__command_answer_layout, answer, "answer",
                                 err);
    if (code == 0 && (args->command < IDEM_COMMAND_PROMOTE ||
                      args->command > IDEM_COMMAND_BACKUP))
        code = idem__fail(err, IDEM_E_ARGUMENT,
                          "command is none of IDEM_COMMAND_PROMOTE ... "
                          "IDEM_COMMAND_BACKUP");
    return code == 0 ? check_node(args, err) : code;
}

static int32_t carry_out_queued(const char *uri, const idem_command_args *args,
                                idem_command_answer *answer, idem_error *err) {
    idem__queued e;
    idp_command_answer said;
    idp_method method =
        args->command == IDEM_COMMAND_BACKUP
            ? IDP_BACKUP
            : (idp_method)(IDP_PROMOTE + args->command - IDEM_COMMAND_PROMOTE);
    idem__queued_begin(&e, method);
    e.request.accept_loss = args->accept_loss != 0 &&
                            (method == IDP_PROMOTE || method == IDP_DETACH);
    e.request.dry_run = args->dry_run != 0 && method == IDP_RELOAD;
    e.request.force = args->force != 0 && method == IDP_RELOAD;
    if (args->node != NULL &&
        (method == IDP_DETACH || method == IDP_SWITCHOVER ||
         method == IDP_BACKUP))
        e.request.ns =
            (idp_slice){(const uint8_t *)args->node, strlen(args->node)};
    int32_t code = idem__queued_prepare(&e, uri, args->timeout_ms, err);
    if (code == 0)
        code = idem__queued_run(&e, err);
    if (code == 0 && !idp_command_read(method, e.reply.result, &said))
        code = idem__queued_garbled(&e, err);
    if (code == 0)
        fill_command_answer(answer, &said);
    idem__queued_done(&e);
    return code;
}

int32_t idem_command(const char *uri, const idem_command_args *args,
                     idem_command_answer *answer, idem_error *err) {
    idem_error own_err = {.size = sizeof own_err};
    idem_command_args own;
    int32_t code = read_command(args, &own, answer, &own_err);
    if (code == 0)
        code = carry_out_queued(uri, &own, answer, &own_err);
    if (code != 0)
        idem__error_copy(err, &own_err);
    return code;
}

/* Replication -------------------------------------------------------------- */

int32_t idem_replication_get(const char *uri, uint32_t timeout_ms,
                             idem_replication *replication, idem_error *err) {
    idem__queued e;
    idp_replication report;
    idem_error own = {.size = sizeof own};
    int32_t code = idem__sized_check(&idem__replication_layout, replication,
                                     "replication", err);
    if (code != 0)
        return code;
    idem__queued_begin(&e, IDP_REPLICATION);
    code = idem__queued_prepare(
        &e, uri, timeout_ms != 0 ? timeout_ms : IDEM_TIMEOUT_MS_DEFAULT, &own);
    if (code == 0)
        code = idem__queued_run(&e, &own);
    if (code == 0 && !idp_replication_read(e.reply.result, &report))
        code = idem__queued_garbled(&e, &own);
    if (code == 0)
        idem__replication_fill(replication, &report);
    idem__queued_done(&e);
    if (code != 0)
        idem__error_copy(err, &own);
    return code;
}

/* Metrics ------------------------------------------------------------------ */

static_assert(IDEM_METRICS_BYTES_MAX > IDP_METRICS_TEXT_BYTES_MAX,
              "what a server may tell fits");

static int32_t copy_metrics(const idem__queued *e, char *text, size_t size,
                            size_t *len, idem_error *err) {
    idp_slice said;
    if (!idp_metrics_read(e->reply.result, &said))
        return idem__queued_garbled(e, err);
    if (said.len >= size)
        return idem__fail(err, IDEM_E_ARGUMENT,
                          "the metrics have %zu bytes, and there is room for "
                          "%zu; IDEM_METRICS_BYTES_MAX are enough",
                          said.len, size);
    memcpy(text, said.ptr, said.len);
    text[said.len] = '\0';
    if (len != NULL)
        *len = said.len;
    return 0;
}

int32_t idem_metrics_get(const char *uri, uint32_t timeout_ms, int32_t format,
                         char *text, size_t size, size_t *len,
                         idem_error *err) {
    idem__queued e;
    idem_error own = {.size = sizeof own};
    idem__queued_begin(&e, IDP_METRICS);
    e.request.open_metrics = format == IDEM_METRICS_OPEN;
    int32_t code =
        format == IDEM_METRICS_PROMETHEUS || format == IDEM_METRICS_OPEN
            ? idem__queued_prepare(
                  &e, uri,
                  timeout_ms != 0 ? timeout_ms : IDEM_TIMEOUT_MS_DEFAULT, &own)
            : idem__fail(&own, IDEM_E_ARGUMENT,
                         "format is none of IDEM_METRICS_...");
    if (code == 0)
        code = idem__queued_run(&e, &own);
    if (code == 0)
        code = copy_metrics(&e, text, size, len, &own);
    idem__queued_done(&e);
    if (code != 0)
        idem__error_copy(err, &own);
    return code;
}

/* Pages -------------------------------------------------------------------- */

/* answer_ms 0: there is one deadline for all. */
static int32_t ask_pages(idem__queued *e, int fd, uint32_t answer_ms,
                         idem__asked_seen *seen, void *ctx, idem_error *err) {
    idem__asked asked = IDEM__ASKED_MORE;
    while (asked == IDEM__ASKED_MORE) {
        if (answer_ms != 0)
            e->deadline_ms = idem_now_ms() + answer_ms;
        int32_t code = exchange_queued(e, fd, err);
        if (code != 0)
            return code;
        asked = seen(ctx, e->reply.result, &e->request);
    }
    return asked == IDEM__ASKED_DONE ? 0 : idem__queued_garbled(e, err);
}

static int32_t ask_one(const char *uri, uint32_t timeout_ms, uint32_t answer_ms,
                       const idp_request *request, idem__asked_seen *seen,
                       void *ctx, idem_error *err) {
    idem__queued e;
    idem__queued_begin(&e, request->method);
    e.request = *request;
    int32_t code = idem__queued_prepare(&e, uri, timeout_ms, err);
    if (code == 0 && request->method == IDP_INSPECT && !e.request.ns.ptr)
        e.request.ns = (idp_slice){(const uint8_t *)e.uri.ns, e.uri.ns_len};
    int fd = code == 0 ? connect_queued(&e, err) : -1;
    if (code == 0 && fd < 0)
        code = err->code;
    if (code == 0) {
        code = ask_pages(&e, fd, answer_ms, seen, ctx, err);
        idem__seal_hang_up(&e.seal, fd);
    }
    idem__queued_done(&e);
    return code;
}

int32_t idem__ask(const char *uri, uint32_t timeout_ms, idp_request *request,
                  idem__asked_seen *seen, void *ctx, idem_error *err) {
    return ask_one(uri, timeout_ms, 0, request, seen, ctx, err);
}

int32_t idem__ask_on(const char *uri, uint32_t answer_ms, idp_request *request,
                     idem__asked_seen *seen, void *ctx, idem_error *err) {
    return ask_one(uri, answer_ms, answer_ms, request, seen, ctx, err);
}
