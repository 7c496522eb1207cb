/* SPDX-License-Identifier: Apache-2.0 */
/* peer_wire.c -- clients' connections: a request's bytes go in, a reply's come
 * out. They delay, and break; who has given up may still be answered, and a
 * node may still get what nobody waits for. */
#include "tests/sim/peer_world.h"

#include "proto/reply.h"
#include "proto/request.h"

#include <stdlib.h>

enum { HELLO_MSGID = 0, FRAME_BYTES = 512, LATE_MS = 80 };

struct pw_wire {
    pw_wire *next;
    uint64_t number;
    int client, node;
    uint32_t life;   /* of the node */
    ids_conn *conn;  /* at the node; NULL: not there yet, or gone */
    uint32_t worker; /* that it is on */
    pw_end end;
    bool gone; /* at the node */
    bool left; /* the client has closed its end */
    uint64_t reach_at;
};

/* On its way to a node: bytes, or (none) the connection's end. */
typedef struct sent {
    uint64_t wire;
    size_t len;
    uint8_t bytes[];
} sent;

static pw_wire *find(const pw_world *w, uint64_t number) {
    for (pw_wire *wire = w->wires; wire != NULL; wire = wire->next) {
        if (wire->number == number) {
            return wire;
        }
    }
    return NULL;
}

pw_call *pw_call_of(pw_world *w, uint32_t msgid) {
    if (msgid >= w->call_count) {
        pw_fail(w, "a reply to nobody's request, %u", msgid);
        msgid = HELLO_MSGID;
    }
    return &w->calls[msgid];
}

static uint32_t add_call(pw_world *w, uint32_t op) {
    if (w->call_count == w->call_cap) {
        w->call_cap = w->call_cap ? w->call_cap * 2 : 256;
        w->calls = realloc(w->calls, w->call_cap * sizeof *w->calls);
    }
    w->calls[w->call_count] = (pw_call){.op = op, .try = w->op[op].try};
    return w->call_count++;
}

/* --- to the node ---------------------------------------------------------- */

static void open_wire(pw_node *n, pw_wire *wire) {
    wire->worker = pw_below(n->w, n->loops);
    wire->conn = ids_conn_new(-1);
    wire->end = (pw_end){.wire = wire};
    wire->conn->link = &wire->end;
    wire->conn->reading.local = n->w->decides;
    ids_reader_adopt(pw_worker_begins(n, wire->worker)->line, wire->conn);
}

static bool is_there(const pw_wire *wire, const pw_node *n) {
    return !wire->gone && n->up && n->life == wire->life;
}

static void take(pw_node *n, pw_wire *wire, const sent *what) {
    pw_worker *worker;
    if (wire->conn == NULL && what->len > 0) {
        open_wire(n, wire);
    }
    if (wire->conn == NULL) {
        wire->gone = true;
        return;
    }
    worker = pw_worker_begins(n, wire->worker);
    ids_line_begin_turn(worker->line);
    if (what->len > 0) {
        memcpy(ids_line_input_room(worker->line), what->bytes, what->len);
        ids_reader_input(worker->line, wire->conn, what->len);
    } else {
        ids_reader_end(worker->line, wire->conn);
    }
    pw_worker_flush(worker);
    pw_worker_after(worker);
    pw_node_after(n);
}

static void arrive(pw_world *w, int node, uint64_t word) {
    sent *what = (sent *)(uintptr_t)word;
    pw_wire *wire = find(w, what->wire);
    pw_node *n = wire != NULL ? &w->node[wire->node] : NULL;
    (void)node;
    if (wire != NULL && is_there(wire, n)) {
        bool waits = !n->started ||
                     (wire->conn != NULL && pw_worker_waits(n, wire->worker));
        if (n->paused_until > w->now) {
            pw_later(w, n->paused_until - w->now, arrive, -1, word);
            return;
        }
        if (waits) {
            pw_later(w, n->started ? 1 : 4, arrive, -1, word);
            return;
        }
        take(n, wire, what);
    } else if (wire != NULL) {
        wire->gone = true;
    }
    free(what);
}

static void send(pw_world *w, pw_wire *wire, const uint8_t *bytes, size_t len,
                 uint64_t more_ms) {
    sent *what = malloc(sizeof *what + len);
    uint64_t at = w->now + 1 + pw_below(w, w->config.delay_ms) + more_ms;
    *what = (sent){.wire = wire->number, .len = len};
    if (len > 0) {
        memcpy(what->bytes, bytes, len);
    }
    if (at < wire->reach_at) {
        at = wire->reach_at;
    }
    wire->reach_at = at;
    pw_later(w, at - w->now, arrive, -1, (uint64_t)(uintptr_t)what);
}

/* The client is through with it. */
static void hang_up(pw_world *w, pw_wire *wire) {
    wire->left = true;
    send(w, wire, NULL, 0, 0);
}

/* Nobody is at either end. */
static void sweep(pw_world *w) {
    for (pw_wire **at = &w->wires; *at != NULL;) {
        pw_wire *wire = *at;
        if (wire->gone && wire->left) {
            *at = wire->next;
            free(wire);
        } else {
            at = &wire->next;
        }
    }
}

