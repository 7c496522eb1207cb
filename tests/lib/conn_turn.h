/* SPDX-License-Identifier: Apache-2.0 */
/* conn_turn.h -- one turn of an event loop that has nothing but an idem_conn.
 */
#ifndef IDT_CONN_TURN_H
#define IDT_CONN_TURN_H

#include "client/include/idemclient_loop.h"

#include <poll.h>

/* Waits for what it wants, or for its time; 50 ms at most, for hosts that look
 * at something else as well. */
static inline void idt_conn_turn(idem_conn *conn) {
    uint32_t wanted = idem_conn_wanted(conn);
    struct pollfd entry = {.fd = idem_conn_fd(conn)};
    if ((wanted & IDEM_READ) != 0)
        entry.events |= POLLIN;
    if ((wanted & IDEM_WRITE) != 0)
        entry.events |= POLLOUT;
    int32_t timeout_ms = idem_conn_timeout_ms(conn, idem_now_ms());
    poll(&entry, 1, timeout_ms < 0 || timeout_ms > 50 ? 50 : timeout_ms);
    uint32_t ready = 0;
    if ((entry.revents & ~POLLOUT) != 0)
        ready |= IDEM_READ;
    if ((entry.revents & ~POLLIN) != 0)
        ready |= IDEM_WRITE;
    idem_conn_process(conn, ready, idem_now_ms());
}

#endif
