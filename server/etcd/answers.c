/* SPDX-License-Identifier: Apache-2.0 */
/* answers.c -- what comes from etcd's gateway, or from whatever stands at that
 * port. Pure. */
#include "server/etcd/gateway.h"
#include "server/etcd/group_json.h"

#include <assert.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_FOUND = 5 }; /* of gRPC */

const char *ids_etcd_outcome_text(ids_etcd_outcome outcome) {
    static const char *const texts[] = {
#define X(name, text) text,
        IDS_ETCD_OUTCOMES(X)
#undef X
    };
    assert(outcome < IDS_ETCD_OUTCOME_COUNT);
    return texts[outcome];
}

/* --- fields ----------------------------------------------------------------
 */

/* A string of digits, or an integer; one that is left out is 0. */
static bool take_number(uint64_t *number, const json_t *value) {
    *number = 0;
    if (!value)
        return true;
    if (json_is_integer(value)) {
        *number = (uint64_t)json_integer_value(value);
        return json_integer_value(value) >= 0;
    }
    const char *text = json_string_value(value);
    size_t len = text ? strlen(text) : 0;
    if (len == 0 || len > 20 || strspn(text, "0123456789") != len)
        return false;
    *number = strtoull(text, NULL, 10);
    return len < 20 || text[0] == '1';
}

/* NULL: it is none, or too large. To be freed. */
static char *take_base64(const json_t *value, size_t *len) {
    const char *text = json_string_value(value);
    size_t cap = json_string_length(value);
    if (!text || cap > 2 * IDS_GROUP_TEXT_BYTES_MAX)
        return NULL;
    char *bytes = malloc(cap + 1);
    if (!bytes ||
        sodium_base642bin((unsigned char *)bytes, cap + 1, text, cap, NULL, len,
                          NULL, sodium_base64_VARIANT_ORIGINAL) != 0) {
        free(bytes);
        return NULL;
    }
    bytes[*len] = 0;
    return bytes;
}

/* --- errors ----------------------------------------------------------------
 */

static bool says(const char *why, const char *what) {
    return strstr(why, what) != NULL;
}

static ids_etcd_outcome failure_of(long status, uint64_t code,
                                   const char *why) {
    if (status == 401 || says(why, "user name is empty") ||
        says(why, "revision of auth store is old"))
        return IDS_ETCD_TOKEN;
    if (says(why, "authentication failed"))
        return IDS_ETCD_PASSWORD;
    if (status == 403)
        return IDS_ETCD_DENIED;
    if (code == NOT_FOUND && says(why, "lease not found"))
        return IDS_ETCD_NO_LEASE;
    return status >= 400 && status < 500 ? IDS_ETCD_REFUSED
                                         : IDS_ETCD_NO_ANSWER;
}

static void take_answer_why(char *why, size_t cap, const json_t *all) {
    const char *text = json_string_value(json_object_get(all, "error"));
    snprintf(why, cap, "%s", text ? text : "");
    for (char *c = why; *c; c++)
        *c = *c < ' ' || *c > '~' ? '?' : *c;
}

/* NULL: it failed, and *outcome says how. */
static json_t *load_answer(long status, const char *body, size_t len, char *why,
                           size_t why_cap, ids_etcd_outcome *outcome) {
    json_t *all = NULL;
    uint64_t code = 0;
    why[0] = 0;
    if (len <= IDS_ETCD_BODY_BYTES_MAX && ids_json_is_flat(body, len))
        all = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);
    *outcome = IDS_ETCD_OK;
    if (status == 200 && json_is_object(all))
        return all;
    take_answer_why(why, why_cap, all);
    take_number(&code, json_object_get(all, "code"));
    *outcome = status == 0     ? IDS_ETCD_NO_ANSWER
               : status == 200 ? IDS_ETCD_STRANGE
                               : failure_of(status, code, why);
    json_decref(all);
    return NULL;
}

/* --- a read ----------------------------------------------------------------
 */

static const json_t *kvs_of(const json_t *all, size_t at) {
    const json_t *responses = json_object_get(all, "responses");
    const json_t *range =
        json_object_get(json_array_get(responses, at), "response_range");
    return json_object_get(range, "kvs");
}

static bool has_range(const json_t *all, size_t at) {
    const json_t *responses = json_object_get(all, "responses");
    return json_is_object(
        json_object_get(json_array_get(responses, at), "response_range"));
}

static ids_etcd_outcome take_config(ids_group_view *view, const json_t *kvs) {
    const json_t *kv = json_array_get(kvs, 0);
    size_t len = 0;
    if (!kv)
        return IDS_ETCD_OK;
    if (!take_number(&view->revision, json_object_get(kv, "mod_revision")) ||
        view->revision == 0)
        return IDS_ETCD_STRANGE;
    char *text = take_base64(json_object_get(kv, "value"), &len);
    bool good = text && ids_group_from_text(&view->group, text, len);
    free(text);
    return good ? IDS_ETCD_OK : IDS_ETCD_RECORD;
}

