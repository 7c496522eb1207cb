/* SPDX-License-Identifier: Apache-2.0 */
/* spec.c -- the little language of --target. Pure: text in, specs out. */
#include "bench/options.h"
#include "proto/endpoint.h"

#include <errno.h>
#include <stdlib.h>

static const idb_target *const all[] = {
    &idb_target_idem,      &idb_target_redis, &idb_target_redis_lua,
    &idb_target_memcached, &idb_target_echo,
};

/* NULL when there is none of that name. */
static const idb_target *find_target(const char *name, size_t len) {
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strlen(all[i]->name) == len && !memcmp(all[i]->name, name, len))
            return all[i];
    return NULL;
}

static const char *const fsyncs[IDB_FSYNC_COUNT] = {
    "", "off", "no", "everysec", "always", "rdb"};
static const char *const replications[IDB_REPLICATION_COUNT] = {
    "", "none", "async", "sync"};

/* Which of the words it is; 0: none of them. */
static int word_find(const char *const *words, int count, const char *text,
                     size_t len) {
    for (int i = 1; i < count; i++)
        if (strlen(words[i]) == len && !memcmp(words[i], text, len))
            return i;
    return 0;
}

bool idb_fsync_parse(const char *text, size_t len, idb_fsync *to) {
    *to = (idb_fsync)word_find(fsyncs, IDB_FSYNC_COUNT, text, len);
    return *to != IDB_FSYNC_UNSET;
}

bool idb_replication_parse(const char *text, size_t len, idb_replication *to) {
    *to = (idb_replication)word_find(replications, IDB_REPLICATION_COUNT, text,
                                     len);
    return *to != IDB_REPLICATION_UNSET;
}

bool idb_verify_parse(const char *text, idp_tls_verify *to) {
    static const char *const words[] = {[IDP_TLS_VERIFY_FULL] = "full",
                                        [IDP_TLS_VERIFY_CA] = "ca",
                                        [IDP_TLS_VERIFY_NONE] = "none"};
    for (int i = 0; i <= IDP_TLS_VERIFY_NONE; i++)
        if (!strcmp(words[i], text)) {
            *to = (idp_tls_verify)i;
            return true;
        }
    return false;
}

const char *idb_fsync_name(idb_fsync fsync) {
    return fsyncs[fsync];
}

const char *idb_replication_name(idb_replication replication) {
    return replications[replication];
}

