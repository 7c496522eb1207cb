/* SPDX-License-Identifier: Apache-2.0 */
/* link.c -- what both kinds of a link do alike. See link.h. */
#include "tests/conformance/link.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>

/* Each byte is a segment of its own. That more than some arrive together is
 * kept from happening by a pause, and on a busy machine a pause is long: a
 * client has only so much patience for a hello. */
enum { PAUSE_NS = 200000, PAUSE_BYTES = 8 };

bool conf_link_push(int fd, const uint8_t *bytes, size_t len, bool by_byte) {
    for (size_t sent_bytes = 0; len > 0;) {
        ssize_t sent = send(fd, bytes, by_byte ? 1 : len, MSG_NOSIGNAL);
        if (sent <= 0 && errno != EINTR) {
            return false;
        }
        if (sent > 0) {
            bytes += sent;
            len -= (size_t)sent;
            sent_bytes += (size_t)sent;
        }
        if (by_byte && sent_bytes % PAUSE_BYTES == 0) {
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        }
    }
    return true;
}

ssize_t conf_link_ignore(conf_link *link) {
    uint8_t bytes[65536];
    return recv(link->fd, bytes, sizeof bytes, MSG_DONTWAIT);
}
