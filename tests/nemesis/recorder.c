/* SPDX-License-Identifier: Apache-2.0 */
/* recorder.c -- one call through libidemclient, written down before and after.
 */
#include "tests/nemesis/client.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Everything that the library sends is counted: a call during which it sent
 * once was asked once. It may ask again over the connection that it has, where
 * it was told UNREPLICATED, and over another. */
static atomic_uint sends;

/* Names that the linker's --wrap gives. NOLINTBEGIN(cert-dcl37-c) */
ssize_t __real_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags);
ssize_t __wrap_send(int fd, const void *bytes, size_t len, int flags) {
    atomic_fetch_add(&sends, 1);
    return __real_send(fd, bytes, len, flags);
}
/* NOLINTEND(cert-dcl37-c) */

uint64_t nem_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

bool nem_recorder_open(nem_recorder *b, const nem_client *c) {
    idem_error err = {.size = sizeof err};
    *b = (nem_recorder){.fd = -1, .client = c->number};
    if (idem_client_open(c->uri, &b->handle, &err) != 0) {
        fprintf(stderr, "client %" PRIu32 ": %s\n", c->number, err.text);
        return false;
    }
    b->fd = open(c->history, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (b->fd < 0)
        perror(c->history);
    return b->fd >= 0;
}

void nem_recorder_close(nem_recorder *b) {
    idem_client_close(b->handle);
    if (b->fd >= 0)
        close(b->fd);
}

static void write_line(const nem_recorder *b, char *line, int len) {
    line[len] = '\n';
    if (write(b->fd, line, (size_t)len + 1) != len + 1)
        _exit(3);
}

static void put_token(idem_token *to, nem_token from) {
    for (int i = 0; i < 8; i++) {
        to->bytes[i] = (uint8_t)(from.epoch >> (56 - 8 * i));
        to->bytes[8 + i] = (uint8_t)(from.sequence >> (56 - 8 * i));
    }
}

static nem_token get_token(const idem_token *from) {
    nem_token token = {0, 0};
    for (int i = 0; i < 8; i++) {
        token.epoch = token.epoch << 8 | from->bytes[i];
        token.sequence = token.sequence << 8 | from->bytes[8 + i];
    }
    return token;
}

/* The body of a complete: the op's own, so that no two are alike. */
static void make_body(nem_op *op, char *body) {
    size_t len = op->result.len;
    char stamp[80];
    int n = snprintf(stamp, sizeof stamp, "%s %" PRIu64 ".%" PRIu64 " %u.%u|",
                     op->key, op->asked.epoch, op->asked.sequence, op->client,
                     op->call);
    for (size_t i = 0; i < len; i++)
        body[i] = stamp[i % (size_t)n];
    op->result.digest = nem_digest(body, len);
}

static void fill_args(idem_args *args, nem_op *op, char *body) {
    args->size = sizeof *args;
    args->key = op->key;
    args->key_len = strlen(op->key);
    args->fingerprint = op->fp;
    args->fingerprint_len = strlen(op->fp);
    args->nonce = op->nonce;
    args->nonce_len = strlen(op->nonce);
    args->lease_ms = (uint32_t)op->lease_ms;
    args->ttl_ms = op->ttl_ms;
    args->wait_ms = (uint32_t)op->wait_ms;
    args->on_orphan = op->report ? IDEM_REPORT : IDEM_TAKEOVER;
    args->unbind = (int32_t)op->unbind;
    args->result_class = op->class ? IDEM_CLASS_ERROR : IDEM_CLASS_SUCCESS;
    put_token(&args->token, op->asked);
    if (op->method == IDEM_COMPLETE && op->result.given) {
        make_body(op, body);
        args->result = body;
        args->result_len = op->result.len;
    }
}

static void read_answer(nem_op *op, const idem_answer *a) {
    op->end = NEM_ANSWERED;
    op->outcome = a->outcome;
    op->state = a->state;
    op->previous = a->previous;
    op->attempt = a->attempt;
    op->kept = (uint64_t)a->kept;
    op->lease_left_ms = a->lease_left_ms;
    op->ttl_left_ms = a->ttl_left_ms;
    op->replayed_class = a->result_class == IDEM_CLASS_ERROR;
    if (a->outcome == IDEM_ACQUIRED)
        op->token = get_token(&a->token);
    if (a->outcome == IDEM_REPLAY && a->has_result)
        op->replayed = (nem_result){true, a->result_len,
                                    nem_digest(a->result, a->result_len)};
    if (a->outcome == IDEM_RECORD && a->has_result)
        op->replayed = (nem_result){true, a->result_bytes, 0};
}

void nem_recorder_ask(nem_recorder *b, nem_op *op, uint32_t timeout_ms) {
    char line[512], body[NEM_BODY_MAX];
    idem_args args = {.timeout_ms = timeout_ms};
    idem_answer answer = {.size = sizeof answer};
    idem_error err = {.size = sizeof err};
    unsigned before = atomic_load(&sends);
    op->client = b->client;
    op->call = ++b->calls;
    fill_args(&args, op, body);
    op->invoke_ns = nem_now_ns();
    write_line(b, line, nem_write_call(op, line, sizeof line));
    int32_t code = idem_call(b->handle, op->method, &args, &answer, &err);
    op->return_ns = nem_now_ns();
    op->again = atomic_load(&sends) > before + 1;
    if (code == 0) {
        read_answer(op, &answer);
    } else {
        op->end = idem_error_assume(code) == IDEM_ASSUME_UNKNOWN ? NEM_UNKNOWN
                                                                 : NEM_REFUSED;
        snprintf(op->error, sizeof op->error, "%s", idem_error_name(code));
    }
    write_line(b, line, nem_write_end(op, line, sizeof line));
    idem_answer_fini(&answer);
}
