/* SPDX-License-Identifier: Apache-2.0 */
/* help.c -- the tables, as text for people. */
#include "client/ctl/ctl.h"

#include <string.h>

typedef struct exit_row {
    int code;
    const char *when; /* NULL: that was the last */
} exit_row;

static const exit_row exits[] = {
#define X(name, code, when) {code, when},
    CTL_EXITS(X)
#undef X
        {0, NULL}};

static void help_option(FILE *to, const ctl_option *option) {
    char head[48];
    char letter[] = {'-', option->letter, ',', ' ', '\0'};
    snprintf(head, sizeof head, "%s--%s%s%s",
             option->letter == '\0' ? "    " : letter, option->name,
             option->arg == NULL ? "" : " ",
             option->arg == NULL ? "" : option->arg);
    fprintf(to, "  %-26s %s\n", head, option->help);
}

void ctl_help(FILE *to) {
    fputs("usage: idemctl [OPTION...] COMMAND [OPERAND] [OPTION...]\n"
          "       idemctl [OPTION...]      commands from the terminal or "
          "stdin, one a line\n\ncommands:\n",
          to);
    for (const ctl_command *row = ctl_commands; row->name != NULL; row++) {
        int width =
            fprintf(to, "  %s%s%s", row->name, row->operands != NULL ? " " : "",
                    row->operands != NULL ? row->operands : "");
        fprintf(to, "%*s %s\n", width < 24 ? 24 - width : 0, "", row->help);
    }
    fputs("\noptions:\n", to);
    for (const ctl_option *row = ctl_options; row->name != NULL; row++)
        if (ctl_option_fits(row, NULL))
            help_option(to, row);
    fputs("\nA duration is 500ms, 7s, 2m, 24h or 30d. A key that begins with a "
          "dash stands\nbehind --. Without --timeout nothing is waited for: a "
          "server that is not there\nends a command at once. A script stops "
          "at its first error (64 and above);\notherwise its exit code is its "
          "last command's. Where commands come one a line,\ncomplete, release "
          "and renew know the tokens of the acquires before them.\n\nexit "
          "codes:\n",
          to);
    for (const exit_row *row = exits; row->when != NULL; row++)
        fprintf(to, "  %2d  %s\n", row->code, row->when);
    fputs("\nWhat a command takes: idemctl help COMMAND\n", to);
}

void ctl_help_command(FILE *to, const ctl_command *command) {
    const char *options = command->options != NULL ? " [OPTION...]" : "";
    fprintf(to, "usage: idemctl %s%s%s%s%s%s\n%s\n", command->name,
            command->takes_rest ? options : "",
            command->operands != NULL ? " " : "",
            command->operands != NULL ? command->operands : "",
            command->takes_rest ? " [ARG...]" : "",
            command->takes_rest ? "" : options, command->help);
    for (const ctl_option *row = ctl_options; row->name != NULL; row++)
        if (row->scope == 'c' && ctl_option_fits(row, command))
            help_option(to, row);
    if (command->needs != NULL)
        fprintf(to, "--%s must be given%s.\n", command->needs,
                command->takes_key
                    ? ", save where the same session has acquired the key"
                    : "");
    if (command->grant != NULL)
        fprintf(to, "A credential needs the grant %s for it.\n",
                command->grant);
}
