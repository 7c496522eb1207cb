/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c -- the settings are read again; see reload.h. */
#include "server/io/reload.h"

#include "server/base/log.h"
#include "server/io/examine.h"
#include "server/io/notify.h"

#include <assert.h>
#include <stdio.h>

static void begin_reload(ids_reload *r);

/* On a thread of libuv's pool: files, and the resolver, may take their time. */
static void read_settings(uv_work_t *work) {
    ids_reload *r = work->data;
    ids_settings *next = ids_settings_load(r->given, &r->complaint);
    if (next && (!ids_examine(next, &r->complaint) ||
                 (r->host.prepare &&
                  !r->host.prepare(r->host.ctx, next, &r->complaint)))) {
        ids_settings_free(next);
        next = NULL;
    }
    r->next = next;
}

static void refuse_settings(const ids_reload *r) {
    ids_log(IDS_LOG_ERROR, "settings not reloaded: all stays as it was",
            "reason=\"%s\"", r->complaint.why);
    r->host.refused(r->host.ctx);
}

static void take_settings(uv_work_t *work, int status) {
    ids_reload *r = work->data;
    assert(r->under_way);
    r->under_way = false;
    if (r->ended || status) {
        ids_settings_free(r->next);
        r->next = NULL;
        return;
    }
    if (r->next)
        r->host.apply(r->host.ctx, r->next);
    else
        refuse_settings(r);
    r->next = NULL;
    ids_notify_reloaded();
    if (r->again)
        begin_reload(r);
}

static void begin_reload(ids_reload *r) {
    r->again = false;
    r->work.data = r;
    ids_notify_reloading();
    int error = uv_queue_work(r->uv, &r->work, read_settings, take_settings);
    r->under_way = error == 0;
    if (!error)
        return;
    snprintf(r->complaint.why, sizeof r->complaint.why, "%s",
             uv_strerror(error));
    refuse_settings(r);
    ids_notify_reloaded();
}

void ids_reload_init(ids_reload *reload, uv_loop_t *uv, const ids_given *given,
                     const ids_reload_host *host) {
    *reload = (ids_reload){.uv = uv, .given = given, .host = *host};
}

void ids_reload_ask(ids_reload *reload) {
    if (reload->ended)
        return;
    if (reload->under_way)
        reload->again = true;
    else
        begin_reload(reload);
}

void ids_reload_end(ids_reload *reload) {
    reload->ended = true;
}
