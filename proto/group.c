/* SPDX-License-Identifier: Apache-2.0 */
/* group.c -- see group.h. Pure. */
#include "proto/group.h"

#include "proto/cursor.h"
#include "proto/pack.h"
#include "proto/put.h"
#include "proto/scan.h"
#include "proto/text.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum { HEX_DIGITS = 16, NODE_ITEMS = 3, TOLD_ITEMS = 5, SEEN_ITEMS = 9 };

static_assert(IDP_TOLD_BYTES_MAX >=
                  IDP_GROUP_NODES_MAX * (IDP_NODE_NAME_BYTES_MAX +
                                         IDP_NODE_AT_BYTES_MAX + 64) +
                      IDP_GROUP_ID_BYTES_MAX + IDP_NODE_NAME_BYTES_MAX + 64,
              "what is told fits");
static_assert(IDP_STANDING_BYTES_MAX >=
                  IDP_GROUP_SEEN_MAX * (IDP_NODE_NAME_BYTES_MAX +
                                        IDP_NODE_AT_BYTES_MAX + 80) +
                      IDP_NODE_AT_BYTES_MAX + 512,
              "what is said fits");

static uint8_t *put_c_string(uint8_t *to, const char *text) {
    return put_str(to, (const uint8_t *)text, strlen(text));
}

static void incarnation_hex(char hex[static HEX_DIGITS + 1],
                            uint64_t incarnation) {
    snprintf(hex, HEX_DIGITS + 1, "%016" PRIx64, incarnation);
}

