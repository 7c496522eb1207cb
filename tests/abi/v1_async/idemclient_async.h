/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_async.h, frozen: see README.md. */
#ifndef IDEMCLIENT_ASYNC_H
#define IDEMCLIENT_ASYNC_H
#include "idemclient_loop.h"
#include "idemclient_watch.h"
#ifdef __cplusplus
extern "C" {
#endif
typedef struct idem_async idem_async;
#define IDEM_ASYNC_CALLS_MAX 65536u
#define IDEM_ASYNC_BYTES_MAX 67108864u
IDEM_API int32_t idem_async_open(const char *uri, idem_async **async,
                                 idem_error *err);
IDEM_API void idem_async_close(idem_async *async);
IDEM_API uint32_t idem_async_lines(const idem_async *async);
IDEM_API int32_t idem_async_fd(const idem_async *async, uint32_t line);
IDEM_API uint64_t idem_async_fd_serial(const idem_async *async, uint32_t line);
IDEM_API uint32_t idem_async_wanted(const idem_async *async, uint32_t line);
IDEM_API int32_t idem_async_has_output(const idem_async *async);
IDEM_API int32_t idem_async_timeout_ms(const idem_async *async,
                                       uint64_t now_ms);
typedef struct idem_async_ready {
    uint32_t line;
    uint32_t events;
} idem_async_ready;
IDEM_API int32_t idem_async_process(idem_async *async,
                                    const idem_async_ready *ready,
                                    size_t ready_count, uint64_t now_ms);
IDEM_API int32_t idem_async_call(idem_async *async, int32_t method,
                                 const idem_args *args, uint64_t now_ms,
                                 idem_done_fn done, void *ctx, uint64_t *id);
IDEM_API int32_t idem_async_cancel(idem_async *async, uint64_t id);
typedef void (*idem_lost_fn)(void *ctx, int32_t outcome) IDEM_NOEXCEPT;
IDEM_API int32_t idem_async_keep(idem_async *async, idem_lost_fn lost,
                                 void *ctx, uint64_t *id);
IDEM_API int32_t idem_async_let_go(idem_async *async, uint64_t id);
IDEM_API int32_t idem_async_info(const idem_async *async, idem_info *info);
IDEM_API int32_t idem_async_status(idem_async *async, idem_status *status);
IDEM_API int32_t idem_async_watch(idem_async *async, idem_event_fn on_event,
                                  void *ctx);
#ifdef __cplusplus
}
#endif
#endif
