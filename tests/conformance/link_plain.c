/* SPDX-License-Identifier: Apache-2.0 */
/* link_plain.c -- a link's bytes as they are. See link.h. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/conformance/link.h"

const conf_flag conf_link_client_flags[] = {{NULL, NULL, NULL}};
const conf_flag conf_link_server_flags[] = {CONF_START_FLAGS,
                                            {NULL, NULL, NULL}};
const char conf_link_scheme[] = "idem";

bool conf_link_take_flag(const char *name, const char *value) {
    (void)name;
    (void)value;
    return false;
}

bool conf_link_ready(void) {
    return true;
}

void conf_link_uri_tail(char *to, size_t cap) {
    (void)cap;
    *to = 0;
}

bool conf_link_accept(conf_link *link, int fd) {
    *link = (conf_link){.fd = fd};
    return true;
}

bool conf_link_connect(conf_link *link, int fd) {
    return conf_link_accept(link, fd);
}

void conf_link_close(conf_link *link) {
    if (link->fd >= 0) {
        close(link->fd);
    }
    *link = (conf_link){.fd = -1};
}

ssize_t conf_link_recv(conf_link *link, uint8_t *to, size_t room) {
    return recv(link->fd, to, room, MSG_DONTWAIT);
}

void conf_link_send(conf_link *link, const uint8_t *bytes, size_t len,
                    bool by_byte) {
    (void)conf_link_push(link->fd, bytes, len, by_byte);
}

bool conf_link_is_open(const conf_link *link) {
    char byte;
    ssize_t got = recv(link->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got > 0 || (got < 0 && errno == EAGAIN);
}
