/* SPDX-License-Identifier: Apache-2.0 */
/* script_server.c -- what a script says of its servers. See script_inner.h. */
#include "tests/conformance/script_inner.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- servers ------------------------------------------------------------ */

static bool set_server(scripted_server *server, const char *name,
                       const char *value) {
    if (strcmp(name, "epoch") == 0) {
        server->epoch = strtoull(value, NULL, 10);
    } else if (strcmp(name, "pending") == 0) {
        server->pending_max = strtoull(value, NULL, 10);
    } else if (strcmp(name, "max-result") == 0) {
        server->result_bytes_max = strtoull(value, NULL, 10);
    } else if (strcmp(name, "role") == 0) {
        server->role = strcmp(value, "replica") == 0 ? "replica" : "primary";
    } else if (strcmp(name, "secret") == 0) {
        snprintf(server->secret, sizeof server->secret, "%s", value);
    } else {
        return false;
    }
    return true;
}

/* servers S epoch=200 T epoch=100 U6 */
bool script_servers(script_running *r, const char *at) {
    char word[SCRIPT_WORD_MAX];
    scripted_server *server = NULL;
    while (script_word(&at, word)) {
        char *value = script_split(word);
        if (value) {
            if (!server || !set_server(server, word, value)) {
                return script_fail(r, "the script makes no sense at %s", word);
            }
            continue;
        }
        server = scripted_add(r->net, word[0], word[1] == '6');
        if (!server && word[1] == '6') {
            conf_say_to(r->say, "this machine has no IPv6\n");
            r->not_judged = true;
            return false;
        }
        if (!server) {
            return script_fail(r, "no port: %s", strerror(errno));
        }
    }
    return true;
}

/* $T becomes that server's address. */
static void put_addresses(const script_running *r, const char *from, char *to,
                          size_t cap) {
    size_t len = 0;
    while (*from && len < cap - SCRIPTED_TEXT_MAX) {
        const scripted_server *server =
            *from == '$' ? scripted_find(r->net, from[1]) : NULL;
        if (server) {
            len += (size_t)snprintf(to + len, cap - len, "%s", server->address);
            from += 2;
        } else {
            to[len++] = *from++;
        }
    }
    to[len] = 0;
}

/* A quoted error, or a result in notation: [error, result], packed. */
static bool pack_reply(const script_running *r, const char *at, idt_buf *rest) {
    char text[SCRIPT_TEXT_MAX];
    at += strspn(at, " ");
    if (*at == '"') {
        put_addresses(r, at + 1, text, sizeof text);
        char *end = strrchr(text, '"');
        idt_pack_str(rest, text, end ? (size_t)(end - text) : strlen(text));
        idt_pack_nil(rest);
        return end != NULL;
    }
    idt_pack_nil(rest);
    return story_notation_pack(&at, &r->tokens, rest);
}

static scripted_call *tagged(script_running *r, const char **at) {
    char word[SCRIPT_WORD_MAX];
    int tag = script_word(at, word) ? atoi(word) : 0;
    if (tag < 1 || tag >= SCRIPT_TAGS_MAX || !r->calls[tag]) {
        script_fail(r, "the script makes no sense: no call %s", word);
        return NULL;
    }
    return r->calls[tag];
}

static bool do_answer(script_running *r, const char *at) {
    idt_buf rest = {0};
    scripted_call *call = tagged(r, &at);
    bool good = call && (pack_reply(r, at, &rest) ||
                         script_fail(r, "the script makes no sense: %s", at));
    if (good) {
        scripted_answer(r->net, call, &rest);
    }
    idt_buf_free(&rest);
    return good;
}

/* S always closes; S always waits; S always "LIMIT x"; S always renew [...]:
 * what each call gets from now on, or each of that method. */
static bool do_always(script_running *r, scripted_server *server,
                      const char *at) {
    char word[SCRIPT_WORD_MAX];
    const char *behind = at;
    idt_buf_free(&server->always);
    server->always_method[0] = 0;
    server->always_closes = strcmp(at, "closes") == 0;
    if (server->always_closes || strcmp(at, "waits") == 0) {
        return true;
    }
    script_word(&behind, word);
    if (word[0] != '"' && word[0] != '[') {
        snprintf(server->always_method, sizeof server->always_method, "%.15s",
                 word);
        at = behind;
    }
    return pack_reply(r, at, &server->always) ||
           script_fail(r, "the script makes no sense: %s", at);
}

