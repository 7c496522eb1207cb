/* SPDX-License-Identifier: Apache-2.0 */
/* completion.c -- the tables as a completion script of a shell: what the
 * package installs asks for it at the first TAB, so it is never another
 * version's. */
#include "client/ctl/ctl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* In single quotes; within them a quote is written as that shell wants it. */
static void put_quoted(const char *text, const char *quote) {
    putchar('\'');
    for (; *text != '\0'; text++)
        if (*text == '\'')
            fputs(quote, stdout);
        else
            putchar(*text);
    putchar('\'');
}

static bool is_path(const char *arg) {
    return arg != NULL && (strcmp(arg, "FILE") == 0 || strcmp(arg, "DIR") == 0);
}

/* "?" is for who types it; a shell would expand it. */
static bool is_offered(const ctl_command *row) {
    return isalpha((unsigned char)row->name[0]) != 0;
}

static void put_command_names(const char *gap) {
    const char *before = "";
    for (const ctl_command *row = ctl_commands; row->name != NULL; row++) {
        if (!is_offered(row))
            continue;
        printf("%s%s", before, row->name);
        before = gap;
    }
}

/* Options that are followed by a value, as a pattern of case: -s|--server ...
 */
static void put_taking_value(const char *gap) {
    const char *before = "";
    for (const ctl_option *row = ctl_options; row->name != NULL; row++) {
        if (row->arg == NULL)
            continue;
        printf("%s--%s", before, row->name);
        if (row->letter != '\0')
            printf("%s-%c", gap, row->letter);
        before = gap;
    }
}

static void put_options(const ctl_command *command) {
    const char *before = "";
    for (const ctl_option *row = ctl_options; row->name != NULL; row++) {
        if (!ctl_option_fits(row, command))
            continue;
        printf("%s--%s", before, row->name);
        before = " ";
    }
}

/* --------------------------------------------------------------- bash, zsh
 *
 * Both find out where they are in the same way: the command, how many operands
 * stand before the cursor, and whether -- does. */

static void put_option_names(const ctl_option *row) {
    if (row->letter != '\0')
        printf("-%c|", row->letter);
    printf("--%s", row->name);
}

/* What may stand behind an option: its words, or a path, or nothing known. */
static void put_values(const char *files) {
    puts("    case $prev in");
    for (const ctl_option *row = ctl_options; row->name != NULL; row++) {
        if (row->arg == NULL)
            continue;
        fputs("    ", stdout);
        put_option_names(row);
        if (is_path(row->arg))
            printf(") %s; return;;\n", files);
        else
            printf(") choices='%s'; value=1;;\n", row->words);
    }
    puts("    esac");
}

static void put_commands_options(void) {
    puts("    case $command in");
    for (const ctl_command *row = ctl_commands; row->name != NULL; row++) {
        if (!is_offered(row))
            continue;
        printf("    %s) options='", row->name);
        put_options(row);
        printf("'; first='%s';;\n", row->words != NULL ? row->words : "");
    }
    fputs("    *) options='", stdout);
    put_options(NULL);
    puts("';;\n    esac");
}

static void put_place(const char *first, const char *word_at) {
    printf("    for ((i = %s; i < at; i++)); do\n"
           "        word=%s\n"
           "        case $word in\n"
           "        --) [[ $command = run ]] && rest=1 && break;;\n"
           "        ",
           first, word_at);
    put_taking_value("|");
    puts(") ((i++));;\n"
         "        -*) ;;\n"
         "        *) if [[ -z $command ]]; then command=$word; "
         "else ((operands++)); fi;;\n"
         "        esac\n"
         "    done");
}

