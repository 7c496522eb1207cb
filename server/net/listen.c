/* SPDX-License-Identifier: Apache-2.0 */
/* listen.c -- see listen.h. */
#include "server/net/listen.h"

#include "server/base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *listener_flag_of(bool is_http) {
    return is_http ? "--http" : "--listen";
}

static bool complain_listener(const char *what, const ids_listener *of,
                              const char *why) {
    ids_log(IDS_LOG_ERROR, what, "at=\"%s %s\" reason=\"%s\"",
            listener_flag_of(of->is_http), of->words, why);
    return false;
}

/* Flags ---------------------------------------------------------------------
 */

static in_port_t *port_of(ids_address *address) {
    switch (address->at.ss_family) {
    case AF_INET:
        return &((struct sockaddr_in *)&address->at)->sin_port;
    case AF_INET6:
        return &((struct sockaddr_in6 *)&address->at)->sin6_port;
    default:
        return NULL;
    }
}

static bool takes_free_port(const ids_address *address) {
    ids_address copy = *address;
    const in_port_t *port = port_of(&copy);
    return port && !*port;
}

static const ids_listener *find_same(const ids_listeners *l,
                                     const ids_address *address) {
    for (uint32_t i = 0; i < l->count; i++)
        if (ids_address_is_same(&l->all[i].address, address))
            return &l->all[i];
    return NULL;
}

/* The same address twice (a name and what it stands for) is one socket. */
static bool add_listener(ids_listeners *l, const ids_listener *one) {
    const ids_listener *same = find_same(l, &one->address);
    bool differs = same && same->is_http != one->is_http;
    if (differs && !takes_free_port(&one->address))
        return complain_listener("can't listen", one,
                                 "it is an address of --listen already");
    if (same && !differs)
        return true;
    if (l->count == IDS_LISTENERS_MAX)
        return complain_listener("can't listen", one, "too many addresses");
    l->all[l->count++] = *one;
    return true;
}

/* of: what it says but its address. */
static bool read_flag(ids_listeners *l, const ids_listener *of,
                      const char *why_closed) {
    ids_address found[IDS_LISTENERS_MAX];
    char why[256];
    size_t count =
        ids_address_parse(found, IDS_LISTENERS_MAX, of->words, why, sizeof why);
    if (!count)
        return complain_listener("can't listen", of, why);
    for (size_t i = 0; i < count; i++) {
        ids_listener one = *of;
        one.address = found[i];
        if (!ids_address_is_local(&found[i]) && why_closed)
            return complain_listener("refused to listen", of, why_closed);
        if (!add_listener(l, &one))
            return false;
    }
    return true;
}

const char *ids_listeners_why_closed(const ids_config *config) {
    if (config->insecure)
        return NULL;
    if (config->credentials && !config->tls_cert)
        return "beyond loopback --credentials need TLS (--tls-cert), or "
               "everybody on the way reads the secrets (or --insecure, if the "
               "network is as good as this machine)";
    /* Nobody without a certificate of ours is as good as nobody without a
     * secret. */
    return config->credentials || config->secret_file ||
                   ids_config_knows_clients(config)
               ? NULL
               : "beyond loopback a --secret-file is needed (or --insecure, "
                 "if everybody there may do everything)";
}

const char *ids_listeners_why_http_closed(const ids_config *config) {
    bool has_secrets = config->credentials || config->secret_file;
    return has_secrets && !config->tls_cert && !config->insecure
               ? "beyond loopback HTTP with secrets needs TLS (--tls-cert), or "
                 "everybody on the way reads them (or --insecure, if the "
                 "network is as good as this machine)"
               : NULL;
}

static void warn_of_probes(const ids_listeners *l, const ids_config *config) {
    if (config->credentials || config->secret_file)
        return;
    for (uint32_t i = 0; i < l->count; i++)
        if (l->all[i].is_http && !ids_address_is_local(&l->all[i].address))
            ids_log(IDS_LOG_WARN,
                    "beyond this machine HTTP answers probes alone",
                    "at=\"--http %s\" see=--credentials", l->all[i].words);
}

