/* SPDX-License-Identifier: Apache-2.0 */
/* suite.h -- idemconform's frame: cases with ids and tiers, modes that judge
 * them, verdicts, and the run over them.
 *
 * A mode (server, client, http) fills a list of cases and judges one at a
 * time; everything else (choosing, processes, expected failures, reports) is
 * the suite's and the same for all of them. */
#ifndef CONF_SUITE_H
#define CONF_SUITE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONF_ID_MAX = 40, CONF_SAY_MAX = 3000 };

typedef enum conf_tier {
    CONF_CORE,
    CONF_WAITING,
    CONF_LIMITS,
    CONF_HOSTILE,
    CONF_ADMIN,
    CONF_HTTP,
    CONF_TLS,
    CONF_TIERS
} conf_tier;

/* What the text that a case follows says: must, should or may. Only a must
 * that fails fails the run; with --strict a should does, too. */
typedef enum conf_level { CONF_MUST, CONF_SHOULD, CONF_MAY } conf_level;

typedef enum conf_verdict {
    CONF_PASSED,
    CONF_FAILED,
    CONF_NOT_JUDGED, /* what the case needs can't be seen here: not green */
    CONF_SKIPPED,    /* it was not asked for, or needs an option */
    CONF_VERDICTS
} conf_verdict;

typedef struct conf_case {
    char id[CONF_ID_MAX]; /* "acquire/7": group and number */
    const char *title;    /* the promise, in a sentence */
    const char *source;   /* the chapter or section that promises it */
    conf_tier tier;
    conf_level level;
    const void *detail; /* the mode's own */
} conf_case;

typedef struct conf_cases {
    conf_case *at;
    int count;
} conf_cases;

/* Why, in sentences: of a failure what was expected and what came; of a case
 * that is skipped or not judged what it would need. */
typedef struct conf_say {
    char text[CONF_SAY_MAX];
} conf_say;

typedef struct conf_result {
    conf_verdict verdict;
    bool expected; /* stands in --expected-failures */
    double seconds;
    conf_say say;
} conf_result;

/* A flag of a mode's own. */
typedef struct conf_flag {
    const char *name;  /* without the dashes */
    const char *value; /* "CMD"; NULL: it takes none */
    const char *help;
} conf_flag;

typedef struct conf_mode {
    const char *name;
    const char *synopsis;   /* "server URI [--start CMD]" */
    const char *help;       /* one line */
    const conf_flag *flags; /* the last one's name is NULL */
    int jobs;               /* how many cases at a time, unless told */
    /* A flag of its own, as it was given. False: it said why on stderr. */
    bool (*take_flag)(const char *name, const char *value);
    /* What stands behind the flags; for --list none is given, and it is not
     * called. False: it said why on stderr. */
    bool (*take_words)(int count, char **words);
    /* Adds all its cases. Called after the flags. */
    bool (*fill)(conf_cases *cases);
    /* Before the first case, in the suite's own process; may be NULL. What
     * it finds out, the cases' processes inherit. False: it said why. */
    bool (*open)(void);
    /* In a process of its own, with budget_s seconds. */
    conf_verdict (*judge)(const conf_case *one, conf_say *say);
    /* The case as data, into its row of --list=json; may be NULL. */
    void (*describe)(const conf_case *one, json_t *row);
    unsigned budget_s; /* of one case, on a machine that is slow */
} conf_mode;

/* The modes, the last one NULL. */
extern const conf_mode *const conf_modes[];
extern const conf_mode conf_server_mode;
extern const conf_mode conf_http_mode;
extern const conf_mode conf_client_mode;

/* Adds a case: group/number, counted within its group. */
conf_case *conf_add(conf_cases *cases, const char *group, const char *title);

__attribute__((format(printf, 2, 3))) void conf_say_to(conf_say *say,
                                                       const char *format, ...);

const char *conf_tier_name(conf_tier tier);
const char *conf_level_name(conf_level level);
const char *conf_verdict_name(conf_verdict verdict);
bool conf_tier_read(const char *name, conf_tier *tier);

#endif
