/* ask.c -- one command's words, read by the tables of commands and options. */
#include "client/ctl/ctl.h"

#include <stdlib.h>
#include <string.h>

/* A walk over the words. */
typedef struct reader {
    ctl_ask *ask;
    size_t count;
    char *const *words;
    size_t at;
    bool at_start;
    bool only_operands; /* after "--" */
} reader;

static size_t find_option(const char *name, size_t len) {
    size_t row = 0;
    while (ctl_options[row].name != NULL &&
           (strlen(ctl_options[row].name) != len ||
            memcmp(ctl_options[row].name, name, len) != 0))
        row++;
    return row;
}

static bool check_option(reader *r, size_t row, const char *word) {
    const ctl_option *option = &ctl_options[row];
    const ctl_command *command = r->ask->command;
    if (option->name == NULL)
        return ctl_why(r->ask, "%s: no such option", word);
    if (!ctl_option_fits(option, command))
        return command == NULL
                   ? ctl_why(r->ask, "--%s belongs behind a command",
                             option->name)
                   : ctl_why(r->ask, "%s does not take --%s", command->name,
                             option->name);
    if (option->scope == 's' && !r->at_start)
        return ctl_why(r->ask, "--%s: only where idemctl starts", option->name);
    if ((r->ask->given >> row & 1) != 0)
        return ctl_why(r->ask, "--%s is given twice", option->name);
    return true;
}

/* "--name value", "--name=value" or "--flag". */
static bool read_option(reader *r) {
    const char *word = r->words[r->at++];
    const char *name = word + 2;
    size_t len = strcspn(name, "=");
    const char *value = name[len] == '=' ? name + len + 1 : NULL;
    size_t row = find_option(name, len);
    if (!check_option(r, row, word))
        return false;
    const ctl_option *option = &ctl_options[row];
    if (option->arg == NULL && value != NULL)
        return ctl_why(r->ask, "--%s takes no value", option->name);
    if (option->arg != NULL && value == NULL) {
        if (r->at == r->count)
            return ctl_why(r->ask, "--%s needs %s", option->name, option->arg);
        value = r->words[r->at++];
    }
    r->ask->given |= 1ull << row;
    if (option->read(value, r->ask))
        return true;
    char why[sizeof r->ask->why];
    memcpy(why, r->ask->why, sizeof why);
    return ctl_why(r->ask, "--%s: %.200s", option->name, why);
}

static bool read_operand(reader *r) {
    ctl_ask *ask = r->ask;
    const char *word = r->words[r->at++];
    if (ask->command == NULL) {
        ask->command = ctl_command_find(word);
        return ask->command != NULL ||
               ctl_why(ask, "%.100s: no such command", word);
    }
    if (ask->operand_count == ask->command->operands_max)
        return ctl_why(ask, "%s: nothing may follow %s", ask->command->name,
                       ask->command->operands[0] ? ask->command->operands
                                                 : "it");
    ask->operands[ask->operand_count++] = word;
    return true;
}

static bool check_needs(ctl_ask *ask) {
    const ctl_command *command = ask->command;
    if (command == NULL || ask->help)
        return true;
    if (ask->operand_count < command->operands_min)
        return ctl_why(ask, "%s needs %s", command->name, command->operands);
    for (size_t row = 0; ctl_options[row].name != NULL; row++)
        if (ctl_list_has(command->needs, ctl_options[row].name) &&
            (ask->given >> row & 1) == 0)
            return ctl_why(ask, "%s needs --%s", command->name,
                           ctl_options[row].name);
    return true;
}

bool ctl_ask_read(ctl_ask *ask, size_t count, char *const words[],
                  bool at_start) {
    reader r = {
        .ask = ask, .count = count, .words = words, .at_start = at_start};
    ask->args.size = sizeof ask->args;
    while (r.at < r.count) {
        const char *word = words[r.at];
        bool is_option = !r.only_operands && strncmp(word, "--", 2) == 0;
        if (is_option && word[2] == '\0') {
            r.only_operands = true;
            r.at++;
        } else if (is_option ? !read_option(&r) : !read_operand(&r)) {
            return false;
        }
    }
    return check_needs(ask);
}

void ctl_ask_fini(ctl_ask *ask) {
    free(ask->result_owned);
    ask->result_owned = NULL;
}
