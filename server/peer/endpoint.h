/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.h -- where a node is reached: host:port as text.
 *
 * Pure. What an end says of itself is judged here before it is believed,
 * kept, dialled or told to clients. */
#ifndef IDS_PEER_ENDPOINT_H
#define IDS_PEER_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#define IDS_ENDPOINT_BYTES 256 /* with the 0 at its end */

typedef struct ids_endpoint {
    char
        text[IDS_ENDPOINT_BYTES]; /* host:port, [v6]:port, or :port; "": none */
} ids_endpoint;

/* From bytes that need no 0. False: no host:port of printable characters and
 * a port from 1 to 65535, or too long; *to is empty then. No bytes at all
 * are an address that is not known, and true. */
bool ids_endpoint_from(ids_endpoint *to, const void *bytes, size_t len);

/* As said, but with this host (no brackets) where it names none. Empty if
 * there is still no host. */
void ids_endpoint_complete(ids_endpoint *to, const ids_endpoint *said,
                           const char *host);

static inline bool ids_endpoint_is_set(const ids_endpoint *address) {
    return address->text[0] != 0;
}

/* HOST:PORT or [V6]:PORT taken apart: the host without its brackets, and where
 * in words the port begins, which may be 0. False: there is no host or no port,
 * or the host is an address of colons without brackets, or too long. */
bool ids_endpoint_split(const char *words, char host[static IDS_ENDPOINT_BYTES],
                        const char **port);

bool ids_endpoint_same(const ids_endpoint *a, const ids_endpoint *b);

#endif
