/* SPDX-License-Identifier: Apache-2.0 */
/* server.h -- the server under test: one that runs at an address, or one that
 * a command starts anew for each story. */
#ifndef CONF_SERVER_H
#define CONF_SERVER_H

#include "tests/conformance/story.h"
#include "tests/lib/pack.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { SERVER_NS_MAX = 60, SERVER_PREFIX_MAX = 20 };

typedef struct server_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un path;
    } at;
    socklen_t len;
} server_address;

typedef struct conf_server {
    const char *start; /* the command; NULL: the one at the address */
    server_address address;
    char secret[257];                   /* "": none */
    char prefix[SERVER_PREFIX_MAX + 1]; /* of its namespaces */
} conf_server;

/* idem://[:SECRET@]HOST[:PORT][/PREFIX], idem+unix://[:SECRET@]/PATH. False:
 * why, in a sentence, is in say. */
bool server_read_uri(conf_server *s, const char *uri, char *say,
                     size_t say_cap);

/* A descriptor, or -1 with errno. */
int server_connect(const server_address *to);

/* [0, 0, "hello", [{"client": "idemconform", "secret": ...}]] */
void server_pack_hello(idt_buf *to, const char *secret);

/* --- one that runs: namespaces of its own ------------------------------- */

/* A prefix for this story and this run: "idemconform.5f3a0c21.acquire.12." */
void server_own_namespace(const conf_server *s, const story *of,
                          char ns[SERVER_NS_MAX]);

/* A request whose first params are a namespace and a key gets the prefix.
 * False: it is none, send it as it stands. A namespace that has no room for
 * the prefix keeps its length, so that the limit's edge stays where it is. */
bool server_rename(const char *ns, const uint8_t *bytes, size_t len,
                   idt_buf *to);

/* --- one that a command starts ------------------------------------------ */

typedef struct server_own server_own;

/* Runs COMMAND --listen HOST:PORT --threads 2 and what the story asks for, and
 * waits until it takes connections. NULL: why is in say. */
server_own *server_own_start(const char *command, const story *of,
                             server_address *to, char *say, size_t say_cap);
void server_own_tell_stop(server_own *own);

/* Ends it. False when it ended by itself, did not end well when told, or its
 * log has a sanitizer's words. */
bool server_own_end(server_own *own);

#endif
