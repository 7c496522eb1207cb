/* SPDX-License-Identifier: Apache-2.0 */
/* harness.h -- what the end-to-end programs share: a daemon of their own, raw
 * connections that speak the wire through proto, and what the system says of
 * the daemon's memory and descriptors.
 *
 * A check that fails prints where and what, and ends the program with 1: the
 * daemons die with it. */
#ifndef TEST_HARNESS_H
#define TEST_HARNESS_H

#include "proto/namespaces.h"
#include "proto/reply.h"
#include "proto/request.h"
#include "tests/e2e/child.h"

#define CHECK(what, ...)                                      \
    do {                                                      \
        if (!(what))                                          \
            e2e_fail(__FILE__, __LINE__, #what, __VA_ARGS__); \
    } while (0)

_Noreturn void e2e_fail(const char *file, int line, const char *what,
                        const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* True under a sanitizer, where memory figures mean nothing. */
bool e2e_sanitized(void);

uint64_t e2e_now_ms(void);
void e2e_sleep_ms(unsigned ms);

/* --- the daemon */

#define DAEMON_FLAGS_MAX 24

typedef struct daemon_spec {
    const char *program;
    const char *prefix; /* shell words before it ("ulimit -n 64;"), or NULL */
    const char *flags[DAEMON_FLAGS_MAX]; /* ends with NULL */
    bool own_listen; /* flags say where it listens: port 0 is not added */
} daemon_spec;

typedef struct daemon {
    child child;
    uint16_t port; /* 0 with own_listen */
} daemon_t;

/* Starts it; with own_listen it may not be listening yet. */
void daemon_start(daemon_t *one, const daemon_spec *spec);
/* SIGTERM; it must exit 0, and no sanitizer may have spoken. */
void daemon_stop(daemon_t *one);
/* Waits for its end and returns its exit code; 128 + n for a signal. */
int daemon_exit(daemon_t *one, unsigned seconds_max);
/* Starts with these flags, and own_listen; it must end by itself with this code
 * and say so. */
void daemon_ends(int code, const char *saying, daemon_spec spec);
/* True when its log has this text. A line comes to the log some time after
 * what it is about, so it is waited for as long as a slow machine may need. */
bool daemon_said(const daemon_t *one, const char *text);
/* The same, by now: for what is not to be said, and for one that has ended. */
bool daemon_has_said(const daemon_t *one, const char *text);

size_t daemon_rss_kb(const daemon_t *one);
size_t daemon_descriptors(const daemon_t *one);
/* CPU time used until now. */
uint64_t daemon_cpu_ms(const daemon_t *one);
/* One number out of stats, asked over a connection of its own. */
uint64_t daemon_stat(const daemon_t *one, const char *name);
/* What the namespace has there by now, once all that was there is counted; ns
 * NULL: of all others together. Its name is not set. */
idp_ns_row daemon_namespace(const daemon_t *one, const char *ns);

/* --- a connection */

typedef struct wire {
    int fd; /* -1: closed */
    uint32_t msgid;
    uint8_t *in;
    size_t in_len;
    size_t in_cap;
    size_t frame; /* the bytes of in that the last reply borrows */
} wire;

/* Blocks; every read and write has a time limit of 30 s. */
bool wire_open(wire *w, uint16_t port);
bool wire_try_unix(wire *w, const char *path);
void wire_open_unix(wire *w, const char *path); /* it must work */
void wire_close(wire *w);

/* False when the other side is gone. */
bool wire_send(wire *w, const void *bytes, size_t len);
bool wire_send_request(wire *w, idp_request *request); /* sets its msgid */
/* The next reply; it borrows until the next call. False at the end. */
bool wire_reply(wire *w, idp_reply *reply);
/* Sends, and waits for its reply; false when the connection ended. */
bool wire_ask(wire *w, idp_request *request, idp_reply *reply);

/* What the daemon said: 0 and an answer, an error, or WIRE_LOST. */
#define WIRE_LOST 1
int wire_call(wire *w, idp_request *request, idp_answer *answer);
/* As a client does: what the replica has not confirmed yet, beside whatever
 * else this machine does, is asked for again, by its token or a nonce. */
int wire_call_confirmed(wire *w, idp_request *request, idp_answer *answer);
int wire_hello(wire *w, int32_t shard, const char *secret, idp_hello *hello);
/* Everything until the close, at most cap - 1 bytes, as text. */
size_t wire_text(wire *w, char *text, size_t cap);

/* --- requests */

idp_slice text_slice(const char *text);
idp_request ask_acquire(const char *key, uint32_t lease_ms, uint64_t ttl_ms);
idp_request ask_complete(const char *key, idp_token token, const char *result);
idp_request ask_release(const char *key, idp_token token);

/* Acquires and completes a fresh key on this connection; it must work. */
void e2e_do_once(wire *w, const char *key, const char *result);
/* Asks for a key that was completed: it is replayed, not granted again. */
void e2e_is_replayed(wire *w, const char *key);

/* --- another client, all the while: it must be left in peace */

typedef struct bystander bystander;
bystander *bystander_start(uint16_t port);
/* Waits until it has done some more whole jobs; fails when it can't. */
void bystander_is_well(bystander *by, const char *after);
void bystander_stop(bystander *by);

#endif
