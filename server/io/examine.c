/* SPDX-License-Identifier: Apache-2.0 */
/* examine.c -- what settings name outside of themselves; see examine.h. */
#include "server/io/examine.h"

#include "server/io/admission.h"
#include "server/net/listen.h"
#include "server/net/proxies.h"
#include "server/net/tls.h"
#include "server/peer/endpoint.h"
#include "server/worker/secret.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct examined {
    const ids_settings *settings;
    const ids_config *config;
    ids_complaint *complaint;
} examined;

static bool examine_address(const examined *e, const char *flag,
                            const char *words, const char *why_closed) {
    ids_address found[IDS_LISTENERS_MAX];
    char why[256];
    size_t count =
        ids_address_parse(found, IDS_LISTENERS_MAX, words, why, sizeof why);
    if (!count)
        return ids_settings_refuse(e->settings, flag, e->complaint,
                                   " %.200s: %s", words, why);
    for (size_t i = 0; i < count; i++)
        if (!ids_address_is_local(&found[i]) && why_closed)
            return ids_settings_refuse(e->settings, flag, e->complaint,
                                       " %.200s: %s", words, why_closed);
    return true;
}

static bool examine_listen(const examined *e) {
    const ids_config *config = e->config;
    const char *why_closed = ids_listeners_why_closed(config);
    for (uint64_t i = 0; i < config->listen_count; i++)
        if (!examine_address(e, "--listen", config->listen[i], why_closed))
            return false;
    why_closed = ids_listeners_why_http_closed(config);
    for (uint64_t i = 0; i < config->http.count; i++)
        if (!examine_address(e, "--http", config->http.all[i], why_closed))
            return false;
    return true;
}

static bool examine_proxies(const examined *e) {
    ids_proxies proxies;
    const char *bad;
    return ids_proxies_read(&proxies, &e->config->http_trusted_proxy, &bad) ||
           ids_settings_refuse(e->settings, "--http-trusted-proxy",
                               e->complaint, " %.80s: %s", bad,
                               IDS_PROXY_WORDS);
}

static bool examine_secret(const examined *e) {
    char why[IDS_ADMISSION_WHY_BYTES];
    const ids_config *config = e->config;
    if (!config->credentials && !config->secret_file)
        return true;
    ids_credentials *read = ids_admission_read(config, why);
    ids_credentials_drop(read);
    return read || ids_settings_refuse(e->settings,
                                       config->credentials ? "--credentials"
                                                           : "--secret-file",
                                       e->complaint, " %s", why);
}

static bool examine_peer_secret(const examined *e) {
    ids_secret current, next;
    char why[128];
    const char *path = e->config->peer_secret_file;
    bool good =
        !path || ids_secret_load_two(&current, &next, path, why, sizeof why);
    sodium_memzero(&current, sizeof current);
    sodium_memzero(&next, sizeof next);
    return good || ids_settings_refuse(e->settings, "--peer-secret-file",
                                       e->complaint, " %.200s: %s", path, why);
}

static bool examine_tls(const examined *e) {
    char why[IDS_TLS_WHY_BYTES];
    ids_tls tls;
    if (!e->config->tls_cert)
        return true;
    if (!ids_tls_open(&tls, e->config, why))
        return ids_settings_refuse(e->settings, "--tls-cert", e->complaint,
                                   ": %s", why);
    ids_tls_close(&tls);
    return true;
}

static bool examine_endpoint(const examined *e, const char *flag,
                             const char *words) {
    ids_endpoint endpoint;
    if (!words || (words[0] && words[0] != ':' &&
                   ids_endpoint_from(&endpoint, words, strlen(words))))
        return true;
    return ids_settings_refuse(e->settings, flag, e->complaint,
                               " %.200s: it is not HOST:PORT", words);
}

static bool examine_peer(const examined *e) {
    const ids_config *config = e->config;
    if (!examine_endpoint(e, "--replicate-from", config->replicate_from) ||
        !examine_endpoint(e, "--advertise", config->advertise) ||
        !examine_endpoint(e, "--http-advertise", config->http_advertise))
        return false;
    for (size_t i = 0; i < config->peers.count; i++)
        if (!examine_endpoint(e, "--peer", config->peers.all[i]))
            return false;
    if (!ids_config_has_peer(config) || config->secret_file ||
        config->peer_secret_file || config->peer_insecure)
        return true;
    return ids_settings_refuse(
        e->settings,
        config->replicate_from ? "--replicate-from"
        : config->peers.count  ? "--peer"
                               : "--replication",
        e->complaint,
        ": another node needs a --peer-secret-file (or a --secret-file), the "
        "same on both (or --peer-insecure)");
}

/* The folder, or the one in which it will be made. */
static bool examine_data_dir(const examined *e) {
    const char *path = e->config->data_dir;
    struct stat about;
    if (!path)
        return true;
    int error = stat(path, &about) == 0 ? 0 : errno;
    if (!error && !S_ISDIR(about.st_mode))
        error = ENOTDIR;
    if (!error && access(path, R_OK | W_OK | X_OK) != 0)
        error = errno;
    if (!error || error == ENOENT)
        return true;
    return ids_settings_refuse(e->settings, "--data-dir", e->complaint,
                               " %.200s: %s", path, strerror(error));
}

bool ids_examine(const ids_settings *settings, ids_complaint *complaint) {
    const examined e = {settings, &settings->config, complaint};
    return examine_listen(&e) && examine_proxies(&e) && examine_secret(&e) &&
           examine_peer_secret(&e) && examine_tls(&e) && examine_peer(&e) &&
           examine_data_dir(&e);
}
