/* SPDX-License-Identifier: Apache-2.0 */
/* addresses_test.c -- names with several addresses, of which some are silent,
 * and names that nobody can look up: each address and each host has its share
 * of the time.
 *
 * The resolver is ours: "silent-first.test" has an address whose connects get
 * no answer, and behind it the one where the server is. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netdb.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/conn_turn.h"
#include "tests/unit/client/script.h"

#define SILENT "127.0.0.2"
#define SERVER "127.0.0.1"

static _Atomic int stuck = 1;
static _Atomic int lookups;

static struct addrinfo *entry(const char *ip, const char *port,
                              struct addrinfo *next) {
    struct addrinfo *made = calloc(1, sizeof *made);
    struct sockaddr_in *to = calloc(1, sizeof *to);
    to->sin_family = AF_INET;
    to->sin_port = htons((uint16_t)atoi(port));
    inet_pton(AF_INET, ip, &to->sin_addr);
    made->ai_family = AF_INET;
    made->ai_socktype = SOCK_STREAM;
    made->ai_addr = (struct sockaddr *)to;
    made->ai_addrlen = sizeof *to;
    made->ai_next = next;
    return made;
}

int getaddrinfo(const char *host, const char *port,
                const struct addrinfo *hints, struct addrinfo **found) {
    struct in_addr ip;
    if (inet_pton(AF_INET, host, &ip) == 1) {
        *found = entry(host, port, NULL);
        return 0;
    }
    if (hints->ai_flags & AI_NUMERICHOST)
        return EAI_NONAME;
    atomic_fetch_add(&lookups, 1);
    while (strcmp(host, "stuck.test") == 0 && atomic_load(&stuck))
        usleep(1000);
    *found = entry(SERVER, port, NULL);
    if (strcmp(host, "silent-first.test") == 0)
        *found = entry(SILENT, port, *found);
    if (strcmp(host, "silent.test") == 0) {
        freeaddrinfo(*found);
        *found = entry(SILENT, port, entry(SILENT, port, NULL));
    }
    return 0;
}

void freeaddrinfo(struct addrinfo *found) {
    while (found != NULL) {
        struct addrinfo *next = found->ai_next;
        free(found->ai_addr);
        free(found);
        found = next;
    }
}

/* --- the silent address, at the server's port */

typedef struct silence {
    int listener;
    int fillers[8];
} silence;

static void to_silent(struct sockaddr_in *to, uint16_t port) {
    *to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, SILENT, &to->sin_addr);
}

