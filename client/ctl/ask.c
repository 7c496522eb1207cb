/* SPDX-License-Identifier: Apache-2.0 */
/* ask.c -- one command's words, read by the tables of commands and options.
 *
 * getopt_long does the cutting: "-n shop", "--namespace=shop", "--" before
 * what begins with a dash. What a word means is in the tables. */
#include "client/ctl/ctl.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

/* Rows begin here in what getopt_long returns; below are letters. */
#define ROW_FIRST 256
#define OPERAND   1 /* getopt's word for one, since optstring begins with - */

/* A walk over the words. */
typedef struct reader {
    ctl_ask *ask;
    bool at_start;
    size_t count; /* of argv, whose first entry is no word */
    char **argv;
    char *const *words; /* argv without its first entry, as they were given */
    char *values[CTL_OPTIONS_MAX]; /* of each row that is given; a flag: "" */
} reader;

static struct option longs[CTL_OPTIONS_MAX + 1];
static char letters[2 * CTL_OPTIONS_MAX + 3] = "-:";

/* The option table, as getopt_long wants it. */
static void make_tables(void) {
    char *to = letters + 2;
    if (longs[0].name != NULL)
        return;
    for (int row = 0; ctl_options[row].name != NULL; row++) {
        const ctl_option *option = &ctl_options[row];
        bool has_arg = option->arg != NULL;
        longs[row] = (struct option){.name = option->name,
                                     .has_arg = has_arg ? required_argument
                                                        : no_argument,
                                     .val = ROW_FIRST + row};
        if (option->letter == '\0')
            continue;
        *to++ = option->letter;
        if (has_arg)
            *to++ = ':';
    }
    *to = '\0';
}

/* The row that getopt_long means by a letter or a number; rows' end if none. */
static size_t exit_row_of(int code) {
    size_t row = 0;
    if (code >= ROW_FIRST)
        return (size_t)(code - ROW_FIRST);
    while (ctl_options[row].name != NULL && ctl_options[row].letter != code)
        row++;
    return row;
}

/* The command, also when it stands behind the word that is wrong. */
static const ctl_command *command_of(const reader *r) {
    const ctl_command *command = r->ask->command;
    for (size_t i = 1; command == NULL && i < r->count; i++)
        command = ctl_command_find(r->argv[i]);
    return command;
}

/* A word of one dash that is no option: an option with a dash too few, or a
 * key. */
static bool no_such_letter(const reader *r, const char *word, int letter) {
    const ctl_command *command = command_of(r);
    const char *near =
        strlen(word) > 2 ? ctl_nearest_option(word + 1, command) : NULL;
    if (near != NULL)
        return ctl_why(r->ask, "-%c: no such option; did you mean --%s?",
                       letter, near);
    if (command != NULL && command->operands_max > 0)
        return ctl_why(r->ask,
                       "-%c: no such option; what begins with a dash and is "
                       "none stands behind --: idemctl %s -- %.100s",
                       letter, command->name, word);
    return ctl_why(r->ask, "-%c: no such option", letter);
}

static bool no_such_option(const reader *r, const char *word) {
    const ctl_command *command = command_of(r);
    size_t len = strcspn(word + 2, "=");
    size_t begun = 0;
    for (size_t row = 0; ctl_options[row].name != NULL; row++)
        begun += strncmp(ctl_options[row].name, word + 2, len) == 0;
    if (begun > 1)
        return ctl_why(r->ask, "%.100s: %zu options begin so", word, begun);
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(len < 63 ? len : 63), word + 2);
    const char *near = ctl_nearest_option(name, command);
    if (near != NULL)
        return ctl_why(r->ask, "--%s: no such option; did you mean --%s?", name,
                       near);
    if (command != NULL && command->operands_max > 0)
        return ctl_why(r->ask,
                       "%.100s: no such option (idemctl help %s lists them); "
                       "what begins with a dash and is none stands behind --",
                       word, command->name);
    return ctl_why(r->ask, "%.100s: no such option; idemctl --help lists them",
                   word);
}

static bool fault_of(const reader *r, const char *word) {
    const ctl_option *option = &ctl_options[exit_row_of(optopt)];
    if (optopt == 0)
        return no_such_option(r, word);
    if (option->name == NULL)
        return no_such_letter(r, word, optopt);
    return ctl_why(r->ask, "--%s takes no value", option->name);
}

bool ctl_no_such_command(ctl_ask *ask, const char *word) {
    const char *near = ctl_nearest_command(word);
    if (near == NULL)
        return ctl_why(
            ask, "%.100s: no such command; idemctl --help lists them", word);
    return ctl_why(ask, "%.100s: no such command; did you mean %s?", word,
                   near);
}

