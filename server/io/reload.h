/* SPDX-License-Identifier: Apache-2.0 */
/* reload.h -- the settings are read again while the daemon runs.
 *
 * All is read and checked first, off the loops; then all that is live is
 * applied in one step on the first loop, and what needs a restart is named.
 * Where anything is wrong nothing is applied. One at a time; one that is asked
 * for meanwhile follows it. */
#ifndef IDS_RELOAD_H
#define IDS_RELOAD_H

#include "server/admin/settings.h"
#include "server/io/loop.h"

typedef struct ids_reload_host {
    void *ctx;
    /* Off the loops: makes what the settings name (a certificate's context),
     * and keeps it aside. False: the complaint says what is wrong, and nothing
     * is kept. NULL: there is nothing to make. */
    bool (*prepare)(void *ctx, const ids_settings *settings,
                    ids_complaint *complaint);
    /* The first loop: takes what was prepared, and the settings with it. They
     * are the host's from now on. */
    void (*apply)(void *ctx, ids_settings *settings);
    /* The first loop: nothing is applied; the log has said why. */
    void (*refused)(void *ctx);
} ids_reload_host;

typedef struct ids_reload {
    uv_loop_t *uv;
    const ids_given *given;
    ids_reload_host host;
    uv_work_t work;
    bool under_way;
    bool again; /* asked for meanwhile */
    bool ended; /* what is under way is dropped */
    ids_settings *next;
    ids_complaint complaint;
} ids_reload;

void ids_reload_init(ids_reload *reload, uv_loop_t *uv, const ids_given *given,
                     const ids_reload_host *host);

/* The first loop's thread. */
void ids_reload_ask(ids_reload *reload);

/* The loop is about to end: nothing is applied any more. */
void ids_reload_end(ids_reload *reload);

#endif
