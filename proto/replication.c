/* SPDX-License-Identifier: Apache-2.0 */
/* replication.c -- what `replication` answers: encode and decode.
 *
 * Pure. Keys that a later version adds are skipped. */
#include "proto/commands.h"
#include "proto/cursor.h"
#include "proto/pack.h"
#include "proto/put.h"
#include "proto/scan.h"
#include "proto/text.h"

#include <assert.h>

static void pack_bounded(msgpack_packer *packer, const char *text,
                         size_t size) {
    pack_text(packer, text, strnlen(text, size - 1));
}

static void pack_bounded_field(msgpack_packer *packer, const char *name,
                               const char *text, size_t size) {
    pack_word(packer, name);
    pack_bounded(packer, text, size);
}

static void pack_address(msgpack_packer *packer, const char *name,
                         const char *text, size_t size) {
    pack_word(packer, name);
    if (text[0] == '\0') {
        msgpack_pack_nil(packer);
    } else {
        pack_bounded(packer, text, size);
    }
}

static void pack_flag(msgpack_packer *packer, const char *name, bool flag) {
    pack_word(packer, name);
    if (flag) {
        msgpack_pack_true(packer);
    } else {
        msgpack_pack_false(packer);
    }
}

static void pack_in_sync(msgpack_packer *packer, const idp_replication *r) {
    assert(r->in_sync_count <= IDP_IN_SYNC_MAX);
    pack_word(packer, "in_sync");
    msgpack_pack_array(packer, r->in_sync_count);
    for (uint32_t i = 0; i < r->in_sync_count; i++) {
        pack_bounded(packer, r->in_sync[i], sizeof r->in_sync[i]);
    }
}

static void pack_streams(msgpack_packer *packer, const idp_replication *r) {
    assert(r->streams_count <= IDP_STREAMS_MAX);
    pack_word(packer, "streams");
    msgpack_pack_array(packer, r->streams_count);
    for (uint32_t i = 0; i < r->streams_count; i++) {
        msgpack_pack_array(packer, 3);
        pack_number(packer, r->streams[i].ops);
        pack_number(packer, r->streams[i].bytes);
        pack_number(packer, r->streams[i].ms);
    }
}

static void pack_replica(msgpack_packer *packer, const idp_replica *one) {
    msgpack_pack_map(packer, 11);
    pack_bounded_field(packer, "node", one->node, sizeof one->node);
    pack_address(packer, "at", one->at, sizeof one->at);
    pack_flag(packer, "member", one->member);
    pack_flag(packer, "in_sync", one->in_sync);
    pack_flag(packer, "connected", one->connected);
    pack_flag(packer, "syncing", one->syncing);
    pack_pair(packer, "copy_records", one->copy_records);
    pack_pair(packer, "copy_total", one->copy_total);
    pack_pair(packer, "lag_ops", one->lag.ops);
    pack_pair(packer, "lag_bytes", one->lag.bytes);
    pack_pair(packer, "lag_ms", one->lag.ms);
}

static void pack_replicas(msgpack_packer *packer, const idp_replication *r) {
    assert(r->replicas_count <= IDP_REPLICAS_MAX);
    pack_word(packer, "replicas");
    msgpack_pack_array(packer, r->replicas_count);
    for (uint32_t i = 0; i < r->replicas_count; i++) {
        pack_replica(packer, &r->replicas[i]);
    }
}

static void pack_contents(msgpack_packer *packer, const idp_replication *r) {
    assert(r->tokens_count <= IDP_STREAMS_MAX);
    assert(r->parts_count <= IDP_PARTS_MAX);
    pack_bounded_field(packer, "contents", r->contents, sizeof r->contents);
    pack_pair(packer, "records", r->records);
    pack_pair(packer, "completed", r->completed);
    pack_pair(packer, "token_epoch", r->token_epoch);
    pack_word(packer, "tokens");
    msgpack_pack_array(packer, r->tokens_count);
    for (uint32_t i = 0; i < r->tokens_count; i++) {
        pack_number(packer, r->tokens[i]);
    }
    pack_word(packer, "parts");
    msgpack_pack_array(packer, r->parts_count);
    for (uint32_t i = 0; i < r->parts_count; i++) {
        msgpack_pack_array(packer, 2);
        pack_number(packer, r->parts[i].records);
        pack_number(packer, r->parts[i].completed);
    }
}

