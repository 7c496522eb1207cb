/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint.c -- see endpoint.h. */
#include "proto/endpoint.h"

#include <string.h>

#define PORT_DIGITS_MAX 10 /* with noughts before it */

static bool has_hidden(const uint8_t *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (text[i] <= ' ' || text[i] == 0x7f)
            return true;
    return false;
}

static bool is_endpoint_host(idp_slice host) {
    for (size_t i = 0; i < host.len; i++)
        if (host.ptr[i] > '~' || host.ptr[i] == '[' || host.ptr[i] == ']')
            return false;
    return true;
}

static bool port_read(idp_slice digits, uint16_t *number) {
    uint64_t sum = 0;
    if (digits.len == 0 || digits.len > PORT_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        sum = sum * 10 + (uint64_t)(digits.ptr[i] - '0');
    }
    *number = (uint16_t)sum;
    return sum <= UINT16_MAX;
}

/* The host's end and where the rest begins; false: its brackets are wrong. */
static bool host_cut(const uint8_t *text, size_t len, idp_endpoint *to,
                     size_t *rest) {
    to->bracketed = len > 0 && text[0] == '[';
    const uint8_t *end =
        len > 0 ? memchr(text, to->bracketed ? ']' : ':', len) : NULL;
    if (to->bracketed && (end == NULL || end == text + 1))
        return false;
    to->host.ptr = text + to->bracketed;
    to->host.len = end ? (size_t)(end - to->host.ptr) : len;
    *rest = to->host.len + (to->bracketed ? 2 : 0);
    return *rest == len || text[*rest] == ':';
}

idp_endpoint_fault idp_endpoint_read(const char *text, size_t len,
                                     idp_endpoint *to) {
    const uint8_t *at = (const uint8_t *)text;
    idp_endpoint read = {0};
    size_t rest;
    if (!host_cut(at, len, &read, &rest))
        return IDP_ENDPOINT_BRACKETS;
    if (has_hidden(at, len))
        return IDP_ENDPOINT_HIDDEN;
    if (!is_endpoint_host(read.host))
        return IDP_ENDPOINT_HOST;
    if (rest < len)
        read.port = (idp_slice){at + rest + 1, len - rest - 1};
    if (read.port.ptr != NULL && !port_read(read.port, &read.number))
        return IDP_ENDPOINT_PORT;
    *to = read;
    return IDP_ENDPOINT_SOUND;
}

bool idp_endpoint_host_copy(const idp_endpoint *from, char *to, size_t cap) {
    if (from->host.len == 0 || from->host.len >= cap)
        return false;
    memcpy(to, from->host.ptr, from->host.len);
    to[from->host.len] = '\0';
    return true;
}
