/* SPDX-License-Identifier: Apache-2.0 */
/* script_client.c -- what a script asks of the client, and holds its answers
 * to. See script_inner.h. */
#include "tests/conformance/script_inner.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPEN_TIMEOUT_MS = 10000 }; /* unless the script says */

/* --- the client --------------------------------------------------------- */

static json_t *call_line(script_running *r, int id, const char *at) {
    static const char *const hex[] = {"token", "result", "fp", "nonce"};
    static const char *const names[][2] = {
        {"lease", "lease_ms"},     {"ttl", "ttl_ms"},     {"wait", "wait_ms"},
        {"timeout", "timeout_ms"}, {"fp", "fingerprint"}, {"work", "work_ms"}};
    char word[SCRIPT_WORD_MAX], text[2 * SCRIPT_WORD_MAX + 1];
    script_word(&at, word);
    json_t *line = json_pack("{s:i, s:s}", "id", id, "call", word);
    while (script_word(&at, word)) {
        uint8_t bytes[SCRIPT_WORD_MAX];
        char *value = script_split(word);
        const char *name = word, *end = value ? value : "";
        bool is_hex = false;
        for (size_t i = 0; i < 4; i++) {
            is_hex = is_hex || strcmp(hex[i], word) == 0;
        }
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
            name = strcmp(names[i][0], word) == 0 ? names[i][1] : name;
        }
        if (is_hex) {
            size_t len = script_bytes(&r->vars, end, bytes);
            script_hex(bytes, len, text);
            json_object_set_new(line, name, json_string(text));
        } else if (*end && strspn(end, "0123456789") == strlen(end)) {
            json_object_set_new(line, name, json_integer(atoll(end)));
        } else {
            json_object_set_new(line, name, json_string(end));
        }
    }
    return line;
}

/* "client 1 ..." before "S hears 3 ...": the answer that made room for a
 * request that waited. The client may send that before it tells the answer. */
static bool may_come(const script_running *r) {
    for (int i = r->line + 1; i < r->s->count; i++) {
        char who[SCRIPT_WORD_MAX], what[SCRIPT_WORD_MAX];
        const char *at = r->s->lines[i].text;
        script_word(&at, who);
        if (strcmp(who, "client") != 0) {
            return script_word(&at, what) && strcmp(what, "hears") == 0;
        }
    }
    return false;
}

static json_t *await_answer(script_running *r, int id, int patience_ms) {
    uint64_t until = scripted_now_ms() + (uint64_t)patience_ms;
    for (;;) {
        json_t *answer = under_test_take(r->cut, id);
        const scripted_call *call =
            answer || may_come(r) ? NULL : script_untaken(r);
        if (call) {
            script_fail_call(r, call, "a request that should not come");
            return NULL;
        }
        if (answer) {
            return answer;
        }
        if (scripted_now_ms() > until) {
            script_fail(r, "the client under test does not answer within %d s",
                        patience_ms / 1000);
            return NULL;
        }
        if (!script_turn(r, SCRIPT_TURN_MS)) {
            return NULL;
        }
    }
}

/* open S,T timeout=3000 secret=x */
bool script_open(script_running *r, const char *at) {
    char names[SCRIPT_WORD_MAX], uri[SCRIPT_TEXT_MAX] = "",
                                 list[SCRIPT_TEXT_MAX / 2] = "",
                                 tail[SCRIPT_TEXT_MAX / 2];
    char word[SCRIPT_WORD_MAX];
    const char *secret = "";
    char secret_text[SCRIPT_WORD_MAX] = "";
    int timeout = OPEN_TIMEOUT_MS;
    json_t *hosts = json_array();
    script_word(&at, names);
    for (const char *name = names; *name; name++) {
        const scripted_server *server = scripted_find(r->net, *name);
        if (server) {
            json_array_append_new(hosts, json_string(server->address));
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s",
                     *list ? "," : "", server->address);
        }
    }
    while (script_word(&at, word)) {
        const char *value = script_split(word);
        if (strcmp(word, "timeout") == 0 && value) {
            timeout = atoi(value);
        } else if (value) {
            snprintf(secret_text, sizeof secret_text, "%s", value);
            secret = secret_text;
        }
    }
    conf_link_uri_tail(tail, sizeof tail);
    snprintf(uri, sizeof uri, "%s://%s%s%s%s/?timeout_ms=%d%s",
             conf_link_scheme, *secret ? ":" : "", secret, *secret ? "@" : "",
             list, timeout, tail);
    under_test_send(r->cut, json_pack("{s:i, s:s, s:o, s:s, s:i, s:s?}", "id",
                                      0, "call", "open", "hosts", hosts, "uri",
                                      uri, "timeout_ms", timeout, "secret",
                                      *secret ? secret : NULL));
    r->opened = await_answer(r, 0, SCRIPT_PATIENCE_MS);
    return r->opened != NULL;
}

/* needs fork: what the client under test says that it can. */
bool script_needs(script_running *r, const char *at) {
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(r->opened, "can"), i, one) {
        const char *text = json_string_value(one);
        if (text && strcmp(text, at) == 0) {
            return true;
        }
    }
    r->not_judged = true;
    conf_say_to(r->say, "the client under test does not say that it can: %s\n",
                at);
    return false;
}

bool script_call(script_running *r, const char *at) {
    char word[SCRIPT_WORD_MAX];
    script_word(&at, word);
    int id = atoi(word);
    assert(id > 0 && id < SCRIPT_TAGS_MAX);
    under_test_send(r->cut, call_line(r, id, at));
    return true;
}

/* client 1 acquired token=$t1; client 1 error LIMIT assume=refused */
bool script_client(script_running *r, const char *at) {
    char word[SCRIPT_WORD_MAX], why[SCRIPT_WORD_MAX + 40];
    script_word(&at, word);
    int id = atoi(word);
    json_t *answer = await_answer(r, id, SCRIPT_PATIENCE_MS);
    if (!answer) {
        return false;
    }
    script_word(&at, word);
    bool error = strcmp(word, "error") == 0;
    if (error) {
        script_word(&at, word);
    }
    const json_t *first = json_object_get(answer, error ? "error" : "outcome");
    bool good = script_match_json(&r->vars, word, first) ||
                script_fail_answer(r, answer, "another answer");
    while (good && script_word(&at, word)) {
        char *value = script_split(word);
        assert(value);
        good =
            script_match_json(&r->vars, value, json_object_get(answer, word));
        if (!good) {
            snprintf(why, sizeof why, "%s is not %s", word, value);
            script_fail_answer(r, answer, why);
        }
    }
    json_decref(answer);
    return good;
}