static bool take_operand(ctl_ask *ask, char *word) {
    if (ask->command == NULL) {
        ask->command = ctl_command_find(word);
        return ask->command != NULL || ctl_no_such_command(ask, word);
    }
    if (ask->operand_count == ask->command->operands_max &&
        ask->command->takes_rest)
        return ctl_why(ask,
                       "%s: what is run stands behind --: idemctl %s KEY -- "
                       "%.100s",
                       ask->command->name, ask->command->name, word);
    if (ask->operand_count == ask->command->operands_max)
        return ctl_why(ask,
                       "%s: nothing may follow %s, and %.100s does; what has "
                       "blanks in it stands in quotes",
                       ask->command->name,
                       ask->command->operands != NULL ? ask->command->operands
                                                      : "it",
                       word);
    ask->operands[ask->operand_count++] = word;
    return true;
}

/* word: as it stands; "-server x" would be -s with the value "erver". */
static bool take_option(reader *r, size_t row, const char *word) {
    const ctl_option *option = &ctl_options[row];
    if (word[0] == '-' && strcmp(word + 1, option->name) == 0)
        return ctl_why(r->ask, "%s: no such option; did you mean --%s?", word,
                       option->name);
    if (r->ask->given[row] != NULL)
        return ctl_why(r->ask, "--%s is given twice", option->name);
    if (option->scope == 's' && !r->at_start)
        return ctl_why(r->ask, "--%s: only where idemctl starts", option->name);
    static char no_text[] = "";
    r->values[row] = optarg != NULL ? optarg : no_text;
    r->ask->given[row] = r->values[row];
    return true;
}

/* What stands behind --: operands, or a command line of its own. */
static bool take_what_is_left(reader *r, size_t from) {
    ctl_ask *ask = r->ask;
    if (ask->command != NULL && ask->command->takes_rest) {
        ask->rest = r->words + from - 1;
        ask->rest_count = r->count - from;
        return true;
    }
    for (size_t at = from; at < r->count; at++)
        if (!take_operand(ask, r->argv[at]))
            return false;
    return true;
}

/* Cuts the words into operands and options. */
static bool cut(reader *r) {
    optind = 0; /* begins anew */
    opterr = 0;
    for (;;) {
        const char *word = r->argv[optind > 0 ? optind : 1];
        if (word == NULL)
            word = ""; /* there are no more */
        int code = getopt_long((int)r->count, r->argv, letters, longs, NULL);
        if (code == -1)
            break;
        if (code == '?')
            return fault_of(r, word);
        if (code == ':')
            return ctl_why(r->ask, "--%s needs %s behind it",
                           ctl_options[exit_row_of(optopt)].name,
                           ctl_options[exit_row_of(optopt)].arg);
        if (code == OPERAND ? !take_operand(r->ask, optarg)
                            : !take_option(r, exit_row_of(code), word))
            return false;
    }
    return take_what_is_left(r, (size_t)optind);
}

static bool read_option(reader *r, size_t row) {
    const ctl_option *option = &ctl_options[row];
    const ctl_command *command = r->ask->command;
    if (!ctl_option_fits(option, command))
        return command == NULL
                   ? ctl_why(r->ask, "--%s belongs to a command", option->name)
                   : ctl_why(r->ask,
                             "%s does not take --%s; idemctl help %s says "
                             "what it takes",
                             command->name, option->name, command->name);
    if (option->read(r->values[row], r->ask))
        return true;
    char why[sizeof r->ask->why];
    memcpy(why, r->ask->why, sizeof why);
    return ctl_why(r->ask, "--%s: %.360s", option->name, why);
}

static bool read_options(reader *r) {
    for (size_t row = 0; ctl_options[row].name != NULL; row++)
        if (r->ask->given[row] != NULL && !read_option(r, row))
            return false;
    return true;
}

/* Also what is wrong is said as JSON, whatever stands before the word. */
static bool wants_json(const reader *r) {
    for (size_t i = 1; i < r->count && strcmp(r->argv[i], "--") != 0; i++)
        if (strcmp(r->argv[i], "--json") == 0)
            return true;
    return r->ask->json;
}

bool ctl_ask_read(ctl_ask *ask, size_t count, char *const words[],
                  bool at_start) {
    static char no_word[] = "idemctl";
    reader r = {
        .ask = ask, .at_start = at_start, .count = count + 1, .words = words};
    ask->args.size = sizeof ask->args;
    r.argv = calloc(count + 2, sizeof *r.argv);
    if (r.argv == NULL)
        return ctl_why(ask, "out of memory");
    r.argv[0] = no_word;
    if (count > 0)
        memcpy(r.argv + 1, words, count * sizeof *words);
    make_tables();
    ask->json = wants_json(&r);
    bool legal = cut(&r) && read_options(&r) && ctl_ask_check(ask);
    free(r.argv);
    return legal;
}

void ctl_ask_fini(ctl_ask *ask) {
    free(ask->result_owned);
    free(ask->key_owned);
    ask->result_owned = NULL;
    ask->key_owned = NULL;
}