static void put_bash(void) {
    puts("# idemctl's completion for bash: source <(idemctl completion bash)\n"
         "_idemctl() {\n"
         "    # readline parts words at : and =, which stand in addresses\n"
         "    local line=${COMP_LINE:0:COMP_POINT}\n"
         "    local -a typed\n"
         "    read -ra typed <<<\"$line\"\n"
         "    [[ $line = *[[:space:]] ]] && typed+=('')\n"
         "    local at=$((${#typed[@]} - 1))\n"
         "    local cur=${typed[at]} prev=${typed[at-1]}\n"
         "    local i word command= operands=0 rest= choices= value= options= "
         "first=\n"
         "    COMPREPLY=()\n"
         "    [[ $cur = --*=* ]] && prev=${cur%%=*} cur=${cur#*=}");
    put_place("1", "${typed[i]}");
    puts("    if [[ -n $rest ]]; then\n"
         "        if [[ $word = -- && $i -eq $((at - 1)) ]]; then\n"
         "            COMPREPLY=($(compgen -c -- \"$cur\"))\n"
         "        else\n"
         "            COMPREPLY=($(compgen -f -- \"$cur\"))\n"
         "        fi\n"
         "        return\n"
         "    fi");
    put_values("COMPREPLY=($(compgen -f -- \"$cur\"))");
    put_commands_options();
    puts("    if [[ -z $value ]]; then\n"
         "        if [[ $cur = -* ]]; then choices=$options\n"
         "        elif [[ -z $command ]]; then");
    fputs("            choices='", stdout);
    put_command_names(" ");
    fputs("'\n        elif [[ $operands -eq 0 ]]; then choices=$first; fi\n"
          "    fi\n"
          "    case $choices in\n"
          "    FILE|DIR) COMPREPLY=($(compgen -f -- \"$cur\")); return;;\n"
          "    COMMAND) choices='",
          stdout);
    put_command_names(" ");
    puts("';;\n"
         "    esac\n"
         "    COMPREPLY=($(compgen -W \"$choices\" -- \"$cur\"))\n"
         "}\n"
         "complete -o filenames -o bashdefault -F _idemctl idemctl");
}

static void put_zsh_described(const char *name, const char *help) {
    char line[256];
    snprintf(line, sizeof line, "%s:%s", name, help);
    fputs("        ", stdout);
    put_quoted(line, "'\\''");
    putchar('\n');
}

static void put_zsh_options(const ctl_command *command) {
    for (const ctl_option *row = ctl_options; row->name != NULL; row++) {
        char name[64];
        if (!ctl_option_fits(row, command))
            continue;
        snprintf(name, sizeof name, "--%s", row->name);
        put_zsh_described(name, row->help);
    }
}

static void put_zsh_tables(void) {
    puts("    case $command in");
    for (const ctl_command *row = ctl_commands; row->name != NULL; row++) {
        if (!is_offered(row))
            continue;
        printf("    %s) first='%s'; options=(\n", row->name,
               row->words != NULL ? row->words : "");
        put_zsh_options(row);
        puts("        );;");
    }
    puts("    *) options=(");
    put_zsh_options(NULL);
    puts("        );;\n    esac\n    commands=(");
    for (const ctl_command *row = ctl_commands; row->name != NULL; row++)
        if (is_offered(row))
            put_zsh_described(row->name, row->help);
    puts("    )");
}

static void put_zsh(void) {
    puts("#compdef idemctl\n"
         "# idemctl's completion for zsh: source <(idemctl completion zsh)\n"
         "_idemctl() {\n"
         "    local at=$CURRENT cur=${words[CURRENT]} "
         "prev=${words[CURRENT-1]}\n"
         "    local i word command= operands=0 rest= value= first= choices=\n"
         "    local -a options commands");
    put_place("2", "${words[i]}");
    puts("    if [[ -n $rest ]]; then\n"
         "        if ((i == at - 1)); then _command_names -e; else _files; fi\n"
         "        return\n"
         "    fi");
    put_values("_files");
    put_zsh_tables();
    puts("    if [[ -n $value ]]; then\n"
         "        compadd -- ${=choices}\n"
         "    elif [[ $cur = -* ]]; then\n"
         "        _describe -o option options\n"
         "    elif [[ -z $command || ( $first = COMMAND && $operands -eq 0 ) "
         "]]; "
         "then\n"
         "        _describe command commands\n"
         "    elif ((operands == 0)); then\n"
         "        case $first in\n"
         "        FILE|DIR) _files;;\n"
         "        ?*) compadd -- ${=first};;\n"
         "        esac\n"
         "    fi\n"
         "}\n"
         "(($+functions[compdef])) && compdef _idemctl idemctl\n"
         ":");
}

