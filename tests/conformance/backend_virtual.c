/* SPDX-License-Identifier: Apache-2.0 */
/* backend_virtual.c -- the core, or the model, in virtual time, behind proto:
 * a story's bytes are decoded, written anew and decoded again, and the answer
 * goes out encoded. No socket, no clock. */
#include "tests/conformance/backend.h"

#include "proto/reply.h"
#include "proto/request.h"
#include "tests/lib/mem.h"
#include "tests/lib/model.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { INBOX_MAX = 128, EPOCH = 7 };

typedef struct actor {
    idt_buf in;
    backend_frame inbox[INBOX_MAX];
    int inbox_count;
    bool oversize; /* its request's result was cut out as it came */
    bool closed;
} actor;

typedef struct virtual_backend {
    backend base;
    ids_shard *shard;
    idt_model *model; /* one of the two */
    idt_mem mem;
    size_t result_bytes_max;
    uint64_t now_ms; /* since the story's start */
    uint64_t frames;
    actor actors[ACTORS_MAX];
} virtual_backend;

static uint64_t clock_ms(const virtual_backend *v) {
    return IDS_CLOCK_START_MS + v->now_ms;
}

/* --- out ---------------------------------------------------------------- */

static void deliver(virtual_backend *v, int who, const uint8_t *bytes,
                    size_t len) {
    actor *a = &v->actors[who];
    assert(a->inbox_count < INBOX_MAX);
    backend_frame *frame = &a->inbox[a->inbox_count++];
    *frame = (backend_frame){.at_ms = v->now_ms, .order = ++v->frames};
    idt_buf_add(&frame->bytes, bytes, len);
}

static void deliver_answer(virtual_backend *v, int who, uint32_t msgid,
                           const idp_answer *answer) {
    size_t cap = idp_answer_write_bound(answer);
    uint8_t *bytes = malloc(cap);
    size_t len = idp_answer_write(bytes, cap, msgid, answer);
    assert(len > 0);
    deliver(v, who, bytes, len);
    free(bytes);
}

static void deliver_error(virtual_backend *v, int who, uint32_t msgid,
                          idp_error error, const char *text) {
    uint8_t bytes[IDP_ERROR_REPLY_BYTES_MAX];
    size_t len = idp_error_write(bytes, sizeof bytes, msgid, error, text);
    assert(len > 0);
    deliver(v, who, bytes, len);
}

static void on_wake(void *ctx, ids_asker asker, uint32_t msgid, idp_error error,
                    const idp_answer *answer) {
    if (error != IDP_OK) {
        deliver_error(ctx, (int)asker, msgid, error, NULL);
    } else {
        deliver_answer(ctx, (int)asker, msgid, answer);
    }
}

static void on_model_wake(void *ctx, ids_asker asker, const idp_request *q,
                          idp_error error, const idp_answer *answer) {
    on_wake(ctx, asker, q->msgid, error, answer);
}

/* --- in ----------------------------------------------------------------- */

static uint64_t hash_of(void *ctx, idp_slice ns, idp_slice key) {
    (void)ctx;
    uint64_t hash = 0xcbf29ce484222325u + ns.len;
    for (size_t i = 0; i < ns.len; i++) {
        hash = (hash ^ ns.ptr[i]) * 0x100000001b3u;
    }
    for (size_t i = 0; i < key.len; i++) {
        hash = (hash ^ key.ptr[i]) * 0x100000001b3u;
    }
    return hash;
}

static void decide(virtual_backend *v, int who, const idp_request *q) {
    idp_answer answer = {0};
    idp_error error = IDP_OK;
    ids_call call = {q, hash_of(NULL, q->ns, q->key), clock_ms(v),
                     (ids_asker)who, 0};
    ids_verdict verdict =
        v->shard ? ids_shard_call(v->shard, &call, &answer, &error)
                 : idt_model_call(v->model, &call, &answer, &error);
    if (verdict == IDS_ANSWERED) {
        deliver_answer(v, who, q->msgid, &answer);
    } else if (verdict == IDS_REFUSED) {
        deliver_error(v, who, q->msgid, error, NULL);
    }
}

