/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.c -- see endpoint.h. Pure. */
#include "server/peer/endpoint.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool is_host(const char *at, size_t len) {
    bool bracketed = len > 0 && at[0] == '[';
    if (bracketed && (len < 3 || at[len - 1] != ']'))
        return false;
    for (size_t i = 0; i < len; i++) {
        bool bracket = at[i] == '[' || at[i] == ']';
        bool edge = bracketed && (i == 0 || i == len - 1);
        if (at[i] <= ' ' || at[i] > '~' || (bracket && !edge) ||
            (at[i] == ':' && !bracketed))
            return false;
    }
    return true;
}

static bool is_port(const char *at, size_t len) {
    uint32_t port = 0;
    if (len < 1 || len > 5 || at[0] == '0')
        return false;
    for (size_t i = 0; i < len; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        port = port * 10 + (uint32_t)(at[i] - '0');
    }
    return port <= 65535;
}

bool ids_endpoint_from(ids_endpoint *to, const void *bytes, size_t len) {
    const char *text = bytes, *colon = NULL;
    *to = (ids_endpoint){{0}};
    if (len == 0)
        return true;
    if (len >= IDS_ENDPOINT_BYTES)
        return false;
    for (size_t i = 0; i < len; i++)
        if (text[i] == ':')
            colon = text + i;
    if (colon == NULL || !is_host(text, (size_t)(colon - text)) ||
        !is_port(colon + 1, (size_t)(text + len - colon - 1)))
        return false;
    memcpy(to->text, text, len);
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
    ids_endpoint_from(to, whole, (size_t)len);
}

bool ids_endpoint_split(const char *words, char host[static IDS_ENDPOINT_BYTES],
                        const char **port) {
    const char *colon = strrchr(words, ':');
    if (colon == NULL || colon == words || colon[1] == '\0')
        return false;
    size_t len = (size_t)(colon - words);
    if (words[0] == '[') {
        if (len < 3 || words[len - 1] != ']')
            return false;
        words++;
        len -= 2;
    } else if (memchr(words, ':', len) != NULL) {
        return false;
    }
    if (len >= IDS_ENDPOINT_BYTES)
        return false;
    memcpy(host, words, len);
    host[len] = '\0';
    *port = colon + 1;
    return true;
}

bool ids_endpoint_same(const ids_endpoint *a, const ids_endpoint *b) {
    return strcmp(a->text, b->text) == 0;
}
