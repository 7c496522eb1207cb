/* SPDX-License-Identifier: Apache-2.0 */
/* words.c -- a line cut into words, as a shell would. Pure. */
#include "client/ctl/ctl.h"

static bool is_word_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Copies one word onto itself without its quotes; NULL: a quote is open. The
 * text never grows, so to never overtakes from. */
static char *unquote(char *from, char *to) {
    char quote = '\0';
    for (; *from != '\0' && (quote != '\0' || !is_word_blank(*from)); from++) {
        if (*from == quote && quote != '\0')
            quote = '\0';
        else if (quote == '\0' && (*from == '\'' || *from == '"'))
            quote = *from;
        else if (*from == '\\' && quote != '\'' && from[1] != '\0')
            *to++ = *++from;
        else
            *to++ = *from;
    }
    char *rest = *from == '\0' ? from : from + 1;
    *to = '\0';
    return quote == '\0' ? rest : NULL;
}

int ctl_words_split(char *line, char *words[], size_t words_max) {
    size_t count = 0;
    for (;;) {
        while (is_word_blank(*line))
            line++;
        if (*line == '\0' || *line == '#')
            return (int)count;
        if (count == words_max)
            return -2;
        words[count++] = line;
        line = unquote(line, line);
        if (line == NULL)
            return -1;
    }
}
