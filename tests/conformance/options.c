/* SPDX-License-Identifier: Apache-2.0 */
/* options.c -- see options.h. */
#include "tests/conformance/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLAGS_MAX = 48, MODE_FLAG = 1000, USAGE = 64, JOBS_MAX = 64 };

static const conf_flag common[] = {
    {"only", "ID[,ID...]", "only these: an id, a group, a pattern (acquire/*)"},
    {"tier", "TIER[,...]", "only these tiers"},
    {"list", NULL, "names the cases and runs none"},
    {"list-json", NULL, "the cases as JSON lines, with what they do"},
    {"strict", NULL, "skipped, not judged and a failed should fail, too"},
    {"expected-failures", "FILE", "ids that must fail, one a line"},
    {"jobs", "N", "so many cases at a time"},
    {"junit", "FILE", "writes JUnit XML"},
    {"json", "FILE", "writes the results as JSON"},
    {"html", "FILE", "writes a page with the matrix"},
    {"quiet", NULL, "tells only what is not as it should be"},
    {"help", NULL, "this text"},
    {"version", NULL, "the version"},
    {NULL, NULL, NULL}};

static void print_flags(const conf_flag *flags) {
    for (; flags && flags->name; flags++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", flags->name,
                 flags->value ? " " : "", flags->value ? flags->value : "");
        printf("  %-26s %s\n", left, flags->help);
    }
}

static void print_help(const conf_mode *only) {
    puts("idemconform holds an implementation to what is promised.\n");
    for (int i = 0; conf_modes[i]; i++) {
        if (!only || only == conf_modes[i]) {
            printf("idemconform %s\n  %s\n", conf_modes[i]->synopsis,
                   conf_modes[i]->help);
            print_flags(conf_modes[i]->flags);
        }
    }
    puts("\nin every mode:");
    print_flags(common);
    printf("\ntiers:");
    for (int i = 0; i < CONF_TIERS; i++) {
        printf(" %s", conf_tier_name((conf_tier)i));
    }
    puts("\nexit: 0 all is as it should be, 1 something is not, 64 usage");
}

static const conf_mode *find_mode(const char *word) {
    for (int i = 0; word && conf_modes[i]; i++) {
        if (strcmp(conf_modes[i]->name, word) == 0) {
            return conf_modes[i];
        }
    }
    return NULL;
}

static int add_flags(struct option *to, int at, const conf_flag *flags,
                     int value) {
    for (int i = 0; flags && flags[i].name && at < FLAGS_MAX - 1; i++) {
        to[at++] = (struct option){
            flags[i].name, flags[i].value ? required_argument : no_argument,
            NULL, value + i};
    }
    return at;
}

static bool take_jobs(conf_options *o, const char *value) {
    char *end;
    long jobs = strtol(value, &end, 10);
    if (*end || jobs < 1 || jobs > JOBS_MAX) {
        fprintf(stderr, "idemconform: --jobs is a number from 1 to %d\n",
                JOBS_MAX);
        return false;
    }
    o->jobs = (int)jobs;
    return true;
}

static bool take_tiers(conf_options *o, const char *value) {
    char words[256];
    snprintf(words, sizeof words, "%s", value);
    for (char *save, *word = strtok_r(words, ",", &save); word;
         word = strtok_r(NULL, ",", &save)) {
        conf_tier tier;
        if (!conf_tier_read(word, &tier)) {
            fprintf(stderr, "idemconform: --tier %s: no such tier\n", word);
            return false;
        }
    }
    o->tiers = value;
    return true;
}

static bool take_common(conf_options *o, const char *name, const char *value) {
    struct {
        const char *name;
        const char **text;
        bool *flag;
    } const rows[] = {
        {"only", &o->only, NULL},
        {"junit", &o->junit, NULL},
        {"json", &o->json, NULL},
        {"html", &o->html, NULL},
        {"list", NULL, &o->list},
        {"list-json", NULL, &o->list_json},
        {"strict", NULL, &o->strict},
        {"quiet", NULL, &o->quiet},
        {"expected-failures", &o->expected_failures, NULL},
    };
    if (strcmp(name, "jobs") == 0) {
        return take_jobs(o, value);
    }
    if (strcmp(name, "tier") == 0) {
        return take_tiers(o, value);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].name, name) != 0) {
            continue;
        }
        if (rows[i].text) {
            *rows[i].text = value;
        } else {
            *rows[i].flag = true;
        }
    }
    return true;
}

/* What getopt_long found; the flag's value is in optarg. */
static int take_flag(conf_options *o, int found) {
    const size_t count = sizeof common / sizeof *common;
    if ((size_t)found >= count) {
        const char *own = o->mode->flags[found - MODE_FLAG].name;
        return o->mode->take_flag(own, optarg) ? 0 : USAGE + 1;
    }
    const char *name = common[found].name;
    if (strcmp(name, "help") == 0) {
        print_help(o->mode);
        return 1;
    }
    if (strcmp(name, "version") == 0) {
        printf("idemconform %s\n", IDEM_VERSION);
        return 1;
    }
    return take_common(o, name, optarg) ? 0 : USAGE + 1;
}

static int read_words(conf_options *o, int count, char **words) {
    if (o->list || o->list_json) {
        return 0;
    }
    return o->mode->take_words(count, words) ? 0 : USAGE + 1;
}

static int no_mode(const char *word) {
    if (word && strcmp(word, "--help") == 0) {
        print_help(NULL);
        return 1;
    }
    if (word && strcmp(word, "--version") == 0) {
        printf("idemconform %s\n", IDEM_VERSION);
        return 1;
    }
    fprintf(stderr,
            "idemconform: %s%s the first word is a mode:", word ? word : "",
            word ? " is none;" : "");
    for (int i = 0; conf_modes[i]; i++) {
        fprintf(stderr, " %s", conf_modes[i]->name);
    }
    fputs("; see idemconform --help\n", stderr);
    return USAGE + 1;
}

int conf_options_read(conf_options *o, int argc, char **argv) {
    struct option flags[FLAGS_MAX] = {{0}};
    *o = (conf_options){.mode = find_mode(argc > 1 ? argv[1] : NULL)};
    if (!o->mode) {
        return no_mode(argc > 1 ? argv[1] : NULL);
    }
    o->jobs = o->mode->jobs;
    int count = add_flags(flags, 0, common, 0);
    add_flags(flags, count, o->mode->flags, MODE_FLAG);
    /* getopt_long takes the mode's word for the program's name. */
    argc--;
    argv++;
    argv[0] = "idemconform";
    int code = 0;
    for (int found; code == 0 &&
                    (found = getopt_long(argc, argv, "", flags, NULL)) != -1;) {
        code = found == '?' ? USAGE + 1 : take_flag(o, found);
    }
    return code ? code : read_words(o, argc - optind, argv + optind);
}
