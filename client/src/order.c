/* order.c -- an operator's orders: one server, one connection, one try.
 *
 * Never looks for another server and never asks twice: who gives an order
 * wants to know what became of it there. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/src/error.h"
#include "client/src/greet.h"
#include "proto/orders.h"

static_assert(sizeof((idem_ordered *)0)->primary > IDP_ENDPOINT_BYTES_MAX &&
                  sizeof((idem_ordered *)0)->text > IDP_ORDER_TEXT_BYTES_MAX,
              "what a server may say fits");
static_assert(IDEM_IN_SYNC_MAX == IDP_IN_SYNC_MAX &&
                  IDEM_STREAMS_MAX == IDP_STREAMS_MAX,
              "the header repeats these");

/* One order on its way. */
typedef struct errand {
    idem__uri uri;
    uint64_t deadline_ms;
    idem__wire wire;
    idp_request request;
    idp_reply reply; /* borrows from the wire */
} errand;

static int32_t prepare(errand *e, const char *uri, uint32_t timeout_ms,
                       idem_error *err) {
    int32_t code = idem__uri_parse(uri, &e->uri, err);
    if (code != 0)
        return code;
    if (e->uri.endpoints_count != 1)
        return idem__fail(err, IDEM_E_URI,
                          "an order goes to one server, and the URI names %u; "
                          "name the one that is meant",
                          e->uri.endpoints_count);
    e->deadline_ms =
        idem_now_ms() +
        (timeout_ms != 0 ? timeout_ms : IDEM_ORDER_TIMEOUT_MS_DEFAULT);
    return 0;
}

static int connect_to(errand *e, idem_error *err) {
    uint64_t connected_ms = idem_now_ms() + e->uri.connect_timeout_ms;
    idem__greet greet = {.uri = &e->uri,
                         .endpoint = &e->uri.endpoints[0],
                         .shard = -1,
                         .deadline_ms = connected_ms < e->deadline_ms
                                            ? connected_ms
                                            : e->deadline_ms};
    idp_hello hello;
    return idem__greet_server(&greet, &e->wire, &hello, err);
}

/* What was sent and not answered may have been carried out. */
static int32_t lost(const errand *e, idem_error *err, int os_error, bool late) {
    const char *name = e->uri.endpoints[0].name;
    return idem__fail_at(err, late ? IDEM_E_TIMEOUT : IDEM_E_LOST,
                         (idem__where){.endpoint = name, .os_error = os_error},
                         "%s %s; whether the order was carried out is "
                         "unknown: ask it how replication stands",
                         name,
                         late ? "did not answer in time"
                              : "closed the connection before its answer");
}

static int32_t exchange(errand *e, int fd, idem_error *err) {
    const char *name = e->uri.endpoints[0].name;
    idem__op op = {.deadline_ms = UINT64_MAX};
    if (idem__wire_queue(&e->wire, &op, &e->request) != 0)
        return idem__fail(err, IDEM_E_MEMORY, "no memory for a request");
    idem__heard heard =
        idem__greet_exchange(fd, &e->wire, e->deadline_ms, &e->reply);
    int why = errno;
    if (op.pending)
        idem__calls_remove(&e->wire.calls, &op);
    if (heard == IDEM__HEARD_STRANGER)
        return idem__fail_at(err, IDEM_E_GARBLED,
                             (idem__where){.endpoint = name},
                             "%s sent something that is no reply", name);
    if (heard == IDEM__HEARD_FAILED)
        return lost(e, err, why, why == ETIMEDOUT);
    return e->reply.is_error ? idem__fail_reply(err, name, &e->reply) : 0;
}

/* The reply is there when this returns 0; done frees it. */
static int32_t run(errand *e, idem_error *err) {
    int fd = connect_to(e, err);
    if (fd < 0)
        return err->code;
    int32_t code = exchange(e, fd, err);
    close(fd);
    return code;
}

static void begin(errand *e, idp_method method) {
    *e = (errand){.request = {.method = method}};
    idem__wire_init(&e->wire);
}

static void done(errand *e) {
    idem__wire_fini(&e->wire);
}

static int32_t garbled(const errand *e, idem_error *err) {
    const char *name = e->uri.endpoints[0].name;
    return idem__fail_at(err, IDEM_E_GARBLED, (idem__where){.endpoint = name},
                         "%s answers in words that this version does not know",
                         name);
}

