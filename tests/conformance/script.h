/* SPDX-License-Identifier: Apache-2.0 */
/* script.h -- the client's cases in a Markdown file: what the server does, what
 * the client is asked for, and what must come of it. client/README.md beside
 * this file says how the lines are written. */
#ifndef CONF_SCRIPT_H
#define CONF_SCRIPT_H

#include "tests/conformance/suite.h"

enum { SCRIPT_LINES_MAX = 64 };

typedef struct script {
    const char *file;
    const char *title;
    int line;
    conf_tier tier;
    conf_level level;
    struct {
        int number;
        const char *text;
    } lines[SCRIPT_LINES_MAX];
    int count;
} script;

typedef struct scripts {
    script *at;
    int count;
    char *text;
} scripts;

/* Reads all scripts of a text, which is copied. False: why is on stderr. */
bool scripts_parse(scripts *all, const char *file, const char *text);

/* argv: the client under test. */
conf_verdict script_run(const script *s, char *const argv[], conf_say *say);

#endif
