/* SPDX-License-Identifier: Apache-2.0 */
/* terminal.c -- commands typed by a person: a line editor with completion, and
 * a history that is written line by line. */
#include "client/ctl/ctl.h"
#include "client/ctl/report.h"

#include <fcntl.h>
#include <histedit.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HISTORY_LINES_MAX 1000
#define PROMPT_CHARS_MAX  320

/* One terminal; the line editor's callbacks take no context of ours. */
static struct {
    char prompt[PROMPT_CHARS_MAX];
    char path[512]; /* of the history; "": none */
    EditLine *edit;
    History *past;
} it;

/* ----------------------------------------------------------------- history */

/* IDEMCTL_HISTORY, or a file in the home folder; "" keeps none. */
static void find_history(void) {
    const char *given = getenv("IDEMCTL_HISTORY");
    const char *home = getenv("HOME");
    it.path[0] = '\0';
    if (given != NULL)
        snprintf(it.path, sizeof it.path, "%s", given);
    else if (home != NULL && home[0] == '/')
        snprintf(it.path, sizeof it.path, "%s/.idemctl_history", home);
}

static void remember(const char *line) {
    HistEvent event;
    history(it.past, &event, H_ENTER, line);
}

/* The last lines of an earlier session. */
static size_t read_history(void) {
    char *line = NULL;
    size_t cap = 0, count = 0;
    ssize_t len;
    FILE *from = it.path[0] != '\0' ? fopen(it.path, "re") : NULL;
    while (from != NULL && (len = getline(&line, &cap, from)) > 0) {
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        remember(line);
        count++;
    }
    free(line);
    if (from != NULL)
        fclose(from);
    return count;
}

/* The one at this end of the file is the last that was typed. */
static void append(FILE *to, const char *line) {
    fputs(line, to);
    if (line[0] == '\0' || line[strlen(line) - 1] != '\n')
        fputc('\n', to);
}

static FILE *open_history(int flags) {
    int fd = open(it.path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);
    FILE *to = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (to == NULL && fd >= 0)
        close(fd);
    return to;
}

/* Keeps what the editor remembers, when the file has grown far beyond it. */
static void shorten_history(void) {
    HistEvent event;
    FILE *to = open_history(O_TRUNC);
    if (to == NULL)
        return;
    for (int at = history(it.past, &event, H_LAST); at >= 0;
         at = history(it.past, &event, H_PREV))
        append(to, event.str);
    fclose(to);
}

/* Written now: a session that is killed loses nothing. */
static void keep(const char *line) {
    remember(line);
    FILE *to = it.path[0] != '\0' ? open_history(O_APPEND) : NULL;
    if (to == NULL)
        return;
    append(to, line);
    fclose(to);
}

/* -------------------------------------------------------------- completion */

/* The n-th word that may stand here. */
typedef const char *(*words_fn)(size_t n, const ctl_command *command);

static const char *command_word(size_t n, const ctl_command *command) {
    (void)command;
    return ctl_commands[n].name;
}

static const char *option_word(size_t n, const ctl_command *command) {
    static char word[48];
    const ctl_option *row = &ctl_options[n];
    if (row->name == NULL)
        return NULL;
    bool fits = row->scope != 's' && ctl_option_fits(row, command);
    snprintf(word, sizeof word, "%s%s", fits ? "--" : "",
             fits ? row->name : "");
    return word;
}

/* What all the words that begin so have in common beyond it. */
static size_t common(words_fn word_at, const ctl_command *command,
                     const char *begun, char *more, size_t cap) {
    size_t count = 0;
    const char *word;
    for (size_t n = 0; (word = word_at(n, command)) != NULL; n++) {
        size_t same = 0;
        if (strncmp(word, begun, strlen(begun)) != 0 || *word == '\0')
            continue;
        const char *rest = word + strlen(begun);
        if (count++ == 0) {
            snprintf(more, cap, "%s", rest);
            continue;
        }
        while (more[same] != '\0' && more[same] == rest[same])
            same++;
        more[same] = '\0';
    }
    return count;
}

static void show_words(words_fn word_at, const ctl_command *command,
                       const char *begun) {
    const char *word;
    putchar('\n');
    for (size_t n = 0; (word = word_at(n, command)) != NULL; n++)
        if (*word != '\0' && strncmp(word, begun, strlen(begun)) == 0)
            printf("%s  ", word);
    putchar('\n');
    fflush(stdout);
}

