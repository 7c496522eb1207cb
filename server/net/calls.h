/* SPDX-License-Identifier: Apache-2.0 */
/* calls.h -- recv and send, as the kernel has them.
 *
 * The C library's are points where a thread may be cancelled: in a process that
 * has threads each costs two locked instructions more. Nobody cancels ours. */
#ifndef IDS_CALLS_H
#define IDS_CALLS_H

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As recv and send: how many bytes, or -1 and errno. */
static inline ssize_t ids_recv(int fd, void *to, size_t max, int flags) {
    return syscall(SYS_recvfrom, fd, to, max, flags, NULL, NULL);
}

static inline ssize_t ids_send(int fd, const void *from, size_t len,
                               int flags) {
    return syscall(SYS_sendto, fd, from, len, flags, NULL, 0);
}

#endif