/* S sends 1 94 01 ID c0: the call's msgid stands for ID. */
static bool do_raw(script_running *r, const char *at) {
    char word[SCRIPT_WORD_MAX];
    idt_buf bytes = {0};
    scripted_call *call = tagged(r, &at);
    while (call && script_word(&at, word)) {
        if (strcmp(word, "ID") == 0) {
            idt_pack_uint(&bytes, call->msgid);
        } else {
            idt_buf_add_byte(&bytes, (uint8_t)strtoul(word, NULL, 16));
        }
    }
    if (call) {
        scripted_send(r->net, call, bytes.at, bytes.len);
    }
    idt_buf_free(&bytes);
    return call != NULL;
}

static bool match_call(script_running *r, const scripted_call *call,
                       const char *at) {
    char word[SCRIPT_WORD_MAX], why[SCRIPT_WORD_MAX + 32];
    script_word(&at, word);
    if (strcmp(word, call->method) != 0) {
        return script_fail_call(r, call, "another call came");
    }
    while (script_word(&at, word)) {
        idt_item item = {.kind = IDT_UINT, .number = call->conn_number};
        uint8_t conn = (uint8_t)call->conn_number;
        char *value = script_split(word);
        if (value && strcmp(word, "conn") == 0) {
            item = (idt_item){.kind = IDT_BIN, .bytes = &conn, .len = 1};
        } else if (!value || !scripted_field(call, word, &item)) {
            return script_fail(r, "the script makes no sense at %s", word);
        }
        if (!script_match(&r->vars, value, &item)) {
            snprintf(why, sizeof why, "%s is not %s", word, value);
            return script_fail_call(r, call, why);
        }
    }
    return true;
}

/* S hears 1 acquire key=k nonce=$n; "any hears" takes it from whichever. */
bool script_hears(script_running *r, const scripted_server *server,
                  const char *at) {
    char word[SCRIPT_WORD_MAX];
    uint64_t until = scripted_now_ms() + SCRIPT_PATIENCE_MS;
    scripted_call *call = NULL;
    script_word(&at, word);
    int tag = atoi(word);
    assert(tag > 0 && tag < SCRIPT_TAGS_MAX);
    while (!(call = script_untaken(r))) {
        if (r->cut->answer_count > 0) {
            return script_fail_answer(r, r->cut->answers[0],
                                      "the call should come here first");
        }
        if (scripted_now_ms() > until) {
            return script_fail(r, "nothing came within %d s",
                               SCRIPT_PATIENCE_MS / 1000);
        }
        if (!script_turn(r, SCRIPT_TURN_MS)) {
            return false;
        }
    }
    if (server && &r->net->servers[call->server] != server) {
        return script_fail_call(r, call, "it went elsewhere");
    }
    call->taken = true;
    r->calls[tag] = call;
    return script_holds(r) && match_call(r, call, at);
}

bool script_server(script_running *r, scripted_server *server, const char *at) {
    char word[SCRIPT_WORD_MAX];
    script_word(&at, word);
    at += strspn(at, " ");
    if (strcmp(word, "hears") == 0) {
        return script_hears(r, server, at);
    }
    if (strcmp(word, "answers") == 0) {
        return do_answer(r, at);
    }
    if (strcmp(word, "sends") == 0) {
        return do_raw(r, at);
    }
    if (strcmp(word, "always") == 0) {
        return do_always(r, server, at);
    }
    if (strcmp(word, "closes") == 0) {
        scripted_close_all(r->net, server);
    } else if (strcmp(word, "stops") == 0) {
        scripted_stop(r->net, server);
    } else if (strcmp(word, "starts") == 0) {
        return scripted_start(server) || script_fail(r, "%s", strerror(errno));
    } else if (strcmp(word, "cut") == 0) {
        scripted_cut_all(r->net, server);
    } else if (strcmp(word, "hangs") == 0) {
        server->silent = true;
    } else if (strcmp(word, "splits") == 0) {
        server->splits = true;
    } else if (strcmp(word, "leads") == 0) {
        server->role = "primary";
        return set_server(server, "epoch", at);
    } else {
        return script_fail(r, "the script makes no sense at %s", word);
    }
    return true;
}
