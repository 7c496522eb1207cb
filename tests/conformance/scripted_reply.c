/* SPDX-License-Identifier: Apache-2.0 */
/* scripted_reply.c -- what the scripted servers say, and what they answer by
 * themselves. See scripted.h. */
#include "tests/conformance/scripted_inner.h"

#include <string.h>

static void send_bytes(const scripted *net, scripted_conn *conn,
                       const uint8_t *bytes, size_t len) {
    if (conn->link.fd >= 0) {
        conf_link_send(&conn->link, bytes, len,
                       net->servers[conn->server].splits);
    }
}

void scripted_send(scripted *net, const scripted_call *call,
                   const uint8_t *bytes, size_t len) {
    if (!call->over) {
        send_bytes(net, &net->conns[call->conn], bytes, len);
    }
}

void scripted_reply(const scripted *net, scripted_conn *conn, uint32_t msgid,
                    const idt_buf *rest) {
    idt_buf reply = {0};
    idt_pack_array(&reply, 4);
    idt_pack_uint(&reply, 1);
    idt_pack_uint(&reply, msgid);
    idt_buf_add(&reply, rest->at, rest->len);
    send_bytes(net, conn, reply.at, reply.len);
    idt_buf_free(&reply);
}

void scripted_answer(scripted *net, scripted_call *call, const idt_buf *rest) {
    if (!call->over) {
        scripted_reply(net, &net->conns[call->conn], call->msgid, rest);
        call->over = true;
    }
}

/* --- hello, ping -------------------------------------------------------- */

static void pack_text(idt_buf *to, const char *text) {
    idt_pack_str(to, text, strlen(text));
}

static void pack_entry(idt_buf *to, const char *key, uint64_t value) {
    pack_text(to, key);
    idt_pack_uint(to, value);
}

/* [nil, {...}], with a key that no client knows. */
static void pack_hello(const scripted_server *server, idt_buf *to) {
    static const uint8_t hash_key[16] = {1, 2, 3};
    idt_pack_nil(to);
    idt_pack_map(to, 10);
    pack_text(to, "server");
    pack_text(to, "idemconform");
    pack_text(to, "version");
    pack_text(to, "0");
    pack_entry(to, "protocol", 1);
    pack_text(to, "role");
    pack_text(to, server->role);
    pack_text(to, "a_later_key");
    idt_pack_array(to, 1);
    idt_pack_nil(to);
    pack_entry(to, "epoch", server->epoch);
    pack_entry(to, "shards", 1);
    pack_entry(to, "shard", 0);
    pack_text(to, "hash_key");
    idt_pack_bin(to, hash_key, sizeof hash_key);
    pack_text(to, "limits");
    idt_pack_map(to, 3);
    pack_entry(to, "result_bytes_max", server->result_bytes_max);
    pack_entry(to, "frame_bytes_max", server->result_bytes_max + 689);
    pack_entry(to, "pending_max", server->pending_max);
}

void scripted_deny(const scripted *net, scripted_conn *conn, uint32_t msgid,
                   const char *text) {
    idt_buf rest = {0};
    pack_text(&rest, text);
    idt_pack_nil(&rest);
    scripted_reply(net, conn, msgid, &rest);
    idt_buf_free(&rest);
}

/* The secret among hello's options. */
static bool shows_secret(const scripted_server *server, idt_cursor at) {
    idt_item item, key;
    bool map = idt_unpack(&at, &item) && item.kind == IDT_ARRAY &&
               item.count == 1 && idt_unpack(&at, &item) &&
               item.kind == IDT_MAP;
    for (uint64_t i = 0; map && i < item.count; i++) {
        idt_item value;
        idt_cursor before;
        if (!idt_unpack(&at, &key)) {
            return false;
        }
        before = at;
        if (!idt_skip(&at) || !idt_unpack(&before, &value)) {
            return false;
        }
        if (idt_item_is(&key, "secret")) {
            return idt_item_is(&value, server->secret);
        }
    }
    return false;
}

void scripted_hello(scripted *net, scripted_conn *conn, uint32_t msgid,
                    idt_cursor params) {
    const scripted_server *server = &net->servers[conn->server];
    conn->admitted = server->secret[0] == 0 || shows_secret(server, params);
    if (!conn->admitted) {
        scripted_deny(net, conn, msgid, "DENIED the secret is wrong");
        return;
    }
    idt_buf rest = {0};
    pack_hello(server, &rest);
    scripted_reply(net, conn, msgid, &rest);
    idt_buf_free(&rest);
}

void scripted_pong(scripted *net, scripted_conn *conn, uint32_t msgid) {
    idt_buf rest = {0};
    idt_pack_nil(&rest);
    pack_text(&rest, "pong");
    scripted_reply(net, conn, msgid, &rest);
    idt_buf_free(&rest);
}
