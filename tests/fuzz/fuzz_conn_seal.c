/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_conn_seal.c -- see fuzz_conn.h: a client's engine at the one end, the
 * server's (server/net/seal.h) at the other.
 *
 * The first byte of the input says, too, whether bytes come one at a time,
 * whether a client's certificate is demanded, and whether it has one; a step's
 * manner, what goes wrong on the way. Where nothing does, the client's engine
 * has nothing to complain of, however its connection ends. */
#include "proto/tls/tls.h"
#include "server/line/reader.h"
#include "server/net/seal.h"
#include "tests/fuzz/fuzz_conn.h"
#include "tests/lib/tls_certs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FAR_MAX 8
#define OUT_MAX (256u << 10)

enum { DRIPS = 8, DEMANDS = 16, SHOWS = 32 };

/* What may be done to what a client says. */
enum { WHOLE, DRIP, PIECES, NEW_KEYS, FLIP, CLOSE, CUT, RAW, TWICE };

/* A client's end. */
typedef struct far_end {
    const caller *of; /* NULL: free */
    idp_tls *tls;
    idt_buf under_way; /* from it, and not read yet */
    bool is_spoiled;   /* what came was not what it said */
} far_end;

static far_end far[FAR_MAX];
static ids_net nets[HARNESS_LOOPS_MAX];
static ids_tls server_tls;
static idp_tls_context *clients[2]; /* without a certificate, and with one */
static bool drips;
static int shown;

/* A folder of its own, which goes again: no file is read later. */
static void make_contexts(void) {
    char folder[32], why_not[IDS_TLS_WHY_BYTES];
    idp_tls_why why;
    certs_begin(folder);
    certs_make_usual(folder);
    const ids_config config = {.tls_cert = certs_path(folder, "server.pem"),
                               .tls_key = certs_path(folder, "server.key"),
                               .tls_ca = certs_path(folder, "ca.pem"),
                               .tls_clients = IDS_TLS_CLIENTS_OPTIONAL};
    bool good = ids_tls_open(&server_tls, &config, why_not);
    idp_tls_settings settings = {.ca_file = certs_path(folder, "ca.pem")};
    clients[0] = idp_tls_context_new(&settings, &why);
    settings.cert_file = certs_path(folder, "client.pem");
    settings.key_file = certs_path(folder, "client.key");
    clients[1] = idp_tls_context_new(&settings, &why);
    assert(good && clients[0] && clients[1]);
    certs_end(folder);
}

static far_end *far_of(const caller *c) {
    for (int i = 0; i < FAR_MAX; i++)
        if (far[i].of == c)
            return &far[i];
    return NULL;
}

static ids_net *net_of(const caller *c) {
    ids_net *net = &nets[c->loop];
    net->line = c->harness->lines[c->loop];
    net->worker = &net->line->worker;
    net->tls = &server_tls;
    return net;
}

/* The server's end, as server/net/receive.c has it ------------------------- */

static void wire_open(caller *c) {
    far_end *f = far_of(NULL);
    assert(f);
    *f = (far_end){.of = c,
                   .tls = idp_tls_connect(clients[shown], "localhost",
                                          IDP_TLS_VERIFY_FULL)};
    bool good = f->tls && ids_seal_begin(net_of(c), c->conn);
    assert(good);
    (void)good;
}

static void opened(caller *c, ids_opened what, bool is_open) {
    ids_worker *worker = c->harness->workers[c->loop];
    ids_conn *conn = c->conn;
    if (what == IDS_OPENED_ENDED)
        ids_reader_end(c->harness->lines[c->loop], conn);
    if (what != IDS_OPENED_FAILED)
        return;
    if (!is_open || ids_conn_unsent(conn) || !ids_conn_is_open(conn))
        ids_conn_become(conn, IDS_CONN_DEAD);
    ids_conn_finish(worker, conn);
}

static void wire_come(caller *c, const uint8_t *bytes, size_t len) {
    ids_net *net = net_of(c);
    uint8_t *room = ids_seal_room(net);
    assert(room && len <= IDS_SEAL_BYTES);
    memcpy(room, bytes, len);
    opened(c, ids_seal_came(net, c->conn, len), true);
}

static idp_slice wire_output(caller *c) {
    return ids_seal_output(net_of(c), c->conn);
}

/* The client hears it. What it has to say to it waits until it speaks. */
static void wire_sent(caller *c, idp_slice out, size_t sent) {
    far_end *f = far_of(c);
    uint8_t room[4096];
    idp_slice came = {out.ptr, sent};
    size_t got;
    do {
        got = idp_tls_read(f->tls, &came, room, sizeof room);
        idt_buf_add(&c->got, room, got);
    } while (got == sizeof room);
    assert(f->is_spoiled || idp_tls_state_of(f->tls) != IDP_TLS_FAILED);
    ids_seal_sent(net_of(c), c->conn, out, sent);
}

