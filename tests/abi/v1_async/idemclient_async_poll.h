/* SPDX-License-Identifier: Apache-2.0 */
/* idemclient_async_poll.h, frozen: see README.md. */
#ifndef IDEMCLIENT_ASYNC_POLL_H
#define IDEMCLIENT_ASYNC_POLL_H
#include "idemclient_async.h"
#include <poll.h>
#ifdef __cplusplus
extern "C" {
#endif
static inline int idem_async_poll_fill(idem_async *async, struct pollfd *fds,
                                       uint32_t fds_max, int *timeout_ms) {
    if (idem_async_has_output(async)) {
        int32_t said = idem_async_process(async, NULL, 0, idem_now_ms());
        if (said == 0)
            return -1;
        if (said == 2)
            *timeout_ms = 0;
    }
    uint32_t count = idem_async_lines(async);
    if (count > fds_max)
        count = fds_max;
    if (count > 64)
        count = 64;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t wanted = idem_async_wanted(async, i);
        fds[i].fd = idem_async_fd(async, i);
        fds[i].events = (short)(((wanted & IDEM_READ) != 0 ? POLLIN : 0) |
                                ((wanted & IDEM_WRITE) != 0 ? POLLOUT : 0));
        fds[i].revents = 0;
    }
    int32_t its_ms = idem_async_timeout_ms(async, idem_now_ms());
    if (its_ms >= 0 && (*timeout_ms < 0 || its_ms < *timeout_ms))
        *timeout_ms = its_ms;
    return (int)count;
}
static inline int32_t idem_async_poll_process(idem_async *async,
                                              const struct pollfd *fds,
                                              int fds_count) {
    idem_async_ready ready[64];
    size_t count = 0;
    for (int i = 0; i < fds_count && i < 64; i++) {
        if (fds[i].fd < 0 || fds[i].revents == 0)
            continue;
        ready[count].line = (uint32_t)i;
        ready[count].events =
            ((fds[i].revents & ~POLLOUT) != 0 ? (uint32_t)IDEM_READ : 0) |
            ((fds[i].revents & ~POLLIN) != 0 ? (uint32_t)IDEM_WRITE : 0);
        count++;
    }
    return idem_async_process(async, ready, count, idem_now_ms()) != 0;
}
static inline int32_t idem_async_poll_turn(idem_async *async, int timeout_ms) {
    struct pollfd fds[64];
    int count = idem_async_poll_fill(async, fds, 64, &timeout_ms);
    if (count < 0)
        return 0;
    (void)poll(fds, (nfds_t)count, timeout_ms);
    return idem_async_poll_process(async, fds, count);
}
#ifdef __cplusplus
}
#endif
#endif
