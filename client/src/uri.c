/* SPDX-License-Identifier: Apache-2.0 */
/* uri.c -- the URI's grammar, part by part. Every refusal names its part. */
#include "client/src/uri.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/src/error.h"
#include "proto/endpoint.h"

#define TCP_SCHEME                 "idem://"
#define UNIX_SCHEME                "idem+unix://"
#define CONNECT_TIMEOUT_MS_DEFAULT 1000u
#define TIMEOUT_MS_MAX             86400000u

typedef struct part {
    const char *ptr;
    size_t len;
} part;

static part part_of(const char *from, const char *to) {
    return (part){from, (size_t)(to - from)};
}

static bool part_is(part p, const char *word) {
    return p.len == strlen(word) && memcmp(p.ptr, word, p.len) == 0;
}

/* Splits p at the first `at`: what stands before it is returned, p becomes
 * what stands behind. Without one, p becomes empty and *found false. */
static part part_cut(part *p, char at, bool *found) {
    const char *hit = p->len > 0 ? memchr(p->ptr, at, p->len) : NULL;
    part before = hit != NULL ? part_of(p->ptr, hit) : *p;
    *p = hit != NULL ? part_of(hit + 1, p->ptr + p->len)
                     : part_of(p->ptr + p->len, p->ptr + p->len);
    if (found != NULL)
        *found = hit != NULL;
    return before;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool has_hidden(part p) {
    for (size_t i = 0; i < p.len; i++)
        if (idem__is_hidden((uint8_t)p.ptr[i]))
            return true;
    return false;
}

static int32_t refuse_hidden(const char *what, idem_error *err) {
    return idem__fail(err, IDEM_E_URI,
                      "the URI's %s has a byte below 0x21, or 0x7f; is there a "
                      "blank or a line end in it?",
                      what);
}

typedef enum decoded {
    DECODED,
    DECODED_BAD,
    DECODED_LONG,
    DECODED_HIDDEN
} decoded;

/* %XX decoded into `to`, at most max bytes. A blank may stand as %20 where the
 * part is a file's path, which has what name it has. */
static decoded part_decode(part p, bool is_path, uint8_t *to, size_t max,
                           size_t *len) {
    *len = 0;
    for (size_t i = 0; i < p.len; i++) {
        uint8_t c = (uint8_t)p.ptr[i];
        bool is_coded = c == '%';
        if (is_coded) {
            int high = i + 2 < p.len ? hex_digit(p.ptr[i + 1]) : -1;
            int low = i + 2 < p.len ? hex_digit(p.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return DECODED_BAD;
            c = (uint8_t)(high * 16 + low);
            i += 2;
        }
        if (idem__is_hidden(c) && !(c == ' ' && is_coded && is_path))
            return DECODED_HIDDEN;
        if (*len == max)
            return DECODED_LONG;
        to[(*len)++] = c;
    }
    return DECODED;
}

static int32_t decode_bytes(part p, const char *what, bool is_path, uint8_t *to,
                            size_t max, size_t *len, idem_error *err) {
    switch (part_decode(p, is_path, to, max, len)) {
    case DECODED_BAD:
        return idem__fail(err, IDEM_E_URI,
                          "the URI's %s has a %% without two hex digits; a %% "
                          "itself is written %%25",
                          what);
    case DECODED_LONG:
        return idem__fail(err, IDEM_E_URI,
                          "the URI's %s is over %zu bytes long", what, max);
    case DECODED_HIDDEN:
        return refuse_hidden(what, err);
    case DECODED:
        break;
    }
    return 0;
}

/* The same for text that becomes a C string in `to` of max + 1 bytes. */
static int32_t decode_text(part p, const char *what, char *to, size_t max,
                           size_t *len, idem_error *err) {
    int32_t code = decode_bytes(p, what, false, (uint8_t *)to, max, len, err);
    *len = code == 0 ? *len : 0;
    to[*len] = '\0';
    return code;
}

static int32_t decode_path(part p, const char *what, char *to, size_t max,
                           idem_error *err) {
    size_t len = 0;
    int32_t code = decode_bytes(p, what, true, (uint8_t *)to, max, &len, err);
    to[code == 0 ? len : 0] = '\0';
    return code;
}

static bool number_parse(part p, uint64_t max, uint64_t *value) {
    if (p.len == 0 || p.len > 10)
        return false;
    *value = 0;
    for (size_t i = 0; i < p.len; i++) {
        if (p.ptr[i] < '0' || p.ptr[i] > '9')
            return false;
        *value = *value * 10 + (uint64_t)(p.ptr[i] - '0');
    }
    return *value <= max;
}

/* What would mean something else in a URI. */
static bool host_is_plain(idp_slice host) {
    for (size_t i = 0; i < host.len; i++)
        if (strchr("@/?#%", (char)host.ptr[i]) != NULL)
            return false;
    return host.len > 0 && host.len < IDEM__HOST_BYTES_MAX;
}

static const char *const host_fault =
    "a host is a name, an IPv4 address or [an IPv6 address]";
static const char *const port_fault = "a port is a number from 1 to 65535";

static const char *fault_text(idp_endpoint_fault fault) {
    switch (fault) {
    case IDP_ENDPOINT_BRACKETS:
        return "an IPv6 address stands in brackets, [::1]:7117";
    case IDP_ENDPOINT_HIDDEN:
        return "there is a byte below 0x21, or 0x7f, in it; is there a blank "
               "or a line end?";
    case IDP_ENDPOINT_HOST:
        return host_fault;
    case IDP_ENDPOINT_PORT:
        return port_fault;
    case IDP_ENDPOINT_SOUND:
        break;
    }
    return NULL;
}

/* What is wrong with an endpoint; NULL when nothing is. port: where none is
 * given; 0: one must be. */
static const char *endpoint_fault(part p, uint16_t port,
                                  idem__endpoint *endpoint) {
    idp_endpoint read;
    const char *fault = fault_text(idp_endpoint_read(p.ptr, p.len, &read));
    if (fault != NULL)
        return p.len > 0 && p.ptr[0] == ':' ? host_fault : fault;
    if (!host_is_plain(read.host))
        return host_fault;
    if (read.port.ptr != NULL)
        port = read.number;
    if (port == 0)
        return port_fault;
    memset(endpoint, 0, sizeof *endpoint);
    idp_endpoint_host_copy(&read, endpoint->host, sizeof endpoint->host);
    endpoint->port = port;
    snprintf(endpoint->name, sizeof endpoint->name,
             read.bracketed ? "[%.*s]:%u" : "%.*s:%u", (int)read.host.len,
             (const char *)read.host.ptr, (unsigned)port);
    return NULL;
}

bool idem__endpoint_parse(const char *text, size_t len,
                          idem__endpoint *endpoint) {
    return endpoint_fault((part){text, len}, 0, endpoint) == NULL;
}

bool idem__endpoint_same(const idem__endpoint *one,
                         const idem__endpoint *other) {
    return one->is_unix == other->is_unix && one->port == other->port &&
           strcmp(one->host, other->host) == 0;
}

static int32_t parse_endpoints(part hosts, idem__uri *uri, idem_error *err) {
    bool more = true;
    while (more) {
        part one = part_cut(&hosts, ',', &more);
        if (uri->endpoints_count == IDEM__ENDPOINTS_MAX)
            return idem__fail(err, IDEM_E_URI,
                              "the URI names more than %d hosts",
                              IDEM__ENDPOINTS_MAX);
        const char *fault = endpoint_fault(
            one, IDP_PORT, &uri->endpoints[uri->endpoints_count]);
        if (fault != NULL)
            return idem__fail(err, IDEM_E_URI, "the URI's host number %u: %s",
                              uri->endpoints_count + 1, fault);
        uri->endpoints_count++;
    }
    return 0;
}

static int32_t parse_path_endpoint(part path, idem__uri *uri, idem_error *err) {
    idem__endpoint *endpoint = &uri->endpoints[0];
    size_t max = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    int32_t code = decode_path(path, "socket path", endpoint->host, max, err);
    if (code != 0)
        return code;
    if (endpoint->host[0] == '\0' || strcmp(endpoint->host, "/") == 0)
        return idem__fail(err, IDEM_E_URI,
                          "the URI names no socket: idem+unix:///path/to/it");
    endpoint->is_unix = true;
    snprintf(endpoint->name, sizeof endpoint->name, "unix:%.120s",
             endpoint->host);
    uri->endpoints_count = 1;
    return 0;
}

static int32_t parse_secret(part secret, idem__uri *uri, idem_error *err) {
    int32_t code = decode_bytes(secret, "secret", false, uri->secret,
                                sizeof uri->secret, &uri->secret_len, err);
    uri->has_secret = code == 0;
    return code;
}

static int32_t parse_userinfo(part *authority, idem__uri *uri,
                              idem_error *err) {
    const char *at = authority->len > 0
                         ? memrchr(authority->ptr, '@', authority->len)
                         : NULL;
    /* The text ends with a zero byte; the secret may have cut itself short. */
    if (at == NULL && authority->len > 0 && authority->ptr[0] == ':' &&
        strchr(authority->ptr, '@') != NULL)
        return idem__fail(err, IDEM_E_URI,
                          "the URI's secret has a / or a ? in it: write %%2F, "
                          "%%3F");
    if (at == NULL)
        return 0;
    part userinfo = part_of(authority->ptr, at);
    *authority = part_of(at + 1, authority->ptr + authority->len);
    if (userinfo.len == 0 || userinfo.ptr[0] != ':')
        return idem__fail(err, IDEM_E_URI,
                          "the URI has a user name, there are none: write "
                          ":SECRET@ before the host");
    return parse_secret(part_of(userinfo.ptr + 1, at), uri, err);
}

static int32_t read_secret_file(part value, idem__uri *uri, idem_error *err) {
    char path[4096];
    char line[IDP_SECRET_BYTES_MAX + 3];
    int32_t code =
        decode_path(value, "secret_file", path, sizeof path - 1, err);
    if (code != 0)
        return code;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, line, sizeof line - 1) : -1;
    int why = errno;
    if (fd >= 0)
        close(fd);
    if (got < 0)
        return idem__fail_at(err, IDEM_E_URI, (idem__where){.os_error = why},
                             "the URI's secret_file %.200s can't be read: %s",
                             path, strerror(why));
    size_t len = 0;
    while (len < (size_t)got && line[len] != '\n' && line[len] != '\r')
        len++;
    if (len == 0 || len > sizeof uri->secret)
        return idem__fail(err, IDEM_E_URI,
                          "the first line of secret_file must have 1 to %d "
                          "bytes",
                          IDP_SECRET_BYTES_MAX);
    for (size_t i = 0; i < len; i++)
        if (line[i] != ' ' && idem__is_hidden((uint8_t)line[i]))
            return refuse_hidden("secret_file, in its first line,", err);
    memcpy(uri->secret, line, len);
    uri->secret_len = len;
    uri->has_secret = true;
    return 0;
}

typedef struct number_option {
    const char *name;
    uint64_t min, max;
    size_t at; /* of a uint32_t in idem__uri; 0: one of the two below */
} number_option;

static const number_option number_options[] = {
    {"timeout_ms", 1, TIMEOUT_MS_MAX, offsetof(idem__uri, timeout_ms)},
    {"connect_timeout_ms", 1, 60000, offsetof(idem__uri, connect_timeout_ms)},
    {"fail_fast_ms", 500, 60000, offsetof(idem__uri, fail_fast_ms)},
    {"connect_rounds", 1, 1000, offsetof(idem__uri, connect_rounds)},
    {"shard", 0, IDP_SHARDS_MAX - 1, offsetof(idem__uri, shard)},
    {"shard_aware", 0, 1, 0},
};

static int32_t parse_number_option(const number_option *option, part value,
                                   idem__uri *uri, idem_error *err) {
    uint64_t number = 0;
    if (!number_parse(value, option->max, &number) || number < option->min)
        return idem__fail(err, IDEM_E_URI,
                          "the URI's %s is a number from %llu to %llu",
                          option->name, (unsigned long long)option->min,
                          (unsigned long long)option->max);
    uint32_t narrow = (uint32_t)number;
    if (option->at == 0)
        uri->shard_aware = narrow != 0;
    else
        memcpy((uint8_t *)uri + option->at, &narrow, sizeof narrow);
    return 0;
}

static int32_t parse_option(part name, part value, idem__uri *uri,
                            idem_error *err) {
    size_t count = sizeof number_options / sizeof *number_options;
    for (size_t i = 0; i < count; i++)
        if (part_is(name, number_options[i].name))
            return parse_number_option(&number_options[i], value, uri, err);
    if (part_is(name, "secret_file"))
        return read_secret_file(value, uri, err);
    if (part_is(name, "namespace"))
        return decode_text(value, "namespace", uri->ns, IDP_NS_BYTES_MAX,
                           &uri->ns_len, err);
    if (part_is(name, "client"))
        return decode_text(value, "client", uri->client, IDP_CLIENT_BYTES_MAX,
                           &uri->client_len, err);
    return idem__fail(err, IDEM_E_URI,
                      "the URI has an unknown option, %.*s; there are "
                      "timeout_ms, connect_timeout_ms, connect_rounds, "
                      "fail_fast_ms, namespace, secret_file, client, "
                      "shard_aware, shard",
                      (int)(name.len < 40 ? name.len : 40), name.ptr);
}

static int32_t parse_options(part query, idem__uri *uri, idem_error *err) {
    while (query.len > 0) {
        bool has_value = false;
        part value = part_cut(&query, '&', NULL);
        part name = part_cut(&value, '=', &has_value);
        if (has_hidden(name))
            return refuse_hidden("option name", err);
        if (!has_value)
            return idem__fail(err, IDEM_E_URI,
                              "the URI's option %.*s has no =value",
                              (int)(name.len < 40 ? name.len : 40), name.ptr);
        int32_t code = parse_option(name, value, uri, err);
        if (code != 0)
            return code;
    }
    return 0;
}

/* rest: what stands between the scheme and the options. */
static int32_t parse_tcp(part rest, idem__uri *uri, idem_error *err) {
    bool has_path = false;
    part authority = part_cut(&rest, '/', &has_path);
    int32_t code = parse_userinfo(&authority, uri, err);
    if (code == 0)
        code = parse_endpoints(authority, uri, err);
    if (code != 0 || !has_path)
        return code;
    return decode_text(rest, "namespace", uri->ns, IDP_NS_BYTES_MAX,
                       &uri->ns_len, err);
}

static int32_t parse_unix(part rest, idem__uri *uri, idem_error *err) {
    const char *slash = rest.len > 0 ? memchr(rest.ptr, '/', rest.len) : NULL;
    if (slash == NULL)
        return idem__fail(err, IDEM_E_URI,
                          "the URI names no socket: idem+unix:///path/to/it");
    part authority = part_of(rest.ptr, slash);
    int32_t code = parse_userinfo(&authority, uri, err);
    if (code != 0)
        return code;
    if (authority.len > 0)
        return idem__fail(err, IDEM_E_URI,
                          "the URI's socket path must begin with a slash: "
                          "idem+unix:///path/to/it");
    return parse_path_endpoint(part_of(slash, rest.ptr + rest.len), uri, err);
}

int32_t idem__uri_parse(const char *text, idem__uri *uri, idem_error *err) {
    *uri = (idem__uri){.timeout_ms = IDEM_TIMEOUT_MS_DEFAULT,
                       .connect_timeout_ms = CONNECT_TIMEOUT_MS_DEFAULT,
                       .shard = -1,
                       .shard_aware = true};
    bool is_unix = strncmp(text, UNIX_SCHEME, strlen(UNIX_SCHEME)) == 0;
    bool is_tcp = strncmp(text, TCP_SCHEME, strlen(TCP_SCHEME)) == 0;
    if (!is_unix && !is_tcp)
        return idem__fail(err, IDEM_E_URI,
                          "the URI's scheme is idem:// or idem+unix://");
    text += strlen(is_unix ? UNIX_SCHEME : TCP_SCHEME);
    part query = {text, strlen(text)};
    part rest = part_cut(&query, '?', NULL);
    int32_t code =
        is_unix ? parse_unix(rest, uri, err) : parse_tcp(rest, uri, err);
    return code != 0 ? code : parse_options(query, uri, err);
}
