/* SPDX-License-Identifier: Apache-2.0 */
/* seal.c -- see seal.h. */
#include "server/net/seal.h"

#include "proto/tls/tls.h"
#include "server/base/log.h"
#include "server/line/reader.h"
#include "server/net/cert.h"
#include "server/net/http.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const char no_cert[] = "a client certificate is needed";

uint8_t *ids_seal_room(ids_net *net) {
    if (!net->sealing)
        net->sealing = malloc(2 * IDS_SEAL_BYTES);
    return net->sealing;
}

/* It stands behind that for what comes: the two are in use at once. */
static uint8_t *room_to_send(ids_net *net) {
    return net->sealing + IDS_SEAL_BYTES;
}

bool ids_seal_begin(ids_net *net, ids_conn *conn) {
    assert(!conn->seal);
    ids_seal *seal = calloc(1, sizeof *seal);
    if (!seal || !ids_seal_room(net) ||
        !(seal->tls = ids_tls_accept(net->tls, conn->http != NULL))) {
        ids_seal_free(seal);
        return false;
    }
    conn->seal = seal;
    return true;
}

void ids_seal_free(ids_seal *seal) {
    if (!seal)
        return;
    idp_tls_free(seal->tls);
    idp_bytes_free(&seal->out);
    free(seal->why);
    free(seal);
}

/* What the engine holds of this connection is of what all may keep. */
static void count_held(ids_worker *worker, ids_conn *conn) {
    ids_seal *seal = conn->seal;
    size_t held = idp_tls_held(seal->tls);
    if (held > seal->held &&
        !ids_buffers_have_room(&worker->buffers, held - seal->held))
        ids_conn_condemn(worker, conn,
                         "the buffers of all connections are full");
    worker->buffers.bytes -= seal->held;
    worker->buffers.bytes += held;
    seal->held = held;
}

/* What comes --------------------------------------------------------------- */

/* Why it is not served; NULL: it is. */
static const char *refusal(bool demands, ids_seal *seal) {
    idp_tls_peer_facts facts = idp_tls_peer(seal->tls);
    idp_tls_why why;
    if (!demands || facts.verified)
        return NULL;
    if (!facts.shown || !idp_tls_peer_why(seal->tls, &why))
        return no_cert;
    seal->why = strdup(why.text);
    return seal->why ? seal->why : no_cert;
}

bool ids_seal_cert_holds(ids_tls *tls, const ids_conn *conn) {
    return conn->seal && ids_tls_has_signed(tls, conn->seal->tls);
}

/* Hands are shaken. Who is not to be served hears so at its first request. */
static void end_sealed_handshake(ids_net *net, ids_conn *conn) {
    ids_seal *seal = conn->seal;
    uint64_t *counters = net->worker->counters.of;
    bool is_http = conn->http != NULL;
    const char *why =
        refusal(is_http ? net->tls->http_demands : net->tls->demands, seal);
    /* Over HTTP each request is let in for itself. */
    if (!why && !is_http && idp_tls_peer(seal->tls).verified)
        why = ids_cert_admit(net, conn);
    seal->is_up = true;
    counters[IDS_TLS_HANDSHAKES_TOTAL]++;
    counters[IDS_TLS_RESUMED_TOTAL] += idp_tls_resumed(seal->tls);
    counters[IDS_TLS_UNVERIFIED_TOTAL] += why != NULL;
    if (why)
        ids_conn_refuse(conn, why);
}

static ids_counter counter_of(idp_tls_fault fault) {
    if (fault == IDP_TLS_REFUSED)
        return IDS_TLS_REFUSED_TOTAL;
    if (fault == IDP_TLS_CUT_OFF)
        return IDS_TLS_CUT_OFF_TOTAL;
    return fault == IDP_TLS_FLOOD ? IDS_TLS_FLOODS_TOTAL : IDS_TLS_BROKEN_TOTAL;
}

static ids_opened fail(ids_net *net, const ids_conn *conn) {
    const idp_tls *tls = conn->seal->tls;
    net->worker->counters.of[counter_of(idp_tls_fault_of(tls))]++;
    ids_log_who(IDS_LOG_WARN, "TLS failed", &conn->who, idp_tls_why_of(tls));
    return IDS_OPENED_FAILED;
}

static ids_opened opened_of(ids_net *net, ids_conn *conn, bool was_up) {
    const ids_seal *seal = conn->seal;
    idp_tls_state state = idp_tls_state_of(seal->tls);
    count_held(net->worker, conn);
    if (ids_seal_waits(seal))
        ids_worker_mark(net->worker, conn);
    if (state == IDP_TLS_FAILED)
        return fail(net, conn);
    if (state == IDP_TLS_ENDED)
        return IDS_OPENED_ENDED;
    return seal->is_up && !was_up ? IDS_OPENED_SHAKEN : IDS_OPENED;
}

