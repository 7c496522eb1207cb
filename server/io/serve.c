/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c -- the whole daemon: sockets, threads, signals, and their end. */
#include "server/io/serve.h"

#include "server/admin/looks.h"
#include "server/base/log.h"
#include "server/base/machine.h"
#include "server/base/thread_start.h"
#include "server/io/admission.h"
#include "server/io/drain.h"
#include "server/io/live.h"
#include "server/io/notify.h"
#include "server/io/peering.h"
#include "server/io/prepare.h"
#include "server/io/recheck.h"
#include "server/io/recording.h"
#include "server/io/reload.h"
#include "server/io/signals.h"
#include "server/line/detect.h"
#include "server/net/accept.h"
#include "server/net/http.h"
#include "server/net/listen.h"
#include "server/net/proxies.h"
#include "server/os/clock.h"
#include "server/os/thread.h"
#include "server/storage/onrecord.h"
#include "server/storage/store.h"

#include <assert.h>
#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXIT_USAGE         64 /* EX_USAGE */
/* Batches that wait for a loop: a few from each of the others. */
/* Of --max-memory so much may be freed and not given back yet. */
#define IDLE_SHARE         32
/* Of a worker's part so much at least, for a region to be ready for it. */
#define PREFAULT_BYTES_MIN (128u << 20)
#define BATCHES_PER_LOOP   8
#define BATCHES_MIN        256

typedef struct process {
    const ids_config *config; /* the start's */
    const ids_settings *settings;
    const ids_given *given;
    ids_server server;
    ids_pools pools;
    ids_prefault *prefault; /* NULL: memory is too small for it */
    ids_store store;        /* open only with --data-dir */
    ids_peering peering;    /* open only with replication */
    ids_mailbox *mailboxes;
    ids_loop *loops;
    uint32_t loops_ready;
    pthread_t *threads;
    uint32_t threads_started;
    ids_places places;
    ids_tls tls; /* open only with --tls-cert */
    ids_http_policy http;
    ids_proxies proxies;
    char http_says[IDS_DETECT_HTTP_BYTES];
    ids_acceptor acceptor;
    ids_listeners listeners;
    ids_signals signals;
    ids_drain drain;
    ids_reload reload;
    ids_recheck recheck;
    ids_live live;
    ids_prepare prepare;
} process;

/* Before anything is started ----------------------------------------------- */

static bool complain(const char *what, const char *which, const char *why) {
    ids_log(IDS_LOG_ERROR, what, "at=\"%s\" reason=\"%s\"", which, why);
    return false;
}

static bool load_secrets(process *s) {
    return ids_admission_open(&s->server.access, s->config) &&
           ids_admission_peer_secrets(&s->server.peer_secret, s->config);
}

static bool open_tls(process *s) {
    char why[IDS_TLS_WHY_BYTES];
    randombytes_buf(s->tls.sources.key, sizeof s->tls.sources.key);
    return !s->config->tls_cert || ids_tls_open(&s->tls, s->config, why) ||
           complain("TLS can't be had", "--tls-cert, --tls-key, --tls-ca", why);
}

static bool read_proxies(process *s) {
    const char *bad;
    char which[128];
    if (ids_proxies_read(&s->proxies, &s->config->http_trusted_proxy, &bad))
        return true;
    snprintf(which, sizeof which, "--http-trusted-proxy %.80s", bad);
    return complain("can't start", which, IDS_PROXY_WORDS);
}

static ids_places_needs descriptors_needed(const process *s) {
    const ids_config *config = s->config;
    return (ids_places_needs){.connections_max = config->connections_max,
                              .loops = s->server.loops,
                              .has_store = config->data_dir != NULL,
                              .has_peer = ids_config_has_peer(config),
                              .replicas = ids_config_replicas(config)};
}

/* Who takes one port for the other is told the right one. */
static void tell_http_port(process *s) {
    char text[IDS_ADDRESS_TEXT_BYTES];
    const ids_listeners *l = &s->listeners;
    if (!l->count || !l->all[l->count - 1].is_http)
        return;
    ids_address_of(l->all[l->count - 1].fd, text, sizeof text);
    ids_detect_http_at(s->http_says, text);
    s->server.http_says = s->http_says;
}

static void wake_loop(void *ctx, uint32_t loop) {
    process *s = ctx;
    ids_loop_wake(&s->loops[loop]);
}