static bool number_read(const char *text, size_t len, uint32_t max,
                        uint32_t *to) {
    char copy[12];
    if (len == 0 || len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    char *end;
    unsigned long n = strtoul(copy, &end, 10);
    if (*end || copy[0] == '-' || n > max)
        return false;
    *to = (uint32_t)n;
    return true;
}

static const char *endpoint_read(const char *text, size_t len,
                                 idb_endpoint *to) {
    idp_endpoint read;
    if (idp_endpoint_read(text, len, &read) != IDP_ENDPOINT_SOUND ||
        !idp_endpoint_host_copy(&read, to->host, sizeof to->host) ||
        read.number == 0)
        return "/at= wants HOST:PORT or [V6]:PORT, a port of 1 to 65535";
    to->port = read.number;
    return NULL;
}

static bool is_idem(const idb_spec *spec) {
    return !strcmp(spec->target->name, "idem");
}

static bool is_redis(const idb_spec *spec) {
    return !strncmp(spec->target->name, "redis", 5);
}

static const char details[] =
    "a target's details are /threads=N /blind /fsync=WHEN "
    "/replication=MODE /replicas=N /replica-threads=N /batch /before /tls "
    "/http /at=HOST:PORT /pid=N";

/* replication=, replicas=, replica-threads= */
static const char *replicated_read(idb_spec *spec, const char *text,
                                   size_t len) {
    if (len > 12 && !memcmp(text, "replication=", 12)) {
        if (!idb_replication_parse(text + 12, len - 12, &spec->replication))
            return "/replication= is none, async or sync";
        return is_idem(spec) || spec->target == &idb_target_redis
                   ? NULL
                   : "/replication= is for idem and redis";
    }
    if (len > 16 && !memcmp(text, "replica-threads=", 16)) {
        if (!number_read(text + 16, len - 16, 1024, &spec->replica_threads) ||
            spec->replica_threads == 0)
            return "/replica-threads= wants 1 to 1024";
        return is_idem(spec) ? NULL : "/replica-threads= is for idem";
    }
    if (len > 9 && !memcmp(text, "replicas=", 9)) {
        if (!number_read(text + 9, len - 9, IDB_REPLICAS_MAX,
                         &spec->replicas) ||
            spec->replicas == 0)
            return "/replicas= wants 1 to 4";
        return is_idem(spec) ? NULL : "/replicas= is for idem";
    }
    return details;
}

/* What the server keeps, and where else. */
static const char *keeping_read(idb_spec *spec, const char *text, size_t len) {
    if (len > 6 && !memcmp(text, "fsync=", 6)) {
        if (!idb_fsync_parse(text + 6, len - 6, &spec->fsync))
            return "/fsync= is off, no, everysec, always, or rdb for redis";
        if (!is_redis(spec) && !is_idem(spec))
            return "/fsync= is for idem and redis: no other target keeps";
        return spec->fsync == IDB_FSYNC_RDB && !is_redis(spec)
                   ? "/fsync=rdb is for redis"
                   : NULL;
    }
    if (len == 5 && !memcmp(text, "batch", 5)) {
        spec->batch = true;
        return spec->target == &idb_target_redis ? NULL : "/batch is for redis";
    }
    if (len == 6 && !memcmp(text, "before", 6)) {
        spec->before = true;
        return is_idem(spec) ? NULL : "/before is for idem";
    }
    return details;
}

static const char *detail_read(idb_spec *spec, const char *text, size_t len) {
    uint32_t n;
    if (len == 5 && !memcmp(text, "blind", 5)) {
        if (spec->target != &idb_target_idem)
            return "/blind is for idem: no other target has shards";
        spec->target = &idb_target_idem_blind;
        return NULL;
    }
    if (len == 4 && !memcmp(text, "http", 4)) {
        if (spec->target != &idb_target_idem)
            return "/http is for idem, and has no /blind";
        spec->http = true;
        spec->target = &idb_target_idem_http;
        return NULL;
    }
    if (len == 3 && !memcmp(text, "tls", 3)) {
        spec->tls = true;
        if (!idb_tls_is_built())
            return "/tls: this idembench was built without TLS";
        return is_idem(spec) || is_redis(spec) ? NULL
                                               : "/tls is for idem and redis";
    }
    if (len > 8 && !memcmp(text, "threads=", 8)) {
        if (!number_read(text + 8, len - 8, 1024, &spec->threads) ||
            spec->threads == 0)
            return "/threads= wants 1 to 1024";
        return NULL;
    }
    if (len > 3 && !memcmp(text, "at=", 3))
        return endpoint_read(text + 3, len - 3, &spec->external);
    if (len > 4 && !memcmp(text, "pid=", 4)) {
        if (!number_read(text + 4, len - 4, INT32_MAX, &n))
            return "/pid= wants a process number";
        spec->external.pid = (pid_t)n;
        return NULL;
    }
    if (len > 5 && !memcmp(text, "repli", 5))
        return replicated_read(spec, text, len);
    return keeping_read(spec, text, len);
}

static const char *spec_read(idb_spec *spec, const char *text, size_t len) {
    const char *slash = memchr(text, '/', len);
    size_t name = slash ? (size_t)(slash - text) : len;
    if (len >= sizeof spec->label)
        return "a target's text is too long";
    *spec = (idb_spec){.target = find_target(text, name), .threads = 1};
    if (!spec->target)
        return "names no target that there is: idem, redis, redis-lua, "
               "memcached, echo";
    memcpy(spec->label, text, len);
    spec->label[len] = '\0';
    size_t at = name;
    while (at < len) {
        const char *from = text + at + 1;
        const char *next = memchr(from, '/', len - at - 1);
        size_t part = next ? (size_t)(next - from) : len - at - 1;
        const char *wrong = detail_read(spec, from, part);
        if (wrong)
            return wrong;
        at += 1 + part;
    }
    return NULL;
}

const char *idb_specs_parse(idb_options *options, const char *list) {
    options->spec_count = 0;
    while (*list) {
        size_t len = strcspn(list, ",");
        if (options->spec_count == IDB_SPECS_MAX)
            return "too many targets";
        const char *wrong =
            spec_read(&options->specs[options->spec_count++], list, len);
        if (wrong)
            return wrong;
        list += len + (list[len] == ',');
    }
    return options->spec_count ? NULL : "no target is named";
}

/* Is a --server-args of this target's kind, or of this very target? Returns
 * where the arguments begin, or NULL. */
static const char *args_of(const idb_spec *spec, const char *text) {
    const char *const names[] = {spec->label, spec->target->name};
    for (int i = 0; i < 2; i++) {
        size_t len = strlen(names[i]);
        if (!strncmp(text, names[i], len) && text[len] == '=')
            return text + len + 1;
    }
    return NULL;
}

static const char *complete_args(idb_options *o, const char **about) {
    for (uint32_t k = 0; k < o->server_args_count; k++) {
        bool found = false;
        for (uint32_t i = 0; i < o->spec_count; i++) {
            idb_spec *spec = &o->specs[i];
            const char *args = args_of(spec, o->server_args[k]);
            if (args)
                spec->args[spec->args_count++] = args;
            found |= args != NULL;
        }
        *about = o->server_args[k];
        if (!found)
            return "names no target of this run";
    }
    return NULL;
}

static const char *complete_spec(const idb_options *o, idb_spec *spec) {
    bool keeps = is_idem(spec) || is_redis(spec);
    bool pairs = is_idem(spec) || spec->target == &idb_target_redis;
    if (spec->fsync == IDB_FSYNC_UNSET)
        spec->fsync = keeps ? o->fsync : IDB_FSYNC_OFF;
    if (spec->replication == IDB_REPLICATION_UNSET)
        spec->replication = pairs ? o->replication : IDB_REPLICATION_NONE;
    if (spec->replicas && spec->replication <= IDB_REPLICATION_NONE)
        return "has /replicas without /replication=async or sync";
    if (!spec->replicas)
        spec->replicas = spec->replication > IDB_REPLICATION_NONE;
    if (o->shard_aware_off && spec->target == &idb_target_idem)
        spec->target = &idb_target_idem_blind;
    if (spec->target == &idb_target_redis &&
        spec->replication == IDB_REPLICATION_SYNC)
        spec->target =
            spec->batch ? &idb_target_redis_wait_batch : &idb_target_redis_wait;
    else if (spec->batch)
        return "has /batch without /replication=sync";
    if (spec->target == &idb_target_memcached && o->work.key_bytes > 250)
        return "takes no --key-bytes over 250";
    if (!o->spawn && !spec->external.port)
        return "needs --spawn or /at=HOST:PORT";
    if (spec->before && !o->before)
        return "needs --before PATH";
    if (spec->http &&
        (o->scenario || o->verify || spec->replication > IDB_REPLICATION_NONE))
        return "over HTTP there is load alone: no --scenario, --verify or "
               "--replication";
    return spec->external.port && idb_spec_has_files(spec)
               ? "runs already: what it keeps is not idembench's to say"
               : NULL;
}

/* What --tls-... is about: a server that runs already. */
static const char *complete_tls(const idb_options *o, const char **about) {
    const idb_tls_files *files = &o->tls_files;
    bool is_said = files->ca || files->cert || files->key || o->tls_name ||
                   o->tls_verify != IDP_TLS_VERIFY_FULL;
    bool is_met = !is_said;
    for (uint32_t i = 0; i < o->spec_count; i++)
        is_met |= o->specs[i].tls && o->specs[i].external.port;
    *about = "--tls-...";
    if (!is_met)
        return "is for a target with /tls and /at=HOST:PORT";
    *about = "--tls-key";
    return files->key && !files->cert ? "needs --tls-cert" : NULL;
}

const char *idb_specs_complete(idb_options *o, const char **about) {
    for (uint32_t i = 0; i < o->spec_count; i++) {
        *about = o->specs[i].label;
        const char *wrong = complete_spec(o, &o->specs[i]);
        if (wrong)
            return wrong;
    }
    const char *wrong = complete_tls(o, about);
    return wrong ? wrong : complete_args(o, about);
}
