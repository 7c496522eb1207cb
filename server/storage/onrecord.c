/* SPDX-License-Identifier: Apache-2.0 */
/* onrecord.c -- the flags of this start against what the last one left on
 * record: what was forgotten is told before anything is served without it. */
#include "server/storage/onrecord.h"

#include "server/base/log.h"
#include "server/peer/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ACCEPTS "--accept-change"

__attribute__((format(printf, 2, 3))) static bool
refuse(const char *flag, const char *format, ...) {
    char why[IDS_DECISIONS_PATH_BYTES + 512];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    ids_log(IDS_LOG_ERROR, "can't start", "at=\"%s\" reason=\"%s\"", flag, why);
    return false;
}

void ids_onrecord_path(const ids_config *config, const char *listening,
                       char path[static IDS_ONRECORD_PATH_BYTES]) {
    size_t cap = IDS_ONRECORD_PATH_BYTES;
    if (config->peer_state)
        snprintf(path, cap, "%s", config->peer_state);
    else
        ids_decisions_place(path, cap, config->data_dir, listening);
}

/* It was one of two, or was told to be. */
static bool had_another(const ids_decision *d) {
    return d->had_replica || ids_decision_members(d) > 0 ||
           d->admitted_epoch != 0 || ids_endpoint_is_set(&d->other_at) ||
           (d->self.node != 0 && d->role == IDS_ROLE_REPLICA);
}

static const char *other_of(const ids_decision *d) {
    return ids_endpoint_is_set(&d->other_at) ? d->other_at.text
                                             : "an unknown address";
}

bool ids_onrecord_fits(const ids_config *config, const ids_decision *recorded,
                       const char *path) {
    if (config->accept_change || recorded->self.node == 0)
        return true;
    if (recorded->kept == IDS_KEPT_YES && !config->data_dir)
        return refuse("--data-dir",
                      "%s says that this node kept its records in a folder: "
                      "without --data-dir it begins with none of them. Give it "
                      "the folder, or " ACCEPTS " for once",
                      path);
    if (recorded->mode == IDS_MODE_SYNC &&
        config->replication == IDS_REPLICATION_ASYNC)
        return refuse("--replication async",
                      "%s says that this node ran with --replication sync: in "
                      "async a failure loses what was acknowledged. Take sync, "
                      "or give " ACCEPTS " for once",
                      path);
    /* Who leads is nobody's flag then. */
    if (config->agent || recorded->group.text[0] != '\0')
        return true;
    if (recorded->role == IDS_ROLE_PRIMARY && !recorded->had_replica &&
        recorded->kept == IDS_KEPT_YES && config->replicate_from)
        return refuse("--replicate-from",
                      "%s says that this node leads, and that nobody else has "
                      "its records: as a replica it would replace them by a "
                      "copy. Leave --replicate-from out, or give " ACCEPTS
                      " for once",
                      path);
    if (recorded->role == IDS_ROLE_REPLICA && !recorded->had_replica &&
        !config->replicate_from)
        return refuse("--replicate-from",
                      "%s says that this node is a replica, and it never had a "
                      "copy: without --replicate-from it would lead, empty. "
                      "Name the primary, or give " ACCEPTS " for once",
                      path);
    return true;
}

/* Its part in the pair is over: whatever is on record must not count again,
 * should it be one of two some day. */
static bool put_aside(ids_server *server, const char *path,
                      const ids_decision *recorded) {
    char old[IDS_DECISIONS_PATH_BYTES + 80];
    snprintf(old, sizeof old, "%s.old", path);
    if (rename(path, old) < 0)
        return refuse("--peer-state", "%s: it can't be renamed to %s: %s", path,
                      old, strerror(errno));
    if (server->epoch <= recorded->epoch)
        server->epoch = recorded->epoch + 1;
    ids_log(IDS_LOG_WARN, "alone from now on: the other node is given up",
            "other=%s record=%s", other_of(recorded), old);
    return true;
}

bool ids_onrecord_may_be_alone(const ids_config *config, ids_server *server,
                               const char *listening) {
    char path[IDS_ONRECORD_PATH_BYTES], why[512];
    ids_decision recorded;
    bool named = config->peer_state || config->data_dir;
    ids_onrecord_path(config, listening, path);
    switch (ids_decisions_look(path, &recorded, why, sizeof why)) {
    case IDS_DECISIONS_NONE:
        return true;
    case IDS_DECISIONS_UNREADABLE: /* somebody else's, in the usual place */
        return !named || refuse("--peer-state", "%s: %s", path, why);
    case IDS_DECISIONS_THERE:
        break;
    }
    if (!had_another(&recorded))
        return true;
    if (config->accept_change)
        return put_aside(server, path, &recorded);
    return refuse("--replication",
                  "%s says that this node is one of two, with the other at %s: "
                  "without --replication it would serve alone, beside it. "
                  "Start it with --replication sync (or with "
                  "--replicate-from), or give " ACCEPTS
                  " for once if it shall be alone from now on",
                  path, other_of(&recorded));
}