/* R11: of a node without a history. Without a name the bits are random. */
static uint64_t first_epoch(const char *name) {
    ids_node_name node = {.text = ""};
    uint64_t number;
    randombytes_buf(&number, sizeof number);
    if (name && ids_node_name_from(
                    &node, (idp_slice){(const uint8_t *)name, strlen(name)}))
        number = ids_node_number(&node);
    return ids_epoch_draw(0, ids_clock_epoch(), number);
}

/* Where nothing is on record, tokens follow the clock. */
static void doubt_clock(void) {
    uint64_t now_s = (uint64_t)time(NULL);
    if (now_s < IDEM_BUILT_UNIX_S)
        ids_log(IDS_LOG_WARN, "the clock is before this program was built",
                "unix_s=%llu built_unix_s=%llu todo=\"set it: without a record "
                "tokens would shrink\"",
                (unsigned long long)now_s,
                (unsigned long long)IDEM_BUILT_UNIX_S);
}

static bool furnish_server(process *s, const char *version, uint64_t memory) {
    const ids_config *config = s->config;
    ids_server *server = &s->server;
    server->loops =
        config->threads ? (uint32_t)config->threads : ids_machine_cores();
    if (server->loops > IDP_SHARDS_MAX)
        server->loops = IDP_SHARDS_MAX;
    randombytes_buf(server->hash_key, sizeof server->hash_key);
    randombytes_buf(&server->mix_key, sizeof server->mix_key);
    server->epoch = first_epoch(config->node);
    server->version = version;
    server->result_bytes_max = config->result_bytes_max;
    server->pending_max = (uint32_t)config->pending_max;
    server->unsent_bytes_max = 4 * config->result_bytes_max + (4u << 20);
    ids_pools_init(&s->pools, memory, server->loops);
    server->pools = &s->pools;
    if (!ids_live_init(&s->live, s->settings, server, memory))
        return complain("can't start", "namespaces", strerror(ENOMEM));
    server->buffer_bytes_max = s->live.first.limits.buffer_bytes_max;
    server->leaves = &s->drain.begun;
    server->scan_interval_ms = config->scan_interval_s * 1000;
    server->wake = wake_loop;
    server->wake_ctx = s;
    s->mailboxes = aligned_alloc(_Alignof(ids_mailbox),
                                 server->loops * sizeof *s->mailboxes);
    s->loops = calloc(server->loops, sizeof *s->loops);
    s->threads = calloc(server->loops, sizeof *s->threads);
    server->mailboxes = s->mailboxes;
    return ids_looks_open(server) && s->mailboxes && s->loops && s->threads;
}

static bool open_store(process *s) {
    if (!s->config->data_dir)
        return true;
    if (!ids_store_open(&s->store, s->config, &s->server))
        return false;
    s->server.epoch = ids_store_epoch(&s->store);
    s->server.store = ids_snapshots_handler(&s->store.snapshots);
    return true;
}

static bool open_peering(process *s) {
    char text[IDS_ADDRESS_TEXT_BYTES];
    ids_address_of(s->listeners.all[0].fd, text, sizeof text);
    if (!ids_config_has_peer(s->config))
        return ids_onrecord_may_be_alone(s->config, &s->server, text);
    if (!ids_peering_open(&s->peering, &s->server, &s->listeners))
        return false;
    s->server.takes_peers = true;
    s->server.peer = ids_peering_handler(&s->peering);
    return true;
}

static bool init_loops(process *s, uint64_t memory) {
    const ids_server *server = &s->server;
    size_t batches = BATCHES_PER_LOOP * (size_t)server->loops;
    if (memory / server->loops >= PREFAULT_BYTES_MIN)
        s->prefault = ids_prefault_new(server->loops, s->config->huge_pages);
    if (batches < BATCHES_MIN)
        batches = BATCHES_MIN;
    for (uint32_t i = 0; i < server->loops; i++) {
        const ids_loop_config config = {
            .server = server,
            .index = i,
            .places = &s->places,
            .tls = s->config->tls_cert ? &s->tls : NULL,
            .http = &s->http,
            .proxies = &s->proxies,
            .memory_bytes_max = memory,
            .idle_bytes_max = memory / IDLE_SHARE / server->loops,
            .prefault = s->prefault,
            .waiters_max = (uint32_t)s->config->waiters_max,
            .waiters_per_key_max = (uint32_t)s->config->waiters_per_key_max,
            .huge_pages = s->config->huge_pages,
            .is_kept = s->store.is_open,
            .is_replicated = s->peering.is_open,
        };
        if (!ids_mailbox_init(&s->mailboxes[i], batches))
            return complain("can't start", "mailbox", strerror(ENOMEM));
        int error = ids_loop_init(&s->loops[i], &config);
        if (error)
            return complain("can't start", "a loop (--max-memory, --threads)",
                            uv_strerror(error));
        s->loops_ready++;
    }
    ids_live_begin(&s->live, s->loops, &s->places);
    return true;
}

