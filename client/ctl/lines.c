/* SPDX-License-Identifier: Apache-2.0 */
/* lines.c -- commands one a line, and scripts of them. */
#include "client/ctl/ctl.h"

#include <string.h>

#define LINE_CHARS_MAX (64 * 1024)

ctl_exit ctl_run_line(ctl_session *session, char *line) {
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

static line_status read_input_line(FILE *from, char *line, size_t cap) {
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
           (status = read_input_line(from, line, sizeof line)) == LINE_READ) {
        number++;
        /* An empty line says nothing of how the script went. */
        if (line[strspn(line, " \t\r")] != '\0')
            code = ctl_run_line(session, line);
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