/* -------------------------------------------------------------------- fish */

#define FISH_QUOTE "\\'"

static void put_fish_option(const ctl_option *row, const char *when) {
    printf("complete -c idemctl -n %s -l %s", when, row->name);
    if (row->letter != '\0')
        printf(" -s %c", row->letter);
    if (is_path(row->arg))
        fputs(" -r -F", stdout);
    else if (row->arg != NULL)
        printf(" -x -a '%s'", row->words);
    fputs(" -d ", stdout);
    put_quoted(row->help, FISH_QUOTE);
    putchar('\n');
}

static void put_fish_command(const ctl_command *row) {
    char when[96];
    printf("complete -c idemctl -n 'not __idemctl_command' -a %s -d ",
           row->name);
    put_quoted(row->help, FISH_QUOTE);
    snprintf(when, sizeof when, "'__idemctl_is %s'", row->name);
    putchar('\n');
    for (const ctl_option *of = ctl_options; of->name != NULL; of++)
        if (of->scope == 'c' && ctl_option_fits(of, row))
            put_fish_option(of, when);
    if (is_path(row->words))
        printf("complete -c idemctl -n %s -F\n", when);
    else if (row->words != NULL && strcmp(row->words, "COMMAND") != 0)
        printf("complete -c idemctl -n %s -a '%s'\n", when, row->words);
    else if (row->words != NULL) {
        printf("complete -c idemctl -n %s -a '", when);
        put_command_names(" ");
        puts("'");
    }
    if (row->takes_rest)
        printf("complete -c idemctl -n '__idemctl_is %s; and contains -- -- "
               "(commandline -opc)' -a '(complete -C (__idemctl_rest))'\n",
               row->name);
}

static void put_fish(void) {
    puts("# idemctl's completion for fish: idemctl completion fish | source\n"
         "function __idemctl_command\n"
         "    set -l skip 0\n"
         "    for word in (commandline -opc)[2..-1]\n"
         "        if test $skip = 1\n"
         "            set skip 0\n"
         "            continue\n"
         "        end\n"
         "        switch $word");
    fputs("            case ", stdout);
    put_taking_value(" ");
    puts("\n"
         "                set skip 1\n"
         "            case '-*'\n"
         "            case '*'\n"
         "                echo $word\n"
         "                return 0\n"
         "        end\n"
         "    end\n"
         "    return 1\n"
         "end\n"
         "function __idemctl_is\n"
         "    set -l command (__idemctl_command)\n"
         "    test \"$command\" = $argv[1]\n"
         "end\n"
         "function __idemctl_rest\n"
         "    set -l words (commandline -opc)\n"
         "    set -l at (contains -i -- -- $words)\n"
         "    set -e words[1..$at]\n"
         "    string join -- \" \" $words (commandline -ct)\n"
         "end\n"
         "complete -c idemctl -f");
    for (const ctl_option *row = ctl_options; row->name != NULL; row++)
        if (row->scope != 'c')
            put_fish_option(row, "true");
    for (const ctl_command *row = ctl_commands; row->name != NULL; row++)
        if (is_offered(row))
            put_fish_command(row);
}

ctl_exit ctl_run_completion(ctl_session *session, ctl_ask *ask) {
    const char *shell = ask->operands[0];
    (void)session;
    if (strcmp(shell, "bash") == 0) {
        put_bash();
    } else if (strcmp(shell, "zsh") == 0) {
        put_zsh();
    } else if (strcmp(shell, "fish") == 0) {
        put_fish();
    } else {
        ctl_why(ask, "completion: %.40s is none of bash, zsh and fish", shell);
        return ctl_usage_error(ask);
    }
    return CTL_EXIT_DONE;
}
