/* SPDX-License-Identifier: Apache-2.0 */
/* echo_server.h -- the bare libuv echo server that is the limit. */
#ifndef IDB_ECHO_SERVER_H
#define IDB_ECHO_SERVER_H

#include <stdint.h>

/* Serves on loopback until it is killed; prints the port. The exit status. */
int idb_echo_serve(uint16_t port);

#endif
