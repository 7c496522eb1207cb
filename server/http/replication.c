/* SPDX-License-Identifier: Apache-2.0 */
/* replication.c -- see replication.h. */
#include "server/http/replication.h"

#include "proto/commands.h"

#include <string.h>

/* null: there is none, or somebody named a node in no UTF-8. */
static void put_string(ids_json_out *out, const char *text) {
    const idp_slice slice = {(const uint8_t *)text, strlen(text)};
    if (slice.len && ids_is_utf8(slice))
        ids_json_put_string(out, slice);
    else
        ids_json_put(out, "null");
}

static void put_member_name(ids_json_out *out, const char *name) {
    ids_json_put(out, ",\"");
    ids_json_put(out, name);
    ids_json_put(out, "\":");
}

static void put_member_text(ids_json_out *out, const char *name,
                            const char *text) {
    put_member_name(out, name);
    put_string(out, text);
}

static void put_flag(ids_json_out *out, const char *name, bool value) {
    put_member_name(out, name);
    ids_json_put(out, value ? "true" : "false");
}

static void put_in_sync(ids_json_out *out, const idp_replication *at) {
    put_member_name(out, "in_sync");
    for (uint32_t i = 0; i < at->in_sync_count; i++) {
        ids_json_put(out, i ? "," : "[");
        put_string(out, at->in_sync[i]);
    }
    ids_json_put(out, at->in_sync_count ? "]" : "[]");
}

static void put_replica(ids_json_out *out, const idp_replica *one) {
    ids_json_put(out, "{\"node\":");
    put_string(out, one->node);
    put_member_text(out, "at", one->at);
    put_flag(out, "member", one->member);
    put_flag(out, "in_sync", one->in_sync);
    put_flag(out, "connected", one->connected);
    put_flag(out, "syncing", one->syncing);
    ids_json_put_field(out, "lag_ops", one->lag.ops);
    ids_json_put_field(out, "lag_bytes", one->lag.bytes);
    ids_json_put_field(out, "lag_ms", one->lag.ms);
    ids_json_put_field(out, "copy_records", one->copy_records);
    ids_json_put_field(out, "copy_total", one->copy_total);
    ids_json_put(out, "}");
}

static void put_json_replicas(ids_json_out *out, const idp_replication *at) {
    put_member_name(out, "replicas");
    ids_json_put(out, "[");
    for (uint32_t i = 0; i < at->replicas_count; i++) {
        ids_json_put(out, i ? "," : "");
        put_replica(out, &at->replicas[i]);
    }
    ids_json_put(out, "]");
}

bool ids_http_put_replication(ids_json_out *out, idp_slice result) {
    idp_replication at;
    if (!idp_replication_read(result, &at))
        return false;
    ids_json_put(out, "{\"epoch\":");
    ids_json_put_number(out, at.epoch);
    put_member_text(out, "role", at.role);
    put_member_text(out, "mode", at.mode);
    put_member_text(out, "node", at.node);
    put_member_text(out, "state", at.state);
    put_member_text(out, "primary", at.primary);
    put_member_text(out, "peer", at.peer);
    put_flag(out, "connected", at.connected);
    put_flag(out, "syncing", at.syncing);
    put_flag(out, "safe_to_stop", at.safe_to_stop);
    put_in_sync(out, &at);
    ids_json_put_field(out, "lag_ops", at.lag.ops);
    ids_json_put_field(out, "lag_bytes", at.lag.bytes);
    ids_json_put_field(out, "lag_ms", at.lag.ms);
    ids_json_put_field(out, "copy_records", at.copy_records);
    ids_json_put_field(out, "copy_total", at.copy_total);
    put_json_replicas(out, &at);
    ids_json_put(out, "}\n");
    return true;
}