/* Nothing is known of claims that were made before. */
static void hold_claims(process *s) {
    uint64_t until_ms = ids_loop_clock_ms() + s->config->hold_claims_ms + 1;
    for (uint32_t i = 0; i < s->server.loops; i++)
        s->loops[i].worker->gate.claims_from_ms = until_ms;
    ids_log(IDS_LOG_INFO, "no claims are taken yet", "ms=%llu",
            (unsigned long long)s->config->hold_claims_ms);
}

static bool recover(process *s) {
    bool empty = !s->store.is_open || s->store.was_empty;
    assert(s->loops_ready == s->server.loops);
    if (s->store.is_open) {
        ids_worker **workers = calloc(s->server.loops, sizeof *workers);
        for (uint32_t i = 0; workers && i < s->server.loops; i++)
            workers[i] = s->loops[i].worker;
        bool good = workers && ids_store_begin(&s->store, workers);
        free(workers);
        if (!good)
            return false;
        for (uint32_t i = 0; i < s->server.loops; i++)
            ids_loop_keeps(&s->loops[i], &s->store);
        s->peering.store = &s->store;
    }
    if (empty && s->config->hold_claims_ms)
        hold_claims(s);
    return !s->peering.is_open ||
           ids_peering_begin(&s->peering, s->loops,
                             ids_store_incarnation(&s->store));
}

/* The end ------------------------------------------------------------------ */

static void stop(void *ctx) {
    process *s = ctx;
    ids_loop *loop = &s->loops[0];
    assert(s->drain.begun);
    ids_store_quiet(&s->store);
    ids_worker_tell_others(loop->worker, IDS_NOTICE_STOP);
    while (!ids_worker_post(loop->worker))
        sched_yield();
    ids_signals_close(&s->signals);
    ids_drain_close(&s->drain);
    ids_recheck_close(&s->recheck);
    ids_reload_end(&s->reload);
    ids_loop_stop(loop);
}

static void on_end(void *ctx, int number) {
    process *s = ctx;
    ids_net_wake_up(&s->loops[0].net);
    ids_drain_begin(&s->drain, number,
                    ids_live_config(&s->live)->drain_delay_ms);
}

/* Settings that are read again ----------------------------------------------
 */

static void on_reload(void *ctx) {
    process *s = ctx;
    ids_reload_ask(&s->reload);
}

/* The run ------------------------------------------------------------------ */

static int init_signals(process *s) {
    ids_loop *loop = &s->loops[0];
    const ids_signals_driver signals = {
        .ctx = s, .end = on_end, .reload = on_reload};
    s->prepare = (ids_prepare){.live = &s->live,
                               .tls = &s->tls,
                               .access = s->server.access,
                               .loops = s->loops,
                               .peering = &s->peering};
    const ids_reload_driver reload = ids_prepare_driver(&s->prepare);
    ids_reload_init(&s->reload, loop, s->given, &reload);
    s->server.reload = ids_reload_handler(&s->reload);
    int error = ids_drain_init(&s->drain, loop, &s->acceptor, stop, s);
    if (!error)
        error = ids_recheck_init(&s->recheck, loop, &s->reload, &s->live,
                                 s->config->reload_every_s);
    return error ? error : ids_signals_open(&s->signals, &loop->uv, &signals);
}

static bool start_accepting(process *s) {
    char why[256];
    ids_places_needs needs = descriptors_needed(s);
    if (!ids_places_plan(&s->places, &needs, why, sizeof why))
        return complain("can't start", "descriptors", why);
    int error = ids_acceptor_init(&s->acceptor, &s->loops[0].net);
    for (uint32_t i = 0; !error && i < s->listeners.count; i++)
        error = ids_acceptor_add(&s->acceptor, &s->listeners.all[i]);
    if (!error)
        error = init_signals(s);
    return !error || complain("can't start", "accepting", uv_strerror(error));
}

static void *run_loop(void *loop) {
    ids_loop_run(loop);
    return NULL;
}

