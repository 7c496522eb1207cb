/* address.h -- where to listen: from words to a bound socket. */
#ifndef IDS_ADDRESS_H
#define IDS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define IDS_ADDRESS_TEXT_BYTES (sizeof(struct sockaddr_un) + 16)

typedef struct ids_address {
    struct sockaddr_storage at;
    socklen_t len;
} ids_address;

/* Reads HOST:PORT, [V6]:PORT or unix:/PATH. May ask the resolver. False: why
 * says what is wrong. */
bool ids_address_parse(ids_address *address, const char *words, char *why,
                       size_t why_cap);

/* Only processes of this machine can reach it. */
bool ids_address_is_local(const ids_address *address);

/* A listening, non-blocking socket; -1: why says what is wrong. A unix socket
 * that nobody listens on any more is replaced. */
int ids_address_listen(const ids_address *address, char *why, size_t why_cap);

/* What a listening socket is bound to, in the words that parse takes. */
void ids_address_of(int fd, char *text, size_t cap);

#endif