/* What is opened has to go somewhere: where buffers are full, the line keeps
 * it or closes the connection. */
static ids_input room_for_plain(ids_net *net, ids_conn *conn) {
    ids_input input = ids_input_room(net->line, conn);
    if (!input.in_place)
        input.max = IDS_INPUT_BYTES;
    return input;
}

ids_opened ids_seal_came(ids_net *net, ids_conn *conn, size_t len) {
    ids_seal *seal = conn->seal;
    bool was_up = seal->is_up;
    idp_slice came = {net->sealing, len};
    ids_input input;
    size_t got;
    assert(len <= IDS_SEAL_BYTES);
    do {
        input = room_for_plain(net, conn);
        got = idp_tls_read(seal->tls, &came, input.ptr, input.max);
        if (!seal->is_up && (got || idp_tls_state_of(seal->tls) == IDP_TLS_UP))
            end_sealed_handshake(net, conn);
        if (got && conn->http)
            ids_http_received(net, conn, input.ptr, got);
        else if (got)
            ids_reader_received(net->line, conn, &input, got);
    } while (got == input.max);
    return opened_of(net, conn, was_up);
}

/* Without a close_notify nothing is said to it any more. */
ids_opened ids_seal_cut(ids_net *net, ids_conn *conn) {
    idp_tls *tls = conn->seal->tls;
    idp_tls_eof(tls);
    if (idp_tls_was_cut(tls))
        ids_conn_become(conn, IDS_CONN_DEAD);
    return opened_of(net, conn, true);
}

/* What leaves -------------------------------------------------------------- */

uint64_t ids_seal_records(const ids_seal *seal) {
    return idp_tls_records(seal->tls);
}

bool ids_seal_waits(const ids_seal *seal) {
    return seal->out_at < seal->out.len || idp_tls_wants_write(seal->tls);
}

/* The engine's own output, then the connection's, as far as a send goes. */
static size_t seal_some(ids_net *net, ids_conn *conn) {
    idp_tls *tls = conn->seal->tls;
    uint8_t *to = room_to_send(net);
    size_t len = 0, took;
    do {
        idp_slice plain = ids_plain_output(net, conn);
        took = plain.len;
        len += idp_tls_write(tls, &plain, to + len, IDS_SEAL_BYTES - len);
        took -= plain.len;
        if (took)
            ids_plain_sent(net, conn, took);
    } while (took);
    return len;
}

idp_slice ids_seal_output(ids_net *net, ids_conn *conn) {
    ids_seal *seal = conn->seal;
    if (seal->out_at < seal->out.len)
        return (idp_slice){seal->out.ptr + seal->out_at,
                           seal->out.len - seal->out_at};
    if (!ids_seal_room(net))
        return (idp_slice){0};
    idp_slice out = {room_to_send(net), seal_some(net, conn)};
    if (seal->held)
        count_held(net->worker, conn);
    return out;
}

static void keep_rest(ids_worker *worker, ids_conn *conn, idp_slice rest) {
    if (!ids_buffers_have_room(&worker->buffers, rest.len))
        ids_conn_condemn(worker, conn,
                         "the buffers of all connections are full");
    else if (!idp_bytes_append(&conn->seal->out, rest.ptr, rest.len))
        ids_conn_condemn(worker, conn, "out of memory");
    else
        worker->buffers.bytes += rest.len;
}

void ids_seal_sent(ids_net *net, ids_conn *conn, idp_slice out, size_t sent) {
    ids_seal *seal = conn->seal;
    assert(sent <= out.len);
    if (!seal->out.len) {
        if (sent < out.len)
            keep_rest(net->worker, conn,
                      (idp_slice){out.ptr + sent, out.len - sent});
        return;
    }
    seal->out_at += sent;
    net->worker->buffers.bytes -= sent;
    if (seal->out_at == seal->out.len) {
        idp_bytes_free(&seal->out);
        seal->out_at = 0;
    }
}

bool ids_seal_close(ids_seal *seal) {
    idp_tls_close(seal->tls);
    return ids_seal_waits(seal);
}

void ids_seal_forget(ids_net *net, ids_conn *conn) {
    ids_seal *seal = conn->seal;
    net->worker->buffers.bytes -= seal->out.len - seal->out_at + seal->held;
    idp_bytes_free(&seal->out);
    seal->out_at = seal->held = 0;
}