static bool digit_of(uint8_t c, uint64_t *digit) {
    *digit = c <= '9' ? (uint64_t)(c - '0') : (uint64_t)(c - 'a' + 10);
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* An incarnation is any number of 64 bits, which no integer here may be. */
static bool hex_read(cursor *c, uint64_t *incarnation) {
    idp_slice hex;
    uint64_t digit;
    *incarnation = 0;
    if (!cursor_bytes(c, &hex) || hex.len != HEX_DIGITS)
        return false;
    for (size_t i = 0; i < HEX_DIGITS; i++) {
        if (!digit_of(hex.ptr[i], &digit))
            return false;
        *incarnation = *incarnation << 4 | digit;
    }
    return true;
}

/* One that is cut would be another. */
static bool whole_text_read(cursor *c, char *to, size_t size) {
    idp_slice text;
    if (!cursor_bytes(c, &text) || text.len >= size ||
        (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL))
        return false;
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
    to[text.len] = '\0';
    return true;
}

static bool rest_read(cursor *c, uint32_t count) {
    for (; count > 0; count--)
        if (!idp_skip(c))
            return false;
    return true;
}

/* --- what is told --------------------------------------------------------- */

static uint8_t *node_put(uint8_t *to, const idp_group_node *node) {
    char hex[HEX_DIGITS + 1];
    incarnation_hex(hex, node->incarnation);
    to = put_c_string(put_array(to, NODE_ITEMS), node->node);
    return put_c_string(put_c_string(to, hex), node->at);
}

size_t idp_told_write(uint8_t *to, size_t cap, const idp_told *told) {
    if (cap < IDP_TOLD_BYTES_MAX)
        return 0;
    assert(told->node_count <= IDP_GROUP_NODES_MAX);
    uint8_t *at = put_c_string(put_array(to, TOLD_ITEMS), told->id);
    at = put_uint(put_uint(at, told->rev), told->epoch);
    at = put_array(put_c_string(at, told->primary), told->node_count);
    for (uint32_t i = 0; i < told->node_count; i++)
        at = node_put(at, &told->nodes[i]);
    return (size_t)(at - to);
}

static bool node_read(cursor *c, idp_group_node *node) {
    uint32_t count;
    return cursor_array(c, &count) && count >= NODE_ITEMS &&
           whole_text_read(c, node->node, sizeof node->node) &&
           hex_read(c, &node->incarnation) &&
           whole_text_read(c, node->at, sizeof node->at) &&
           rest_read(c, count - NODE_ITEMS);
}

bool idp_told_read(idp_slice bytes, idp_told *told) {
    cursor c = cursor_over(bytes);
    uint32_t items;
    *told = (idp_told){.rev = 0};
    if (bytes.len > IDP_TOLD_BYTES_MAX || !cursor_array(&c, &items) ||
        items < TOLD_ITEMS || !whole_text_read(&c, told->id, sizeof told->id) ||
        !cursor_uint(&c, &told->rev) || !cursor_uint(&c, &told->epoch) ||
        !whole_text_read(&c, told->primary, sizeof told->primary) ||
        !cursor_array(&c, &told->node_count) ||
        told->node_count > IDP_GROUP_NODES_MAX)
        return false;
    for (uint32_t i = 0; i < told->node_count; i++)
        if (!node_read(&c, &told->nodes[i]))
            return false;
    return true;
}

/* --- what is said --------------------------------------------------------- */

static void pack_bool(msgpack_packer *packer, bool flag) {
    if (flag)
        msgpack_pack_true(packer);
    else
        msgpack_pack_false(packer);
}

static void pack_node(msgpack_packer *packer, const idp_group_node *node) {
    char hex[HEX_DIGITS + 1];
    incarnation_hex(hex, node->incarnation);
    msgpack_pack_array(packer, NODE_ITEMS);
    pack_word(packer, node->node);
    pack_word(packer, hex);
    pack_word(packer, node->at);
}

static void pack_seen(msgpack_packer *packer, const idp_group_seen *seen) {
    msgpack_pack_array(packer, SEEN_ITEMS - 1);
    pack_node(packer, &seen->who);
    pack_word(packer, seen->as);
    pack_number(packer, seen->rev);
    pack_number(packer, seen->silent_ms);
    pack_bool(packer, seen->session);
    pack_bool(packer, seen->whole);
    pack_bool(packer, seen->ready);
    pack_bool(packer, seen->needs_copy);
}

void idp_standing_pack(struct msgpack_packer *packer,
                       const idp_group_standing *s) {
    assert(s->seen_count <= IDP_GROUP_SEEN_MAX);
    msgpack_pack_map(packer, SEEN_ITEMS);
    pack_word(packer, "id");
    pack_word(packer, s->id);
    pack_word(packer, "self");
    pack_node(packer, &s->self);
    pack_pair(packer, "rev", s->rev);
    pack_pair(packer, "epoch", s->epoch);
    pack_pair(packer, "lead_epoch", s->lead_epoch);
    pack_pair(packer, "min_in_sync", s->min_in_sync);
    pack_word(packer, "leading");
    pack_bool(packer, s->leading);
    pack_word(packer, "had_replica");
    pack_bool(packer, s->had_replica);
    pack_word(packer, "nodes");
    msgpack_pack_array(packer, s->seen_count);
    for (uint32_t i = 0; i < s->seen_count; i++)
        pack_seen(packer, &s->seen[i]);
}

static bool seen_read(cursor *c, idp_group_seen *seen) {
    uint32_t count;
    return cursor_array(c, &count) && count >= SEEN_ITEMS - 1 &&
           node_read(c, &seen->who) &&
           whole_text_read(c, seen->as, sizeof seen->as) &&
           cursor_uint(c, &seen->rev) && cursor_uint(c, &seen->silent_ms) &&
           cursor_bool(c, &seen->session) && cursor_bool(c, &seen->whole) &&
           cursor_bool(c, &seen->ready) && cursor_bool(c, &seen->needs_copy) &&
           rest_read(c, count - (SEEN_ITEMS - 1));
}

static bool nodes_read(cursor *c, idp_group_standing *s) {
    if (!cursor_array(c, &s->seen_count) || s->seen_count > IDP_GROUP_SEEN_MAX)
        return false;
    for (uint32_t i = 0; i < s->seen_count; i++)
        if (!seen_read(c, &s->seen[i]))
            return false;
    return true;
}

static bool standing_pair_read(cursor *c, idp_group_standing *s) {
    const struct {
        const char *name;
        uint64_t *to;
    } numbers[] = {{"rev", &s->rev},
                   {"epoch", &s->epoch},
                   {"lead_epoch", &s->lead_epoch},
                   {"min_in_sync", &s->min_in_sync}};
    idp_slice name;
    if (!cursor_bytes(c, &name))
        return false;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (slice_is(name, numbers[i].name))
            return cursor_uint(c, numbers[i].to);
    return slice_is(name, "id")        ? whole_text_read(c, s->id, sizeof s->id)
           : slice_is(name, "self")    ? node_read(c, &s->self)
           : slice_is(name, "leading") ? cursor_bool(c, &s->leading)
           : slice_is(name, "had_replica") ? cursor_bool(c, &s->had_replica)
           : slice_is(name, "nodes")       ? nodes_read(c, s)
                                           : idp_skip(c);
}

bool idp_standing_read(cursor *c, idp_group_standing *s) {
    uint32_t pairs;
    *s = (idp_group_standing){.rev = 0};
    if (!cursor_map(c, &pairs))
        return false;
    for (; pairs > 0; pairs--)
        if (!standing_pair_read(c, s)) {
            *s = (idp_group_standing){.rev = 0};
            return false;
        }
    return true;
}
