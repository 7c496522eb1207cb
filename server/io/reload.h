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
#include "server/io/preview.h"

typedef struct ids_reload_driver {
    void *ctx;
    /* Off the loops: makes what the settings name (a certificate's context),
     * and keeps it aside. force: also what closes most connections. False: the
     * complaint says what is wrong, and nothing is kept. */
    bool (*prepare)(void *ctx, const ids_settings *settings, bool force,
                    ids_complaint *complaint);
    /* The first loop: what would change, were it applied. */
    void (*preview)(void *ctx, const ids_settings *settings,
                    ids_preview *preview);
    /* The first loop: takes what was prepared, and the settings with it. They
     * are the driver's from now on. False: the log says why not. */
    bool (*apply)(void *ctx, ids_settings *settings);
    /* The first loop: what was prepared is not to hold. */
    void (*forget)(void *ctx);
    /* The first loop: nothing is applied; the log has said why. */
    void (*refused)(void *ctx);
} ids_reload_driver;

/* Who asks, and for what; all zero for a signal. */
typedef struct ids_reload_asked {
    ids_command_id id; /* whom to answer; 0: nobody */
    bool dry_run;      /* it says what it would do */
    bool force;
} ids_reload_asked;

typedef struct ids_reload {
    ids_loop *first;
    const ids_given *given;
    ids_reload_driver driver;
    uv_work_t work;
    ids_reload_asked asked; /* of the one under way */
    bool under_way;
    bool again; /* by a signal, meanwhile */
    bool ended; /* what is under way is dropped */
    ids_settings *next;
    ids_complaint complaint;
    ids_preview preview;
} ids_reload;

void ids_reload_init(ids_reload *reload, ids_loop *first,
                     const ids_given *given, const ids_reload_driver *driver);

/* The first loop's thread. */
void ids_reload_ask(ids_reload *reload);

/* The same by the command; one that comes while another is under way is
 * refused. */
ids_command_handler ids_reload_handler(ids_reload *reload);

/* The loop is about to end: nothing is applied any more. */
void ids_reload_end(ids_reload *reload);

#endif
