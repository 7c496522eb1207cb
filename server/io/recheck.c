/* SPDX-License-Identifier: Apache-2.0 */
/* recheck.c -- see recheck.h. */
#include "server/io/recheck.h"

#include "server/base/log.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 8

/* What a file is known by: one that was put in its place is another one. */
static void hash_file(crypto_generichash_state *state, const char *path) {
    struct stat at;
    uint64_t of[7] = {0};
    if (stat(path, &at) < 0) {
        of[0] = (uint64_t)errno;
    } else {
        of[0] = at.st_dev;
        of[1] = at.st_ino;
        of[2] = (uint64_t)at.st_size;
        of[3] = (uint64_t)at.st_mtim.tv_sec;
        of[4] = (uint64_t)at.st_mtim.tv_nsec;
        of[5] = (uint64_t)at.st_ctim.tv_sec;
        of[6] = (uint64_t)at.st_ctim.tv_nsec;
    }
    crypto_generichash_update(state, (const uint8_t *)of, sizeof of);
}

/* On a thread of libuv's pool: a disk may take its time. */
static void look_at_files(uv_work_t *work) {
    ids_recheck *r = work->data;
    crypto_generichash_state state;
    uint8_t hash[crypto_generichash_BYTES];
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    for (const char *path = r->paths; *path; path += strlen(path) + 1)
        hash_file(&state, path);
    crypto_generichash_final(&state, hash, sizeof hash);
    memcpy(&r->found, hash, sizeof r->found);
}

/* Whether they are other files than those that were read, and the same as at
 * the look before. */
static bool has_settled(ids_recheck *r) {
    bool settled = r->found == r->seen && r->found != r->taken;
    if (settled)
        r->taken = r->found;
    r->seen = r->found;
    return settled;
}

static void on_looked(uv_work_t *work, int status) {
    ids_recheck *r = work->data;
    assert(r->paths != NULL);
    free(r->paths);
    r->paths = NULL;
    if (r->ended || status)
        return;
    ids_net_wake_up(&r->reload->first->net);
    if (!has_settled(r))
        return;
    ids_log(IDS_LOG_INFO, "a file of the settings has changed", NULL);
    ids_reload_ask(r->reload);
}

/* Copies: the settings may be forgotten while a thread looks. NULL: no
 * memory. */
static char *copy_paths(const ids_config *config) {
    const char *const all[FILES_MAX] = {
        config->path,   config->credentials, config->tls_cert, config->tls_key,
        config->tls_ca, config->peer_cert,   config->peer_key, config->peer_ca};
    size_t len = 1, at = 0;
    for (int i = 0; i < FILES_MAX; i++)
        len += all[i] ? strlen(all[i]) + 1 : 0;
    char *paths = calloc(1, len);
    for (int i = 0; paths && i < FILES_MAX; i++) {
        size_t part = all[i] ? strlen(all[i]) + 1 : 0;
        if (part)
            memcpy(paths + at, all[i], part);
        at += part;
    }
    return paths;
}

static void on_due(uv_timer_t *timer) {
    ids_recheck *r = timer->data;
    ids_net_wake_up(&r->reload->first->net);
    if (r->paths) /* the last look is not through */
        return;
    r->paths = copy_paths(ids_live_config(r->live));
    if (r->paths &&
        uv_queue_work(timer->loop, &r->work, look_at_files, on_looked) == 0)
        return;
    free(r->paths);
    r->paths = NULL;
}

/* What the start has read is what this finds. */
static bool look_first(ids_recheck *r) {
    r->paths = copy_paths(ids_live_config(r->live));
    if (!r->paths)
        return false;
    look_at_files(&r->work);
    r->taken = r->seen = r->found;
    free(r->paths);
    r->paths = NULL;
    return true;
}

int ids_recheck_init(ids_recheck *recheck, ids_loop *first, ids_reload *reload,
                     const ids_live *live, uint64_t every_s) {
    *recheck = (ids_recheck){.reload = reload, .live = live};
    recheck->timer.data = recheck->work.data = recheck;
    int error = uv_timer_init(&first->uv, &recheck->timer);
    if (error || !every_s)
        return error;
    return look_first(recheck) ? uv_timer_start(&recheck->timer, on_due,
                                                every_s * 1000, every_s * 1000)
                               : UV_ENOMEM;
}

void ids_recheck_close(ids_recheck *recheck) {
    recheck->ended = true;
    uv_close((uv_handle_t *)&recheck->timer, NULL);
}