bool ids_listeners_read(ids_listeners *l, const ids_config *config) {
    *l = (ids_listeners){.mode = (mode_t)config->socket_mode};
    const char *why_closed = ids_listeners_why_closed(config);
    for (uint32_t i = 0; i < config->listen_count; i++) {
        const ids_listener of = {.fd = -1, .words = config->listen[i], .of = i};
        if (!read_flag(l, &of, why_closed))
            return false;
    }
    why_closed = ids_listeners_why_http_closed(config);
    for (uint32_t i = 0; i < config->http.count; i++) {
        const ids_listener of = {.fd = -1,
                                 .words = config->http.all[i],
                                 .of = IDS_LISTEN_MAX + i,
                                 .is_http = true};
        if (!read_flag(l, &of, why_closed))
            return false;
    }
    warn_of_probes(l, config);
    return true;
}

/* Sockets ------------------------------------------------------------------ */

/* Port 0 of a name is one free port for all of its addresses, where that can
 * be had. */
static void share_port(const ids_listeners *l, ids_listener *one) {
    in_port_t *port = port_of(&one->address);
    for (const ids_listener *other = l->all; port && !*port && other < one;
         other++) {
        ids_address bound = {.len = sizeof bound.at};
        if (other->of != one->of || other->fd < 0)
            continue;
        getsockname(other->fd, (struct sockaddr *)&bound.at, &bound.len);
        *port = *port_of(&bound);
    }
}

static void note_file(ids_listener *one) {
    const struct sockaddr_un *un = (struct sockaddr_un *)&one->address.at;
    struct stat about;
    if (one->address.at.ss_family != AF_UNIX ||
        lstat(un->sun_path, &about) != 0)
        return;
    one->device = about.st_dev;
    one->inode = about.st_ino;
}

/* errno's; why says it in words. */
static int open_one(ids_listeners *l, ids_listener *one, char *why,
                    size_t why_cap) {
    in_port_t *port = port_of(&one->address);
    bool any_port = port && !*port;
    share_port(l, one);
    one->fd = ids_address_listen(&one->address, l->mode, why, why_cap);
    if (one->fd < 0 && any_port && errno == EADDRINUSE) {
        *port = 0;
        one->fd = ids_address_listen(&one->address, l->mode, why, why_cap);
    }
    if (one->fd < 0)
        return errno;
    note_file(one);
    return 0;
}

static bool is_not_ours(int error) {
    return error == EADDRNOTAVAIL || error == EAFNOSUPPORT;
}

static uint32_t open_of(const ids_listeners *l, uint32_t of) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < l->count; i++)
        count += l->all[i].of == of && l->all[i].fd >= 0;
    return count;
}

/* Whether others of the flag's are open, or may yet be. */
static bool listener_has_others(const ids_listeners *l,
                                const ids_listener *one) {
    return open_of(l, one->of) > 0 ||
           (one + 1 < l->all + l->count && one[1].of == one->of);
}

static void leave_out(ids_listeners *l, ids_listener *one, const char *why) {
    ids_log(IDS_LOG_WARN, "one of its addresses is not this machine's",
            "at=\"%s %s\" reason=\"%s\"", listener_flag_of(one->is_http),
            one->words, why);
    memmove(one, one + 1,
            (size_t)(l->all + l->count - (one + 1)) * sizeof *one);
    l->count--;
}

bool ids_listeners_open(ids_listeners *l) {
    for (uint32_t i = 0; i < l->count;) {
        char why[256];
        ids_listener *one = &l->all[i];
        int error = open_one(l, one, why, sizeof why);
        if (!error)
            i++;
        else if (is_not_ours(error) && listener_has_others(l, one))
            leave_out(l, one, why);
        else
            return complain_listener("can't listen", one, why);
    }
    return true;
}

/* As long as our socket is open nobody else's file has its number. */
static void remove_socket_file(const ids_listener *one) {
    const struct sockaddr_un *un = (const struct sockaddr_un *)&one->address.at;
    struct stat about;
    if (one->address.at.ss_family != AF_UNIX ||
        lstat(un->sun_path, &about) != 0)
        return;
    if (about.st_dev == one->device && about.st_ino == one->inode)
        unlink(un->sun_path);
    else
        ids_log(IDS_LOG_WARN, "a socket's file was replaced: it is left alone",
                "at=\"%s %s\"", listener_flag_of(one->is_http), one->words);
}

void ids_listener_close(ids_listener *one) {
    if (one->fd < 0)
        return;
    remove_socket_file(one);
    close(one->fd);
    one->fd = -1;
}
