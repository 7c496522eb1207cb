/* SPDX-License-Identifier: Apache-2.0 */
/* proxies.c -- see proxies.h. */
#include "server/net/proxies.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static unsigned bits_of(uint8_t family) {
    return family == AF_INET ? 32 : family == AF_INET6 ? 128 : 0;
}

static bool begins_alike(const uint8_t *one, const uint8_t *other,
                         unsigned bits) {
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(one, other, whole) == 0 &&
           (!rest || (one[whole] ^ other[whole]) >> (8 - rest) == 0);
}

/* None of the bits behind those that count may be set: 10.1.0.0/8 is a slip. */
static bool has_rest(const ids_proxy_range *range) {
    for (unsigned i = range->bits; i < bits_of(range->family); i++)
        if (range->address[i / 8] & (0x80u >> i % 8))
            return true;
    return false;
}

static bool read_range(ids_proxy_range *to, const char *words) {
    char text[INET6_ADDRSTRLEN];
    size_t len = strcspn(words, "/");
    char *end = NULL;
    *to = (ids_proxy_range){.family = AF_UNIX};
    if (strcmp(words, "unix") == 0)
        return true;
    if (len >= sizeof text)
        return false;
    memcpy(text, words, len);
    text[len] = '\0';
    ids_who at;
    if (!ids_who_read(&at, text))
        return false;
    to->family = at.family;
    memcpy(to->address, at.address, sizeof to->address);
    unsigned long bits = bits_of(to->family);
    if (words[len] == '/') {
        if (words[len + 1] < '0' || words[len + 1] > '9')
            return false;
        bits = strtoul(words + len + 1, &end, 10);
        if (*end || bits > bits_of(to->family))
            return false;
    }
    to->bits = (uint8_t)bits;
    return !has_rest(to);
}

bool ids_proxies_read(ids_proxies *to, const ids_config_list *words,
                      const char **bad) {
    *to = (ids_proxies){.count = (uint32_t)words->count};
    for (uint32_t i = 0; i < to->count; i++) {
        *bad = words->all[i];
        if (!read_range(&to->all[i], *bad))
            return false;
    }
    return true;
}

static bool is_trusted(const ids_proxies *proxies, const ids_who *sender) {
    for (uint32_t i = 0; i < proxies->count; i++) {
        const ids_proxy_range *range = &proxies->all[i];
        if (range->family == sender->family &&
            begins_alike(range->address, sender->address, range->bits))
            return true;
    }
    return false;
}

/* The last of a list with commas; with a port or without: 10.1.2.3:80,
 * [fd00::1]:80. Cut to what fits. */
static void last_address(idp_slice list, char text[static INET6_ADDRSTRLEN]) {
    size_t begin = list.len, end;
    while (begin && list.ptr[begin - 1] != ',')
        begin--;
    while (begin < list.len &&
           (list.ptr[begin] == ' ' || list.ptr[begin] == '\t' ||
            list.ptr[begin] == '['))
        begin++;
    for (end = begin; end < list.len && end - begin < INET6_ADDRSTRLEN - 1 &&
                      list.ptr[end] != ' ' && list.ptr[end] != ']';
         end++)
        text[end - begin] = (char)list.ptr[end];
    text[end - begin] = '\0';
    char *port = strchr(text, ':');
    if (port && !strchr(port + 1, ':'))
        *port = '\0';
}

bool ids_proxies_forwarded(const ids_proxies *proxies, const ids_who *sender,
                           idp_slice forwarded_for, ids_who *from) {
    char text[INET6_ADDRSTRLEN];
    if (!proxies->count || !forwarded_for.len || !is_trusted(proxies, sender))
        return false;
    last_address(forwarded_for, text);
    ids_who last;
    if (!ids_who_read(&last, text))
        return false;
    *from = last;
    return true;
}
