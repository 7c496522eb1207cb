/* SPDX-License-Identifier: Apache-2.0 */
/* libidemclient_async.c -- idem_async as a client under test: one thread, on
 * whose loop around poll(2) stand the lines that come in as well.
 *
 * What the lines hold: tests/conformance/client/README.md. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/include/idemclient_async_poll.h"
#include "tests/conformance/clients/lines.h"

static idem_async *client;

/* A line that is not answered yet. */
typedef struct asked {
    struct asked *next;
    json_t *line;
    uint64_t lease;  /* run: kept until its end is told */
    uint64_t due_ms; /* run: its work is done then; 0: it does not work */
    idem_token token;
} asked;

static asked *all;

static void forget(asked *call) {
    asked **link = &all;
    while (*link != call) {
        link = &(*link)->next;
    }
    *link = call->next;
    json_decref(call->line);
    free(call);
}

static void reply(asked *call, const idem_answer *answer,
                  const idem_error *err) {
    json_t *line = reply_to(call->line);
    if (answer) {
        add_answer(line, answer);
    } else {
        add_error(line, err);
    }
    print_line(line);
    idem_async_let_go(client, call->lease);
    forget(call);
}

static void hear(void *ctx, const idem_answer *answer, const idem_error *err) {
    asked *call = ctx;
    bool is_run = strcmp(text_of(call->line, "call"), "run") == 0;
    if (!is_run || !answer || answer->outcome != IDEM_ACQUIRED) {
        reply(call, answer, err);
        return;
    }
    idem_async_keep(client, NULL, NULL, &call->lease);
    call->token = answer->token;
    call->due_ms = idem_now_ms() + number_of(call->line, "work_ms") + 1;
}

static void ask(asked *call, int32_t method) {
    line_args args;
    idem_error err = IDEM_ERROR_INIT;
    read_args(call->line, &args);
    if (method == IDEM_COMPLETE && call->lease != 0) {
        args.args.token = call->token;
        args.args.ttl_ms = 0;
    }
    err.code = idem_async_call(client, method, &args.args, idem_now_ms(), hear,
                               call, NULL);
    if (err.code != IDEM_OK) {
        err.assume = idem_error_assume(err.code);
        reply(call, NULL, &err);
    }
}

/* The work of those whose time is over is done. Returns when the next one's
 * is. */
static int finish_runs(void) {
    uint64_t now_ms = idem_now_ms();
    int next_ms = -1;
    for (asked *call = all, *next; call; call = next) {
        next = call->next;
        if (call->due_ms == 0) {
            continue;
        }
        if (call->due_ms <= now_ms) {
            call->due_ms = 0;
            ask(call, IDEM_COMPLETE);
        } else if (next_ms < 0 || call->due_ms - now_ms < (uint64_t)next_ms) {
            next_ms = (int)(call->due_ms - now_ms);
        }
    }
    return next_ms;
}

static void open_client(const json_t *line) {
    idem_error err = IDEM_ERROR_INIT;
    json_t *answer =
        json_pack("{s:I, s:[s, s, s]}", "id", number_of(line, "id"), "can",
                  "together", "run", "fork");
    if (idem_async_open(text_of(line, "uri"), &client, &err) != IDEM_OK) {
        add_error(answer, &err);
    }
    print_line(answer);
}

/* A forked child makes the call with what it has copied, and ends. */
static void answer_in_child(asked *call) {
    hold_printing();
    pid_t pid = fork();
    let_print();
    if (pid == 0) {
        all = call;
        call->next = NULL;
        ask(call, IDEM_ACQUIRE);
        while (all) {
            idem_async_poll_turn(client, -1);
        }
        _exit(0);
    }
    waitpid(pid, NULL, 0);
    forget(call);
}

static bool take_line(const char *text) {
    json_t *line = json_loads(text, 0, NULL);
    const char *name = line ? text_of(line, "call") : NULL;
    if (!name) {
        return false;
    }
    if (strcmp(name, "open") == 0) {
        open_client(line);
        json_decref(line);
        return true;
    }
    asked *call = calloc(1, sizeof *call);
    call->line = line;
    call->next = all;
    all = call;
    if (strcmp(name, "in_child") == 0) {
        answer_in_child(call);
    } else {
        ask(call, method_of(name));
    }
    return true;
}

/* Takes each whole line of what has come in; false at the end. */
static bool take_lines(void) {
    static char text[65536];
    static size_t len;
    ssize_t got = read(STDIN_FILENO, text + len, sizeof text - 1 - len);
    if (got <= 0) {
        return false;
    }
    len += (size_t)got;
    char *end;
    while ((end = memchr(text, '\n', len)) != NULL) {
        *end = '\0';
        if (!take_line(text)) {
            exit(1);
        }
        len -= (size_t)(end + 1 - text);
        memmove(text, end + 1, len);
    }
    return true;
}

int main(void) {
    for (;;) {
        struct pollfd fds[65] = {{.fd = STDIN_FILENO, .events = POLLIN}};
        int timeout_ms = finish_runs();
        int its = 0;
        if (client) {
            its = idem_async_poll_fill(client, fds + 1, 64, &timeout_ms);
        }
        poll(fds, (nfds_t)its + 1, timeout_ms);
        if (client) {
            idem_async_poll_process(client, fds + 1, its);
        }
        if (fds[0].revents != 0 && !take_lines()) {
            break;
        }
    }
    while (all) {
        forget(all);
    }
    idem_async_close(client);
    return 0;
}
