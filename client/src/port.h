/* SPDX-License-Identifier: Apache-2.0 */
/* port.h -- what one system has and another has not.
 *
 * IDEM_LINUX 0: pthreads and sockets as POSIX and the BSDs have them; so the
 * library is built where there is no Linux, and with -DIDEM_POSIX_ONLY=ON. */
#ifndef IDEM_PORT_H
#define IDEM_PORT_H

#include <sys/socket.h>

#ifndef IDEM_LINUX
#ifdef __linux__
#define IDEM_LINUX 1
#else
#define IDEM_LINUX 0
#endif
#endif

/* Where no flag keeps a send from SIGPIPE, an option of the socket's does. */
#ifdef MSG_NOSIGNAL
#define IDEM__NOSIGNAL MSG_NOSIGNAL
#else
#define IDEM__NOSIGNAL 0
#endif

#endif
