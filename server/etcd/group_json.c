/* SPDX-License-Identifier: Apache-2.0 */
/* group_json.c -- see group_json.h. Pure. */
#include "server/etcd/group_json.h"

#include "server/peer/epoch.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEX_BYTES = 17 };

/* --- out -------------------------------------------------------------------
 */

static void to_hex(uint64_t number, char text[static HEX_BYTES]) {
    snprintf(text, HEX_BYTES, "%016" PRIx64, number);
}

static json_t *pack_member(const ids_group_member *member) {
    char inc[HEX_BYTES];
    to_hex(member->incarnation, inc);
    return json_pack("{s:s, s:s, s:s}", "node", member->node.text, "inc", inc,
                     "at", member->at.text);
}

char *ids_group_text(const ids_group *group) {
    assert(ids_group_is_sound(group));
    json_t *isr = json_array();
    for (uint32_t i = 0; i < group->isr_count; i++)
        json_array_append_new(isr, pack_member(&group->isr[i]));
    json_t *all =
        json_pack("{s:i, s:s, s:I, s:o, s:o, s:s, s:s}", "v", 1, "id",
                  group->id.text, "epoch", (json_int_t)group->epoch, "primary",
                  pack_member(&group->primary), "isr", isr, "why",
                  ids_group_why_text(group->why), "by", group->by.text);
    char *text = all && json_array_size(isr) == group->isr_count
                     ? json_dumps(all, JSON_COMPACT)
                     : NULL;
    json_decref(all);
    return text;
}

char *ids_group_alive_text(uint64_t incarnation) {
    char inc[HEX_BYTES];
    to_hex(incarnation, inc);
    json_t *all = json_pack("{s:s}", "inc", inc);
    char *text = all ? json_dumps(all, JSON_COMPACT) : NULL;
    json_decref(all);
    return text;
}

/* --- in --------------------------------------------------------------------
 */

bool ids_json_is_flat(const char *text, size_t len) {
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        if (quoted) {
            if (text[i] == '\\')
                i++;
            else
                quoted = text[i] != '"';
            continue;
        }
        quoted = text[i] == '"';
        if (text[i] == '{' || text[i] == '[')
            depth++;
        else if (depth && (text[i] == '}' || text[i] == ']'))
            depth--;
        if (depth > IDS_ETCD_DEPTH_MAX)
            return false;
    }
    return true;
}

static json_t *load_group(const char *text, size_t len) {
    if (len > IDS_GROUP_TEXT_BYTES_MAX || !ids_json_is_flat(text, len))
        return NULL;
    return json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
}

static bool take_hex(uint64_t *number, const json_t *value) {
    const char *text = json_string_value(value);
    if (!text || strlen(text) != HEX_BYTES - 1 ||
        strspn(text, "0123456789abcdef") != HEX_BYTES - 1)
        return false;
    *number = strtoull(text, NULL, 16);
    return *number != 0;
}

static bool take_name(ids_node_name *name, const json_t *value) {
    const char *text = json_string_value(value);
    size_t len = json_string_length(value);
    return text &&
           ids_node_name_from(name, (idp_slice){(const uint8_t *)text, len}) &&
           name->text[0];
}

static bool take_member(ids_group_member *member, const json_t *value) {
    const json_t *at = json_object_get(value, "at");
    return take_name(&member->node, json_object_get(value, "node")) &&
           take_hex(&member->incarnation, json_object_get(value, "inc")) &&
           json_is_string(at) &&
           ids_endpoint_from(&member->at, json_string_value(at),
                             json_string_length(at));
}

static bool take_id(ids_group_id *id, const json_t *value) {
    const char *text = json_string_value(value);
    if (!text || strlen(text) != IDS_GROUP_ID_BYTES - 1 ||
        strspn(text, "0123456789abcdef-") != IDS_GROUP_ID_BYTES - 1)
        return false;
    memcpy(id->text, text, IDS_GROUP_ID_BYTES);
    return true;
}

static bool take_group_why(ids_group_why *why, const json_t *value) {
    const char *text = json_string_value(value);
    for (int i = 0; text && i < IDS_GROUP_WHY_COUNT; i++) {
        *why = (ids_group_why)i;
        if (strcmp(text, ids_group_why_text(*why)) == 0)
            return true;
    }
    return false;
}

static bool take_isr(ids_group *group, const json_t *value) {
    size_t count = json_array_size(value);
    if (count == 0 || count > IDS_GROUP_NODES_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!take_member(&group->isr[i], json_array_get(value, i)))
            return false;
    group->isr_count = (uint32_t)count;
    return true;
}

static bool take_group(ids_group *group, const json_t *all) {
    const json_t *epoch = json_object_get(all, "epoch");
    if (json_integer_value(json_object_get(all, "v")) != 1 ||
        json_integer_value(epoch) <= 0 ||
        (uint64_t)json_integer_value(epoch) > IDS_EPOCH_MAX)
        return false;
    group->epoch = (uint64_t)json_integer_value(epoch);
    return take_id(&group->id, json_object_get(all, "id")) &&
           take_member(&group->primary, json_object_get(all, "primary")) &&
           take_isr(group, json_object_get(all, "isr")) &&
           take_group_why(&group->why, json_object_get(all, "why")) &&
           take_name(&group->by, json_object_get(all, "by")) &&
           ids_group_is_sound(group);
}

bool ids_group_from_text(ids_group *group, const char *text, size_t len) {
    *group = (ids_group){.isr_count = 0};
    json_t *all = load_group(text, len);
    bool good = all && take_group(group, all);
    json_decref(all);
    return good;
}

bool ids_group_alive_from_text(uint64_t *incarnation, const char *text,
                               size_t len) {
    json_t *all = load_group(text, len);
    bool good = all && take_hex(incarnation, json_object_get(all, "inc"));
    json_decref(all);
    return good;
}
