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
        "  --rehearse       obey X-Rehearse: sleep-MS, fail, die-before,\n"
        "                   die-after\n",
        to);
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

static void parse_flags(int argc, char **argv, flags *f) {
    static const struct option names[] = {
        {"name", required_argument, NULL, 'n'},
        {"port", required_argument, NULL, 'p'},
        {"store", required_argument, NULL, 's'},
        {"ledger", required_argument, NULL, 'l'},
        {"lease", required_argument, NULL, 'e'},
        {"wait", required_argument, NULL, 'w'},
        {"rehearse", no_argument, NULL, 'r'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    int which, index = 0;
    while ((which = getopt_long(argc, argv, "", names, &index)) != -1) {
        const char *flag = names[index].name;
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
            f->service.lease_ms = number(flag, optarg, 3600000);
            break;
        case 'w':
            f->service.wait_ms = number(flag, optarg, 60000);
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
                           .lease_ms = 10000},
               .store = "idem://127.0.0.1:7117/points"};
    idem_error err = {.size = sizeof err};
    sigset_t stop;
    int signal_number;
    parse_flags(argc, argv, &f);
    block_signals(&stop); /* before there are threads: they inherit it */
    if (idem_client_open(f.store, &f.service.client, &err) != IDEM_OK) {
        fprintf(stderr, "points_service: --store: %s\n", err.text);
        return EXIT_USAGE;
    }
    web_server *web =
        web_server_open(f.port, THREADS, match_handle, &f.service);
    if (web == NULL) {
        fprintf(stderr, "points_service: can't listen on port %u\n", f.port);
        idem_client_close(f.service.client);
        return EXIT_FAILURE;
    }
    printf("points_service %s: listening on 127.0.0.1:%u\n", f.service.name,
           web_server_port(web));
    fflush(stdout);
    sigwait(&stop, &signal_number);
    web_server_close(web);
    idem_client_close(f.service.client);
    return EXIT_SUCCESS;
}
