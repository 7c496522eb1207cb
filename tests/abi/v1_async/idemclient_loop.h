/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_loop.h, frozen: see README.md. */
#ifndef IDEMCLIENT_LOOP_H
#define IDEMCLIENT_LOOP_H
#include "idemclient.h"
#ifdef __cplusplus
extern "C" {
#endif
typedef struct idem_conn idem_conn;
enum { IDEM_READ = 1, IDEM_WRITE = 2 };
IDEM_API int32_t idem_conn_open(const char *uri, uint64_t now_ms,
                                idem_conn **conn, idem_error *err);
IDEM_API void idem_conn_close(idem_conn *conn);
IDEM_API int32_t idem_conn_fd(const idem_conn *conn);
IDEM_API uint64_t idem_conn_fd_serial(const idem_conn *conn);
IDEM_API uint32_t idem_conn_wanted(const idem_conn *conn);
IDEM_API int32_t idem_conn_timeout_ms(const idem_conn *conn, uint64_t now_ms);
IDEM_API void idem_conn_process(idem_conn *conn, uint32_t ready,
                                uint64_t now_ms);
typedef void (*idem_done_fn)(void *ctx, const idem_answer *answer,
                             const idem_error *err) IDEM_NOEXCEPT;
IDEM_API int32_t idem_conn_call(idem_conn *conn, int32_t method,
                                const idem_args *args, uint64_t now_ms,
                                idem_done_fn done, void *ctx);
IDEM_API int32_t idem_conn_info(const idem_conn *conn, idem_info *info);
IDEM_API void idem_conn_last_error(const idem_conn *conn, idem_error *err);
typedef struct idem_session idem_session;
IDEM_API int32_t idem_session_new(idem_session **session);
IDEM_API void idem_session_free(idem_session *session);
IDEM_API int32_t idem_session_hello(idem_session *session, const char *secret,
                                    int32_t shard, uint64_t deadline_ms,
                                    idem_done_fn done, void *ctx);
IDEM_API int32_t idem_session_call(idem_session *session, int32_t method,
                                   const idem_args *args, uint64_t now_ms,
                                   idem_done_fn done, void *ctx);
IDEM_API int32_t idem_session_info(const idem_session *session,
                                   idem_info *info);
IDEM_API const uint8_t *idem_session_output(const idem_session *session,
                                            size_t *len);
IDEM_API void idem_session_sent(idem_session *session, size_t len);
IDEM_API int32_t idem_session_input(idem_session *session, const uint8_t *bytes,
                                    size_t len);
IDEM_API uint64_t idem_session_next_ms(const idem_session *session);
IDEM_API void idem_session_tick(idem_session *session, uint64_t now_ms);
#ifdef __cplusplus
}
#endif
#endif
