/* SPDX-License-Identifier: Apache-2.0 */
/* scripted.h -- the servers that a client under test talks to: they take
 * connections, answer hello and ping by themselves, and keep each call until
 * the script says what is to become of it.
 *
 * One thread, one poll; nothing happens outside of scripted_turn. */
#ifndef CONF_SCRIPTED_H
#define CONF_SCRIPTED_H

#include "tests/conformance/link.h"
#include "tests/conformance/server.h"

enum {
    SCRIPTED_SERVERS_MAX = 4,
    SCRIPTED_CONNS_MAX = 128,
    SCRIPTED_CALLS_MAX = 512,
    SCRIPTED_TEXT_MAX = 64
};

/* A call that came. */
typedef struct scripted_call {
    int server;
    int conn;             /* index of its connection */
    uint32_t conn_number; /* which of all connections of the case, from 1 */
    uint32_t msgid;
    char method[16];
    idt_buf frame;
    bool taken; /* the script has heard it */
    bool over;  /* answered, or its connection is gone */
    uint64_t at_ms;
} scripted_call;

typedef struct scripted_server {
    char name; /* 'S' */
    server_address at;
    char address[SCRIPTED_TEXT_MAX]; /* "127.64.0.9:4012", "[::1]:4012" */
    int fd;                          /* -1: it refuses connections */
    uint64_t epoch;
    uint64_t pending_max, result_bytes_max;
    const char *role;
    char secret[SCRIPTED_TEXT_MAX]; /* "": none is demanded */
    bool ipv6;
    bool silent;            /* reads, and says nothing at all */
    bool splits;            /* sends byte by byte */
    bool always_closes;     /* each connection ends at its first call */
    idt_buf always;         /* [error, result], packed: each call's answer */
    char always_method[16]; /* of that method alone; "": of all */
    int connects, calls;
} scripted_server;

typedef struct scripted_conn {
    conf_link link; /* its fd is -1: free */
    int server;
    uint32_t number;
    bool admitted;
    bool cut; /* as if the network were cut: nothing more is said on it */
    idt_buf in;
} scripted_conn;

typedef struct scripted {
    scripted_server servers[SCRIPTED_SERVERS_MAX];
    int server_count;
    scripted_conn conns[SCRIPTED_CONNS_MAX];
    uint32_t conns_ever;
    scripted_call calls[SCRIPTED_CALLS_MAX];
    int call_count;
    char wrong[512]; /* what no client may do at all; "": nothing so far */
} scripted;

scripted *scripted_new(void);
void scripted_free(scripted *net);

/* NULL: no address for it. It listens. */
scripted_server *scripted_add(scripted *net, char name, bool ipv6);
scripted_server *scripted_find(scripted *net, char name);
/* Listens again where it did before. False with errno. */
bool scripted_start(scripted_server *server);
/* Refuses connections and ends those that it has. */
void scripted_stop(scripted *net, scripted_server *server);
void scripted_close_all(scripted *net, const scripted_server *server);
/* As if the network were cut: nothing more is said on those it has. */
void scripted_cut_all(scripted *net, const scripted_server *server);

/* Waits for something to happen at a server or at the other descriptor, so
 * long at most. */
void scripted_turn(scripted *net, int other_fd, int wait_ms);

/* [error, result] of a call, packed one behind the other. */
void scripted_answer(scripted *net, scripted_call *call, const idt_buf *rest);
void scripted_send(scripted *net, const scripted_call *call,
                   const uint8_t *bytes, size_t len);

/* The field of a call's params by the script's name for it (ns, key, fp,
 * nonce, lease, ttl, wait, on_orphan, token, result, class, unbind); what is
 * not there is nil. False: that method has no such field. */
bool scripted_field(const scripted_call *call, const char *name,
                    idt_item *item);

uint64_t scripted_now_ms(void);

#endif
