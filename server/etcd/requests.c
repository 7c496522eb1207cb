/* SPDX-License-Identifier: Apache-2.0 */
/* requests.c -- what goes to etcd's gateway. Pure. */
#include "server/etcd/gateway.h"
#include "server/etcd/group_json.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_BYTES = IDS_ETCD_PREFIX_BYTES + IDS_NODE_NAME_BYTES + 16,
    NUMBER_BYTES = 24
};

static json_t *base64(const char *bytes) {
    size_t len = strlen(bytes);
    size_t cap = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(cap);
    if (!text)
        return NULL;
    sodium_bin2base64(text, cap, (const unsigned char *)bytes, len,
                      sodium_base64_VARIANT_ORIGINAL);
    json_t *value = json_string(text);
    free(text);
    return value;
}

static json_t *key(const char *prefix, const char *name) {
    char all[KEY_BYTES];
    int len = snprintf(all, sizeof all, "%s%s", prefix, name);
    assert(len > 0 && (size_t)len < sizeof all);
    return base64(all);
}

static json_t *number(uint64_t value) {
    char text[NUMBER_BYTES];
    snprintf(text, sizeof text, "%" PRIu64, value);
    return json_string(text);
}

static ids_etcd_request request(const char *path, json_t *body) {
    ids_etcd_request all = {.path = path};
    if (body)
        all.body = json_dumps(body, JSON_COMPACT);
    json_decref(body);
    return all;
}

/* The record, who is alive ("alive/" up to before "alive0"), and whether all
 * that is paused. */
static json_t *ranges(const char *prefix, json_t *ops) {
    json_array_append_new(ops, json_pack("{s:{s:o}}", "request_range", "key",
                                         key(prefix, "config")));
    json_array_append_new(ops,
                          json_pack("{s:{s:o, s:o, s:s}}", "request_range",
                                    "key", key(prefix, "alive/"), "range_end",
                                    key(prefix, "alive0"), "limit", "32"));
    json_array_append_new(ops, json_pack("{s:{s:o}}", "request_range", "key",
                                         key(prefix, "paused")));
    return ops;
}

static ids_etcd_request read_request(const char *prefix) {
    return request("/v3/kv/txn",
                   json_pack("{s:o}", "success", ranges(prefix, json_array())));
}

/* There is none: its creation is 0; else by the revision of the very read. */
static json_t *compare(const char *prefix, uint64_t revision) {
    const char *field = revision ? "mod_revision" : "create_revision";
    return json_pack("[{s:o, s:s, s:s, s:o}]", "key", key(prefix, "config"),
                     "target", revision ? "MOD" : "CREATE", "result", "EQUAL",
                     field, number(revision));
}

static ids_etcd_request put_request(const ids_agent_act *act,
                                    const char *prefix) {
    assert(!act->blind);
    char *text = ids_group_text(&act->group);
    if (!text)
        return (ids_etcd_request){.path = "/v3/kv/txn"};
    json_t *ops = json_array();
    json_array_append_new(ops, json_pack("{s:{s:o, s:o}}", "request_put", "key",
                                         key(prefix, "config"), "value",
                                         base64(text)));
    free(text);
    return request("/v3/kv/txn",
                   json_pack("{s:o, s:o, s:o}", "compare",
                             compare(prefix, act->compare), "success",
                             ranges(prefix, ops), "failure",
                             ranges(prefix, json_array())));
}

static ids_etcd_request put_alive(const ids_agent_act *act, const char *prefix,
                                  const ids_node_name *node) {
    char name[IDS_NODE_NAME_BYTES + 8];
    snprintf(name, sizeof name, "alive/%s", node->text);
    char *text = ids_group_alive_text(act->incarnation);
    if (!text)
        return (ids_etcd_request){.path = "/v3/kv/put"};
    json_t *body =
        json_pack("{s:o, s:o, s:o}", "key", key(prefix, name), "value",
                  base64(text), "lease", number(act->lease));
    free(text);
    return request("/v3/kv/put", body);
}

static ids_etcd_request pause_all(const char *prefix,
                                  const ids_node_name *node) {
    return request("/v3/kv/put",
                   json_pack("{s:o, s:o}", "key", key(prefix, "paused"),
                             "value", base64(node->text)));
}

/* Whole seconds. */
static ids_etcd_request grant(uint32_t lease_ms) {
    return request("/v3/lease/grant",
                   json_pack("{s:o}", "TTL", number((lease_ms + 999) / 1000)));
}

ids_etcd_request ids_etcd_request_of(const ids_agent_act *act,
                                     const char *prefix,
                                     const ids_node_name *node,
                                     uint32_t lease_ms) {
    assert(strlen(prefix) < IDS_ETCD_PREFIX_BYTES);
    switch (act->kind) {
    case IDS_AGENT_READ:
        return read_request(prefix);
    case IDS_AGENT_PUT:
        return put_request(act, prefix);
    case IDS_AGENT_GRANT:
        return grant(lease_ms);
    case IDS_AGENT_ALIVE:
        return put_alive(act, prefix, node);
    case IDS_AGENT_KEEPALIVE:
        return request("/v3/lease/keepalive",
                       json_pack("{s:o}", "ID", number(act->lease)));
    case IDS_AGENT_PAUSE:
        return pause_all(prefix, node);
    case IDS_AGENT_RESUME:
        return request("/v3/kv/deleterange",
                       json_pack("{s:o}", "key", key(prefix, "paused")));
    case IDS_AGENT_ASK:
    case IDS_AGENT_CONFIG:
    case IDS_AGENT_OFFER:
        break;
    }
    assert(!"that is for a node");
    return (ids_etcd_request){.path = ""};
}

ids_etcd_request ids_etcd_request_token(const char *user,
                                        const char *password) {
    return request("/v3/auth/authenticate",
                   json_pack("{s:s, s:s}", "name", user, "password", password));
}
