/* SPDX-License-Identifier: Apache-2.0 */
/* socket.h -- descriptors: addresses to connections. */
#ifndef IDEM_SOCKET_H
#define IDEM_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "client/src/uri.h"

#define IDEM__ADDRS_MAX 8

typedef struct idem__addr {
    struct sockaddr_storage storage;
    socklen_t len;
} idem__addr;

/* A non-blocking descriptor with a connect under way or done; -1 and errno. It
 * is connected once it is writable and idem__dial_error is 0. */
int idem__dial(const idem__addr *addr);
/* Ends the connection, a child's copy of it included, and closes fd. */
void idem__hang_up(int fd);
/* In a child: closes the copies of all descriptors that idem__dial has made,
 * and says nothing on them: the parent goes on with its own. */
void idem__sockets_leave(void);
int idem__dial_error(int fd);

/* Negative: it is over. */
static inline int64_t idem__left_ms(uint64_t deadline_ms) {
    return (int64_t)deadline_ms - (int64_t)idem_now_ms();
}

/* Waits until fd is ready for events or the time is over: 1, or 0. A negative
 * time counts as none. */
int idem__poll(int fd, short events, int64_t timeout_ms);

/* Makes it blocking, with this limit on each recv. */
bool idem__make_blocking(int fd, uint32_t recv_ms);

#endif
