/* SPDX-License-Identifier: Apache-2.0 */
/* story.c -- see story.h. */
#include "tests/conformance/story.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *file) {
    FILE *f = fopen(file, "rb");
    if (!f) {
        return NULL;
    }
    char *text = NULL;
    size_t len = 0, cap = 0, got = 0;
    do {
        cap += 65536;
        char *more = realloc(text, cap + 1);
        assert(more);
        text = more;
        got = fread(text + len, 1, cap - len, f);
        len += got;
    } while (got > 0);
    fclose(f);
    text[len] = 0;
    return text;
}

/* --- one line ---------------------------------------------------------- */

static char *skip(char *at) {
    while (*at == ' ') {
        at++;
    }
    return at;
}

static char *trim_end(char *text) {
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1])) {
        text[--len] = 0;
    }
    return text;
}

/* A, then a space. */
static bool take_actor(char **at, story_step *step) {
    if (!isupper((unsigned char)**at) || (*at)[1] != ' ') {
        return false;
    }
    step->actor = **at;
    *at = skip(*at + 1);
    return true;
}

static bool take_word(char **at, const char *word) {
    size_t len = strlen(word);
    if (strncmp(*at, word, len) != 0 || ((*at)[len] && (*at)[len] != ' ')) {
        return false;
    }
    *at = skip(*at + len);
    return true;
}

static bool read_heard(char *at, story_step *step) {
    step->kind = STORY_HEAR;
    step->text = "";
    if (!take_actor(&at, step)) {
        return false;
    }
    step->expect = at;
    return true;
}

static bool read_doing(char *at, story_step *step) {
    if (!take_actor(&at, step)) {
        return false;
    }
    step->expect = "";
    if (take_word(&at, "leaves")) {
        step->kind = STORY_LEAVE;
        return *at == 0;
    }
    char *arrow = strstr(at, " -> ");
    if (!arrow) {
        return false;
    }
    *arrow = 0;
    step->expect = skip(arrow + 4);
    step->kind = take_word(&at, "send")  ? STORY_SEND
                 : take_word(&at, "raw") ? STORY_RAW
                                         : STORY_CALL;
    step->text = trim_end(at);
    return true;
}

/* at MS WHO WHAT -> ANSWER, or at MS -> WHO ANSWER. The line is cut up. */
static bool read_step(char *line, story_step *step) {
    char *at = skip(line);
    if (!take_word(&at, "at") || !isdigit((unsigned char)*at)) {
        return false;
    }
    step->at_ms = strtoull(at, &at, 10);
    at = skip(at);
    if (strcmp(at, "the server is told to stop") == 0) {
        step->kind = STORY_STOP;
        step->text = step->expect = "";
        step->actor = 'A';
        return true;
    }
    if (take_word(&at, "->")) {
        return read_heard(at, step);
    }
    return read_doing(at, step);
}

/* --- one file ---------------------------------------------------------- */

static bool read_option(story *s, const char *word) {
    uint64_t value = 0;
    const char *equals = strchr(word, '=');
    value = equals ? strtoull(equals + 1, NULL, 10) : 0;
    if (strcmp(word, "core-only") == 0) {
        s->core_only = true;
    } else if (strcmp(word, "tcp-only") == 0) {
        s->tcp_only = true;
    } else if (strncmp(word, "max-result=", 11) == 0) {
        s->result_bytes_max = value;
    } else if (strncmp(word, "waiters-per-key=", 16) == 0) {
        s->waiters_per_key_max = (uint32_t)value;
    } else if (strncmp(word, "waiters=", 8) == 0) {
        s->waiters_max = (uint32_t)value;
    } else if (strncmp(word, "max-memory=", 11) == 0) {
        s->memory_bytes_max = value;
    } else if (strncmp(word, "max-pending=", 12) == 0) {
        s->pending_max = (uint32_t)value;
    } else if (strncmp(word, "max-connections=", 16) == 0) {
        s->connections_max = (uint32_t)value;
    } else if (strncmp(word, "secret=", 7) == 0) {
        s->secret = word + 7;
    } else if (strncmp(word, "tier=", 5) == 0) {
        s->tier = word + 5;
    } else if (strcmp(word, "own-server") == 0) {
        s->own_server = true;
    } else {
        return false;
    }
    return true;
}

typedef struct reading {
    stories *all;
    const char *file;
    const char *title;
    int line;
    story *open; /* the block that we are in */
} reading;

static bool open_story(reading *r, char *options) {
    stories *all = r->all;
    all->at = realloc(all->at, sizeof *all->at * (size_t)(all->count + 1));
    assert(all->at);
    r->open = &all->at[all->count++];
    *r->open = (story){.file = r->file, .title = r->title, .line = r->line};
    for (char *save, *word = strtok_r(options, " ", &save); word;
         word = strtok_r(NULL, " ", &save)) {
        if (!read_option(r->open, word)) {
            return false;
        }
    }
    return true;
}

static bool add_step(reading *r, char *line) {
    story *s = r->open;
    if (line[0] == 0 || line[0] == '#') {
        return true;
    }
    s->steps =
        realloc(s->steps, sizeof *s->steps * (size_t)(s->step_count + 1));
    assert(s->steps);
    story_step *step = &s->steps[s->step_count++];
    *step = (story_step){.line = r->line, .whole = strdup(line)};
    if (!read_step(line, step)) {
        return false;
    }
    return s->step_count == 1 || step->at_ms >= step[-1].at_ms;
}

static bool read_line(reading *r, char *line) {
    trim_end(line);
    if (r->open && strncmp(line, "```", 3) == 0) {
        bool any = r->open->step_count > 0;
        r->open = NULL;
        return any;
    }
    if (r->open) {
        return add_step(r, line);
    }
    if (strncmp(line, "```story", 8) == 0) {
        return open_story(r, line + 8);
    }
    if (line[0] == '#') {
        r->title = skip(line + strspn(line, "#"));
    }
    return true;
}

static bool read_lines(stories *all, const char *file) {
    reading r = {.all = all, .file = file, .title = file};
    for (char *at = all->text; *at;) {
        char *end = strchr(at, '\n');
        if (end) {
            *end = 0;
        }
        char *next = end ? end + 1 : at + strlen(at);
        r.line++;
        if (!read_line(&r, at)) {
            fprintf(stderr, "%s:%d: makes no sense: %s\n", file, r.line, at);
            return false;
        }
        at = next;
    }
    if (r.open) {
        fprintf(stderr, "%s: the last story is not closed\n", file);
    }
    return !r.open;
}

bool stories_read(stories *all, const char *file) {
    *all = (stories){.text = read_file(file)};
    if (!all->text) {
        fprintf(stderr, "%s: can't be read\n", file);
        return false;
    }
    return read_lines(all, file);
}

bool stories_parse(stories *all, const char *file, const char *text) {
    *all = (stories){.text = strdup(text)};
    assert(all->text);
    return read_lines(all, file);
}

bool story_needs_start(const story *s) {
    bool stops = false;
    for (int i = 0; i < s->step_count; i++) {
        stops = stops || s->steps[i].kind == STORY_STOP;
    }
    return stops || s->own_server || s->secret || s->result_bytes_max ||
           s->memory_bytes_max || s->waiters_per_key_max || s->waiters_max ||
           s->pending_max || s->connections_max;
}

void stories_free(stories *all) {
    for (int i = 0; i < all->count; i++) {
        for (int k = 0; k < all->at[i].step_count; k++) {
            free((char *)all->at[i].steps[k].whole);
        }
        free(all->at[i].steps);
    }
    free(all->at);
    free(all->text);
}
