/* SPDX-License-Identifier: Apache-2.0 */
/* prepare.c -- see prepare.h. */
#include "server/io/prepare.h"

#include "server/io/admission.h"

#include <assert.h>

static bool prepare_credentials(ids_prepare *p, const ids_settings *settings,
                                bool force, ids_complaint *complaint) {
    char why[IDS_ADMISSION_WHY_BYTES];
    ids_config config = p->live->start->config;
    assert(!p->next_credentials);
    if (!ids_live_has_credentials(p->live, settings))
        return true;
    config.credentials = settings->config.credentials;
    p->next_credentials = ids_admission_reread(p->access, &config, force, why);
    return p->next_credentials || ids_settings_refuse(settings, "--credentials",
                                                      complaint, " %s", why);
}

/* Files are read again at each reload, also under the same name. */
static bool prepare_tls(ids_prepare *p, const ids_settings *settings,
                        ids_complaint *complaint) {
    char why[IDS_TLS_WHY_BYTES];
    assert(!p->next_tls.clients);
    if (!ids_live_has_tls(p->live, settings))
        return true;
    return ids_tls_load(&p->next_tls, &settings->config, why) ||
           ids_settings_refuse(settings, "--tls-cert", complaint, ": %s", why);
}

static bool prepare_files(void *ctx, const ids_settings *settings, bool force,
                          ids_complaint *complaint) {
    ids_prepare *p = ctx;
    if (prepare_credentials(p, settings, force, complaint) &&
        prepare_tls(p, settings, complaint))
        return true;
    ids_prepare_forget(p);
    return false;
}

void ids_prepare_tell_certificate(const ids_prepare *p) {
    if (p->live->start->config.tls_cert)
        p->loops[0].worker->counters.of[IDS_TLS_CERTIFICATE_END_S] =
            (uint64_t)ids_tls_end_s(p->tls);
}

void ids_prepare_forget(ids_prepare *p) {
    ids_credentials_drop(p->next_credentials);
    p->next_credentials = NULL;
    ids_tls_drop(&p->next_tls);
}

/* A reload's driver ----------------------------------------------------------
 */

static void apply_files(ids_prepare *p) {
    if (p->next_tls.clients)
        ids_tls_use(p->tls, &p->next_tls);
    ids_prepare_tell_certificate(p);
    ids_net_wake_up(&p->loops[0].net);
    if (p->next_credentials)
        ids_admission_apply(p->access, p->loops[0].line, p->next_credentials);
    p->next_credentials = NULL;
}

static bool apply_first_settings(void *ctx, ids_settings *settings) {
    ids_prepare *p = ctx;
    apply_files(p);
    bool took = ids_live_take(p->live, settings);
    ids_peering_take_settings(p->peering, ids_live_config(p->live));
    return took;
}

static void preview_settings(void *ctx, const ids_settings *settings,
                             ids_preview *preview) {
    const ids_prepare *p = ctx;
    ids_live_preview(p->live, settings, preview);
    if (p->next_credentials)
        ids_admission_preview(p->access, p->next_credentials, preview);
}

static void forget_files(void *ctx) {
    ids_prepare_forget(ctx);
}

static void note_refused(void *ctx) {
    const ids_prepare *p = ctx;
    ids_live_refused(p->live);
}

ids_reload_driver ids_prepare_driver(ids_prepare *prepare) {
    return (ids_reload_driver){.ctx = prepare,
                               .prepare = prepare_files,
                               .preview = preview_settings,
                               .apply = apply_first_settings,
                               .forget = forget_files,
                               .refused = note_refused};
}
