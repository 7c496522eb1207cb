/* SPDX-License-Identifier: Apache-2.0 */
/* live.h -- the version of the settings that holds now, and how the next one
 * takes its place: what is live is applied, what needs a restart is named.
 *
 * All of it on the first loop's thread; the other loops take their limits by
 * message. */
#ifndef IDS_LIVE_H
#define IDS_LIVE_H

#include "server/admin/settings.h"
#include "server/io/loop.h"
#include "server/io/preview.h"
#include "server/worker/namespaces.h"

typedef struct ids_version {
    ids_settings *settings; /* NULL: the start's, which are not ours */
    ids_loop_limits limits;
    ids_ns_limits_table *namespaces; /* its limits'; NULL: nobody counts */
    struct ids_version *older;       /* some loop may go by it yet */
} ids_version;

typedef struct ids_live {
    const ids_settings *start; /* what needs a restart goes by these */
    ids_version *now;
    ids_version first;
    ids_server *server;
    ids_loop *loops;
    ids_places *places;
    ids_namespaces namespaces;
    uint64_t memory_bytes; /* that records may take */
} ids_live;

/* Before there are loops. memory_bytes: --max-memory, worked out. False: no
 * memory for its namespaces. */
bool ids_live_init(ids_live *live, const ids_settings *start,
                   ids_server *server, uint64_t memory_bytes);

/* The loops run: each goes by the first version. */
void ids_live_begin(ids_live *live, ids_loop *loops, ids_places *places);

/* What holds now, of what is live. */
const ids_config *ids_live_config(const ids_live *live);

/* Whether a certificate's context of the next settings can take the place of
 * the one that is shown. Any thread. */
bool ids_live_has_tls(const ids_live *live, const ids_settings *next);

/* The same of credentials, which there are from the start or not at all. */
bool ids_live_has_credentials(const ids_live *live, const ids_settings *next);

/* What taking them would change, and what of them waits for a restart. */
void ids_live_preview(const ids_live *live, const ids_settings *next,
                      ids_preview *preview);

/* The settings become what holds. They are its own from now on. False: there is
 * no memory for them, the log says so, and what held holds. */
bool ids_live_take(ids_live *live, ids_settings *settings);

/* A reload was refused: stats tell it. */
void ids_live_refused(ids_live *live);

/* No loop is left, nor any shard. */
void ids_live_fini(ids_live *live);

#endif