static unsigned char complete_word(EditLine *edit, int key) {
    char begun[64], first[32], more[64] = "";
    const LineInfo *line = el_line(edit);
    const char *at = line->cursor;
    (void)key;
    while (at > line->buffer && at[-1] != ' ' && at[-1] != '\t')
        at--;
    snprintf(begun, sizeof begun, "%.*s", (int)(line->cursor - at), at);
    const char *from = line->buffer;
    while (from < at && (*from == ' ' || *from == '\t'))
        from++;
    size_t first_len = 0;
    while (from + first_len < at && from[first_len] != ' ')
        first_len++;
    snprintf(first, sizeof first, "%.*s", (int)first_len, from);
    const ctl_command *command = ctl_command_find(first);
    words_fn word_at = from == at ? command_word : option_word;
    size_t count = common(word_at, command, begun, more, sizeof more - 1);
    if (count == 0)
        return CC_ERROR;
    size_t end = strlen(more);
    if (count == 1)
        memcpy(more + end, " ", 2); /* common left room for it */
    if (more[0] != '\0')
        return el_insertstr(edit, more) == 0 ? CC_REFRESH : CC_ERROR;
    show_words(word_at, command, begun);
    return CC_REDISPLAY;
}

/* ------------------------------------------------------------- the terminal */

/* Host and namespace, never the secret before them. */
static void make_prompt(const ctl_session *session) {
    const char *scheme_end = strstr(session->uri, "://");
    const char *host = scheme_end == NULL ? "" : scheme_end + 3;
    size_t len = strcspn(host, "?");
    const char *secret_end = memrchr(host, '@', len);
    if (secret_end != NULL) {
        len -= (size_t)(secret_end + 1 - host);
        host = secret_end + 1;
    }
    const idem_args *args = &session->defaults.args;
    if (args->ns != NULL)
        len = strcspn(host, "/?");
    FILE *to = fmemopen(it.prompt, sizeof it.prompt, "w");
    if (to == NULL)
        return;
    fputs("idem ", to);
    report_escape(to, (const uint8_t *)host, len < 160 ? len : 160);
    if (args->ns != NULL) {
        fputc('/', to);
        report_escape(to, (const uint8_t *)args->ns, args->ns_len);
    }
    fputs("> ", to);
    fclose(to);
}

static char *prompt(EditLine *edit) {
    (void)edit;
    return it.prompt;
}

static unsigned char stop(EditLine *edit, int key) {
    (void)key;
    el_set(edit, EL_PREP_TERM, 0);
    raise(SIGTSTP);
    el_set(edit, EL_PREP_TERM, 1);
    return CC_REDISPLAY;
}

/* Ctrl-C is a key like the others here: it clears the line. While a command
 * runs the terminal is as it was, and Ctrl-C ends idemctl. */
static bool set_up_terminal(void) {
    HistEvent event;
    it.past = history_init();
    it.edit = el_init("idemctl", stdin, stdout, stderr);
    if (it.past == NULL || it.edit == NULL)
        return false;
    history(it.past, &event, H_SETSIZE, HISTORY_LINES_MAX);
    el_set(it.edit, EL_PROMPT, prompt);
    el_set(it.edit, EL_EDITOR, "emacs");
    el_set(it.edit, EL_HIST, history, it.past);
    el_set(it.edit, EL_ADDFN, "idem-complete", "a command or an option",
           complete_word);
    el_set(it.edit, EL_BIND, "^I", "idem-complete", NULL);
    el_set(it.edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_set(it.edit, EL_SETTY, "-d", "-isig", NULL);
    el_set(it.edit, EL_BIND, "^C", "em-kill-line", NULL);
    el_set(it.edit, EL_ADDFN, "idem-stop", "stops idemctl, as Ctrl-Z does",
           stop);
    el_set(it.edit, EL_BIND, "^Z", "idem-stop", NULL);
    el_source(it.edit, NULL);
    return true;
}

static void tear_down(void) {
    if (it.edit != NULL)
        el_end(it.edit);
    if (it.past != NULL)
        history_end(it.past);
}

/* One line without its end; NULL: there are no more. The editor shows its
 * prompt a moment before Ctrl-C is a key: the terminal clears the line then,
 * and the signal must end nobody. */
static char *next_line(void) {
    int len = 0;
    signal(SIGINT, SIG_IGN);
    const char *typed = el_gets(it.edit, &len);
    signal(SIGINT, SIG_DFL);
    if (typed == NULL || len <= 0)
        return NULL;
    char *line = strndup(typed, (size_t)len);
    if (line != NULL)
        line[strcspn(line, "\r\n")] = '\0';
    return line;
}

static ctl_exit run_terminal_lines(ctl_session *session) {
    ctl_exit code = CTL_EXIT_DONE;
    char *line;
    while (!session->leave && (line = next_line()) != NULL) {
        if (line[strspn(line, " \t")] != '\0') {
            keep(line);
            code = ctl_run_line(session, line);
        }
        free(line);
    }
    if (!session->leave)
        putchar('\n');
    return code;
}

ctl_exit ctl_interact(ctl_session *session) {
    ctl_exit code = CTL_EXIT_ERROR;
    make_prompt(session);
    find_history();
    if (set_up_terminal()) {
        if (read_history() > (size_t)2 * HISTORY_LINES_MAX)
            shorten_history();
        code = run_terminal_lines(session);
    } else {
        fputs("idemctl: no line editor: out of memory\n", stderr);
    }
    tear_down();
    return code;
}
