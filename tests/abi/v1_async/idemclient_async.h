/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_async.h -- a whole client without a thread: idem_async.
 *
 * What idem_client does for threads that block, this does on one thread's
 * event loop, by the same rules: a connection per shard, the list of hosts,
 * NOT_PRIMARY and failover, silence, deadlines, waits, nonces, renewal. Any
 * number of calls are under way, each told of its end by a callback.
 *
 * idemclient_async_uv.h is its adapter for libuv, idemclient_async_poll.h the
 * one for poll(2); for another loop:
 *
 *   each turn: for each line (idem_async_lines) watch idem_async_fd for
 *   idem_async_wanted, sleep idem_async_timeout_ms at most; then
 *   idem_async_process with what is ready.
 *
 * One thread at a time per handle; threads that have a handle each share
 * nothing. Nothing blocks. No call allocates once as many as now have been
 * under way before, with keys and results as long; a result over 64 KiB is
 * copied into memory of its own.
 *
 * now_ms is your monotonic clock as it is at the call: a time from before a
 * long handler makes deadlines come early. One handle is always given the same
 * clock; idem_now_ms is one.
 *
 * What is asked, what is answered and what an error lets you assume are
 * idemclient.h's. Fork: as idem_client; a child's handle begins anew, and what
 * was under way is the parent's. */
#ifndef IDEMCLIENT_ASYNC_H
#define IDEMCLIENT_ASYNC_H

#include "idemclient_loop.h"
#include "idemclient_watch.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct idem_async idem_async;

/* More than so many calls and leases are BUSY, and so is what would copy more
 * than so many bytes of keys and results. */
#define IDEM_ASYNC_CALLS_MAX 65536u
#define IDEM_ASYNC_BYTES_MAX 67108864u /* 64 MiB */

/* Makes a client; connects for its first call. uri as for idem_client_open.
 * Reads secret_file, and does nothing else that could block.
 * Errors: URI, MEMORY. */
IDEM_API int32_t idem_async_open(const char *uri, idem_async **async,
                                 idem_error *err);

/* Closes the connections, tells each call under way (CLOSED where nothing of it
 * was sent, LOST where the answer is not known) and frees it. Leases are
 * renewed no more; nobody is told of that. From within a callback, too: then
 * all of that happens when the idem_async_process that calls back comes to its
 * end, and the handle may not be used for anything else; calls that are made
 * meanwhile are CLOSED. NULL is allowed. */
IDEM_API void idem_async_close(idem_async *async);

/* ------------------------------------------------------------- your loop */

/* Descriptors are numbered from 0; each number stands for a connection to a
 * shard, and has a descriptor or none. There are at most 1024. */
IDEM_API uint32_t idem_async_lines(const idem_async *async);
/* -1: there is none now. It may change in every idem_async_process: a
 * descriptor is closed there and another one made. */
IDEM_API int32_t idem_async_fd(const idem_async *async, uint32_t line);
/* Grows with every descriptor: tells apart two that have one number. */
IDEM_API uint64_t idem_async_fd_serial(const idem_async *async, uint32_t line);
/* IDEM_READ | IDEM_WRITE. It changes in idem_async_process and with calls that
 * are made outside of it. */
IDEM_API uint32_t idem_async_wanted(const idem_async *async, uint32_t line);
/* 1: calls that were made outside of idem_async_process wait to be sent. A loop
 * that processes them (with nothing ready) before it sleeps sends what one turn
 * has asked in one piece, and need not wait until it may write. */
IDEM_API int32_t idem_async_has_output(const idem_async *async);
/* How long until idem_async_process must be called even if nothing is ready;
 * -1: for ever. */
IDEM_API int32_t idem_async_timeout_ms(const idem_async *async,
                                       uint64_t now_ms);

/* What a descriptor is ready for. */
typedef struct idem_async_ready {
    uint32_t line;
    uint32_t events; /* IDEM_READ | IDEM_WRITE; an error or a hang-up counts as
                      * both */
} idem_async_ready;

/* Reads, calls back, connects, sends. ready may be NULL with ready_count 0: for
 * a timeout, or to send what was asked. All callbacks come from here (and from
 * idem_async_close). It does nothing within a callback. 0 when a callback has
 * closed the handle, which is no more; 2 when it has called one, else 1. */
IDEM_API int32_t idem_async_process(idem_async *async,
                                    const idem_async_ready *ready,
                                    size_t ready_count, uint64_t now_ms);

/* ----------------------------------------------------------------- calls */

/* Asks. method: IDEM_ACQUIRE ... IDEM_STATS. args are copied; timeout_ms is the
 * whole call's, retries included, and counts on top of wait_ms. done (see
 * idem_done_fn) is called exactly once, later, unless this fails; it may make
 * calls, cancel others, keep a claim, close the handle. id, which may be NULL,
 * is for idem_async_cancel; it is never 0 and names no other call later.
 *
 * Errors, with done not called: ARGUMENT, MEMORY, BUSY, CLOSED (it is being
 * closed), CHANGES_WAIT (with fail_fast_ms). What done is told are those of
 * idem_acquire: its rules are these ones. */
IDEM_API int32_t idem_async_call(idem_async *async, int32_t method,
                                 const idem_args *args, uint64_t now_ms,
                                 idem_done_fn done, void *ctx, uint64_t *id);

/* Ends a call. Its callback is told so by the next idem_async_process, for
 * which idem_async_timeout_ms leaves no time: CLOSED where nothing of it was
 * sent, else LOST, since the server may carry it out all the same: an acquire's
 * err.nonce finds the claim again. An answer that has come by then is told
 * instead. 1, or 0 where there is no such call (any more). */
IDEM_API int32_t idem_async_cancel(idem_async *async, uint64_t id);

/* ---------------------------------------------------------------- leases */

/* The claim may be someone else's by now: stop before the effect if you can.
 * Told once, and the lease's id names nothing any more. outcome: IDEM_STALE or
 * IDEM_NO_RECORD, or 0: the lease has run out by our own clock with no renewal
 * confirmed. What was done may be completed all the same: the server alone
 * knows whether it still counts. */
typedef void (*idem_lost_fn)(void *ctx, int32_t outcome) IDEM_NOEXCEPT;

/* Renews the claim that the present callback was told of (ACQUIRED) every third
 * of its lease, until idem_async_let_go. lost may be NULL. While it is kept its
 * complete and release have their whole time, whatever fail_fast_ms says.
 * Errors: ARGUMENT (this is not the callback of an acquire that was ACQUIRED),
 * BUSY, MEMORY, CLOSED. */
IDEM_API int32_t idem_async_keep(idem_async *async, idem_lost_fn lost,
                                 void *ctx, uint64_t *id);
/* Once its complete or release is answered, or to leave the claim. lost is not
 * called after it. 1, or 0 where there is no such lease (any more). */
IDEM_API int32_t idem_async_let_go(idem_async *async, uint64_t id);

/* --------------------------------------------------------- how it stands */

/* What the server of line 0 said when it was met; CONNECT while none was. */
IDEM_API int32_t idem_async_info(const idem_async *async, idem_info *info);
/* As idem_client_status and idem_client_watch. Errors: ARGUMENT. */
IDEM_API int32_t idem_async_status(idem_async *async, idem_status *status);
IDEM_API int32_t idem_async_watch(idem_async *async, idem_event_fn on_event,
                                  void *ctx);

#ifdef __cplusplus
}
#endif
#endif
