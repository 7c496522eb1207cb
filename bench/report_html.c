/* SPDX-License-Identifier: Apache-2.0 */
/* report_html.c -- the report as one page that needs nothing from outside.
 *
 * page/report.html is the page, compiled in; here its three places are
 * filled: the table (which stands without any script), the text, the data. */
#include "bench/report.h"

#include <math.h>

/* Made from page/report.html by CMake. NUL-terminated. */
extern const char idb_page[];

static void escape(FILE *to, const char *text) {
    for (; *text; text++) {
        if (*text == '<' || *text == '>' || *text == '&' || *text == '"')
            fprintf(to, "&#%d;", *text);
        else
            fputc(*text, to);
    }
}

static void cell(FILE *to, const idb_figure *figure, int digits) {
    char text[48], low[48], high[48];
    fprintf(to, "<td>%s",
            idb_figure_text(figure->median, digits, text, sizeof text));
    if (!isnan(figure->min) && figure->min < figure->max)
        fprintf(to, "<small>%s – %s</small>",
                idb_figure_text(figure->min, digits, low, sizeof low),
                idb_figure_text(figure->max, digits, high, sizeof high));
    fputs("</td>", to);
}

static void title(FILE *to, const char *text) {
    fputs("<th scope=\"col\">", to);
    escape(to, text);
    fputs("</th>", to);
}

/* What the rows are compared by comes first: a page is not wide enough for
 * all columns. */
static void titles_write(FILE *to, const idb_report *report) {
    const int first = report->ratio_column;
    title(to, "target");
    if (first >= 0) {
        title(to, report->columns[first].title);
        title(to, "to first");
    }
    for (int c = 0; c < (int)report->column_count; c++)
        if (c != first)
            title(to, report->columns[c].title);
}

static void row_write(FILE *to, const idb_report *report, uint32_t i) {
    char text[48];
    const int first = report->ratio_column;
    const idb_result *result = &report->results[i];
    fputs("<tr><th scope=\"row\">", to);
    escape(to, result->label);
    fputs("</th>", to);
    if (first >= 0) {
        cell(to, &result->figures[first], report->columns[first].digits);
        fprintf(
            to, "<td>%s</td>",
            idb_figure_text(idb_report_ratio(report, i), 2, text, sizeof text));
    }
    for (int c = 0; c < (int)report->column_count; c++)
        if (c != first)
            cell(to, &result->figures[c], report->columns[c].digits);
    fputs("</tr>\n", to);
}

static void table_write(FILE *to, const idb_report *report) {
    fputs("<table><thead><tr>", to);
    titles_write(to, report);
    fputs("</tr></thead>\n<tbody>\n", to);
    for (uint32_t i = 0; i < report->count; i++)
        row_write(to, report, i);
    fputs("</tbody></table>", to);
}

static void text_write(FILE *to, const idb_report *report) {
    escape(to, report->text ? report->text : "");
    if (report->ratio_column >= 0) {
        fputs(" \"To first\" compares ", to);
        escape(to, report->columns[report->ratio_column].title);
        fputs(".", to);
    }
    for (uint32_t i = 0; i < report->count; i++) {
        if (!report->results[i].note[0])
            continue;
        fputs("<br>", to);
        escape(to, report->results[i].label);
        fputs(": ", to);
        escape(to, report->results[i].note);
    }
}

void idb_report_html(FILE *to, const idb_report *report) {
    static const struct {
        const char *mark;
        void (*write)(FILE *, const idb_report *);
    } places[] = {{"@TABLE@", table_write},
                  {"@TEXT@", text_write},
                  {"@DATA@", idb_report_json}};
    const char *at = idb_page;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *mark = strstr(at, places[i].mark);
        if (!mark)
            continue;
        fwrite(at, 1, (size_t)(mark - at), to);
        places[i].write(to, report);
        at = mark + strlen(places[i].mark);
    }
    fputs(at, to);
}
