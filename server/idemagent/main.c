/* SPDX-License-Identifier: Apache-2.0 */
/* main.c -- idemagent: the failover agent of one idemstored. */
#include "server/base/log.h"
#include "server/idemagent/http.h"
#include "server/io/notify.h"

#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 64, EXIT_CONFIG = 78, TURN_MS = 250 };

static volatile sig_atomic_t ends;

static void on_end_signal(int signal) {
    (void)signal;
    ends = 1;
}

static void print_help(void) {
    puts(
        "idemagent decides with others of its kind, by a record in etcd, which "
        "idemstored\nleads; one stands beside each.\n\n"
        "  idemagent [-c FILE] [-t | -n]\n\n"
        "  -c, --config FILE    its settings; /etc/idemstore/idemagent.conf\n"
        "  -t, --test-config    reads them, asks the node and etcd once, says "
        "what it found\n"
        "  -n, --dry-run        says what it would do, and does none of it "
        "(dry_run)\n"
        "  -V, --version        its version\n"
        "  -h, --help           this\n\nSettings, KEY = VALUE:");
    ida_config_print_keys();
}

static int run_agent(const ida_config *config) {
    char why[IDA_WHY_BYTES];
    static ida_agent agent;
    static ida_http http;
    bool good = ida_agent_open(&agent, config, why) &&
                ida_http_open(&http, config->http, why);
    if (!good) {
        ids_log(IDS_LOG_ERROR, "it can't begin", "reason=\"%s\"", why);
        return EXIT_FAILURE;
    }
    ids_log(IDS_LOG_INFO, "begins", "node=%s server=%s group=%s http=%s%s",
            config->agent.node.text, config->server, config->prefix,
            config->http ? config->http : "none",
            config->dry_run ? " dry_run=1" : "");
    ids_notify_ready();
    while (!ends) {
        int fds[1 + IDA_HTTP_CONNS_MAX];
        size_t count = ida_http_fds(&http, fds);
        ida_agent_turn(&agent, fds, count, TURN_MS);
        ida_http_turn(&http, &agent);
    }
    ids_notify_stopping();
    ids_log(IDS_LOG_INFO, "ends", NULL);
    ida_http_close(&http);
    ida_agent_close(&agent);
    return EXIT_SUCCESS;
}

/* --- -t --------------------------------------------------------------------
 */

static int examine(ida_config *config) {
    char why[IDA_WHY_BYTES];
    static ida_agent agent;
    bool ready = false;
    config->dry_run = true;
    if (!ida_agent_open(&agent, config, why)) {
        fprintf(stderr, "idemagent: %s\n", why);
        return EXIT_FAILURE;
    }
    for (int turns = 0; turns < 200 && !ready && agent.now_ms != 0; turns++) {
        ida_agent_turn(&agent, NULL, 0, 20);
        ready = ida_agent_is_ready(&agent, why);
    }
    if (ready)
        printf("idemagent: the settings are good; %s answers as %s%s, etcd "
               "answers and has %s\n",
               config->server, agent.own.self.node.text,
               agent.own.leading ? ", which leads" : "",
               agent.view.revision ? "the group's record" : "no record yet");
    else
        fprintf(stderr, "idemagent: the settings can be read; %s\n", why);
    ida_agent_close(&agent);
    return ready ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv) {
    const char *path = "/etc/idemstore/idemagent.conf";
    char why[IDA_WHY_BYTES];
    ida_config config;
    bool tests = false, dry = false;
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'},
        {"test-config", no_argument, NULL, 't'},
        {"dry-run", no_argument, NULL, 'n'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "c:tnVh", names, NULL)) != -1;) {
        if (c == 'c')
            path = optarg;
        else if (c == 't')
            tests = true;
        else if (c == 'n')
            dry = true;
        else if (c == 'V' || c == 'h') {
            c == 'V' ? (void)puts("idemagent " IDEM_VERSION) : print_help();
            return EXIT_SUCCESS;
        } else {
            fputs("idemagent: see --help\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "idemagent: %s: it takes options alone; see -h\n",
                argv[optind]);
        return EXIT_USAGE;
    }
    if (sodium_init() < 0 || !ida_config_read(&config, path, why)) {
        fprintf(stderr, "idemagent: %s\n", why);
        return EXIT_CONFIG;
    }
    config.dry_run = config.dry_run || dry;
    signal(SIGPIPE, SIG_IGN);
    struct sigaction action = {.sa_handler = on_end_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    int status = tests ? examine(&config) : run_agent(&config);
    ida_config_fini(&config);
    return status;
}
