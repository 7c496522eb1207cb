/* SPDX-License-Identifier: Apache-2.0 */
/* mode_server.c -- idemconform server: the stories, told to a server over its
 * port. See suite.h. */
#include "tests/conformance/link.h"
#include "tests/conformance/run.h"
#include "tests/conformance/server.h"
#include "tests/conformance/stories.h"
#include "tests/conformance/suite.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUDGET_S = 120, FILES_MAX = 24 };

static conf_server under_test;

/* What the stories of this run are told slower by, when the machine was too
 * late to tell. */
static const uint32_t stretches[] = {1, 4, 12};

/* Or when it was not: a server may have stood still where nobody here did. */
static bool tells_again;

static bool take_flag(const char *name, const char *value) {
    if (strcmp(name, "start") == 0) {
        under_test.start = value;
        return true;
    }
    if (strcmp(name, "again") == 0) {
        tells_again = true;
        return true;
    }
    return conf_link_take_flag(name, value);
}

static bool take_words(int count, char **words) {
    char say[256];
    if (under_test.start ? count == 0 : count == 1) {
        if (count == 0 ||
            server_read_uri(&under_test, words[0], say, sizeof say)) {
            return true;
        }
        fprintf(stderr, "idemconform: %s\n", say);
        return false;
    }
    fputs("idemconform: server wants a URI, or --start CMD: idemconform "
          "server idem://127.0.0.1:7117\n",
          stderr);
    return false;
}

/* --- the cases ---------------------------------------------------------- */

static void add_story(conf_cases *cases, const story *s) {
    char group[CONF_ID_MAX];
    snprintf(group, sizeof group, "%.*s", (int)strcspn(s->file, "."), s->file);
    conf_case *one = conf_add(cases, group, s->title);
    one->source = s->file;
    one->detail = s;
    if (s->tier && !conf_tier_read(s->tier, &one->tier)) {
        fprintf(stderr, "%s:%d: no tier is called %s\n", s->file, s->line,
                s->tier);
        abort();
    }
}

static bool fill(conf_cases *cases) {
    static stories all[FILES_MAX];
    for (int i = 0; conf_stories[i].name; i++) {
        assert(i < FILES_MAX);
        if (!stories_parse(&all[i], conf_stories[i].name,
                           conf_stories[i].text)) {
            return false;
        }
        for (int k = 0; k < all[i].count; k++) {
            if (!all[i].at[k].core_only) { /* told in virtual time alone */
                add_story(cases, &all[i].at[k]);
            }
        }
    }
    return true;
}

static bool reach(void) {
    if (!conf_link_ready()) {
        return false;
    }
    if (under_test.start) {
        return true;
    }
    int fd = server_connect(&under_test.address);
    if (fd < 0) {
        fprintf(stderr, "idemconform: the server can't be reached: %s\n",
                strerror(errno));
        return false;
    }
    close(fd);
    return true;
}

/* --- judging ------------------------------------------------------------ */

static run_verdict tell(const story *s, uint32_t stretch, conf_say *say) {
    backend *b = backend_tcp(s, &under_test, say->text, sizeof say->text);
    if (!b) {
        return RUN_FAILED;
    }
    run_verdict verdict = story_run(s, b, stretch, say->text, sizeof say->text);
    if (!b->close(b) && verdict == RUN_PASSED) {
        conf_say_to(say, "%s:%d: the server itself ended badly\n", s->file,
                    s->line);
        verdict = RUN_FAILED;
    }
    return verdict;
}

static conf_verdict judge(const conf_case *one, conf_say *say) {
    const story *s = one->detail;
    if (!under_test.start && story_needs_start(s)) {
        conf_say_to(say, "needs a server with flags of its own: --start\n");
        return CONF_SKIPPED;
    }
    run_verdict verdict = RUN_LATE;
    for (size_t i = 0; verdict != RUN_PASSED && i < 3; i++) {
        if (verdict == RUN_FAILED && !tells_again) {
            break;
        }
        say->text[0] = 0;
        verdict = tell(s, stretches[i], say);
    }
    if (verdict == RUN_LATE) {
        conf_say_to(say, "(this machine was late, even at the slowest)\n");
    }
    return verdict == RUN_PASSED ? CONF_PASSED : CONF_FAILED;
}

static void describe(const conf_case *one, json_t *row) {
    const story *s = one->detail;
    json_t *steps = json_array();
    for (int i = 0; i < s->step_count; i++) {
        json_array_append_new(steps, json_string(s->steps[i].whole));
    }
    json_object_set_new(row, "line", json_integer(s->line));
    json_object_set_new(row, "needs_start", json_boolean(story_needs_start(s)));
    json_object_set_new(row, "steps", steps);
}

const conf_mode conf_server_mode = {
    .name = "server",
    .synopsis = "server URI | --start CMD",
    .help = "tells the stories to a server, in namespaces of its own",
    .flags = conf_link_server_flags,
    .jobs = 8,
    .take_flag = take_flag,
    .take_words = take_words,
    .fill = fill,
    .open = reach,
    .judge = judge,
    .describe = describe,
    .budget_s = BUDGET_S,
};
