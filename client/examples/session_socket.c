/* SPDX-License-Identifier: Apache-2.0 */
/* session_socket.c -- idem_session over a socket of your own: bytes in, bytes
 * out, time in. The library opens nothing, blocks nowhere and tries nothing
 * again; here the socket is a plain blocking one.
 *
 *   cc session_socket.c $(pkg-config --cflags --libs idemclient) -o session
 *   ./session 127.0.0.1 7117 my-key
 *
 * It says hello, claims the key, completes it, and claims it again. */
#include <idemclient_loop.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct call {
    int over; /* 1: answered, 2: an error */
    int32_t outcome;
    idem_token token;
} call;

static void tell(void *ctx, const idem_answer *answer, const idem_error *err) {
    call *c = ctx;
    c->over = answer != NULL ? 1 : 2;
    if (answer == NULL) {
        fprintf(stderr, "%s: %s\n", idem_error_name(err->code), err->text);
        return;
    }
    c->outcome = answer->outcome;
    c->token = answer->token;
    printf("%s %.*s\n", idem_outcome_name(answer->outcome),
           (int)answer->result_len,
           answer->result != NULL ? (const char *)answer->result : "");
}

static int connect_to(const char *host, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int fd = -1;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return -1;
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype, 0);
        if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

/* Sends what the session has to send. */
static int send_output(idem_session *session, int fd) {
    size_t len = 0;
    const uint8_t *bytes;
    while ((bytes = idem_session_output(session, &len)) != NULL) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return -1;
        idem_session_sent(session, (size_t)sent);
    }
    return 0;
}

/* Hands in what has come, or the time. */
static int take_input(idem_session *session, int fd) {
    uint8_t bytes[4096];
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    uint64_t now_ms = idem_now_ms();
    uint64_t next_ms = idem_session_next_ms(session);
    int wait_ms = next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
    if (poll(&ready, 1, wait_ms) > 0) {
        ssize_t got = recv(fd, bytes, sizeof bytes, 0);
        if (got <= 0 ||
            idem_session_input(session, bytes, (size_t)got) != IDEM_OK)
            return -1;
    }
    idem_session_tick(session, idem_now_ms());
    return 0;
}

/* Until the call is over; false when the connection, or the call, failed. */
static int wait_for(idem_session *session, int fd, call *c) {
    while (c->over == 0)
        if (send_output(session, fd) != 0 || take_input(session, fd) != 0)
            return 0; /* idem_session_free tells the call */
    return c->over == 1;
}

static int ask(idem_session *session, int fd, int32_t method,
               const idem_args *args, call *c) {
    *c = (call){0};
    return idem_session_call(session, method, args, idem_now_ms(), tell, c) ==
               IDEM_OK &&
           wait_for(session, fd, c);
}

/* 0, or the exit code. */
static int play(idem_session *session, int fd, const char *key) {
    static call c; /* outlives the session, which may still call back */
    idem_args args = IDEM_ARGS_INIT;
    args.key = key;
    args.key_len = strlen(key);
    args.nonce = "me, this time"; /* an asker names itself here */
    args.nonce_len = 13;
    if (idem_session_hello(session, NULL, -1, idem_now_ms() + 1000, tell, &c) !=
            IDEM_OK ||
        !wait_for(session, fd, &c) ||
        !ask(session, fd, IDEM_ACQUIRE, &args, &c))
        return 1;
    if (c.outcome == IDEM_ACQUIRED) { /* what must happen once, then: */
        args.token = c.token;
        args.result = "paid";
        args.result_len = 4;
        if (!ask(session, fd, IDEM_COMPLETE, &args, &c))
            return 1;
    }
    return ask(session, fd, IDEM_ACQUIRE, &args, &c) ? 0 : 1;
}

int main(int argc, char **argv) {
    idem_session *session = NULL;
    int fd = connect_to(argc > 1 ? argv[1] : "127.0.0.1",
                        argc > 2 ? argv[2] : "7117");
    if (fd < 0 || idem_session_new(&session) != IDEM_OK) {
        fputs("no connection\n", stderr);
        return 1;
    }
    int code = play(session, fd, argc > 3 ? argv[3] : "my-key");
    idem_session_free(session);
    close(fd);
    return code;
}
