/* SPDX-License-Identifier: Apache-2.0 */
/* link_tls.c -- a link's bytes, sealed by the engine that the product uses. See
 * link.h. What is at fault here ends the run: a link that is not as good as a
 * plain one would be taken for a fault of who is tested. */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/tls/tls.h"
#include "tests/conformance/link.h"

enum { RECORD_BYTES = 5 + 16384 + 256, SHAKE_MS = 60000 };

static struct {
    const char *cert, *key, *ca;
    idp_tls_context *context;
} own;

const conf_flag conf_link_client_flags[] = {
    {"tls-cert", "FILE", "the scripted servers' certificate, PEM"},
    {"tls-key", "FILE", "its key"},
    {"tls-ca", "FILE", "who has signed it"},
    {NULL, NULL, NULL}};
const conf_flag conf_link_server_flags[] = {
    CONF_START_FLAGS,
    {"tls-ca", "FILE", "who has signed the server's certificate"},
    {NULL, NULL, NULL}};
const char conf_link_scheme[] = "idems";

bool conf_link_take_flag(const char *name, const char *value) {
    const char **to = strcmp(name, "tls-cert") == 0  ? &own.cert
                      : strcmp(name, "tls-key") == 0 ? &own.key
                                                     : &own.ca;
    *to = value;
    return true;
}

bool conf_link_ready(void) {
    idp_tls_why why;
    const idp_tls_settings settings = {
        .cert_file = own.cert, .key_file = own.key, .ca_file = own.ca};
    own.context = idp_tls_context_new(&settings, &why);
    if (own.context == NULL) {
        fprintf(stderr, "idemconform: %s\n", why.text);
    }
    return own.context != NULL;
}

/* Addresses are the process' own, and in no certificate. */
void conf_link_uri_tail(char *to, size_t cap) {
    snprintf(to, cap, "&ca=%s&verify=ca", own.ca);
}

bool conf_link_accept(conf_link *link, int fd) {
    *link = (conf_link){.fd = fd, .seal = idp_tls_accept(own.context, false)};
    assert(link->seal != NULL);
    return true;
}

void conf_link_close(conf_link *link) {
    if (link->fd >= 0) {
        close(link->fd);
    }
    idp_tls_free(link->seal);
    *link = (conf_link){.fd = -1};
}

/* Sends all that waits, and that. */
static bool push_sealed(conf_link *link, const uint8_t *bytes, size_t len,
                        bool by_byte) {
    uint8_t sealed[RECORD_BYTES];
    idp_slice plain = {bytes, len};
    do {
        size_t left = plain.len;
        size_t part = idp_tls_write(link->seal, &plain, sealed, sizeof sealed);
        if (!conf_link_push(link->fd, sealed, part, by_byte)) {
            return false;
        }
        if (part == 0 && left > 0 && left == plain.len) {
            return false;
        }
    } while (plain.len > 0 || idp_tls_wants_write(link->seal));
    return true;
}

/* -1 and EAGAIN: nothing that was said to us. */
static ssize_t open_sealed(conf_link *link, idp_slice came, uint8_t *to,
                           size_t room) {
    size_t len = idp_tls_read(link->seal, &came, to, room);
    bool sent = push_sealed(link, NULL, 0, false);
    assert(len < room);
    if (len > 0) {
        return (ssize_t)len;
    }
    if (!sent || idp_tls_state_of(link->seal) >= IDP_TLS_ENDED) {
        return 0;
    }
    errno = EAGAIN;
    return -1;
}

ssize_t conf_link_recv(conf_link *link, uint8_t *to, size_t room) {
    uint8_t sealed[16384];
    assert(room > sizeof sealed + RECORD_BYTES);
    ssize_t got = recv(link->fd, sealed, sizeof sealed, MSG_DONTWAIT);
    if (got <= 0) {
        return got;
    }
    return open_sealed(link, (idp_slice){sealed, (size_t)got}, to, room);
}

bool conf_link_connect(conf_link *link, int fd) {
    uint8_t room[2 * RECORD_BYTES];
    *link = (conf_link){
        .fd = fd,
        .seal = idp_tls_connect(own.context, "localhost", IDP_TLS_VERIFY_CA)};
    assert(link->seal != NULL);
    bool good = push_sealed(link, NULL, 0, false);
    while (good && idp_tls_state_of(link->seal) == IDP_TLS_HANDSHAKE) {
        struct pollfd ready = {fd, POLLIN, 0};
        good = poll(&ready, 1, SHAKE_MS) > 0;
        if (good) {
            ssize_t got = conf_link_recv(link, room, sizeof room);
            good = got < 0 && errno == EAGAIN;
        }
    }
    if (!good) {
        fprintf(stderr, "idemconform: no TLS: %s\n",
                idp_tls_why_of(link->seal));
        conf_link_close(link);
    }
    return good;
}

void conf_link_send(conf_link *link, const uint8_t *bytes, size_t len,
                    bool by_byte) {
    (void)push_sealed(link, bytes, len, by_byte);
}

/* Who leaves says so in a record first: that something came is no sign. */
bool conf_link_is_open(const conf_link *link) {
    struct pollfd ready = {link->fd, POLLRDHUP, 0};
    return poll(&ready, 1, 0) == 0;
}
