/* SPDX-License-Identifier: Apache-2.0 */
/* link.h -- how bytes travel over a connection of the suite's: as they are, in
 * the program that is shipped; sealed, in a second one that the tests build
 * (link_plain.c, link_tls.c). The suite above it is the same. */
#ifndef CONF_LINK_H
#define CONF_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/conformance/suite.h"

typedef struct conf_link {
    int fd;     /* -1: closed */
    void *seal; /* link_tls.c's; NULL: none, or none yet */
} conf_link;

#define CONF_START_FLAGS                                                       \
    {"start", "CMD", "starts CMD anew for each case, told where to listen"}, { \
        "again", NULL, "a story fails if it does so at each of three paces"    \
    }

/* Flags of the two modes that have connections, and what takes those that are
 * none of those. */
extern const conf_flag conf_link_client_flags[];
extern const conf_flag conf_link_server_flags[];
bool conf_link_take_flag(const char *name, const char *value);
/* After the flags. False: it said why on stderr. */
bool conf_link_ready(void);

/* "idem" or "idems"; what a client under test needs to be told of it behind
 * its URI's question mark, "" or "&...". */
extern const char conf_link_scheme[];
void conf_link_uri_tail(char *to, size_t cap);

/* Over a descriptor, which it owns from then on. False: closed again. */
bool conf_link_accept(conf_link *link, int fd);
bool conf_link_connect(conf_link *link, int fd);
void conf_link_close(conf_link *link);

/* As a recv that does not wait. At least 32 KiB of room. */
ssize_t conf_link_recv(conf_link *link, uint8_t *to, size_t room);
/* Takes what has come, and does not look at it: whoever sent it is to find
 * that nothing at all comes back. */
ssize_t conf_link_ignore(conf_link *link);
/* All of it; by_byte: each byte of what travels on its own. */
void conf_link_send(conf_link *link, const uint8_t *bytes, size_t len,
                    bool by_byte);
/* Nothing has ended it over there. */
bool conf_link_is_open(const conf_link *link);

/* Of both: sends what travels. False: it is gone. */
bool conf_link_push(int fd, const uint8_t *bytes, size_t len, bool by_byte);

#endif