static bool wire_waits(caller *c, bool done) {
    ids_seal *seal = c->conn->seal;
    bool is_left = done ? ids_seal_close(seal) : ids_seal_waits(seal);
    if (done && is_left && c->takes)
        ids_worker_mark(c->harness->workers[c->loop], c->conn);
    return is_left;
}

static void wire_part(caller *c) {
    ids_seal_forget(net_of(c), c->conn);
}

static void wire_close(caller *c) {
    far_end *f = far_of(c);
    ids_seal_free(c->conn->seal);
    idp_tls_free(f->tls);
    idt_buf_free(&f->under_way);
    *f = (far_end){0};
}

static const harness_wire wire = {.open = wire_open,
                                  .come = wire_come,
                                  .output = wire_output,
                                  .sent = wire_sent,
                                  .waits = wire_waits,
                                  .part = wire_part,
                                  .close = wire_close};

void fuzz_wire_begin(harness *t, uint8_t how) {
    if (!clients[0])
        make_contexts();
    server_tls.asks = (how & (DEMANDS | SHOWS)) != 0;
    server_tls.demands = (how & DEMANDS) != 0;
    shown = (how & SHOWS) != 0;
    drips = (how & DRIPS) != 0;
    t->wire = &wire;
}

void fuzz_wire_end(harness *t) {
    (void)t;
    for (int i = 0; i < FAR_MAX; i++)
        assert(!far[i].of);
    for (int i = 0; i < HARNESS_LOOPS_MAX; i++)
        ids_net_fini(&nets[i]);
}

/* The client's end --------------------------------------------------------- */

/* It is read as long as it may be. */
static bool reads(const caller *c) {
    return c->conn && !c->travels && !c->conn->ended &&
           !ids_conn_is_stalled(c->conn) && !ids_conn_is_over(c->conn) &&
           c->conn->life != IDS_CONN_MOVING && c->conn->life != IDS_CONN_PEER;
}

/* What is under way from it comes, as far as it is read. */
static void arrive(caller *c, size_t step) {
    while (reads(c) && far_of(c)->under_way.len) {
        idt_buf *from = &far_of(c)->under_way;
        uint8_t piece[IDS_INPUT_BYTES];
        size_t len = from->len < step ? from->len : step;
        len = len < sizeof piece ? len : sizeof piece;
        memcpy(piece, from->at, len);
        idt_buf_drop(from, len);
        caller_send(c, piece, len);
    }
}

/* What the client's engine has to send, with this sealed. */
static void send_sealed(caller *c, idp_slice plain, size_t step, int flip_at) {
    static uint8_t out[OUT_MAX];
    far_end *f = far_of(c);
    size_t len = idp_tls_write(f->tls, &plain, out, sizeof out);
    if (flip_at >= 0 && len) {
        out[len * (size_t)flip_at / 256] ^= 1;
        f->is_spoiled = true;
    }
    idt_buf_add(&f->under_way, out, len);
    arrive(c, step);
}

/* Until it is through, or hears nothing. */
static void shake(caller *c, size_t step) {
    for (int i = 0; i < 4 && reads(c); i++) {
        const far_end *f = far_of(c);
        if (idp_tls_state_of(f->tls) != IDP_TLS_HANDSHAKE)
            return;
        send_sealed(c, (idp_slice){0}, step, -1);
    }
}

/* The client closes: with a word, or without. */
static void leave(caller *c, bool in_order) {
    ids_net *net = net_of(c);
    if (in_order) {
        idp_tls_close(far_of(c)->tls);
        send_sealed(c, (idp_slice){0}, SIZE_MAX, -1);
        return;
    }
    far_of(c)->is_spoiled = true;
    opened(c, ids_seal_cut(net, c->conn), false);
    if (c->conn)
        ids_worker_mark(net->worker, c->conn);
    harness_run(c->harness);
}

void fuzz_wire_say(caller *c, uint8_t manner, const uint8_t *bytes,
                   size_t len) {
    idp_slice plain = {bytes, len};
    size_t step = drips || manner == DRIP ? 1 : manner == PIECES ? 7 : SIZE_MAX;
    if (manner == RAW) {
        far_of(c)->is_spoiled = true;
        idt_buf_add(&far_of(c)->under_way, bytes, len);
        arrive(c, step);
        return;
    }
    if (manner != FLIP)
        shake(c, step);
    if (!reads(c))
        return;
    if (manner == NEW_KEYS)
        idp_tls_update_keys(far_of(c)->tls);
    send_sealed(c, plain, step, manner == FLIP && len ? bytes[0] : -1);
    if (manner == TWICE && reads(c))
        send_sealed(c, plain, step, -1);
    if ((manner == CLOSE || manner == CUT) && reads(c))
        leave(c, manner == CLOSE);
}
