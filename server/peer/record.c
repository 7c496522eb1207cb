/* SPDX-License-Identifier: Apache-2.0 */
/* record.c -- see record.h. Write and read stand side by side. Pure. */
#include "server/peer/record.h"

#include "server/base/pack.h"
#include "server/journal/crc32c.h"
#include "server/peer/epoch.h"

#include <assert.h>
#include <string.h>

#define HEAD_BYTES  16
#define CRC_AT      12
#define NUMBERS_AT  16
#define NUMBERS     10
#define ROLE_AT     96
#define REPLICA_AT  97
#define ADDRESS_AT  98
#define ADDRESS_MAX (IDS_ENDPOINT_BYTES - 1)
#define NAME_AT     (ADDRESS_AT + 1 + ADDRESS_MAX)
#define REPLICAS_AT (NAME_AT + IDS_NODE_NAME_BYTES)
#define LED_AT      (REPLICAS_AT + IDS_NODE_NAME_BYTES)
#define MODE_AT     (LED_AT + 8)
#define KEPT_AT     (MODE_AT + 1)
#define FILES_AT    (KEPT_AT + 1)
#define ORIGIN_AT   IDS_RECORD_BYTES_0_1
#define GROUP_AT    IDS_RECORD_BYTES_SEVERAL
#define MODE_MAX    2

_Static_assert(NAME_AT == 354 && LED_AT == 482, "as record.h says");
_Static_assert(GROUP_AT == 768 &&
                   GROUP_AT + 8 + IDS_GROUP_ID_BYTES <= IDS_RECORD_BYTES_MAX,
               "as record.h says");
_Static_assert(FILES_AT + 16 <= ORIGIN_AT, "the longest texts fit");

static const uint8_t magic[8] = {'I', 'D', 'E', 'M', 'P', 'E', 'E', 'R'};

const char *ids_record_fault_text(ids_record_fault fault) {
    static const char *const texts[] = {
#define X(name, text) text,
        IDS_RECORD_FAULTS(X)
#undef X
    };
    assert(fault < IDS_RECORD_FAULT_COUNT);
    return texts[fault];
}

static uint32_t record_checksum(const uint8_t *bytes, size_t len,
                                uint32_t format) {
    assert(len > HEAD_BYTES);
    return ids_crc32c(format, bytes + HEAD_BYTES, len - HEAD_BYTES);
}

static size_t record_bytes_of(uint32_t format) {
    assert(format >= IDS_RECORD_FORMAT && format <= IDS_RECORD_FORMAT_GROUP);
    return format == IDS_RECORD_FORMAT           ? IDS_RECORD_BYTES
           : format == IDS_RECORD_FORMAT_SEVERAL ? IDS_RECORD_BYTES_SEVERAL
                                                 : IDS_RECORD_BYTES_MAX;
}

static void put_node_name(uint8_t *at, const ids_node_name *name) {
    size_t len = strlen(name->text);
    assert(len < IDS_NODE_NAME_BYTES);
    at[0] = (uint8_t)len;
    memcpy(at + 1, name->text, len);
}

static bool get_name(const uint8_t *at, ids_node_name *name) {
    return ids_node_name_from(name, (idp_slice){at + 1, at[0]});
}

/* The replicas beyond the first, in their places. */
static void put_others(uint8_t *at, const ids_decision *d) {
    for (uint32_t i = 1; i < IDS_FOLLOWERS_MAX; i++) {
        ids_put_u64(at, d->replica[i].node);
        ids_put_u64(at + 8, d->replica[i].incarnation);
        put_node_name(at + 16, &d->replica_name[i]);
        at += IDS_RECORD_PLACE_BYTES;
    }
}

static bool get_others(const uint8_t *at, ids_decision *d) {
    for (uint32_t i = 1; i < IDS_FOLLOWERS_MAX; i++) {
        d->replica[i] = (ids_member){ids_get_u64(at), ids_get_u64(at + 8)};
        if (!get_name(at + 16, &d->replica_name[i]))
            return false;
        at += IDS_RECORD_PLACE_BYTES;
    }
    return true;
}

static void put_group(uint8_t *at, const ids_decision *d) {
    ids_put_u64(at, d->rev);
    memcpy(at + 8, d->group.text, IDS_GROUP_ID_BYTES);
}

static bool get_group(const uint8_t *at, ids_decision *d) {
    d->rev = ids_get_u64(at);
    memcpy(d->group.text, at + 8, IDS_GROUP_ID_BYTES);
    return d->group.text[IDS_GROUP_ID_BYTES - 1] == '\0';
}

static uint32_t format_of(const ids_decision *d) {
    if (d->group.text[0] != '\0')
        return IDS_RECORD_FORMAT_GROUP;
    for (uint32_t i = 1; i < IDS_FOLLOWERS_MAX; i++)
        if (d->replica[i].node != 0)
            return IDS_RECORD_FORMAT_SEVERAL;
    return IDS_RECORD_FORMAT;
}