/* A key that makes no sense is nobody's: who put it is not alive. */
static void take_alive(ids_group_view *view, const json_t *kv,
                       const char *prefix) {
    char begin[IDS_ETCD_PREFIX_BYTES + 8];
    size_t key_len = 0, len = 0;
    size_t begin_len =
        (size_t)snprintf(begin, sizeof begin, "%salive/", prefix);
    char *key = take_base64(json_object_get(kv, "key"), &key_len);
    char *text = take_base64(json_object_get(kv, "value"), &len);
    ids_group_alive alive;
    if (key && text && key_len > begin_len &&
        memcmp(key, begin, begin_len) == 0 &&
        ids_node_name_from(&alive.node,
                           (idp_slice){(const uint8_t *)key + begin_len,
                                       key_len - begin_len}) &&
        ids_group_alive_from_text(&alive.incarnation, text, len))
        view->alive[view->alive_count++] = alive;
    free(key);
    free(text);
}

static ids_etcd_outcome take_view(ids_group_view *view, const json_t *all,
                                  size_t at, const char *prefix) {
    const json_t *header = json_object_get(all, "header");
    const json_t *alive = kvs_of(all, at + 1);
    if (!has_range(all, at) || !has_range(all, at + 1) ||
        !take_number(&view->cluster, json_object_get(header, "cluster_id")) ||
        view->cluster == 0)
        return IDS_ETCD_STRANGE;
    for (size_t i = 0; i < json_array_size(alive); i++)
        if (view->alive_count < IDS_GROUP_ALIVE_MAX)
            take_alive(view, json_array_get(alive, i), prefix);
    view->paused = json_array_size(kvs_of(all, at + 2)) > 0;
    return take_config(view, kvs_of(all, at));
}

/* --- each kind -------------------------------------------------------------
 */

static void take_put(ids_etcd_answer *answer, const json_t *all,
                     const char *prefix) {
    answer->done = json_is_true(json_object_get(all, "succeeded"));
    answer->outcome =
        take_view(&answer->view, all, answer->done ? 1 : 0, prefix);
    /* What was just put is there. */
    if (answer->outcome == IDS_ETCD_OK && answer->done &&
        answer->view.revision == 0)
        answer->outcome = IDS_ETCD_STRANGE;
}

static void take_lease(ids_etcd_answer *answer, const ids_agent_act *act,
                       const json_t *all) {
    const json_t *from =
        act->kind == IDS_AGENT_KEEPALIVE ? json_object_get(all, "result") : all;
    uint64_t id, ttl;
    bool good = json_is_object(from) &&
                take_number(&id, json_object_get(from, "ID")) &&
                take_number(&ttl, json_object_get(from, "TTL"));
    if (!good || id == 0 ||
        (act->kind == IDS_AGENT_KEEPALIVE && id != act->lease))
        answer->outcome = IDS_ETCD_STRANGE;
    else
        answer->lease = ttl ? id : 0;
}

static void take(ids_etcd_answer *answer, const ids_agent_act *act,
                 const char *prefix, const json_t *all) {
    if (act->kind == IDS_AGENT_READ)
        answer->outcome = take_view(&answer->view, all, 0, prefix);
    else if (act->kind == IDS_AGENT_PUT)
        take_put(answer, all, prefix);
    else if (act->kind == IDS_AGENT_ALIVE || act->kind == IDS_AGENT_PAUSE ||
             act->kind == IDS_AGENT_RESUME) {
        bool good = json_is_object(json_object_get(all, "header"));
        answer->outcome = good ? IDS_ETCD_OK : IDS_ETCD_STRANGE;
        answer->lease = good ? act->lease : 0;
    } else
        take_lease(answer, act, all);
}

void ids_etcd_read_answer(ids_etcd_answer *answer, const ids_agent_act *act,
                          const char *prefix, long status, const char *body,
                          size_t len) {
    assert(ids_etcd_serves(act->kind));
    *answer = (ids_etcd_answer){.call = act->call, .kind = act->kind};
    json_t *all = load_answer(status, body, len, answer->why,
                              sizeof answer->why, &answer->outcome);
    if (all)
        take(answer, act, prefix, all);
    json_decref(all);
}

ids_etcd_outcome ids_etcd_read_token(char token[static IDS_ETCD_TOKEN_BYTES],
                                     long status, const char *body,
                                     size_t len) {
    char why[160];
    ids_etcd_outcome outcome;
    json_t *all = load_answer(status, body, len, why, sizeof why, &outcome);
    const char *text = json_string_value(json_object_get(all, "token"));
    size_t text_len = text ? strlen(text) : 0;
    token[0] = 0;
    if (all && text_len > 0 && text_len < IDS_ETCD_TOKEN_BYTES &&
        strcspn(text, "\r\n") == text_len)
        memcpy(token, text, text_len + 1);
    else if (all)
        outcome = IDS_ETCD_STRANGE;
    json_decref(all);
    return outcome;
}
