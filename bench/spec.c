/* spec.c -- the little language of --target. Pure: text in, specs out. */
#include "bench/options.h"

#include <errno.h>
#include <stdlib.h>

static const idb_target *const all[] = {
    &idb_target_idem,      &idb_target_redis, &idb_target_redis_lua,
    &idb_target_memcached, &idb_target_echo,
};

const idb_target *idb_target_find(const char *name, size_t len) {
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strlen(all[i]->name) == len && !memcmp(all[i]->name, name, len))
            return all[i];
    return NULL;
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
    const char *colon = memrchr(text, ':', len);
    uint32_t port;
    if (!colon || (size_t)(colon - text) >= sizeof to->host)
        return "/at= wants HOST:PORT";
    memcpy(to->host, text, (size_t)(colon - text));
    to->host[colon - text] = '\0';
    size_t digits = len - (size_t)(colon + 1 - text);
    if (!number_read(colon + 1, digits, 65535, &port) || port == 0)
        return "/at= wants a port of 1 to 65535";
    to->port = (uint16_t)port;
    return NULL;
}

static const char *detail_read(idb_spec *spec, const char *text, size_t len) {
    uint32_t n;
    if (len == 5 && !memcmp(text, "blind", 5)) {
        if (spec->target != &idb_target_idem)
            return "/blind is for idem: no other target has shards";
        spec->target = &idb_target_idem_blind;
        return NULL;
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
    return "a target's details are /threads=N /blind /at=HOST:PORT /pid=N";
}

static const char *spec_read(idb_spec *spec, const char *text, size_t len) {
    const char *slash = memchr(text, '/', len);
    size_t name = slash ? (size_t)(slash - text) : len;
    if (len >= sizeof spec->label)
        return "a target's text is too long";
    *spec = (idb_spec){.target = idb_target_find(text, name), .threads = 1};
    if (!spec->target)
        return "targets are idem, redis, redis-lua, memcached, echo";
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