static void handle(virtual_backend *v, int who, idp_request *q) {
    actor *a = &v->actors[who];
    if (q->method == IDP_PING) {
        uint8_t bytes[IDP_PONG_BYTES_MAX];
        deliver(v, who, bytes, idp_pong_write(bytes, sizeof bytes, q->msgid));
        return;
    }
    q->result_too_large = a->oversize;
    a->oversize = false;
    if (q->method <= IDP_PEEK) {
        decide(v, who, q);
    }
}

/* What was decoded is written by our encoder and read once more. */
static void handle_rewritten(virtual_backend *v, int who,
                             const idp_request *q) {
    idp_read_limits limits = {v->result_bytes_max};
    idp_request again;
    idp_read_fault fault;
    size_t used, cap = idp_request_write_bound(q);
    uint8_t *bytes = malloc(cap);
    size_t len = idp_request_write(bytes, cap, q);
    idp_read read =
        idp_request_read(bytes, len, &limits, &again, &used, &fault);
    assert(read == IDP_READ_WHOLE && used == len);
    handle(v, who, &again);
    free(bytes);
}

/* Replaces a result that is over the limit by nil; false: more to come. */
static bool cut_out(actor *a, const idp_read_fault *fault) {
    size_t from = fault->payload_at;
    uint64_t bytes = fault->payload_header_bytes + fault->payload_bytes;
    if (a->in.len < from + bytes) {
        return false;
    }
    a->in.at[from] = 0xc0;
    memmove(a->in.at + from + 1, a->in.at + from + bytes,
            a->in.len - from - bytes);
    a->in.len -= bytes - 1;
    a->oversize = true;
    return true;
}

/* In the words of the protocol that it took this for. */
static void say_what_this_is(virtual_backend *v, int who) {
    const idt_buf *in = &v->actors[who].in;
    const char *line = "this port speaks MessagePack-RPC\r\n";
    if (in->at[0] == 'G' || in->at[0] == 'P')
        line = "HTTP/1.1 400 Bad Request\r\n\r\nnot HTTP\r\n";
    else if (in->at[0] == '*')
        line = "-ERR this port speaks MessagePack-RPC\r\n";
    deliver(v, who, (const uint8_t *)line, strlen(line));
}

static void forget(virtual_backend *v, int who) {
    if (v->shard) {
        ids_shard_forget(v->shard, (ids_asker)who);
    } else {
        idt_model_forget(v->model, (ids_asker)who);
    }
}

/* One frame off the actor's input; false: there is none. */
static bool read_one(virtual_backend *v, int who) {
    actor *a = &v->actors[who];
    idp_read_limits limits = {v->result_bytes_max};
    idp_request q;
    idp_read_fault fault;
    size_t used = 0;
    if (a->in.len == 0 || a->closed) {
        return false;
    }
    switch (idp_request_read(a->in.at, a->in.len, &limits, &q, &used, &fault)) {
    case IDP_READ_WHOLE:
        handle_rewritten(v, who, &q);
        break;
    case IDP_READ_REFUSED:
        deliver_error(v, who, fault.msgid, fault.error, fault.text);
        break;
    case IDP_READ_PARTIAL:
        return false;
    case IDP_READ_OVERSIZE:
        return cut_out(a, &fault);
    case IDP_READ_BROKEN:
        a->closed = true;
        forget(v, who);
        if (fault.has_msgid) {
            deliver_error(v, who, fault.msgid, fault.error, fault.text);
        } else {
            say_what_this_is(v, who);
        }
        return false;
    }
    idt_buf_drop(&a->in, used);
    return true;
}

static void virtual_send(backend *b, int who, const uint8_t *bytes,
                         size_t len) {
    virtual_backend *v = (virtual_backend *)b;
    idt_buf_add(&v->actors[who].in, bytes, len);
    while (read_one(v, who)) {
    }
}

static backend_got virtual_receive(backend *b, int who, uint64_t patience_ms,
                                   backend_frame *frame) {
    virtual_backend *v = (virtual_backend *)b;
    actor *a = &v->actors[who];
    (void)patience_ms;
    if (a->inbox_count == 0) {
        return a->closed ? GOT_CLOSE : GOT_NOTHING;
    }
    *frame = a->inbox[0];
    a->inbox_count--;
    memmove(a->inbox, a->inbox + 1, sizeof *frame * (size_t)a->inbox_count);
    return GOT_FRAME;
}

