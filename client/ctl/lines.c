/* lines.c -- commands one a line: typed at a terminal, with history and
 * completion, or read from a script. */
#include "client/ctl/ctl.h"

#include <editline/readline.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINE_CHARS_MAX    (64 * 1024)
#define HISTORY_LINES_MAX 1000

static ctl_exit run_line(ctl_session *session, char *line) {
    char *words[CTL_WORDS_MAX];
    int count = ctl_words_split(line, words, CTL_WORDS_MAX);
    if (count > 0)
        return ctl_run_words(session, (size_t)count, words);
    if (count == 0)
        return CTL_EXIT_DONE;
    ctl_ask ask = {.json = session->defaults.json};
    ctl_why(&ask, count == -1 ? "a quote is left open" : "too many words");
    return ctl_usage_error(&ask);
}

/* ------------------------------------------------------------- the script */

typedef enum line_status { LINE_READ, LINE_END, LINE_BAD } line_status;

static line_status read_line(FILE *from, char *line, size_t cap) {
    size_t len = 0;
    int c;
    while ((c = getc(from)) != EOF && c != '\n') {
        if (c == '\0' || len + 1 == cap)
            return LINE_BAD;
        line[len++] = (char)c;
    }
    line[len] = '\0';
    return c == EOF && len == 0 ? LINE_END : LINE_READ;
}

ctl_exit ctl_script(ctl_session *session, FILE *from) {
    static char line[LINE_CHARS_MAX];
    ctl_exit code = CTL_EXIT_DONE;
    line_status status = LINE_END;
    unsigned long number = 0;
    while (!session->leave && code < CTL_EXIT_USAGE &&
           (status = read_line(from, line, sizeof line)) == LINE_READ) {
        number++;
        /* An empty line says nothing of how the script went. */
        if (line[strspn(line, " \t\r")] != '\0')
            code = run_line(session, line);
    }
    if (code >= CTL_EXIT_USAGE) {
        fprintf(stderr, "idemctl: stopped at line %lu\n", number);
    } else if (status == LINE_BAD) {
        ctl_ask ask = {.json = session->defaults.json};
        ctl_why(&ask, "line %lu is too long, or not text", number + 1);
        return ctl_usage_error(&ask);
    }
    return code;
}

/* ----------------------------------------------------------- the terminal */

static char *next_command(const char *begun, int again) {
    static const ctl_command *row = ctl_commands;
    if (!again)
        row = ctl_commands;
    for (; row->name != NULL; row++)
        if (strncmp(row->name, begun, strlen(begun)) == 0)
            return strdup(row++->name);
    return NULL;
}

/* The command that the line begins with; NULL when there is none yet. */
static const ctl_command *line_command(void) {
    char name[32];
    const char *at = rl_line_buffer + strspn(rl_line_buffer, " \t");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(at, " \t"), at);
    return ctl_command_find(name);
}

static char *next_option(const char *begun, int again) {
    static const ctl_option *row = ctl_options;
    char word[48];
    if (!again)
        row = ctl_options;
    for (; row->name != NULL; row++) {
        snprintf(word, sizeof word, "--%s", row->name);
        if (row->scope != 's' && ctl_option_fits(row, line_command()) &&
            strncmp(word, begun, strlen(begun)) == 0) {
            row++;
            return strdup(word);
        }
    }
    return NULL;
}

static char **complete(const char *begun, int start, int end) {
    (void)end;
    rl_attempted_completion_over = 1; /* no file names */
    bool first = (size_t)start == strspn(rl_line_buffer, " \t");
    return rl_completion_matches(begun, first ? next_command : next_option);
}

/* IDEMCTL_HISTORY, or a file in the home folder; "" keeps none. */
static void history_path(char *path, size_t cap) {
    const char *given = getenv("IDEMCTL_HISTORY");
    const char *home = getenv("HOME");
    if (given != NULL)
        snprintf(path, cap, "%s", given);
    else if (home != NULL && home[0] == '/')
        snprintf(path, cap, "%s/.idemctl_history", home);
    else
        path[0] = '\0';
}

/* What the prompt shows: the host, never the secret before it. */
static void print_prompt(const char *uri, char *prompt, size_t cap) {
    const char *scheme_end = strstr(uri, "://");
    const char *host = scheme_end == NULL ? "" : scheme_end + 3;
    const char *secret_end = strrchr(host, '@');
    if (secret_end != NULL)
        host = secret_end + 1;
    snprintf(prompt, cap, "idem %.*s> ", (int)strcspn(host, "/?"), host);
}

ctl_exit ctl_interact(ctl_session *session) {
    char prompt[160], path[512];
    ctl_exit code = CTL_EXIT_DONE;
    char *line;
    history_path(path, sizeof path);
    print_prompt(session->uri, prompt, sizeof prompt);
    rl_readline_name = "idemctl";
    rl_attempted_completion_function = complete;
    using_history();
    stifle_history(HISTORY_LINES_MAX);
    if (path[0] != '\0')
        read_history(path);
    while (!session->leave && (line = readline(prompt)) != NULL) {
        if (line[strspn(line, " \t")] != '\0') {
            add_history(line);
            code = run_line(session, line);
        }
        free(line);
    }
    if (!session->leave)
        putchar('\n');
    umask(077);
    if (path[0] != '\0')
        write_history(path);
    return code;
}
