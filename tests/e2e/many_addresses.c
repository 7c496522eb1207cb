/* SPDX-License-Identifier: Apache-2.0 */
/* many_addresses.c -- a library that makes "shop.test" a host of several
 * addresses: preloaded, the resolver says 127.0.0.1, 127.0.0.2 twice, ::1 and
 * one that no machine has. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

typedef int (*getaddrinfo_fn)(const char *, const char *,
                              const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *host, const char *port,
                const struct addrinfo *hints, struct addrinfo **found) {
    static const char *const numbers[] = {"127.0.0.1", "127.0.0.2", "127.0.0.2",
                                          "192.0.2.77", "::1"};
    getaddrinfo_fn original = (getaddrinfo_fn)dlsym(RTLD_NEXT, "getaddrinfo");
    struct addrinfo **last = found;
    if (!original)
        abort();
    if (!host || strcmp(host, "shop.test") != 0)
        return original(host, port, hints, found);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (original(numbers[i], port, hints, last) != 0)
            abort();
        last = &(*last)->ai_next;
    }
    return 0;
}
