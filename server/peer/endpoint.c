/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.c -- see endpoint.h. Pure. */
#include "server/peer/endpoint.h"

#include "proto/endpoint.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

bool ids_endpoint_from(ids_endpoint *to, const void *bytes, size_t len) {
    idp_endpoint read;
    *to = (ids_endpoint){{0}};
    if (len == 0)
        return true;
    /* One way to write each, so that two that are the same compare so. */
    if (len >= IDS_ENDPOINT_BYTES ||
        idp_endpoint_read(bytes, len, &read) != IDP_ENDPOINT_SOUND ||
        read.number == 0 || read.port.ptr[0] == '0')
        return false;
    memcpy(to->text, bytes, len);
    return true;
}

void ids_endpoint_complete(ids_endpoint *to, const ids_endpoint *said,
                           const char *host) {
    char whole[2 * IDS_ENDPOINT_BYTES];
    bool v6 = strchr(host, ':') != NULL;
    int len;
    if (said->text[0] != ':') {
        *to = *said;
        return;
    }
    *to = (ids_endpoint){{0}};
    if (host[0] == 0 || strlen(host) >= IDS_ENDPOINT_BYTES)
        return;
    len = snprintf(whole, sizeof whole, "%s%s%s%s", v6 ? "[" : "", host,
                   v6 ? "]" : "", said->text);
    assert(len > 0 && (size_t)len < sizeof whole);
    ids_endpoint_from(to, whole, (size_t)len);
}

bool ids_endpoint_split(const char *words, char host[static IDS_ENDPOINT_BYTES],
                        const char **port) {
    idp_endpoint read;
    if (idp_endpoint_read(words, strlen(words), &read) != IDP_ENDPOINT_SOUND ||
        read.port.ptr == NULL ||
        !idp_endpoint_host_copy(&read, host, IDS_ENDPOINT_BYTES))
        return false;
    *port = (const char *)read.port.ptr;
    return true;
}

bool ids_endpoint_same(const ids_endpoint *a, const ids_endpoint *b) {
    return strcmp(a->text, b->text) == 0;
}
