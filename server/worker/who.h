/* SPDX-License-Identifier: Apache-2.0 */
/* who.h -- whose connection it is, for the log: where it comes from, and what
 * it calls itself in hello. */
#ifndef IDS_WHO_H
#define IDS_WHO_H

#include "proto/terms.h"
#include "server/access/failures.h"
#include "server/base/log.h"

struct sockaddr;

typedef struct ids_who {
    uint8_t address[16]; /* 4 or 16 bytes of it */
    uint32_t pid;        /* a unix socket's other side; 0: not told */
    uint16_t port;
    uint8_t family;   /* AF_INET ...; 0: not known */
    bool is_own_user; /* a unix socket's other side: root's, or this one's */
    char *client;     /* escaped; NULL: it has not said */
} ids_who;

/* Who has come to fd from this address. One of IPv4 in IPv6's form
 * (::ffff:10.0.0.1) is taken for what it is, here and in read. */
void ids_who_set(ids_who *who, int fd, const struct sockaddr *from);
/* Nobody but an address, as text. False: it is none, and who is nobody. */
bool ids_who_read(ids_who *who, const char *address);
/* Whether it is this machine: loopback, or a unix socket. */
bool ids_who_is_local(const ids_who *who);
/* hello's client; kept as a copy, with what is not printable as \xHH. */
void ids_who_name(ids_who *who, idp_slice client);
void ids_who_fini(ids_who *who);

/* Where it comes from, as wrong secrets are counted: an address of IPv4, the
 * first half of one of IPv6; all of this machine's unix sockets are one. */
ids_source ids_who_source(const ids_who *who);

/* Where it comes from, printable: with its port, and without. */
#define IDS_WHO_FROM_BYTES 64
void ids_who_from(const ids_who *who, char to[static IDS_WHO_FROM_BYTES]);
void ids_who_host(const ids_who *who, char to[static IDS_WHO_FROM_BYTES]);

/* A line about a connection: who it is, and a reason. msg: static text. */
void ids_log_who(ids_log_level level, const char *msg, const ids_who *who,
                 const char *reason);

#endif
