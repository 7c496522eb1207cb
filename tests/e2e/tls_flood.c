/* SPDX-License-Identifier: Apache-2.0 */
/* tls_flood.c -- strangers from many addresses connect as fast as they can: and
 * ask something in plain, or shake hands no further than to the server's
 * answer, or not even so far and stay. Beside each: somebody who is in, and
 * somebody who lives 20 ms away and wants to come in.
 *
 *   tls_flood IDEMSTORED [ms SECONDS]
 *
 * With "ms" it judges nothing, keeps the server to the first core and all else
 * to the others, and prints a table. The server, and the two that are measured,
 * go before all other work of the machine then, if that is allowed. */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "client/include/idemclient.h"
#include "tests/e2e/harness.h"
#include "tests/e2e/stranger.h"
#include "tests/lib/tls_certs.h"

/* As in long_turns. */
#define WORK_MAX (5 * 4096 + 4096)
#define LAPS_MAX (1u << 20)

static const char *program;
static char folder[32];
static uint16_t port;
static atomic_bool is_over;

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* Calls over TLS, one at a time -------------------------------------------- */

typedef struct laps {
    uint32_t *us;
    atomic_uint count;
} laps;

static idem_client *client_of(uint16_t to) {
    char uri[256];
    idem_client *client = NULL;
    idem_error err = {.size = sizeof err};
    snprintf(uri, sizeof uri,
             "idems://127.0.0.1:%u/flood?ca=%s&timeout_ms=60000", to,
             certs_path(folder, "ca.pem"));
    CHECK(idem_client_open(uri, &client, &err) == 0, "%s", err.text);
    return client;
}

static void ask(idem_client *client, const char *who, unsigned number) {
    char key[48];
    int len = snprintf(key, sizeof key, "%s %u", who, number);
    idem_args args = {.size = sizeof args, .key = key, .key_len = (size_t)len};
    idem_error err = {.size = sizeof err};
    CHECK(idem_acquire(client, &args, NULL, &err) == 0, "%s: %s", who,
          err.text);
}

static atomic_bool is_measured;

static void go_first(void) {
    if (atomic_load(&is_measured))
        sched_setscheduler(0, SCHED_RR, &(struct sched_param){1});
}

