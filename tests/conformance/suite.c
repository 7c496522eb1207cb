/* SPDX-License-Identifier: Apache-2.0 */
/* suite.c -- names, and the list of cases. See suite.h. */
#include "tests/conformance/suite.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *conf_tier_name(conf_tier tier) {
    static const char *const names[CONF_TIERS] = {
        "core", "waiting", "limits", "hostile", "admin", "http", "tls"};
    return names[tier];
}

const char *conf_level_name(conf_level level) {
    return level == CONF_MUST     ? "must"
           : level == CONF_SHOULD ? "should"
                                  : "may";
}

const char *conf_verdict_name(conf_verdict verdict) {
    static const char *const names[CONF_VERDICTS] = {"passed", "failed",
                                                     "not judged", "skipped"};
    return names[verdict];
}

bool conf_tier_read(const char *name, conf_tier *tier) {
    for (int i = 0; i < CONF_TIERS; i++) {
        if (strcmp(conf_tier_name((conf_tier)i), name) == 0) {
            *tier = (conf_tier)i;
            return true;
        }
    }
    return false;
}

static int next_number(const conf_cases *cases, const char *group) {
    size_t len = strlen(group);
    int number = 1;
    for (int i = 0; i < cases->count; i++) {
        const char *id = cases->at[i].id;
        number += strncmp(id, group, len) == 0 && id[len] == '/';
    }
    return number;
}

conf_case *conf_add(conf_cases *cases, const char *group, const char *title) {
    int number = next_number(cases, group);
    size_t count = (size_t)cases->count + 1;
    cases->at = realloc(cases->at, count * sizeof *cases->at);
    assert(cases->at);
    conf_case *one = &cases->at[cases->count++];
    *one = (conf_case){.title = title, .source = ""};
    snprintf(one->id, sizeof one->id, "%s/%d", group, number);
    return one;
}

void conf_say_to(conf_say *say, const char *format, ...) {
    size_t len = strlen(say->text);
    va_list args;
    va_start(args, format);
    vsnprintf(say->text + len, sizeof say->text - len, format, args);
    va_end(args);
}