size_t ids_decision_write(uint8_t to[static IDS_RECORD_BYTES_MAX],
                          const ids_decision *d) {
    uint32_t format = format_of(d);
    size_t bytes = record_bytes_of(format);
    const uint64_t numbers[NUMBERS] = {
        d->version,          d->epoch,           d->self.node,
        d->self.incarnation, d->replica[0].node, d->replica[0].incarnation,
        d->admitted_epoch,   d->admitted.node,   d->admitted.incarnation,
        d->admitted_version};
    size_t len = strlen(d->other_at.text);
    /* Nothing that a start would refuse. */
    assert(d->self.node != 0 && len <= ADDRESS_MAX);
    assert(d->version <= IDS_EPOCH_MAX && d->epoch <= IDS_EPOCH_MAX);
    assert(d->led_epoch <= d->epoch && d->admitted_epoch <= d->epoch);
    assert(d->origin.epoch <= d->epoch);
    assert(d->mode <= MODE_MAX && d->kept <= IDS_KEPT_YES);
    assert(d->role <= IDS_ROLE_PRIMARY);
    memset(to, 0, IDS_RECORD_BYTES_MAX);
    memcpy(to, magic, sizeof magic);
    for (size_t i = 0; i < NUMBERS; i++)
        ids_put_u64(to + NUMBERS_AT + 8 * i, numbers[i]);
    to[ROLE_AT] = (uint8_t)d->role;
    to[REPLICA_AT] = d->had_replica;
    to[ADDRESS_AT] = (uint8_t)len;
    memcpy(to + ADDRESS_AT + 1, d->other_at.text, len);
    put_node_name(to + NAME_AT, &d->name);
    put_node_name(to + REPLICAS_AT, &d->replica_name[0]);
    ids_put_u64(to + LED_AT, d->led_epoch);
    to[MODE_AT] = d->mode;
    to[KEPT_AT] = d->kept;
    ids_put_u64(to + FILES_AT, d->kept_in[0]);
    ids_put_u64(to + FILES_AT + 8, d->kept_in[1]);
    ids_put_u64(to + ORIGIN_AT, d->origin.epoch);
    to[ORIGIN_AT + 8] = d->origin.by_word;
    put_others(to + IDS_RECORD_BYTES, d);
    put_group(to + GROUP_AT, d);
    ids_put_u64(to + 8,
                (uint64_t)record_checksum(to, bytes, format) << 32 | format);
    return bytes;
}

static bool read_record_body(const uint8_t *at, ids_decision *d) {
    uint64_t numbers[NUMBERS];
    for (size_t i = 0; i < NUMBERS; i++)
        numbers[i] = ids_get_u64(at + NUMBERS_AT + 8 * i);
    *d = (ids_decision){.version = numbers[0],
                        .epoch = numbers[1],
                        .role = (ids_role)at[ROLE_AT],
                        .self = {numbers[2], numbers[3]},
                        .replica[0] = {numbers[4], numbers[5]},
                        .admitted_epoch = numbers[6],
                        .admitted = {numbers[7], numbers[8]},
                        .admitted_version = numbers[9],
                        .had_replica = at[REPLICA_AT] == 1,
                        .led_epoch = ids_get_u64(at + LED_AT),
                        .mode = at[MODE_AT],
                        .kept = at[KEPT_AT],
                        .kept_in = {ids_get_u64(at + FILES_AT),
                                    ids_get_u64(at + FILES_AT + 8)}};
    d->origin = (ids_origin){.epoch = ids_get_u64(at + ORIGIN_AT),
                             .by_word = at[ORIGIN_AT + 8] == 1};
    if (d->mode > MODE_MAX || d->kept > IDS_KEPT_YES ||
        d->version > IDS_EPOCH_MAX || d->epoch > IDS_EPOCH_MAX ||
        d->led_epoch > d->epoch || d->admitted_epoch > d->epoch ||
        d->origin.epoch > d->epoch || at[ORIGIN_AT + 8] > 1 ||
        !get_name(at + NAME_AT, &d->name) ||
        !get_name(at + REPLICAS_AT, &d->replica_name[0]) ||
        !get_others(at + IDS_RECORD_BYTES, d) || !get_group(at + GROUP_AT, d))
        return false;
    return at[ROLE_AT] <= IDS_ROLE_PRIMARY && at[REPLICA_AT] <= 1 &&
           d->self.node != 0 &&
           ids_endpoint_from(&d->other_at, at + ADDRESS_AT + 1, at[ADDRESS_AT]);
}

ids_record_fault ids_decision_read(idp_slice bytes, ids_decision *decision) {
    uint8_t whole[IDS_RECORD_BYTES_MAX] = {0};
    uint64_t head;
    uint32_t format;
    *decision = (ids_decision){0};
    if (bytes.len < HEAD_BYTES)
        return bytes.len == 0 ? IDS_RECORD_DAMAGED : IDS_RECORD_FOREIGN;
    if (memcmp(bytes.ptr, magic, sizeof magic) != 0)
        return IDS_RECORD_FOREIGN;
    head = ids_get_u64(bytes.ptr + 8);
    format = (uint32_t)head;
    if (format > IDS_RECORD_FORMAT_GROUP)
        return IDS_RECORD_NEWER;
    if (format < IDS_RECORD_FORMAT ||
        (bytes.len != record_bytes_of(format) &&
         !(format == IDS_RECORD_FORMAT && bytes.len == IDS_RECORD_BYTES_0_1)) ||
        record_checksum(bytes.ptr, bytes.len, format) != head >> 32)
        return IDS_RECORD_DAMAGED;
    memcpy(whole, bytes.ptr, bytes.len);
    if (!read_record_body(whole, decision)) {
        *decision = (ids_decision){0};
        return IDS_RECORD_DAMAGED;
    }
    return IDS_RECORD_OK;
}
