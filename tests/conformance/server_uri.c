/* SPDX-License-Identifier: Apache-2.0 */
/* server_uri.c -- where a running server is, and which namespaces are ours
 * there. See server.h. */
#include "tests/conformance/server.h"

#include "tests/conformance/link.h"

#include "proto/endpoint.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum { NS_BYTES_MAX = 64, HOST_MAX = 256 };

/* --- the URI ------------------------------------------------------------ */

static bool take_secret(conf_server *s, const char **at) {
    const char *end = strchr(*at, '@');
    if (**at != ':' || !end) {
        return true;
    }
    int len = (int)(end - *at - 1);
    snprintf(s->secret, sizeof s->secret, "%.*s", len, *at + 1);
    *at = end + 1;
    return len < (int)sizeof s->secret;
}

/* [::1]:7117, db1:7117, db1 */
static bool split_host(const char *at, size_t len, char host[HOST_MAX],
                       char port[8]) {
    idp_endpoint read;
    if (idp_endpoint_read(at, len, &read) != IDP_ENDPOINT_SOUND ||
        !idp_endpoint_host_copy(&read, host, HOST_MAX)) {
        return false;
    }
    snprintf(port, 8, "%u", read.port.ptr ? read.number : IDP_PORT);
    return true;
}

static bool look_up(conf_server *s, const char *host, const char *port,
                    char *say, size_t say_cap) {
    struct addrinfo *found = NULL, hints = {.ai_socktype = SOCK_STREAM};
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0) {
        snprintf(say, say_cap, "%s:%s: %s", host, port, gai_strerror(code));
        return false;
    }
    s->address.len = found->ai_addrlen;
    memcpy(&s->address.at, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

static bool take_path(conf_server *s, const char *path, char *say,
                      size_t say_cap) {
    struct sockaddr_un *un = &s->address.at.path;
    if (strlen(path) >= sizeof un->sun_path) {
        snprintf(say, say_cap, "the socket's path is too long");
        return false;
    }
    un->sun_family = AF_UNIX;
    snprintf(un->sun_path, sizeof un->sun_path, "%s", path);
    s->address.len = sizeof *un;
    return true;
}

bool server_read_uri(conf_server *s, const char *uri, char *say,
                     size_t say_cap) {
    bool is_path = strncmp(uri, "idem+unix://", 12) == 0;
    snprintf(s->prefix, sizeof s->prefix, "idemconform");
    size_t scheme = strlen(conf_link_scheme);
    if (!is_path && (strncmp(uri, conf_link_scheme, scheme) != 0 ||
                     strncmp(uri + scheme, "://", 3) != 0)) {
        snprintf(say, say_cap, "a URI begins with %s:// or idem+unix://",
                 conf_link_scheme);
        return false;
    }
    const char *at = strstr(uri, "//") + 2;
    if (!take_secret(s, &at)) {
        snprintf(say, say_cap, "the secret is over 256 bytes");
        return false;
    }
    if (is_path) {
        return take_path(s, at, say, say_cap);
    }
    char host[HOST_MAX], port[8];
    size_t len = strcspn(at, "/");
    if (!split_host(at, len, host, port)) {
        snprintf(say, say_cap, "%.*s is no HOST:PORT", (int)len, at);
        return false;
    }
    if (at[len] == '/' && at[len + 1]) {
        if (strlen(at + len + 1) > SERVER_PREFIX_MAX) {
            snprintf(say, say_cap, "the namespace is over %d bytes",
                     SERVER_PREFIX_MAX);
            return false;
        }
        snprintf(s->prefix, sizeof s->prefix, "%s", at + len + 1);
    }
    return look_up(s, host, port, say, say_cap);
}

int server_connect(const server_address *to) {
    int fd = socket(to->at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, &to->at.any, to->len) != 0) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    return fd;
}

void server_pack_hello(idt_buf *to, const char *secret) {
    idt_pack_array(to, 4);
    idt_pack_uint(to, 0);
    idt_pack_uint(to, 0);
    idt_pack_str(to, "hello", 5);
    idt_pack_array(to, 1);
    idt_pack_map(to, secret ? 2 : 1);
    idt_pack_str(to, "client", 6);
    idt_pack_str(to, "idemconform", 11);
    if (secret) {
        idt_pack_str(to, "secret", 6);
        idt_pack_str(to, secret, strlen(secret));
    }
}

/* --- namespaces --------------------------------------------------------- */

void server_own_namespace(const conf_server *s, const story *of,
                          char ns[SERVER_NS_MAX]) {
    uint32_t drawn = 0;
    if (getrandom(&drawn, sizeof drawn, 0) != (ssize_t)sizeof drawn) {
        drawn = (uint32_t)getpid();
    }
    snprintf(ns, SERVER_NS_MAX, "%s.%08x.%.*s.%d.", s->prefix, drawn,
             (int)strcspn(of->file, "."), of->file, of->line);
}

static bool is_bytes(const idt_item *item) {
    return item->kind == IDT_STR || item->kind == IDT_BIN;
}

static void pack_renamed(const char *ns, const idt_item *old, idt_buf *to) {
    char name[NS_BYTES_MAX];
    size_t front = strlen(ns);
    size_t len = old->len <= NS_BYTES_MAX - front ? front + old->len : old->len;
    memcpy(name, ns, front);
    if (len > front) {
        memcpy(name + front, old->bytes + old->len - (len - front),
               len - front);
    }
    if (old->kind == IDT_STR) {
        idt_pack_str(to, name, len);
    } else {
        idt_pack_bin(to, name, len);
    }
}

bool server_rename(const char *ns, const uint8_t *bytes, size_t len,
                   idt_buf *to) {
    idt_cursor at = {bytes, bytes + len};
    idt_item frame, type, msgid, method, params, name, key;
    bool call = idt_element_bytes(bytes, len) == len &&
                idt_unpack(&at, &frame) && frame.kind == IDT_ARRAY &&
                frame.count == 4 && idt_unpack(&at, &type) &&
                idt_unpack(&at, &msgid) && idt_unpack(&at, &method) &&
                idt_unpack(&at, &params) && params.kind == IDT_ARRAY &&
                params.count >= 2;
    const uint8_t *before = at.at;
    if (!call || !idt_unpack(&at, &name) || !is_bytes(&name) ||
        name.len > NS_BYTES_MAX) {
        return false;
    }
    const uint8_t *behind = at.at;
    if (!idt_unpack(&at, &key) || !is_bytes(&key)) {
        return false;
    }
    idt_buf_add(to, bytes, (size_t)(before - bytes));
    pack_renamed(ns, &name, to);
    idt_buf_add(to, behind, (size_t)(bytes + len - behind));
    return true;
}