/* --- time, leaving ------------------------------------------------------ */

static void virtual_wait_until(backend *b, uint64_t at_ms) {
    virtual_backend *v = (virtual_backend *)b;
    while (v->shard &&
           ids_shard_next_ms(v->shard) <= IDS_CLOCK_START_MS + at_ms) {
        uint64_t next = ids_shard_next_ms(v->shard);
        if (next > clock_ms(v)) {
            v->now_ms = next - IDS_CLOCK_START_MS;
        }
        ids_shard_tick(v->shard, clock_ms(v), 16);
    }
    while (v->model &&
           idt_model_next_ms(v->model) <= IDS_CLOCK_START_MS + at_ms) {
        v->now_ms = idt_model_next_ms(v->model) - IDS_CLOCK_START_MS;
        idt_model_advance(v->model, clock_ms(v));
    }
    v->now_ms = at_ms > v->now_ms ? at_ms : v->now_ms;
}

static uint64_t virtual_now_ms(backend *b) {
    return ((virtual_backend *)b)->now_ms;
}

static void empty(actor *a) {
    for (int i = 0; i < a->inbox_count; i++) {
        idt_buf_free(&a->inbox[i].bytes);
    }
    idt_buf_free(&a->in);
    *a = (actor){0};
}

static void virtual_leave(backend *b, int who) {
    virtual_backend *v = (virtual_backend *)b;
    empty(&v->actors[who]);
    forget(v, who);
}

static void virtual_stop(backend *b) {
    virtual_backend *v = (virtual_backend *)b;
    if (v->shard) {
        ids_shard_drain(v->shard, IDP_E_SHUTTING_DOWN, UINT32_MAX);
    } else {
        idt_model_drain(v->model, IDP_E_SHUTTING_DOWN);
    }
}

static bool virtual_close(backend *b) {
    virtual_backend *v = (virtual_backend *)b;
    for (int i = 0; i < ACTORS_MAX; i++) {
        empty(&v->actors[i]);
    }
    if (v->shard) {
        ids_shard_free(v->shard);
    }
    idt_model_free(v->model);
    bool clean = v->mem.bytes == 0 && v->mem.wrong == 0;
    free(v);
    return clean;
}

/* --- opening ------------------------------------------------------------ */

static uint64_t or_default(uint64_t value, uint64_t preset) {
    return value ? value : preset;
}

static void open_shard(virtual_backend *v, const story *s) {
    ids_shard_config config = {
        .epoch = EPOCH,
        .memory_bytes_max = or_default(s->memory_bytes_max, 64u << 20),
        .result_bytes_max = v->result_bytes_max,
        .waiters_per_key_max = (uint32_t)or_default(s->waiters_per_key_max, 16),
        .waiters_max = (uint32_t)or_default(s->waiters_max, 64),
        .mem = idt_mem_of(&v->mem),
        .hash = hash_of,
        .on_wake = on_wake,
        .wake_ctx = v};
    v->shard = ids_shard_new(&config);
    assert(v->shard);
}

static void open_model(virtual_backend *v, const story *s) {
    idt_model_config config = {
        .epoch = EPOCH,
        .result_bytes_max = v->result_bytes_max,
        .waiters_per_key_max = (uint32_t)or_default(s->waiters_per_key_max, 16),
        .waiters_max = (uint32_t)or_default(s->waiters_max, 64),
        .on_wake = on_model_wake,
        .ctx = v};
    v->model = idt_model_new(&config);
}

backend *backend_virtual(const story *s, const char *engine) {
    virtual_backend *v = calloc(1, sizeof *v);
    assert(v);
    v->base = (backend){.wait_until = virtual_wait_until,
                        .now_ms = virtual_now_ms,
                        .send = virtual_send,
                        .receive = virtual_receive,
                        .leave = virtual_leave,
                        .stop = virtual_stop,
                        .close = virtual_close};
    v->result_bytes_max = or_default(s->result_bytes_max, 1u << 20);
    idt_mem_init(&v->mem);
    if (strcmp(engine, "core") == 0) {
        open_shard(v, s);
    } else {
        open_model(v, s);
    }
    return &v->base;
}
