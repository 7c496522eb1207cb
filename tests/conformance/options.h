/* SPDX-License-Identifier: Apache-2.0 */
/* options.h -- idemconform's command line: the mode's word first, then flags
 * of all modes and of that one. */
#ifndef CONF_OPTIONS_H
#define CONF_OPTIONS_H

#include "tests/conformance/suite.h"

typedef struct conf_options {
    const conf_mode *mode;
    const char *only;              /* ids, groups, patterns; NULL: all */
    const char *tiers;             /* NULL: all */
    const char *expected_failures; /* a file; NULL: none */
    const char *junit, *json, *html;
    bool list, list_json, strict, quiet;
    int jobs;
} conf_options;

/* 0: go on. Otherwise the exit code + 1: --help and --version were answered
 * (1), or a word was wrong and that was said (65). */
int conf_options_read(conf_options *options, int argc, char **argv);

#endif
