/* SPDX-License-Identifier: Apache-2.0 */
/* uri.c -- the URI's grammar, part by part. Every refusal names its part. */
#include "client/src/uri.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/src/error.h"
#include "client/src/mem.h"
#include "client/src/seal.h"
#include "client/src/uri_part.h"
#include "proto/endpoint.h"

#define TCP_SCHEME                 "idem://"
#define TLS_SCHEME                 "idems://"
#define UNIX_SCHEME                "idem+unix://"
#define CONNECT_TIMEOUT_MS_DEFAULT 1000u
#define PATH_BYTES                 4096u
#define TIMEOUT_MS_MAX             86400000u

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
static const char *endpoint_fault(idem__part p, uint16_t port,
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
    return endpoint_fault((idem__part){text, len}, 0, endpoint) == NULL;
}

bool idem__endpoint_same(const idem__endpoint *one,
                         const idem__endpoint *other) {
    return one->is_unix == other->is_unix && one->port == other->port &&
           strcmp(one->host, other->host) == 0;
}

static int32_t parse_endpoints(idem__part hosts, idem__uri *uri,
                               idem_error *err) {
    bool more = true;
    while (more) {
        idem__part one = idem__part_cut(&hosts, ',', &more);
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

static int32_t parse_path_endpoint(idem__part path, idem__uri *uri,
                                   idem_error *err) {
    idem__endpoint *endpoint = &uri->endpoints[0];
    size_t max = sizeof((struct sockaddr_un *)0)->sun_path - 1;
    int32_t code =
        idem__part_path(path, "socket path", endpoint->host, max, err);
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

static int32_t parse_secret(idem__part secret, idem__uri *uri,
                            idem_error *err) {
    int32_t code = idem__part_bytes(secret, "secret", false, uri->secret,
                                    sizeof uri->secret, &uri->secret_len, err);
    uri->has_secret = code == 0;
    return code;
}

static int32_t parse_userinfo(idem__part *authority, idem__uri *uri,
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
    idem__part userinfo = idem__part_of(authority->ptr, at);
    *authority = idem__part_of(at + 1, authority->ptr + authority->len);
    if (userinfo.len == 0 || userinfo.ptr[0] != ':')
        return idem__fail(err, IDEM_E_URI,
                          "the URI has a user name, there are none: write "
                          ":SECRET@ before the host");
    return parse_secret(idem__part_of(userinfo.ptr + 1, at), uri, err);
}

static int32_t read_secret_file(idem__part value, idem__uri *uri,
                                idem_error *err) {
    char path[PATH_BYTES];
    char line[IDP_SECRET_BYTES_MAX + 3];
    int32_t code =
        idem__part_path(value, "secret_file", path, sizeof path - 1, err);
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
            return idem__part_refuse_hidden("secret_file, in its first line,",
                                            err);
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

static int32_t parse_number_option(const number_option *option,
                                   idem__part value, idem__uri *uri,
                                   idem_error *err) {
    uint64_t number = 0;
    if (!idem__part_number(value, option->max, &number) || number < option->min)
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

/* ------------------------------------------------------------------- TLS */

enum { TLS_CA, TLS_CERT, TLS_KEY, TLS_VERIFY, TLS_NAME, TLS_OPTIONS };
static const char *const tls_options[] = {"ca", "cert", "key", "verify",
                                          "server_name"};

/* What is said of TLS, until the end of the URI. */
typedef struct tls_words {
    char *paths[TLS_KEY + 1]; /* ours to free */
    const char *said;         /* the last option that was given */
} tls_words;

static int32_t parse_verify(idem__part value, idem__uri *uri, idem_error *err) {
    static const char *const words[] = {"full", "ca", "none"};
    for (int i = 0; i < 3; i++) {
        uri->verify = (idp_tls_verify)i;
        if (idem__part_is(value, words[i]))
            return 0;
    }
    return idem__fail(err, IDEM_E_URI, "the URI's verify is full, ca or none");
}

static int32_t parse_tls_path(idem__part value, int which, tls_words *tls,
                              idem_error *err) {
    idem__free(tls->paths[which]);
    tls->paths[which] = idem__alloc(PATH_BYTES);
    if (tls->paths[which] == NULL)
        return idem__fail(err, IDEM_E_MEMORY, "no memory for a URI");
    return idem__part_path(value, tls_options[which], tls->paths[which],
                           PATH_BYTES - 1, err);
}

static int32_t parse_tls_option(idem__part value, int which, tls_words *tls,
                                idem__uri *uri, idem_error *err) {
    size_t len;
    tls->said = tls_options[which];
    switch (which) {
    case TLS_VERIFY:
        return parse_verify(value, uri, err);
    case TLS_NAME:
        return idem__part_text(value, "server_name", uri->server_name,
                               sizeof uri->server_name - 1, &len, err);
    default:
        return parse_tls_path(value, which, tls, err);
    }
}

/* The files are read once all is known. */
static int32_t use_tls(const tls_words *tls, bool is_tls, idem__uri *uri,
                       idem_error *err) {
    if (is_tls)
        return idem__seal_prepare(uri,
                                  &(idem__seal_files){tls->paths[TLS_CA],
                                                      tls->paths[TLS_CERT],
                                                      tls->paths[TLS_KEY]},
                                  err);
    if (tls->said == NULL)
        return 0;
    return idem__fail(err, IDEM_E_URI,
                      "the URI's %s is of idems:// alone, and this is another "
                      "scheme",
                      tls->said);
}

/* --------------------------------------------------------------- options */

static int32_t parse_option(idem__part name, idem__part value, tls_words *tls,
                            idem__uri *uri, idem_error *err) {
    for (int i = 0; i < TLS_OPTIONS; i++)
        if (idem__part_is(name, tls_options[i]))
            return parse_tls_option(value, i, tls, uri, err);
    size_t count = sizeof number_options / sizeof *number_options;
    for (size_t i = 0; i < count; i++)
        if (idem__part_is(name, number_options[i].name))
            return parse_number_option(&number_options[i], value, uri, err);
    if (idem__part_is(name, "secret_file"))
        return read_secret_file(value, uri, err);
    if (idem__part_is(name, "namespace"))
        return idem__part_text(value, "namespace", uri->ns, IDP_NS_BYTES_MAX,
                               &uri->ns_len, err);
    if (idem__part_is(name, "client"))
        return idem__part_text(value, "client", uri->client,
                               IDP_CLIENT_BYTES_MAX, &uri->client_len, err);
    return idem__fail(err, IDEM_E_URI,
                      "the URI has an unknown option, %.*s; there are "
                      "timeout_ms, connect_timeout_ms, connect_rounds, "
                      "fail_fast_ms, namespace, secret_file, client, "
                      "shard_aware, shard, and with idems:// ca, cert, key, "
                      "verify, server_name",
                      (int)(name.len < 40 ? name.len : 40), name.ptr);
}

static int32_t parse_options(idem__part query, tls_words *tls, idem__uri *uri,
                             idem_error *err) {
    while (query.len > 0) {
        bool has_value = false;
        idem__part value = idem__part_cut(&query, '&', NULL);
        idem__part name = idem__part_cut(&value, '=', &has_value);
        if (idem__part_is_hidden(name))
            return idem__part_refuse_hidden("option name", err);
        if (!has_value)
            return idem__fail(err, IDEM_E_URI,
                              "the URI's option %.*s has no =value",
                              (int)(name.len < 40 ? name.len : 40), name.ptr);
        int32_t code = parse_option(name, value, tls, uri, err);
        if (code != 0)
            return code;
    }
    return 0;
}

/* rest: what stands between the scheme and the options. */
static int32_t parse_tcp(idem__part rest, idem__uri *uri, idem_error *err) {
    bool has_path = false;
    idem__part authority = idem__part_cut(&rest, '/', &has_path);
    int32_t code = parse_userinfo(&authority, uri, err);
    if (code == 0)
        code = parse_endpoints(authority, uri, err);
    if (code != 0 || !has_path)
        return code;
    return idem__part_text(rest, "namespace", uri->ns, IDP_NS_BYTES_MAX,
                           &uri->ns_len, err);
}

static int32_t parse_unix(idem__part rest, idem__uri *uri, idem_error *err) {
    const char *slash = rest.len > 0 ? memchr(rest.ptr, '/', rest.len) : NULL;
    if (slash == NULL)
        return idem__fail(err, IDEM_E_URI,
                          "the URI names no socket: idem+unix:///path/to/it");
    idem__part authority = idem__part_of(rest.ptr, slash);
    int32_t code = parse_userinfo(&authority, uri, err);
    if (code != 0)
        return code;
    if (authority.len > 0)
        return idem__fail(err, IDEM_E_URI,
                          "the URI's socket path must begin with a slash: "
                          "idem+unix:///path/to/it");
    return parse_path_endpoint(idem__part_of(slash, rest.ptr + rest.len), uri,
                               err);
}

typedef enum scheme { NO_SCHEME, TCP, TLS, UNIX } scheme;

/* Cuts it off. */
static scheme cut_scheme(const char **text) {
    static const struct {
        const char *begins;
        scheme is;
    } rows[] = {{TCP_SCHEME, TCP}, {TLS_SCHEME, TLS}, {UNIX_SCHEME, UNIX}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t len = strlen(rows[i].begins);
        if (strncmp(*text, rows[i].begins, len) != 0)
            continue;
        *text += len;
        return rows[i].is;
    }
    return NO_SCHEME;
}

/* Who is given no secret by the URI takes the environment's. */
static int32_t take_environment(idem__uri *uri, idem_error *err) {
    const char *secret = getenv("IDEMSTORE_SECRET");
    size_t len = secret != NULL ? strlen(secret) : 0;
    if (uri->has_secret || len == 0)
        return 0;
    if (len > sizeof uri->secret)
        return idem__fail(err, IDEM_E_URI,
                          "IDEMSTORE_SECRET in the environment has more than "
                          "%d bytes",
                          IDP_SECRET_BYTES_MAX);
    for (size_t i = 0; i < len; i++)
        if (secret[i] != ' ' && idem__is_hidden((uint8_t)secret[i]))
            return idem__fail(err, IDEM_E_URI,
                              "IDEMSTORE_SECRET in the environment has a byte "
                              "that is not printable, a newline perhaps");
    memcpy(uri->secret, secret, len);
    uri->secret_len = len;
    uri->has_secret = true;
    return 0;
}

int32_t idem__uri_parse(const char *text, idem__uri *uri, idem_error *err) {
    tls_words tls = {.said = NULL};
    *uri = (idem__uri){.timeout_ms = IDEM_TIMEOUT_MS_DEFAULT,
                       .connect_timeout_ms = CONNECT_TIMEOUT_MS_DEFAULT,
                       .shard = -1,
                       .shard_aware = true};
    scheme is = cut_scheme(&text);
    if (is == NO_SCHEME)
        return idem__fail(err, IDEM_E_URI,
                          "the URI's scheme is idem://, idems:// or "
                          "idem+unix://");
    idem__part query = {text, strlen(text)};
    idem__part rest = idem__part_cut(&query, '?', NULL);
    int32_t code =
        is == UNIX ? parse_unix(rest, uri, err) : parse_tcp(rest, uri, err);
    if (code == 0)
        code = parse_options(query, &tls, uri, err);
    if (code == 0)
        code = use_tls(&tls, is == TLS, uri, err);
    if (code == 0)
        code = take_environment(uri, err);
    for (int i = TLS_CA; i <= TLS_KEY; i++)
        idem__free(tls.paths[i]);
    return code;
}

void idem__uri_fini(idem__uri *uri) {
    idem__wipe(uri->secret, sizeof uri->secret);
    idem__seal_forget(uri);
}
