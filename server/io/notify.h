/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h -- what the service manager is told (sd_notify(3), by hand).
 *
 * The datagram goes to the socket that NOTIFY_SOCKET names: a path, or, with
 * '@' in front, an abstract name. Without that variable nothing happens. */
#ifndef IDS_NOTIFY_H
#define IDS_NOTIFY_H

/* The folder is read and the listeners are open. Blocks, at most some
 * seconds, and is called before the first loop runs: a READY that is lost
 * would let the service manager wait for ever. What goes wrong is logged. */
void ids_notify_ready(void);

/* Settings are read again; that is over, however it went. Never block. */
void ids_notify_reloading(void);
void ids_notify_reloaded(void);

/* The drain has begun. Never blocks: a worker calls it. */
void ids_notify_stopping(void);

#endif