static void *be_in(void *arg) {
    laps *own = arg;
    idem_client *client = client_of(port);
    go_first();
    ask(client, "in", 0);
    while (!atomic_load(&is_over) && own->count < LAPS_MAX) {
        uint64_t before_us = now_us();
        ask(client, "in", own->count + 1);
        own->us[own->count] = (uint32_t)(now_us() - before_us);
        atomic_fetch_add(&own->count, 1);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    idem_client_close(client);
    return NULL;
}

/* Comes through a proxy that takes 10 ms each way, with a connection of its own
 * each time; a lap is from nothing to the first answer. */
static void *come_in(void *arg) {
    laps *own = arg;
    go_first(); /* and so does the proxy */
    far_proxy *proxy = far_proxy_start(port);
    while (!atomic_load(&is_over) && own->count < LAPS_MAX) {
        uint64_t before_us = now_us();
        idem_client *client = client_of(far_proxy_port(proxy));
        ask(client, "far", own->count);
        idem_client_close(client);
        own->us[own->count] = (uint32_t)(now_us() - before_us);
        atomic_fetch_add(&own->count, 1);
        e2e_sleep_ms(100);
    }
    far_proxy_stop(proxy);
    return NULL;
}

static int by_size(const void *a, const void *b) {
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return one < other ? -1 : one > other;
}

/* In ms; the laps are sorted. */
static double at_share(const laps *all, double share) {
    size_t at = (size_t)((double)all->count * share);
    if (!all->count)
        return 0;
    return all->us[at < all->count ? at : all->count - 1] / 1000.0;
}

static void laps_sort(laps *all) {
    qsort(all->us, all->count, sizeof *all->us, by_size);
}

/* One flood ---------------------------------------------------------------- */

typedef struct flood_kind {
    const char *name;
    stranger_does does;
} flood_kind;

static const flood_kind kinds[] = {
    {"nobody else", STRANGERS_NONE},
    {"plain: a ping each", STRANGERS_PING},
    {"half a handshake each", STRANGERS_SHAKE},
    {"half a hello each, and they stay", STRANGERS_STAY},
};

static void begin(daemon_t *one, bool in_ms) {
    daemon_start(one,
                 &(daemon_spec){
                     .program = program,
                     .prefix = in_ms ? "taskset -cp 0 $$ >/dev/null; "
                                       "chrt -r -p 1 $$ 2>/dev/null;"
                                     : NULL,
                     .flags = {"--threads", "1", "--log-level", "error",
                               "--max-connections", "4000", "--tls", "optional",
                               "--tls-cert", certs_path(folder, "server.pem"),
                               "--tls-key", certs_path(folder, "server.key")}});
    port = one->port;
}

static laps laps_new(void) {
    laps made = {.us = malloc(LAPS_MAX * sizeof(uint32_t))};
    CHECK(made.us != NULL, "no memory");
    return made;
}

/* Until both have done what shows that they are served, and for so long. */
static void wait_for(const laps *in, const laps *far, unsigned ms) {
    uint64_t least_ms = e2e_now_ms() + ms, until_ms = least_ms + 120000;
    while (e2e_now_ms() < least_ms || in->count < 100 || far->count < 2) {
        CHECK(e2e_now_ms() < until_ms,
              "%u calls by who is in, %u times came in who is far", in->count,
              far->count);
        e2e_sleep_ms(10);
    }
}

static void tell(const flood_kind *kind, const daemon_t *one, const laps *in,
                 const laps *far, double strangers_s, bool in_ms) {
    uint64_t work = daemon_stat(one, "turn_work_max");
    if (in_ms)
        printf("| %s | %.0f | %.2f | %.2f | %.1f | %u | %.0f, %.0f | %llu |\n",
               kind->name, strangers_s, at_share(in, 0.5), at_share(in, 0.99),
               at_share(in, 1), far->count, at_share(far, 0.5),
               at_share(far, 1), (unsigned long long)work);
    else
        printf("  %s: who is in is served, who is far comes in\n", kind->name);
    fflush(stdout);
    CHECK(in_ms || work <= WORK_MAX, "%llu in one turn",
          (unsigned long long)work);
}

static void perform(const flood_kind *kind, unsigned ms, bool in_ms) {
    daemon_t one;
    pthread_t threads[2];
    laps in = laps_new(), far = laps_new();
    begin(&one, in_ms);
    atomic_store(&is_over, false);
    strangers *all = strangers_start(port, kind->does, 256);
    pthread_create(&threads[0], NULL, be_in, &in);
    pthread_create(&threads[1], NULL, come_in, &far);
    uint64_t before_ms = e2e_now_ms();
    wait_for(&in, &far, ms);
    double s = (double)(e2e_now_ms() - before_ms) / 1000;
    double strangers_s = (double)strangers_came(all) / s;
    strangers_stop(all);
    atomic_store(&is_over, true);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    laps_sort(&in);
    laps_sort(&far);
    tell(kind, &one, &in, &far, strangers_s, in_ms);
    daemon_stop(&one);
    free(in.us);
    free(far.us);
}

/* All but the first core, if there are several. */
static void leave_first_core(void) {
    cpu_set_t cores;
    CHECK(sched_getaffinity(0, sizeof cores, &cores) == 0, "no affinity");
    if (CPU_COUNT(&cores) > 1) {
        CPU_CLR(0, &cores);
        CHECK(sched_setaffinity(0, sizeof cores, &cores) == 0, "no affinity");
    }
}

int main(int argc, char **argv) {
    bool in_ms = argc > 3 && strcmp(argv[2], "ms") == 0;
    unsigned ms = in_ms ? 1000 * (unsigned)strtoul(argv[3], NULL, 10) : 1000;
    CHECK(argc > 1, "usage: tls_flood IDEMSTORED [ms SECONDS]");
    program = argv[1];
    certs_begin(folder);
    certs_make_usual(folder);
    atomic_store(&is_measured, in_ms);
    if (in_ms) {
        leave_first_core();
        puts("| beside | strangers a second | p50 of who is in, ms | p99 | "
             "longest | who is far came in | p50, longest, ms | work of the "
             "longest turn |\n|---|---|---|---|---|---|---|---|");
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        perform(&kinds[i], ms, in_ms);
    certs_end(folder);
    return 0;
}
