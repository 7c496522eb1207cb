/* SPDX-License-Identifier: Apache-2.0 */
/* mode_client.c -- idemconform client: a scripted server, and the client under
 * test between it and the calls that it is asked for. See suite.h. */
#include "tests/conformance/link.h"
#include "tests/conformance/script.h"
#include "tests/conformance/stories.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { BUDGET_S = 150, FILES_MAX = 24 };

static char **command;

static bool take_words(int count, char **words) {
    if (count == 0) {
        fputs("idemconform: client wants the command of the client under "
              "test: idemconform client -- ./client-under-test\n",
              stderr);
        return false;
    }
    command = words;
    return true;
}

static bool fill(conf_cases *cases) {
    static scripts all[FILES_MAX];
    for (int i = 0; conf_scripts[i].name; i++) {
        char group[CONF_ID_MAX];
        const char *name = conf_scripts[i].name;
        assert(i < FILES_MAX);
        if (!scripts_parse(&all[i], name, conf_scripts[i].text)) {
            return false;
        }
        snprintf(group, sizeof group, "%.*s", (int)strcspn(name, "."), name);
        for (int k = 0; k < all[i].count; k++) {
            const script *s = &all[i].at[k];
            conf_case *one = conf_add(cases, group, s->title);
            one->source = "proto/README.md, A client";
            one->tier = s->tier;
            one->level = s->level;
            one->detail = s;
        }
    }
    return true;
}

static conf_verdict judge(const conf_case *one, conf_say *say) {
    return script_run(one->detail, command, say);
}

static void describe(const conf_case *one, json_t *row) {
    const script *s = one->detail;
    json_t *steps = json_array();
    for (int i = 0; i < s->count; i++) {
        json_array_append_new(steps, json_string(s->lines[i].text));
    }
    json_object_set_new(row, "file", json_string(s->file));
    json_object_set_new(row, "line", json_integer(s->line));
    json_object_set_new(row, "steps", steps);
}

const conf_mode conf_client_mode = {
    .name = "client",
    .synopsis = "client -- COMMAND [WORD...]",
    .help = "plays the server for a client that COMMAND wraps",
    .flags = conf_link_client_flags,
    .take_flag = conf_link_take_flag,
    .open = conf_link_ready,
    .jobs = 8,
    .take_words = take_words,
    .fill = fill,
    .judge = judge,
    .describe = describe,
    .budget_s = BUDGET_S,
};
