/* SPDX-License-Identifier: Apache-2.0 */
/* address.h -- where to listen: from words to a bound socket. */
#ifndef IDS_ADDRESS_H
#define IDS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#define IDS_ADDRESS_TEXT_BYTES (sizeof(struct sockaddr_un) + 16)

typedef struct ids_address {
    struct sockaddr_storage at;
    socklen_t len;
} ids_address;

/* Reads HOST:PORT, [V6]:PORT or unix:/PATH: all addresses that HOST has, cap
 * at most, each once. May ask the resolver. Returns how many; 0: why says
 * what is wrong. */
size_t ids_address_parse(ids_address *addresses, size_t cap, const char *words,
                         char *why, size_t why_cap);

bool ids_address_is_same(const ids_address *a, const ids_address *b);

/* Only processes of this machine can reach it. */
bool ids_address_is_local(const ids_address *address);

/* A listening, non-blocking socket; -1: errno, and why says it. A unix socket
 * has this mode, whatever the umask, and was never more open; one that nobody
 * listens on any more is replaced. Before other threads make files: the umask
 * is the process's. */
int ids_address_listen(const ids_address *address, mode_t unix_mode, char *why,
                       size_t why_cap);

/* What a listening socket is bound to, in the words that parse takes. */
void ids_address_of(int fd, char *text, size_t cap);

#endif
