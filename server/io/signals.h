/* SPDX-License-Identifier: Apache-2.0 */
/* signals.h -- what each signal does. None ends the daemon without a drain or
 * a line, but those that say that it is broken, and SIGKILL.
 *
 *     TERM, INT, QUIT, PWR, XCPU   drain; a second one ends it at once
 *     HUP                          the settings are read again; drain if its
 *                                  terminal has gone
 *     USR1                         the audit log is opened anew
 *     USR2, and all others         a line
 *     PIPE, XFSZ, TTIN, TTOU       nothing: the write says what is wrong
 *
 * One that was ignored at the start stays so, as with nohup. */
#ifndef IDS_SIGNALS_H
#define IDS_SIGNALS_H

#include <uv.h>

#define IDS_SIGNALS_MAX 16

typedef struct ids_signals_driver {
    void *ctx;
    void (*end)(void *ctx, int number); /* it shall drain */
    void (*reload)(void *ctx);
} ids_signals_driver;

typedef struct ids_signals {
    ids_signals_driver driver;
    unsigned count;
    uv_signal_t handles[IDS_SIGNALS_MAX];
} ids_signals;

/* First of all: what shall do nothing does nothing, also while the folder is
 * read. */
void ids_signals_begin(void);

/* 0, or libuv's error. */
int ids_signals_open(ids_signals *signals, uv_loop_t *uv,
                     const ids_signals_driver *driver);
void ids_signals_close(ids_signals *signals);

#endif