static bool start_threads(process *s) {
    for (uint32_t i = 1; i < s->server.loops; i++) {
        int error = ids_thread_start(&s->threads[i], run_loop, &s->loops[i]);
        if (error)
            return complain("can't start", "thread", strerror(error));
        s->threads_started++;
        ids_name_thread(s->threads[i], "loop", i);
    }
    return true;
}

static void announce(const process *s, uint64_t memory) {
    for (uint32_t i = 0; i < s->listeners.count; i++) {
        char text[IDS_ADDRESS_TEXT_BYTES];
        bool is_http = s->listeners.all[i].is_http;
        ids_address_of(s->listeners.all[i].fd, text, sizeof text);
        printf("%s on %s\n", is_http ? "http" : "listening", text);
        ids_log(IDS_LOG_INFO, "ready",
                "%s=%s threads=%u max_memory=%llu version=%s",
                is_http ? "http" : "listen", text, s->server.loops,
                (unsigned long long)memory, s->server.version);
    }
    if (!s->store.is_open)
        ids_log(IDS_LOG_WARN,
                "nothing is kept: a restart forgets every claim and result",
                "see=--data-dir");
    else
        ids_log(IDS_LOG_INFO, "changes are kept", "data_dir=%s fsync=%s",
                s->config->data_dir, ids_fsync_names[s->config->fsync]);
    fflush(stdout);
}

static void release(process *s) {
    for (uint32_t i = 1; i <= s->threads_started; i++)
        pthread_join(s->threads[i], NULL);
    ids_audit_close(); /* it posts to the loops */
    ids_store_close(&s->store);
    ids_peering_close(&s->peering);
    for (uint32_t i = 0; i < s->loops_ready; i++)
        ids_loop_fini(&s->loops[i]);
    ids_live_fini(&s->live);
    ids_prefault_free(s->prefault);
    for (uint32_t i = 0; i < s->loops_ready; i++)
        ids_mailbox_fini(&s->mailboxes[i]);
    ids_prepare_forget(&s->prepare); /* a reload that came too late */
    ids_tls_close(&s->tls);
    free(s->threads);
    free(s->loops);
    free(s->mailboxes);
    ids_looks_close(&s->server);
    ids_access_free(s->server.access);
    ids_admission_forget(s->server.peer_secret);
}

/* False: it can't start, and the log says why. */
static bool start_server(process *s, uint64_t memory) {
    ids_http_policy_read(&s->http, s->config);
    if (!ids_listeners_open(&s->listeners) ||
        !furnish_server(s, IDEM_VERSION, memory))
        return false;
    tell_http_port(s);
    ids_places_needs needs = descriptors_needed(s);
    ids_places_ask(&needs);
    return open_store(s) && open_peering(s) && init_loops(s, memory) &&
           recover(s) && start_accepting(s) && start_threads(s);
}

/* Nobody is to find a socket's file with no daemon behind. */
static int give_up_start(process *s) {
    for (uint32_t i = 0; i < s->listeners.count; i++)
        ids_listener_close(&s->listeners.all[i]);
    return EXIT_FAILURE;
}

int ids_serve(const ids_settings *settings, const ids_given *given) {
    static process whole;
    process *s = &whole;
    const ids_config *config = &settings->config;
    uint64_t memory = config->memory_bytes_max ? config->memory_bytes_max
                                               : ids_machine_memory_bytes() / 2;
    *s = (process){.config = config, .settings = settings, .given = given};
    ids_signals_begin();
    ids_log_set_level(config->log_level);
    ids_log_set_format(config->log_format);
    if (!ids_log_start()) {
        complain("can't start", "thread", "there is none for the log");
        return EXIT_FAILURE;
    }
    if (sodium_init() < 0) {
        complain("can't start", "libsodium", "no source of randomness");
        return EXIT_FAILURE;
    }
    if (!ids_recording_begin(config) || !load_secrets(s) || !open_tls(s) ||
        !read_proxies(s) || !ids_listeners_read(&s->listeners, config) ||
        !ids_peering_read(&s->peering, config))
        return EXIT_USAGE;
    if (!start_server(s, memory))
        return give_up_start(s);
    announce(s, memory);
    ids_recording_name(s->loops[0].worker);
    ids_prepare_tell_certificate(&s->prepare);
    doubt_clock();
    ids_notify_ready();
    ids_loop_run(&s->loops[0]);
    release(s);
    return EXIT_SUCCESS;
}
