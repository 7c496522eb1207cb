/* SPDX-License-Identifier: Apache-2.0 */
/* signals.c -- see signals.h. */
#include "server/io/signals.h"

#include "server/base/audit.h"
#include "server/base/log.h"

#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

typedef enum reaction { DRAIN, RELOAD, REOPEN, SAY } reaction;

static const struct {
    int number;
    reaction reaction;
} table[] = {{SIGTERM, DRAIN},  {SIGINT, DRAIN},  {SIGQUIT, DRAIN},
             {SIGPWR, DRAIN},   {SIGXCPU, DRAIN}, {SIGHUP, RELOAD},
             {SIGUSR1, REOPEN}, {SIGUSR2, SAY},   {SIGALRM, SAY},
             {SIGVTALRM, SAY},  {SIGPROF, SAY},   {SIGIO, SAY},
             {SIGSTKFLT, SAY}};

#define ROWS (sizeof table / sizeof table[0])
_Static_assert(ROWS <= IDS_SIGNALS_MAX, "there is a handle for each");

static const int silent[] = {SIGPIPE, SIGXFSZ, SIGTTIN, SIGTTOU};

/* Rows that nobody has ignored before us. */
static bool is_ours[ROWS];
static bool had_terminal;

static bool is_left_to_us(int number) {
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_DFL;
}

static void ignore(int number) {
    if (is_left_to_us(number))
        signal(number, SIG_IGN);
}

static bool has_terminal(void) {
    int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static reaction reaction_of(int number) {
    size_t at = 0;
    while (at < ROWS && table[at].number != number)
        at++;
    assert(at < ROWS);
    return table[at].reaction;
}

static void say_signal(int number) {
    ids_log(IDS_LOG_INFO, "signal taken, and nothing done",
            "signal=%d name=\"%s\"", number, strsignal(number));
}

static void on_signal(uv_signal_t *handle, int number) {
    ids_signals *s = handle->data;
    reaction what = reaction_of(number);
    if (what == RELOAD && had_terminal && !has_terminal())
        what = DRAIN;
    if (what == SAY || (what == REOPEN && !ids_audit_reopen()))
        say_signal(number);
    else if (what == RELOAD)
        s->driver.reload(s->driver.ctx);
    else if (what == DRAIN)
        s->driver.end(s->driver.ctx, number);
}

/* What is said later is not said before there is a loop, and ends nothing. */
void ids_signals_begin(void) {
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++)
        ignore(silent[i]);
    had_terminal = has_terminal();
    for (size_t i = 0; i < ROWS; i++) {
        is_ours[i] = is_left_to_us(table[i].number);
        if (table[i].reaction == SAY || table[i].reaction == REOPEN ||
            (table[i].reaction == RELOAD && !had_terminal))
            ignore(table[i].number);
    }
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        ignore(number);
}

int ids_signals_open(ids_signals *s, uv_loop_t *uv,
                     const ids_signals_driver *driver) {
    s->driver = *driver;
    s->count = 0;
    for (size_t i = 0; i < ROWS; i++) {
        uv_signal_t *handle = &s->handles[s->count];
        if (!is_ours[i])
            continue;
        int error = uv_signal_init(uv, handle);
        if (error)
            return error;
        handle->data = s;
        s->count++;
        error = uv_signal_start(handle, on_signal, table[i].number);
        if (error)
            return error;
    }
    return 0;
}

void ids_signals_close(ids_signals *s) {
    for (unsigned i = 0; i < s->count; i++)
        uv_close((uv_handle_t *)&s->handles[i], NULL);
    s->count = 0;
}
