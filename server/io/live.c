/* SPDX-License-Identifier: Apache-2.0 */
/* live.c -- settings that change while it runs; see live.h. */
#include "server/io/live.h"

#include "server/admin/limits_maker.h"
#include "server/base/log.h"
#include "server/base/machine.h"
#include "server/io/recording.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Limits ------------------------------------------------------------------- */

static void set_loop_limits(const ids_live *live, const ids_config *config,
                            ids_loop_limits *limits) {
    uint64_t buffers = config->buffer_bytes_max ? config->buffer_bytes_max
                                                : live->memory_bytes / 4;
    limits->idle_ms = config->idle_s * 1000;
    limits->namespaces = live->now->namespaces;
    limits->ledger = live->namespaces.ledger;
    limits->buffer_bytes_max = buffers / live->server->loops +
                               2 * live->server->result_bytes_max + (1u << 20);
}

/* What the settings say of namespaces, in a table of the version's own, and the
 * ledger goes by it. Who has counted once counts on, without a limit. */
static bool take_namespaces(ids_live *live, ids_version *next,
                            const ids_config *config, uint64_t now_ms) {
    uint32_t loops = live->server->loops;
    if (!config->namespaces && !live->namespaces.ledger)
        return true;
    next->namespaces = ids_limits_make(config->namespaces, loops);
    if (next->namespaces &&
        ids_namespaces_name(&live->namespaces, next->namespaces, loops, now_ms))
        return true;
    free(next->namespaces);
    next->namespaces = NULL;
    return false;
}

/* Whoever hears of it too late goes by the older version until then. */
static void hand_out(ids_live *live) {
    ids_loop_limits *limits = &live->now->limits;
    ids_worker *worker = live->loops[0].worker;
    atomic_store_explicit(&limits->users, live->server->loops,
                          memory_order_relaxed);
    for (uint32_t loop = 1; loop < live->server->loops; loop++)
        if (!ids_worker_message_word(worker, loop, IDS_MESSAGE_LIMITS,
                                     (uint64_t)(uintptr_t)limits))
            ids_log(IDS_LOG_ERROR, "a loop keeps its old limits: out of memory",
                    "loop=%u", loop);
    ids_loop_take_limits(&live->loops[0], limits);
}

static void free_version(const ids_live *live, ids_version *one) {
    ids_settings_free(one->settings);
    free(one->namespaces);
    if (one != &live->first)
        free(one);
}

/* Versions that no loop goes by any more. */
static void forget_older(ids_live *live) {
    ids_version **at = &live->now->older;
    while (*at) {
        ids_version *one = *at;
        if (atomic_load_explicit(&one->limits.users, memory_order_acquire)) {
            at = &one->older;
            continue;
        }
        *at = one->older;
        free_version(live, one);
    }
}

/* Rows --------------------------------------------------------------------- */

static void tell_row(const ids_settings *settings, const ids_config_row *row,
                     bool waits) {
    char key[IDS_CONFIG_KEY_BYTES], where[512];
    const char *words = settings->origins[ids_config_index(row)].words;
    ids_config_key(row, key);
    ids_settings_where(settings, row, where, sizeof where);
    if (waits)
        ids_log(IDS_LOG_WARN, "a setting waits for a restart",
                "setting=%s value=\"%.200s\" from=\"%s\"", key,
                words ? words : "none", where);
    else
        ids_log(IDS_LOG_INFO, "a setting changed",
                "setting=%s value=\"%.200s\" from=\"%s\"", key,
                words ? words : "none", where);
}

static const ids_settings *settings_now(const ids_live *live) {
    return live->now->settings ? live->now->settings : live->start;
}

static uint64_t memory_of(const ids_config *config) {
    return config->memory_bytes_max ? config->memory_bytes_max
                                    : ids_machine_memory_bytes() / 2;
}

/* Memory only grows: what is kept has to stay. */
static void take_memory(ids_live *live, const ids_settings *next,
                        const ids_config_row *row) {
    uint64_t bytes = memory_of(&next->config);
    bool grows = ids_pools_grow(live->server->pools, bytes);
    if (grows)
        live->memory_bytes = bytes;
    if (grows || bytes < live->memory_bytes)
        tell_row(next, row, !grows);
}

/* What is live of TLS is its certificate's context, and without one at the
 * start there is none. */
static bool is_of_context(const ids_config_row *row) {
    return row->offset == offsetof(ids_config, tls_cert) ||
           row->offset == offsetof(ids_config, tls_key) ||
           row->offset == offsetof(ids_config, tls_ca) ||
           row->offset == offsetof(ids_config, tls_min) ||
           row->offset == offsetof(ids_config, peer_cert) ||
           row->offset == offsetof(ids_config, peer_key) ||
           row->offset == offsetof(ids_config, peer_ca);
}

bool ids_live_has_tls(const ids_live *live, const ids_settings *next) {
    return live->start->config.tls_cert && next->config.tls_cert;
}

bool ids_live_has_credentials(const ids_live *live, const ids_settings *next) {
    return live->start->config.credentials && next->config.credentials;
}

static bool is_live(const ids_live *live, const ids_settings *next,
                    const ids_config_row *row) {
    if (is_of_context(row) && !ids_live_has_tls(live, next))
        return false;
    if (row->offset == offsetof(ids_config, credentials) &&
        !ids_live_has_credentials(live, next))
        return false;
    return row->reload == IDS_LIVE;
}

typedef enum fate { STAYS, CHANGES, WAITS } fate;