static void pack_replication(msgpack_packer *packer, const idp_replication *r) {
    bool is_grouped = r->group.self.node[0] != '\0';
    msgpack_pack_map(packer, (r->contents[0] != '\0' ? 24u : 18u) + is_grouped);
    pack_bounded_field(packer, "role", r->role, sizeof r->role);
    pack_bounded_field(packer, "mode", r->mode, sizeof r->mode);
    pack_pair(packer, "epoch", r->epoch);
    pack_bounded_field(packer, "node", r->node, sizeof r->node);
    pack_in_sync(packer, r);
    pack_flag(packer, "connected", r->connected);
    pack_flag(packer, "syncing", r->syncing);
    pack_flag(packer, "safe_to_stop", r->safe_to_stop);
    pack_pair(packer, "copy_records", r->copy_records);
    pack_pair(packer, "copy_total", r->copy_total);
    pack_address(packer, "primary", r->primary, sizeof r->primary);
    pack_address(packer, "peer", r->peer, sizeof r->peer);
    pack_pair(packer, "lag_ops", r->lag.ops);
    pack_pair(packer, "lag_bytes", r->lag.bytes);
    pack_pair(packer, "lag_ms", r->lag.ms);
    pack_streams(packer, r);
    pack_replicas(packer, r);
    pack_bounded_field(packer, "state", r->state, sizeof r->state);
    if (r->contents[0] != '\0') {
        pack_contents(packer, r);
    }
    if (is_grouped) {
        pack_word(packer, "group");
        idp_standing_pack(packer, &r->group);
    }
}

size_t idp_replication_write(uint8_t *to, size_t cap, uint32_t msgid,
                             const idp_replication *report) {
    pack_buffer buffer = {.end = to + cap};
    msgpack_packer packer;
    if (cap < IDP_REPLICATION_BYTES_MAX) {
        return 0;
    }
    buffer.at = put_reply_head(to, msgid);
    msgpack_packer_init(&packer, &buffer, pack_write);
    pack_replication(&packer, report);
    return buffer.is_full ? 0 : (size_t)(buffer.at - to);
}

/* nil leaves it empty. */
static bool text_or_nil_read(cursor *c, char *to, size_t size) {
    return cursor_nil(c) || text_read(c, to, size);
}

static bool in_sync_read(cursor *c, idp_replication *r) {
    uint32_t count;
    if (!cursor_array(c, &count)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        bool good = i < IDP_IN_SYNC_MAX ? text_or_nil_read(c, r->in_sync[i],
                                                           sizeof r->in_sync[i])
                                        : idp_skip(c);
        if (!good) {
            return false;
        }
    }
    r->in_sync_count = count < IDP_IN_SYNC_MAX ? count : IDP_IN_SYNC_MAX;
    return true;
}

static bool stream_read(cursor *c, idp_lag *lag) {
    uint32_t count;
    if (!cursor_array(c, &count) || count < 3 || !cursor_uint(c, &lag->ops) ||
        !cursor_uint(c, &lag->bytes) || !cursor_uint(c, &lag->ms)) {
        return false;
    }
    for (; count > 3; count--) {
        if (!idp_skip(c)) {
            return false;
        }
    }
    return true;
}

static bool streams_read(cursor *c, idp_replication *r) {
    uint32_t count;
    if (!cursor_array(c, &count)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        bool good =
            i < IDP_STREAMS_MAX ? stream_read(c, &r->streams[i]) : idp_skip(c);
        if (!good) {
            return false;
        }
    }
    r->streams_count = count < IDP_STREAMS_MAX ? count : IDP_STREAMS_MAX;
    return true;
}

static bool tokens_read(cursor *c, idp_replication *r) {
    uint32_t count;
    if (!cursor_array(c, &count)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!(i < IDP_STREAMS_MAX ? cursor_uint(c, &r->tokens[i])
                                  : idp_skip(c))) {
            return false;
        }
    }
    r->tokens_count = count < IDP_STREAMS_MAX ? count : IDP_STREAMS_MAX;
    return true;
}

static bool part_read(cursor *c, idp_part *part) {
    uint32_t count;
    if (!cursor_array(c, &count) || count < 2 ||
        !cursor_uint(c, &part->records) || !cursor_uint(c, &part->completed)) {
        return false;
    }
    for (; count > 2; count--) {
        if (!idp_skip(c)) {
            return false;
        }
    }
    return true;
}

static bool parts_read(cursor *c, idp_replication *r) {
    uint32_t count;
    if (!cursor_array(c, &count)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!(i < IDP_PARTS_MAX ? part_read(c, &r->parts[i]) : idp_skip(c))) {
            return false;
        }
    }
    r->parts_count = count < IDP_PARTS_MAX ? count : IDP_PARTS_MAX;
    return true;
}

/* One of these, by its name; false: it is none of them. */
typedef struct flag_field {
    const char *name;
    bool *to;
} flag_field;

typedef struct number_field {
    const char *name;
    uint64_t *to;
} number_field;

static bool flag_read(cursor *c, idp_slice name, const flag_field *fields,
                      size_t count, bool *good) {
    for (size_t i = 0; i < count; i++) {
        if (slice_is(name, fields[i].name)) {
            *good = cursor_bool(c, fields[i].to);
            return true;
        }
    }
    return false;
}

