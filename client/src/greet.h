/* greet.h -- a blocking connect with its greeting. */
#ifndef IDEM_GREET_H
#define IDEM_GREET_H

#include "client/src/wire.h"

typedef struct idem__greet {
    const idem__uri *uri;
    const idem__endpoint *endpoint;
    int32_t shard; /* -1: any */
    uint64_t deadline_ms;
} idem__greet;

/* Connects and says hello; the wire is fresh and nobody else's meanwhile, and
 * what hello tells goes to *hello. Returns the descriptor, or -1 with err
 * filled: IDEM_E_CONNECT, IDEM_E_MEMORY, or the server's own refusal
 * (DENIED ...). */
int idem__greet_server(const idem__greet *greet, idem__wire *wire,
                       idp_hello *hello, idem_error *err);

/* Draws random bytes; false when the system has none to give. */
bool idem__random(void *to, size_t len);

#endif