/* What becomes of a row, but of memory. */
static fate fate_of(const ids_live *live, const ids_settings *next,
                    const ids_config_row *row) {
    if (is_live(live, next, row))
        return ids_settings_same(settings_now(live), next, row) ? STAYS
                                                                : CHANGES;
    return row->reload == IDS_ONCE || ids_settings_same(live->start, next, row)
               ? STAYS
               : WAITS;
}

static bool is_memory(const ids_config_row *row) {
    return row->offset == offsetof(ids_config, memory_bytes_max);
}

static void take_live_row(ids_live *live, const ids_settings *next,
                          const ids_config_row *row) {
    if (is_memory(row)) {
        take_memory(live, next, row);
        return;
    }
    fate of = fate_of(live, next, row);
    if (of != STAYS)
        tell_row(next, row, of == WAITS);
}

static void preview_row(const ids_settings *next, const ids_config_row *row,
                        fate of, ids_preview *preview) {
    char key[IDS_CONFIG_KEY_BYTES], where[512];
    const char *words = next->origins[ids_config_index(row)].words;
    ids_config_key(row, key);
    ids_settings_where(next, row, where, sizeof where);
    if (of != STAYS)
        ids_preview_add(preview, "%s = %.200s%s (%.300s)", key,
                        words ? words : "none",
                        of == WAITS ? ", waits for a restart" : "", where);
}

void ids_live_preview(const ids_live *live, const ids_settings *next,
                      ids_preview *preview) {
    size_t count;
    const ids_config_row *rows = ids_config_rows(&count);
    uint64_t bytes = memory_of(&next->config);
    for (size_t i = 0; i < count; i++) {
        fate of = fate_of(live, next, &rows[i]);
        if (is_memory(&rows[i]))
            of = bytes == live->memory_bytes  ? STAYS
                 : bytes > live->memory_bytes ? CHANGES
                                              : WAITS;
        preview_row(next, &rows[i], of, preview);
    }
    if (!ids_limits_same(ids_live_config(live)->namespaces,
                         next->config.namespaces))
        ids_preview_add(preview, "namespace: %u sections",
                        ids_limits_count(next->config.namespaces));
}

static void take_places(const ids_live *live, const ids_config *config) {
    size_t wanted = config->connections_max;
    if (wanted == ids_live_config(live)->connections_max)
        return;
    size_t have = ids_places_change(live->places, wanted);
    if (have < wanted)
        ids_log(IDS_LOG_WARN,
                "--max-connections needs more descriptors than allowed",
                "wanted=%zu connections=%zu", wanted, have);
}

static void tell_namespaces(const ids_live *live, const ids_config *config) {
    if (!ids_limits_same(ids_live_config(live)->namespaces, config->namespaces))
        ids_log(IDS_LOG_INFO, "a setting changed",
                "setting=namespace sections=%u from=\"%.400s\"",
                ids_limits_count(config->namespaces),
                config->path ? config->path : "");
}

/* Versions ----------------------------------------------------------------- */

static void note_outcome(const ids_live *live, bool failed) {
    uint64_t *of = live->loops[0].worker->counters.of;
    of[IDS_RELOAD_FAILED] = failed;
    if (!failed)
        of[IDS_SETTINGS_UNIX_S] = (uint64_t)time(NULL);
}

bool ids_live_init(ids_live *live, const ids_settings *start,
                   ids_server *server, uint64_t memory_bytes) {
    *live = (ids_live){
        .start = start, .server = server, .memory_bytes = memory_bytes};
    live->now = &live->first;
    if (!take_namespaces(live, &live->first, &start->config, 0))
        return false;
    set_loop_limits(live, &start->config, &live->first.limits);
    server->namespaces = live->first.namespaces;
    server->ledger = live->namespaces.ledger;
    return true;
}

void ids_live_begin(ids_live *live, ids_loop *loops, ids_places *places) {
    live->loops = loops;
    live->places = places;
    atomic_store_explicit(&live->first.limits.users, live->server->loops,
                          memory_order_relaxed);
    for (uint32_t i = 0; i < live->server->loops; i++)
        ids_loop_take_limits(&loops[i], &live->first.limits);
    note_outcome(live, false);
}

const ids_config *ids_live_config(const ids_live *live) {
    return &settings_now(live)->config;
}

bool ids_live_take(ids_live *live, ids_settings *settings) {
    ids_version *next = calloc(1, sizeof *next);
    const ids_config *config = &settings->config;
    size_t count;
    const ids_config_row *rows = ids_config_rows(&count);
    assert(live->loops != NULL);
    if (!next ||
        !take_namespaces(live, next, config, live->loops[0].worker->now_ms)) {
        ids_log(IDS_LOG_ERROR, "settings not reloaded: all stays as it was",
                "reason=\"no memory\"");
        free(next);
        ids_settings_free(settings);
        note_outcome(live, true);
        return false;
    }
    for (size_t i = 0; i < count; i++)
        take_live_row(live, settings, &rows[i]);
    tell_namespaces(live, config);
    ids_log_set_level(config->log_level);
    ids_log_set_format(config->log_format);
    ids_recording_take(ids_live_config(live), config);
    take_places(live, config);
    next->settings = settings;
    next->older = live->now;
    live->now = next;
    set_loop_limits(live, config, &next->limits);
    hand_out(live);
    forget_older(live);
    note_outcome(live, false);
    ids_log(IDS_LOG_INFO, "settings reloaded", "file=\"%.400s\"",
            config->path ? config->path : "");
    return true;
}

void ids_live_refused(ids_live *live) {
    note_outcome(live, true);
}

void ids_live_fini(ids_live *live) {
    ids_version *older;
    for (ids_version *one = live->now; one; one = older) {
        older = one->older;
        free_version(live, one);
    }
    live->now = NULL;
    ids_namespaces_close(&live->namespaces);
}
