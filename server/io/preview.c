/* SPDX-License-Identifier: Apache-2.0 */
/* preview.c -- see preview.h. */
#include "server/io/preview.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES_MAX     700
/* "and 4294967295 more" */
#define LEFT_OUT_BYTES_MAX 32

void ids_preview_begin(ids_preview *p) {
    p->closed = p->admitted = 0;
    p->len = 0;
    p->left_out = 0;
    p->text[0] = '\0';
}

/* With a newline before it, if it is not the first. */
static void put_line(ids_preview *p, const char *line, size_t len) {
    if (p->len)
        p->text[p->len++] = '\n';
    memcpy(p->text + p->len, line, len);
    p->len += len;
    p->text[p->len] = '\0';
}

void ids_preview_add(ids_preview *p, const char *format, ...) {
    char line[LINE_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    size_t len = strlen(line);
    if (p->len + 1 + len + LEFT_OUT_BYTES_MAX > IDP_RELOAD_TEXT_BYTES_MAX)
        p->left_out++;
    else
        put_line(p, line, len);
}

void ids_preview_end(ids_preview *p) {
    char line[LEFT_OUT_BYTES_MAX];
    if (!p->left_out)
        return;
    snprintf(line, sizeof line, "and %u more", p->left_out);
    put_line(p, line, strlen(line));
}
