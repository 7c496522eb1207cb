/* SPDX-License-Identifier: Apache-2.0 */
/* script.c -- the scripts of a Markdown text, read into lines. See script.h. */
#include "tests/conformance/script.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading {
    scripts *all;
    const char *file;
    const char *title;
    int line;
    script *open;
} reading;

static bool read_option(script *s, const char *word) {
    if (strncmp(word, "tier=", 5) == 0) {
        return conf_tier_read(word + 5, &s->tier);
    }
    if (strcmp(word, "should") == 0) {
        s->level = CONF_SHOULD;
        return true;
    }
    return false;
}

static bool open_script(reading *r, char *options) {
    scripts *all = r->all;
    all->at = realloc(all->at, sizeof *all->at * (size_t)(all->count + 1));
    assert(all->at);
    r->open = &all->at[all->count++];
    *r->open = (script){.file = r->file, .title = r->title, .line = r->line};
    for (char *save, *word = strtok_r(options, " ", &save); word;
         word = strtok_r(NULL, " ", &save)) {
        if (!read_option(r->open, word)) {
            return false;
        }
    }
    return true;
}

static bool read_line(reading *r, char *line) {
    script *s = r->open;
    if (s && strncmp(line, "```", 3) == 0) {
        r->open = NULL;
        return s->count > 0;
    }
    if (s && (line[0] == 0 || line[0] == '#')) {
        return true;
    }
    if (s) {
        if (s->count == SCRIPT_LINES_MAX) {
            return false;
        }
        s->lines[s->count].number = r->line;
        s->lines[s->count++].text = line;
        return true;
    }
    if (strncmp(line, "```script", 9) == 0) {
        return open_script(r, line + 9);
    }
    if (line[0] == '#') {
        r->title = line + strspn(line, "# ");
    }
    return true;
}

bool scripts_parse(scripts *all, const char *file, const char *text) {
    *all = (scripts){.text = strdup(text)};
    assert(all->text);
    reading r = {.all = all, .file = file, .title = file};
    for (char *at = all->text; *at;) {
        size_t len = strcspn(at, "\n");
        char *next = at + len + (at[len] == '\n');
        at[len] = 0;
        r.line++;
        if (!read_line(&r, at)) {
            fprintf(stderr, "%s:%d: makes no sense: %s\n", file, r.line, at);
            return false;
        }
        at = next;
    }
    return r.open == NULL;
}