static pw_wire *wire_to(pw_world *w, int client, const pw_node *n) {
    sweep(w);
    for (pw_wire *wire = w->wires; wire != NULL; wire = wire->next) {
        if (wire->client == client && wire->node == n->index && !wire->left) {
            if (is_there(wire, n)) {
                return wire;
            }
            wire->left = true;
        }
    }
    pw_wire *wire = calloc(1, sizeof *wire);
    *wire = (pw_wire){.next = w->wires,
                      .number = w->event_seq++,
                      .client = client,
                      .node = n->index,
                      .life = n->life};
    w->wires = wire;
    return wire;
}

static size_t write_hello(const pw_node *n, uint8_t *to, size_t cap) {
    const ids_secret *secret = n->server.peer_secret;
    if (!secret) {
        return 0;
    }
    const idp_request hello = {.method = IDP_HELLO,
                               .msgid = HELLO_MSGID,
                               .secret = {secret->bytes, secret->len}};
    return idp_request_write(to, cap, &hello);
}

void pw_wire_send(pw_world *w, uint32_t op) {
    pw_op *o = &w->op[op];
    pw_node *n = &w->node[o->target];
    uint8_t frame[FRAME_BYTES];
    size_t len = 0;
    if (!n->up) {
        return;
    }
    pw_wire *wire = wire_to(w, o->client, n);
    if (w->call_count == 0) {
        add_call(w, op); /* nobody's: hello's */
    }
    if (pw_chance(w, w->config.percent_lost)) {
        hang_up(w, wire);
        return;
    }
    if (wire->reach_at == 0) {
        len = write_hello(n, frame, sizeof frame);
    }
    o->request.msgid = add_call(w, op);
    len += idp_request_write(frame + len, sizeof frame - len, &o->request);
    send(w, wire, frame, len,
         pw_chance(w, w->config.percent_lost) ? LATE_MS : 0);
    if (pw_chance(w, w->config.percent_lost)) {
        hang_up(w, wire); /* it went as soon as it had asked */
    }
}

/* --- to the client -------------------------------------------------------- */

static void heard(pw_world *w, int node, uint64_t word) {
    pw_reply *r = (pw_reply *)(uintptr_t)word;
    (void)node;
    pw_client_hears(w, r);
    free(r);
}

void pw_free_event(const pw_event *event) {
    if (event->what == heard || event->what == arrive) {
        free((void *)(uintptr_t)event->word);
    }
}

static void count_error(const pw_worker *worker, const pw_call *call,
                        idp_error error) {
    pw_world *w = worker->n->w;
    if (call->is_made && error == IDP_E_UNREPLICATED) {
        w->unreplicated++;
        w->stood_down += worker->ids->role_state.role == IDS_FOLLOWS;
    }
    w->denied += error == IDP_E_DENIED;
}

/* It leaves the node. Whether it gets there is another matter. */
static void leave(pw_worker *worker, pw_wire *wire, const idp_reply *reply) {
    pw_world *w = worker->n->w;
    pw_call *call = pw_call_of(w, reply->msgid);
    pw_reply r = {.op = call->op,
                  .try = call->try,
                  .node = worker->n->index,
                  .error = reply->error};
    idp_answer said;
    if (call->has_left) {
        pw_fail(w, "I14: a call for k%u is answered twice",
                w->op[call->op].key);
        return;
    }
    call->has_left = true;
    if (reply->is_error) {
        count_error(worker, call, reply->error);
    } else if (!call->is_made ||
               !idp_answer_read(w->op[call->op].request.method, reply->result,
                                &said) ||
               said.outcome != call->reply.answer.outcome) {
        pw_fail(w, "I14: a reply leaves that was never made");
        return;
    } else {
        r = call->reply;
        pw_check_reply(w, &r, &w->op[r.op]);
    }
    if (wire->left) {
        return;
    }
    if (pw_chance(w, w->config.percent_lost)) {
        hang_up(w, wire);
        return;
    }
    pw_reply *copy = malloc(sizeof *copy);
    *copy = r;
    copy->answer.result = (idp_slice){copy->result.bytes, copy->result.len};
    pw_later(w, 1 + pw_below(w, w->config.delay_ms), heard, -1,
             (uint64_t)(uintptr_t)copy);
}

void pw_wire_out(pw_worker *worker, pw_wire *wire, idp_slice bytes) {
    size_t at = 0, frame_bytes;
    idp_reply reply;
    while (at < bytes.len) {
        if (idp_reply_open(bytes.ptr + at, bytes.len - at, 1u << 20, &reply,
                           &frame_bytes) != IDP_REPLY_WHOLE) {
            pw_fail(worker->n->w, "I14: what leaves is no reply");
            return;
        }
        if (reply.msgid != HELLO_MSGID) {
            leave(worker, wire, &reply);
        }
        at += frame_bytes;
    }
}

void pw_wire_closed(pw_wire *wire) {
    wire->conn = NULL;
    wire->gone = true;
}

void pw_wires_crash(pw_node *n) {
    for (pw_wire *wire = n->w->wires; wire != NULL; wire = wire->next) {
        if (wire->node == n->index) {
            pw_wire_closed(wire);
        }
    }
}

void pw_wires_free(pw_world *w) {
    while (w->wires != NULL) {
        pw_wire *wire = w->wires;
        w->wires = wire->next;
        free(wire);
    }
    free(w->calls);
    w->calls = NULL;
}
