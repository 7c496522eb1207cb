/* SPDX-License-Identifier: Apache-2.0 */
/* points_service.c -- an HTTP service that runs as several instances behind a
 * load balancer and takes points once per Idempotency-Key.
 *
 * Only its flags are here; the handler is in match.c. */
#include "client/examples/match.h"
#include "client/examples/web.h"

#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS    32 /* a handler blocks its thread: while it works or waits */
#define EXIT_USAGE 64

typedef struct flags {
    match_service service;
    const char *store;
    uint16_t port;
} flags;

static void usage(FILE *to) {
    fputs(
        "usage: points_service [flags]\n"
        "  --name TEXT      sent as X-Backend (points)\n"
        "  --port PORT      on 127.0.0.1; 0: a free one (0)\n"
        "  --store URI      the idemstored (idem://127.0.0.1:7117/points), or\n"
        "                   a pair of them: idem://a:7117,b:7117/points\n"
        "  --ledger FILE    shared by all instances (points.ledger)\n"
        "  --lease MS       how long a handler may take (10000)\n"
        "  --wait MS        let a duplicate wait for the answer (0: 409)\n"
        "  --ttl MS         how long an answer is replayed (86400000)\n"
        "  --answer-bytes N a longer answer is stored without its body\n"
        "                   (1048576)\n"
        "  --principal NAME the header in which the proxy says who is\n"
        "                   authenticated; none: a key is anyone's (none)\n"
        "  --on-unavailable closed|open  when the store is away: 503, or play\n"
        "                   without asking (closed)\n"
        "  --rehearse       obey X-Rehearse: sleep-MS, note-BYTES, fail, "
        "crash,\n"
        "                   die-before, die-after\n",
        to);
}

/* Who the proxy in front says it is; it removes what a client says. */
static const char *principal_header(const void *name,
                                    const web_request *request) {
    const char *value = web_request_header(request, name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static uint32_t number(const char *flag, const char *text, uint32_t max) {
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != '\0' || value > max) {
        fprintf(stderr, "points_service: --%s %s: 0..%" PRIu32 "\n", flag, text,
                max);
        exit(EXIT_USAGE);
    }
    return (uint32_t)value;
}

static bool choice(const char *flag, const char *text, const char *no,
                   const char *yes) {
    if (strcmp(text, no) != 0 && strcmp(text, yes) != 0) {
        fprintf(stderr, "points_service: --%s %s: %s or %s\n", flag, text, no,
                yes);
        exit(EXIT_USAGE);
    }
    return strcmp(text, yes) == 0;
}

static void set_principal(once *o, const char *text) {
    o->for_anyone = strcmp(text, "none") == 0;
    o->principal = o->for_anyone ? NULL : principal_header;
    o->principal_ctx = text;
}

static void set_flag(flags *f, int which, const char *flag) {
    once *o = &f->service.once;
    switch (which) {
    case 'n':
        f->service.name = optarg;
        break;
    case 'p':
        f->port = (uint16_t)number(flag, optarg, UINT16_MAX);
        break;
    case 's':
        f->store = optarg;
        break;
    case 'l':
        f->service.ledger_path = optarg;
        break;
    case 'e':
        o->lease_ms = number(flag, optarg, 3600000);
        break;
    case 'w':
        o->wait_ms = number(flag, optarg, 60000);
        break;
    case 't':
        o->ttl_ms = number(flag, optarg, 86400000);
        break;
    case 'b':
        o->answer_bytes = number(flag, optarg, IDEM_HTTP_RESULT_BYTES_MAX);
        break;
    case 'i':
        set_principal(o, optarg);
        break;
    case 'u':
        o->open = choice(flag, optarg, "closed", "open");
        break;
    case 'r':
        f->service.rehearse = true;
        break;
    case 'h':
        usage(stdout);
        exit(EXIT_SUCCESS);
    default:
        usage(stderr);
        exit(EXIT_USAGE);
    }
}

static void parse_flags(int argc, char **argv, flags *f) {
    static const struct option names[] = {
        {"name", required_argument, NULL, 'n'},
        {"port", required_argument, NULL, 'p'},
        {"store", required_argument, NULL, 's'},
        {"ledger", required_argument, NULL, 'l'},
        {"lease", required_argument, NULL, 'e'},
        {"wait", required_argument, NULL, 'w'},
        {"ttl", required_argument, NULL, 't'},
        {"answer-bytes", required_argument, NULL, 'b'},
        {"principal", required_argument, NULL, 'i'},
        {"on-unavailable", required_argument, NULL, 'u'},
        {"rehearse", no_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int which, index = 0;
    while ((which = getopt_long(argc, argv, "", names, &index)) != -1)
        set_flag(f, which, names[index].name);
}

static void block_signals(sigset_t *stop) {
    sigemptyset(stop);
    sigaddset(stop, SIGTERM);
    sigaddset(stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, stop, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv) {
    flags f = {.service = {.name = "points",
                           .ledger_path = "points.ledger",
                           .once = {.lease_ms = 10000, .for_anyone = true}},
               .store = "idem://127.0.0.1:7117/points"};
    idem_error err = {.size = sizeof err};
    sigset_t stop;
    int signal_number;
    parse_flags(argc, argv, &f);
    block_signals(&stop); /* before there are threads: they inherit it */
    if (idem_client_open(f.store, &f.service.once.client, &err) != IDEM_OK) {
        fprintf(stderr, "points_service: --store: %s\n", err.text);
        return EXIT_USAGE;
    }
    web_server *web =
        web_server_open(f.port, THREADS, match_handle, &f.service);
    if (web == NULL) {
        fprintf(stderr, "points_service: can't listen on port %u\n", f.port);
        idem_client_close(f.service.once.client);
        return EXIT_FAILURE;
    }
    printf("points_service %s: listening on 127.0.0.1:%u\n", f.service.name,
           web_server_port(web));
    fflush(stdout);
    sigwait(&stop, &signal_number);
    web_server_close(web);
    idem_client_close(f.service.once.client);
    return EXIT_SUCCESS;
}
