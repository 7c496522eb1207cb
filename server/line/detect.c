/* SPDX-License-Identifier: Apache-2.0 */
/* detect.c -- which protocol the first bytes of a connection are, and a word to
 * whoever took this port for another one. */
#include "server/line/detect.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define SPEAKS "idemstored speaks MessagePack-RPC on this port, "
#define SEE    ": see proto/README.md\r\n"

const char ids_detect_no_request[] = SPEAKS "and this is no request" SEE;

/* curl shows the body of an answer. */
#define HTTP_HEAD                                              \
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n" \
    "Content-Length: %zu\r\nConnection: close\r\n\r\n"
#define HTTP_BODY                                                             \
    "idemstored speaks MessagePack-RPC on this port; HTTP is not served "     \
    "here.\nAsk it with idemctl or libidemclient; proto/README.md describes " \
    "the bytes.\n"
static_assert(sizeof HTTP_BODY - 1 == 148, "as Content-Length says");

const char ids_detect_no_http[] =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
    "Content-Length: 148\r\nConnection: close\r\n\r\n" HTTP_BODY;

void ids_detect_http_at(char to[static IDS_DETECT_HTTP_BYTES], const char *at) {
    char body[IDS_DETECT_HTTP_BYTES / 2];
    int len = snprintf(body, sizeof body,
                       "idemstored speaks MessagePack-RPC on this port; HTTP "
                       "is served at %.120s.\n",
                       at);
    snprintf(to, IDS_DETECT_HTTP_BYTES, HTTP_HEAD "%s", (size_t)len, body);
}

static const char no_redis[] = "-ERR " SPEAKS "not the Redis protocol" SEE;

/* How the bytes stand to a word that they may begin with. */
typedef enum match { MATCH_NONE, MATCH_BEGUN, MATCH_WHOLE } match;

static uint8_t upper(uint8_t c) {
    return c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
}

static match match_word(const uint8_t *bytes, size_t len, const char *word,
                        bool any_case) {
    size_t at = 0;
    for (; at < len && word[at]; at++)
        if ((any_case ? upper(bytes[at]) : bytes[at]) != (uint8_t)word[at])
            return MATCH_NONE;
    return word[at] ? MATCH_BEGUN : MATCH_WHOLE;
}

/* "GET /" is HTTP's, "GET key" is Redis'. */
static match match_http(const uint8_t *bytes, size_t len) {
    static const char *const begins[] = {
        "GET /",  "GET *",   "GET http", "HEAD ",    "POST ",  "PUT ",
        "PATCH ", "DELETE ", "OPTIONS ", "CONNECT ", "TRACE ", "PRI "};
    match best = MATCH_NONE;
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        match one = match_word(bytes, len, begins[i], false);
        best = one > best ? one : best;
    }
    return best;
}

/* What people type to a Redis, and its clients write where they take the short
 * form; case is no matter there. */
static match match_redis(const uint8_t *bytes, size_t len) {
    static const char *const words[] = {
        "PING",   "ECHO",   "AUTH",    "HELLO",  "INFO",   "GET",
        "SET",    "SETNX",  "DEL",     "EXISTS", "TTL",    "QUIT",
        "SELECT", "CONFIG", "COMMAND", "CLIENT", "KEYS",   "MGET",
        "INCR",   "EXPIRE", "DBSIZE",  "SCAN",   "MONITOR"};
    match best = MATCH_NONE;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        match one = match_word(bytes, len, words[i], true);
        size_t end = strlen(words[i]);
        if (one == MATCH_WHOLE && end == len)
            one = MATCH_BEGUN;
        else if (one == MATCH_WHOLE && bytes[end] > ' ')
            one = MATCH_NONE;
        best = one > best ? one : best;
    }
    return best;
}

static ids_first detect_text(const uint8_t *bytes, size_t len,
                             const char **answer) {
    match http = match_http(bytes, len);
    match redis = match_redis(bytes, len);
    match peer = match_word(bytes, len, IDS_MAGIC, false);
    if (peer == MATCH_WHOLE)
        return IDS_FIRST_PEER;
    bool begun = http == MATCH_BEGUN || peer == MATCH_BEGUN;
    if (begun || (redis == MATCH_BEGUN && http != MATCH_WHOLE))
        return IDS_FIRST_PARTIAL;
    if (http == MATCH_WHOLE)
        *answer = ids_detect_no_http;
    else if (redis == MATCH_WHOLE)
        *answer = no_redis;
    else
        *answer = SPEAKS "and requests are arrays" SEE;
    return IDS_FIRST_STRANGER;
}

ids_first ids_detect_read(const uint8_t *bytes, size_t len,
                          const char **answer) {
    uint8_t first = bytes[0];
    if ((first & 0xf0) == 0x90 || first == 0xdc || first == 0xdd)
        return IDS_FIRST_REQUEST; /* an array */
    if (upper(first) >= 'A' && upper(first) <= 'Z')
        return detect_text(bytes, len, answer);
    if (first == '*' || first == '$')
        *answer = no_redis;
    else if (first == '{' || first == '[' || first == '"')
        *answer = SPEAKS "not JSON" SEE;
    else if (first == 0x16)
        *answer = SPEAKS "not TLS (--tls-cert)" SEE;
    else
        *answer = SPEAKS "and requests are arrays" SEE;
    return IDS_FIRST_STRANGER;
}

/* The peer's link knows it by its beginning. */
const char ids_detect_no_peer[] =
    IDS_LINK_NO_PEER ": see --replication and --replicate-from\r\n";