static bool number_read(cursor *c, idp_slice name, const number_field *fields,
                        size_t count, bool *good) {
    for (size_t i = 0; i < count; i++) {
        if (slice_is(name, fields[i].name)) {
            *good = cursor_uint(c, fields[i].to);
            return true;
        }
    }
    return false;
}

#define COUNT_OF(fields) (sizeof(fields) / sizeof((fields)[0]))

static bool replica_pair_read(cursor *c, idp_replica *one) {
    const flag_field flags[] = {{"member", &one->member},
                                {"in_sync", &one->in_sync},
                                {"connected", &one->connected},
                                {"syncing", &one->syncing}};
    const number_field numbers[] = {{"copy_records", &one->copy_records},
                                    {"copy_total", &one->copy_total},
                                    {"lag_ops", &one->lag.ops},
                                    {"lag_bytes", &one->lag.bytes},
                                    {"lag_ms", &one->lag.ms}};
    idp_slice name;
    bool good;
    if (!cursor_bytes(c, &name)) {
        return false;
    }
    if (flag_read(c, name, flags, COUNT_OF(flags), &good) ||
        number_read(c, name, numbers, COUNT_OF(numbers), &good)) {
        return good;
    }
    return slice_is(name, "node")
               ? text_or_nil_read(c, one->node, sizeof one->node)
           : slice_is(name, "at") ? text_or_nil_read(c, one->at, sizeof one->at)
                                  : idp_skip(c);
}

static bool replica_read(cursor *c, idp_replica *one) {
    uint32_t pairs;
    if (!cursor_map(c, &pairs)) {
        return false;
    }
    for (; pairs > 0; pairs--) {
        if (!replica_pair_read(c, one)) {
            return false;
        }
    }
    return true;
}

static bool replicas_read(cursor *c, idp_replication *r) {
    uint32_t count;
    if (!cursor_array(c, &count)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!(i < IDP_REPLICAS_MAX ? replica_read(c, &r->replicas[i])
                                   : idp_skip(c))) {
            return false;
        }
    }
    r->replicas_count = count < IDP_REPLICAS_MAX ? count : IDP_REPLICAS_MAX;
    return true;
}

static bool text_pair_read(cursor *c, idp_slice name, idp_replication *r,
                           bool *good) {
    struct {
        const char *name;
        char *to;
        size_t size;
    } texts[] = {
        {"role", r->role, sizeof r->role},
        {"mode", r->mode, sizeof r->mode},
        {"node", r->node, sizeof r->node},
        {"primary", r->primary, sizeof r->primary},
        {"peer", r->peer, sizeof r->peer},
        {"state", r->state, sizeof r->state},
        {"contents", r->contents, sizeof r->contents},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (slice_is(name, texts[i].name)) {
            *good = text_or_nil_read(c, texts[i].to, texts[i].size);
            return true;
        }
    }
    return false;
}

static bool plain_pair_read(cursor *c, idp_slice name, idp_replication *r,
                            bool *good) {
    const number_field numbers[] = {
        {"epoch", &r->epoch},
        {"copy_records", &r->copy_records},
        {"copy_total", &r->copy_total},
        {"lag_ops", &r->lag.ops},
        {"lag_bytes", &r->lag.bytes},
        {"lag_ms", &r->lag.ms},
        {"records", &r->records},
        {"completed", &r->completed},
        {"token_epoch", &r->token_epoch},
    };
    const flag_field flags[] = {{"connected", &r->connected},
                                {"syncing", &r->syncing},
                                {"safe_to_stop", &r->safe_to_stop}};
    return number_read(c, name, numbers, COUNT_OF(numbers), good) ||
           flag_read(c, name, flags, COUNT_OF(flags), good);
}

static bool replication_pair_read(cursor *c, idp_replication *r) {
    idp_slice name;
    bool good;
    if (!cursor_bytes(c, &name)) {
        return false;
    }
    if (text_pair_read(c, name, r, &good) ||
        plain_pair_read(c, name, r, &good)) {
        return good;
    }
    return slice_is(name, "in_sync")    ? in_sync_read(c, r)
           : slice_is(name, "streams")  ? streams_read(c, r)
           : slice_is(name, "tokens")   ? tokens_read(c, r)
           : slice_is(name, "parts")    ? parts_read(c, r)
           : slice_is(name, "replicas") ? replicas_read(c, r)
           : slice_is(name, "group")    ? idp_standing_read(c, &r->group)
                                        : idp_skip(c);
}

bool idp_replication_read(idp_slice result, idp_replication *report) {
    cursor c = cursor_over(result);
    uint32_t pairs;
    *report = (idp_replication){0};
    if (!cursor_map(&c, &pairs)) {
        return false;
    }
    for (; pairs > 0; pairs--) {
        if (!replication_pair_read(&c, report)) {
            return false;
        }
    }
    /* A server that says nothing of its role is none of ours. */
    return report->role[0] != '\0';
}
