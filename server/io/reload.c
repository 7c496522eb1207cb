/* SPDX-License-Identifier: Apache-2.0 */
/* reload.c -- the settings are read again; see reload.h. */
#include "server/io/reload.h"

#include "server/base/log.h"
#include "server/io/examine.h"
#include "server/io/notify.h"

#include <assert.h>
#include <stdio.h>

static void begin_reload(ids_reload *r, ids_reload_asked asked);

/* On a thread of libuv's pool: files, and the resolver, may take their time. */
static void read_settings(uv_work_t *work) {
    ids_reload *r = work->data;
    bool force = r->asked.force || r->asked.dry_run;
    ids_settings *next = ids_settings_load(r->given, &r->complaint);
    if (next &&
        (!ids_examine(next, &r->complaint) ||
         !r->driver.prepare(r->driver.ctx, next, force, &r->complaint))) {
        ids_settings_free(next);
        next = NULL;
    }
    r->next = next;
}

static void refuse_settings(const ids_reload *r) {
    if (r->asked.id)
        ids_command_refuse(r->first->worker, r->asked.id, r->complaint.why);
    if (r->asked.dry_run)
        return;
    ids_log(IDS_LOG_ERROR, "settings not reloaded: all stays as it was",
            "reason=\"%s\"", r->complaint.why);
    r->driver.refused(r->driver.ctx);
}

static void answer_asked(ids_reload *r) {
    const ids_preview *p = &r->preview;
    const idp_command_answer answer = {
        .outcome =
            r->asked.dry_run ? IDP_COMMAND_EXAMINED : IDP_COMMAND_RELOADED,
        .closed = p->closed,
        .admitted = p->admitted,
        .text = {(const uint8_t *)p->text, p->len}};
    ids_command_answer(r->first->worker, r->asked.id, &answer);
}

static void apply_reloaded(ids_reload *r) {
    ids_preview_begin(&r->preview);
    r->driver.preview(r->driver.ctx, r->next, &r->preview);
    ids_preview_end(&r->preview);
    if (r->asked.dry_run) {
        r->driver.forget(r->driver.ctx);
        ids_settings_free(r->next);
        answer_asked(r);
    } else if (r->driver.apply(r->driver.ctx, r->next)) {
        answer_asked(r);
    } else if (r->asked.id) {
        ids_command_refuse(r->first->worker, r->asked.id,
                           "there is no memory for it");
    }
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
    ids_net_wake_up(&r->first->net);
    if (r->next)
        apply_reloaded(r);
    else
        refuse_settings(r);
    r->next = NULL;
    ids_notify_reloaded();
    if (r->again)
        begin_reload(r, (ids_reload_asked){0});
}

static void begin_reload(ids_reload *r, ids_reload_asked asked) {
    r->again = false;
    r->asked = asked;
    r->work.data = r;
    ids_notify_reloading();
    int error =
        uv_queue_work(&r->first->uv, &r->work, read_settings, take_settings);
    r->under_way = error == 0;
    if (!error)
        return;
    snprintf(r->complaint.why, sizeof r->complaint.why, "%s",
             uv_strerror(error));
    refuse_settings(r);
    ids_notify_reloaded();
}

void ids_reload_init(ids_reload *reload, ids_loop *first,
                     const ids_given *given, const ids_reload_driver *driver) {
    *reload = (ids_reload){.first = first, .given = given, .driver = *driver};
}

void ids_reload_ask(ids_reload *reload) {
    if (reload->ended)
        return;
    if (reload->under_way)
        reload->again = true;
    else
        begin_reload(reload, (ids_reload_asked){0});
}

static void take_reload(void *ctx, ids_worker *worker,
                        const ids_command_request *request) {
    ids_reload *r = ctx;
    assert(request->command == IDP_RELOAD);
    if (r->ended || r->under_way)
        ids_command_refuse(worker, request->id,
                           "a reload is under way; ask again when it is "
                           "through");
    else
        begin_reload(r, (ids_reload_asked){.id = request->id,
                                           .dry_run = request->dry_run,
                                           .force = request->force});
}

ids_command_handler ids_reload_handler(ids_reload *reload) {
    return (ids_command_handler){.ctx = reload, .begin = take_reload};
}

void ids_reload_end(ids_reload *reload) {
    reload->ended = true;
}