static void copy_slice(char *to, size_t size, idp_slice from) {
    size_t len = from.len < size ? from.len : size - 1;
    if (len > 0)
        memcpy(to, from.ptr, len);
    to[len] = '\0';
}

/* Orders ------------------------------------------------------------------ */

static void fill_ordered(idem_ordered *to, const idp_order_answer *from) {
    *to = (idem_ordered){.size = to->size,
                         .outcome = from->outcome == IDP_ORDERED_REFUSED
                                        ? IDEM_REFUSED
                                        : IDEM_CARRIED_OUT,
                         .epoch = from->epoch,
                         .records = from->records,
                         .bytes = from->bytes,
                         .ms = from->ms};
    copy_slice(to->primary, sizeof to->primary, from->primary);
    copy_slice(to->text, sizeof to->text, from->text);
}

static int32_t order_check(int32_t order, const idem_ordered *ordered,
                           idem_error *err) {
    if (order < IDEM_PROMOTE || order > IDEM_SNAPSHOT)
        return idem__fail(err, IDEM_E_ARGUMENT,
                          "order is none of IDEM_PROMOTE ... IDEM_SNAPSHOT");
    if (ordered == NULL || ordered->size < sizeof *ordered)
        return idem__fail(err, IDEM_E_ARGUMENT,
                          "ordered.size is not sizeof(idem_ordered)");
    return 0;
}

int32_t idem_order(const char *uri, int32_t order, int32_t accept_loss,
                   uint32_t timeout_ms, idem_ordered *ordered,
                   idem_error *err) {
    idem_error own = {.size = sizeof own};
    int32_t code = order_check(order, ordered, &own);
    if (code == 0) {
        errand e;
        idp_order_answer answer;
        idp_method method = (idp_method)(IDP_PROMOTE + order - IDEM_PROMOTE);
        begin(&e, method);
        e.request.accept_loss =
            accept_loss != 0 && (method == IDP_PROMOTE || method == IDP_DETACH);
        code = prepare(&e, uri, timeout_ms, &own);
        if (code == 0)
            code = run(&e, &own);
        if (code == 0 && !idp_order_read(method, e.reply.result, &answer))
            code = garbled(&e, &own);
        if (code == 0)
            fill_ordered(ordered, &answer);
        done(&e);
    }
    if (code != 0)
        idem__error_copy(err, &own);
    return code;
}

/* Replication ------------------------------------------------------------- */

static idem_lag lag_of(idp_lag lag) {
    return (idem_lag){.ops = lag.ops, .bytes = lag.bytes, .ms = lag.ms};
}

#define COPY(to, from)           \
    copy_slice((to), sizeof(to), \
               (idp_slice){(const uint8_t *)(from), strlen(from)})

static void fill_replication(idem_replication *to,
                             const idp_replication *from) {
    *to = (idem_replication){.size = to->size,
                             .epoch = from->epoch,
                             .connected = from->connected,
                             .syncing = from->syncing,
                             .lag = lag_of(from->lag),
                             .in_sync_count = from->in_sync_count,
                             .streams_count = from->streams_count};
    COPY(to->role, from->role);
    COPY(to->mode, from->mode);
    COPY(to->node, from->node);
    COPY(to->primary, from->primary);
    COPY(to->peer, from->peer);
    COPY(to->state, from->state);
    for (uint32_t i = 0; i < from->in_sync_count; i++)
        COPY(to->in_sync[i], from->in_sync[i]);
    for (uint32_t i = 0; i < from->streams_count; i++)
        to->streams[i] = lag_of(from->streams[i]);
}

int32_t idem_replication_get(const char *uri, uint32_t timeout_ms,
                             idem_replication *replication, idem_error *err) {
    errand e;
    idp_replication report;
    idem_error own = {.size = sizeof own};
    if (replication == NULL || replication->size < sizeof *replication)
        return idem__fail(err, IDEM_E_ARGUMENT,
                          "replication.size is not sizeof(idem_replication)");
    begin(&e, IDP_REPLICATION);
    int32_t code = prepare(
        &e, uri, timeout_ms != 0 ? timeout_ms : IDEM_TIMEOUT_MS_DEFAULT, &own);
    if (code == 0)
        code = run(&e, &own);
    if (code == 0 && !idp_replication_read(e.reply.result, &report))
        code = garbled(&e, &own);
    if (code == 0)
        fill_replication(replication, &report);
    done(&e);
    if (code != 0)
        idem__error_copy(err, &own);
    return code;
}
