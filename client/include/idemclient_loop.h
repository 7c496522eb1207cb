/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_loop.h -- libidemclient for a program that waits by itself.
 *
 *   idem_conn     one connection for a program with its own event loop
 *                 (idemclient_uv.h is its adapter for libuv)
 *   idem_session  bytes in, bytes out, time in: for a program with its own
 * sockets
 *
 * What is asked, what is answered and what an error lets you assume are
 * idemclient.h's. */
#ifndef IDEMCLIENT_LOOP_H
#define IDEMCLIENT_LOOP_H

#include "idemclient.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ----------------------------------------- one connection, your event loop
 *
 * Not thread-safe: one thread at a time per connection. Never blocks, save
 * for the lookup of a host name, up to connect_timeout_ms (give addresses
 * where that matters). now_ms is your monotonic clock as it is at the call: a
 * time from before a long handler makes deadlines come early. Loop:
 *
 *   wait until idem_conn_fd is ready for idem_conn_wanted, or
 *   idem_conn_timeout_ms is over; then idem_conn_process.
 *
 * Reconnects and sends unanswered calls again by itself: after a lost
 * connection, NOT_PRIMARY (to the server that it names, or the next one of the
 * URI) and SHUTTING_DOWN, with a random growing pause, each until its own
 * deadline. UNREPLICATED is told to the callback, and a server that is silent
 * is not left before a call's deadline: what to do then is the program's to
 * decide, who may ask again with the same nonce or token, or open another. */
typedef struct idem_conn idem_conn;

enum { IDEM_READ = 1, IDEM_WRITE = 2 };

/* Begins to connect. uri as for idem_client_open; now_ms: your monotonic
 * clock. */
IDEM_API int32_t idem_conn_open(const char *uri, uint64_t now_ms,
                                idem_conn **conn, idem_error *err);
/* Calls back every call under way (CLOSED, or LOST where it had been sent) and
 * frees it. Not from within a callback. NULL is allowed. */
IDEM_API void idem_conn_close(idem_conn *conn);
/* -1 while there is none (between attempts). It may change in every
 * idem_conn_process: a descriptor is closed there and another one made. */
IDEM_API int32_t idem_conn_fd(const idem_conn *conn);
/* Grows by one with every descriptor: tells apart two that have one number. */
IDEM_API uint64_t idem_conn_fd_serial(const idem_conn *conn);
/* IDEM_READ | IDEM_WRITE. */
IDEM_API uint32_t idem_conn_wanted(const idem_conn *conn);
/* How long until idem_conn_process must be called even if nothing is ready;
 * -1: for ever. */
IDEM_API int32_t idem_conn_timeout_ms(const idem_conn *conn, uint64_t now_ms);
/* ready: IDEM_READ | IDEM_WRITE, 0 for a timeout; an error or hang-up counts as
 * both. Callbacks are called from here. */
IDEM_API void idem_conn_process(idem_conn *conn, uint32_t ready,
                                uint64_t now_ms);

/* Exactly one of answer and err is not NULL; both borrow until it returns. It
 * may make calls of its own, but may not close or process the connection, nor
 * throw: C++17 refuses a function here that is not noexcept. */
typedef void (*idem_done_fn)(void *ctx, const idem_answer *answer,
                             const idem_error *err) IDEM_NOEXCEPT;

/* Queues a call; done is called exactly once, later, unless this fails.
 * Errors: ARGUMENT, MEMORY, BUSY. The args are copied. After it the wanted
 * events and the timeout may have changed. */
IDEM_API int32_t idem_conn_call(idem_conn *conn, int32_t method,
                                const idem_args *args, uint64_t now_ms,
                                idem_done_fn done, void *ctx);
/* IDEM_E_CONNECT while no hello has been answered yet. */
IDEM_API int32_t idem_conn_info(const idem_conn *conn, idem_info *info);
/* Why the connection is down, or was last; code 0 when it never was. */
IDEM_API void idem_conn_last_error(const idem_conn *conn, idem_error *err);

/* --------------------------------------------- bytes in, bytes out, time in
 *
 * One connection's protocol with no socket: not thread-safe, never blocks,
 * reads no clock, sends no hello of its own and tries nothing again. A call
 * that hears NOT_PRIMARY finds in err->primary where the primary is, if the
 * server knows: connect there, with a session of its own, and ask again with
 * the same nonce or token. */
typedef struct idem_session idem_session;

IDEM_API int32_t idem_session_new(idem_session **session);
/* Calls back every call under way with IDEM_E_LOST (or CLOSED where not one of
 * its bytes was taken), then frees it. NULL is allowed. */
IDEM_API void idem_session_free(idem_session *session);
/* Says hello to the server: secret may be NULL, and has no byte below 0x21 or
 * 0x7f (IDEM_E_ARGUMENT); shard -1: stay where we are. The answer arrives as
 * IDEM_PONG once idem_session_info can tell. */
IDEM_API int32_t idem_session_hello(idem_session *session, const char *secret,
                                    int32_t shard, uint64_t deadline_ms,
                                    idem_done_fn done, void *ctx);
/* args.timeout_ms counts from now_ms; 0: IDEM_TIMEOUT_MS_DEFAULT. An acquire
 * without a nonce is sent without one. */
IDEM_API int32_t idem_session_call(idem_session *session, int32_t method,
                                   const idem_args *args, uint64_t now_ms,
                                   idem_done_fn done, void *ctx);
IDEM_API int32_t idem_session_info(const idem_session *session,
                                   idem_info *info);
/* The bytes that are to be sent next, borrowed until the next call; NULL and 0
 * when there are none. Then say how many of them were taken. */
IDEM_API const uint8_t *idem_session_output(const idem_session *session,
                                            size_t *len);
IDEM_API void idem_session_sent(idem_session *session, size_t len);
/* Bytes have arrived, in whatever pieces; replies may come in any order.
 * IDEM_E_GARBLED, IDEM_E_MEMORY: the session is over, free it. */
IDEM_API int32_t idem_session_input(idem_session *session, const uint8_t *bytes,
                                    size_t len);
/* When idem_session_tick has something to do next; UINT64_MAX: never. */
IDEM_API uint64_t idem_session_next_ms(const idem_session *session);
/* Ends the calls whose deadline has come: TIMEOUT, since what is in the output
 * will still be sent with the rest. */
IDEM_API void idem_session_tick(idem_session *session, uint64_t now_ms);

#ifdef __cplusplus
}
#endif
#endif
