/* SPDX-License-Identifier: Apache-2.0 */
/* conn_poll.c -- idem_conn in an event loop, here poll(2): one thread that
 * never blocks in the library, and a callback for each call's end.
 *
 *   cc conn_poll.c $(pkg-config --cflags --libs idemclient) -o conn_poll
 *   IDEMSTORE_URL=idem://127.0.0.1:7117/shop ./conn_poll my-key
 *
 * It claims the key, completes it, and claims it again to see the replay. */
#include <idemclient_loop.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct driver {
    idem_conn *conn;
    idem_args args;
    int asked;
    int over; /* 1: well, 2: with an error */
} driver;

static void tell(void *ctx, const idem_answer *answer, const idem_error *err);

static void ask(driver *h, int32_t method) {
    h->asked++;
    int32_t code =
        idem_conn_call(h->conn, method, &h->args, idem_now_ms(), tell, h);
    if (code == IDEM_OK)
        return; /* tell is called, later and once */
    fprintf(stderr, "%s\n", idem_error_text(code));
    h->over = 2;
}

/* Each call ends here; answer and err are the library's until it returns. */
static void tell(void *ctx, const idem_answer *answer, const idem_error *err) {
    driver *h = ctx;
    if (err != NULL) {
        fprintf(stderr, "%s: %s\n", idem_error_name(err->code), err->text);
        h->over = 2;
        return;
    }
    printf("%s %.*s\n", idem_outcome_name(answer->outcome),
           (int)answer->result_len,
           answer->result != NULL ? (const char *)answer->result : "");
    if (answer->outcome == IDEM_ACQUIRED) { /* what must happen once, then: */
        h->args.token = answer->token;
        h->args.result = "paid";
        h->args.result_len = 4;
        ask(h, IDEM_COMPLETE);
    } else if (answer->outcome == IDEM_COMPLETED && h->asked < 3) {
        ask(h, IDEM_ACQUIRE);
    } else {
        h->over = 1;
    }
}

/* One turn: the descriptor and what it is watched for may be others in each. */
static void turn(driver *h) {
    uint32_t wanted = idem_conn_wanted(h->conn);
    struct pollfd fd = {.fd = idem_conn_fd(h->conn)};
    if ((wanted & IDEM_READ) != 0)
        fd.events |= POLLIN;
    if ((wanted & IDEM_WRITE) != 0)
        fd.events |= POLLOUT;
    poll(&fd, 1, idem_conn_timeout_ms(h->conn, idem_now_ms()));
    uint32_t ready = 0;
    if ((fd.revents & (POLLIN | POLLERR | POLLHUP)) != 0)
        ready |= IDEM_READ;
    if ((fd.revents & (POLLOUT | POLLERR | POLLHUP)) != 0)
        ready |= IDEM_WRITE;
    idem_conn_process(h->conn, ready, idem_now_ms());
}

int main(int argc, char **argv) {
    const char *key = argc > 1 ? argv[1] : "my-key";
    const char *uri = getenv("IDEMSTORE_URL");
    idem_error err = IDEM_ERROR_INIT;
    driver h = {.args = IDEM_ARGS_INIT};
    h.args.key = key;
    h.args.key_len = strlen(key);
    if (idem_conn_open(uri != NULL ? uri : "idem://127.0.0.1:7117/",
                       idem_now_ms(), &h.conn, &err) != IDEM_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    ask(&h, IDEM_ACQUIRE);
    while (h.over == 0)
        turn(&h);
    idem_conn_close(h.conn);
    return h.over != 1;
}