/* Its queue of connections is full: the kernel drops every further SYN. */
static silence be_silent(uint16_t port) {
    silence s = {.listener = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in to;
    int one = 1;
    to_silent(&to, port);
    setsockopt(s.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    cr_assert_eq(bind(s.listener, (struct sockaddr *)&to, sizeof to), 0);
    cr_assert_eq(listen(s.listener, 0), 0);
    for (int i = 0; i < 8; i++) {
        s.fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(s.fillers[i], (struct sockaddr *)&to, sizeof to);
    }
    struct pollfd last = {.fd = s.fillers[7], .events = POLLOUT};
    cr_assert_eq(poll(&last, 1, 200), 0, "a SYN was not dropped");
    return s;
}

/* It takes connections, and never says a word. */
static silence be_mute(uint16_t port) {
    silence s = {.listener = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in to;
    to_silent(&to, port);
    memset(s.fillers, -1, sizeof s.fillers);
    cr_assert_eq(bind(s.listener, (struct sockaddr *)&to, sizeof to), 0);
    cr_assert_eq(listen(s.listener, 64), 0);
    return s;
}

static void speak_again(silence *s) {
    for (int i = 0; i < 8; i++)
        if (s->fillers[i] >= 0)
            close(s->fillers[i]);
    close(s->listener);
}

static script granting;

static fake_server *start(void) {
    granting = (script){.replies = {answer_with(fake_acquired(5))},
                        .replies_count = 1};
    return serve(&granting);
}

/* --- both clients */

static int32_t ask_client(const char *uri, idem_error *err) {
    idem_client *client = open_client(uri);
    idem_args args = args_of("k");
    int32_t code = idem_acquire(client, &args, NULL, err);
    idem_client_close(client);
    return code;
}

static void hear(void *ctx, const idem_answer *answer, const idem_error *err) {
    *(int32_t *)ctx = answer != NULL ? answer->outcome : err->code;
}

static int32_t ask_conn(const char *uri) {
    idem_conn *conn = NULL;
    idem_args args = args_of("k");
    int32_t heard = 0;
    cr_assert_eq(idem_conn_open(uri, idem_now_ms(), &conn, NULL), 0);
    idem_conn_call(conn, IDEM_ACQUIRE, &args, idem_now_ms(), hear, &heard);
    while (heard == 0)
        idt_conn_turn(conn);
    idem_conn_close(conn);
    return heard;
}

static const char *uri_of(const char *hosts, uint16_t port, const char *more) {
    static char uri[512];
    snprintf(uri, sizeof uri, "idem://%s:%u%s", hosts, port, more);
    return uri;
}

/* By the blocking client, and by a connection of a loop. */
static void both_reach(const char *uri) {
    idem_error err = IDEM_ERROR_INIT;
    cr_assert_eq(ask_client(uri, &err), 0, "%s", err.text);
    cr_assert_eq(ask_conn(uri), IDEM_ACQUIRED);
}

/* --- stories */

Test(addresses, a_silent_first_address_leaves_the_second_its_share) {
    fake_server *server = start();
    silence s = be_silent(fake_port(server));
    const char *uri = uri_of("silent-first.test", fake_port(server), "/t");
    both_reach(uri);
    speak_again(&s);
    fake_stop(server);
}

Test(addresses, one_that_connects_and_never_answers_does_too) {
    fake_server *server = start();
    silence s = be_mute(fake_port(server));
    const char *uri = uri_of("silent-first.test", fake_port(server), "/t");
    both_reach(uri);
    speak_again(&s);
    fake_stop(server);
}

Test(addresses, silent_hosts_of_a_list_leave_the_last_one_its_share) {
    fake_server *server = start();
    uint16_t port = fake_port(server);
    silence s = be_silent(port);
    char hosts[256];
    snprintf(hosts, sizeof hosts,
             "silent.test:%u," SILENT ":%u,silent.test:%u," SILENT ":%u," SILENT
             ":%u," SERVER,
             port, port, port, port, port);
    const char *uri = uri_of(hosts, port, "/t?timeout_ms=20000");
    both_reach(uri);
    speak_again(&s);
    fake_stop(server);
}

Test(addresses, a_name_that_nobody_looks_up_leaves_the_next_host_its_share) {
    fake_server *server = start();
    char hosts[128];
    snprintf(hosts, sizeof hosts, "stuck.test:%u," SERVER, fake_port(server));
    const char *uri = uri_of(hosts, fake_port(server), "/t");
    both_reach(uri);
    fake_stop(server);
}

Test(addresses, a_lookup_holds_no_call_beyond_its_deadline) {
    fake_server *server = start();
    const char *uri =
        uri_of("stuck.test", fake_port(server), "/t?timeout_ms=100");
    idem_error err = IDEM_ERROR_INIT;
    idem_client *client = open_client(uri);
    idem_args args = args_of("k");
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_CONNECT);
    cr_assert(strstr(err.text, "resolver") != NULL, "%s", err.text);
    while (atomic_load(&lookups) == 0) /* its thread may be late */
        usleep(1000);
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), IDEM_E_CONNECT);
    cr_assert_eq(lookups, 1, "the one under way is waited for again");
    atomic_store(&stuck, 0);
    args.timeout_ms = 30000;
    cr_assert_eq(idem_acquire(client, &args, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(lookups, 1);
    idem_client_close(client);
    fake_stop(server);
}
