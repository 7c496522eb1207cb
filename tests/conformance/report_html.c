/* SPDX-License-Identifier: Apache-2.0 */
/* report_html.c -- the matrix as one page with nothing from outside: a row a
 * group, a cell a case, and below it what is to be read about each. */
#include "tests/conformance/report.h"

#include <string.h>

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src "
    "'none'; style-src 'unsafe-inline'\">\n<style>\n"
    ":root{color-scheme:light dark;--p:#1a7f37;--f:#c62828;--n:#8a6d00;"
    "--s:#777}\n"
    "@media(prefers-color-scheme:dark){:root{--p:#3fb950;--f:#ff6b60;"
    "--n:#e3b341;--s:#999}}\n"
    "body{font:15px/1.45 system-ui,sans-serif;max-width:70rem;margin:2rem "
    "auto;padding:0 1rem}\n"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;"
    "padding:.2rem .6rem .2rem 0;vertical-align:top}\n"
    "th{font-weight:600}td:first-child{white-space:nowrap}\n"
    ".c{display:inline-block;min-width:1.9rem;padding:.1rem .25rem;margin:1px;"
    "text-align:center;border:1.5px solid;border-radius:.3rem;"
    "text-decoration:none;font-variant-numeric:tabular-nums}\n"
    ".passed{color:var(--p)}.failed{color:var(--f);font-weight:700}"
    ".not{color:var(--n)}.c.not{border-style:dashed}"
    ".skipped{color:var(--s)}.c.skipped{border-style:dotted}\n"
    ".bad{outline:2px solid var(--f)}\n"
    "pre{overflow-x:auto;white-space:pre-wrap;font:13px/1.4 ui-monospace,"
    "monospace;margin:.2rem 0 .6rem;padding:.5rem .7rem;"
    "background:color-mix(in srgb,CanvasText 7%,Canvas)}\n"
    "h2{font-size:1.1rem;margin:1.6rem 0 .3rem}"
    "h3{font-size:1rem;margin:.8rem 0 .1rem}\n</style>\n";

/* A letter beside the number, so that colour is not all that tells. */
static const char *mark(conf_verdict verdict) {
    static const char *const marks[CONF_VERDICTS] = {"", "&#10007;", "?",
                                                     "&ndash;"};
    return marks[verdict];
}

static const char *css(conf_verdict verdict) {
    static const char *const names[CONF_VERDICTS] = {"passed", "failed", "not",
                                                     "skipped"};
    return names[verdict];
}

static size_t group_len(const char *id) {
    return strcspn(id, "/");
}

static bool same_group(const conf_case *one, const conf_case *other) {
    size_t len = group_len(one->id);
    return len == group_len(other->id) && strncmp(one->id, other->id, len) == 0;
}

static void write_cell(const conf_report *r, int i, FILE *to) {
    const conf_case *one = &r->cases->at[i];
    const conf_result *result = &r->results[i];
    fprintf(to, "<a class=\"c %s%s\" href=\"#%s\" title=\"",
            css(result->verdict),
            conf_is_bad(r->options, one, result) ? " bad" : "", one->id);
    conf_write_escaped(one->title, to);
    fprintf(to, ": %s\">%s%s</a>", conf_result_word(r, i),
            one->id + group_len(one->id) + 1, mark(result->verdict));
}

/* The group's cells in the tier, from its first case on. */
static void write_row(const conf_report *r, int first, FILE *to) {
    const conf_case *of = &r->cases->at[first];
    fprintf(to, "<tr><td>%.*s<td>", (int)group_len(of->id), of->id);
    for (int i = first; i < r->cases->count; i++) {
        const conf_case *one = &r->cases->at[i];
        if (one->tier == of->tier && same_group(one, of) &&
            conf_was_chosen(&r->results[i])) {
            write_cell(r, i, to);
        }
    }
    fputs("\n", to);
}

static bool is_first_of_row(const conf_report *r, int index) {
    const conf_case *one = &r->cases->at[index];
    for (int i = 0; i < index; i++) {
        const conf_case *before = &r->cases->at[i];
        if (before->tier == one->tier && same_group(before, one) &&
            conf_was_chosen(&r->results[i])) {
            return false;
        }
    }
    return conf_was_chosen(&r->results[index]);
}

static void write_tier(const conf_report *r, int tier, FILE *to) {
    conf_counts counts = conf_count(r, tier);
    if (counts.chosen == 0) {
        return;
    }
    fprintf(to, "<h2>%s: %d of %d passed</h2>\n<table>\n",
            conf_tier_name((conf_tier)tier), counts.of[CONF_PASSED],
            counts.chosen);
    for (int i = 0; i < r->cases->count; i++) {
        if ((int)r->cases->at[i].tier == tier && is_first_of_row(r, i)) {
            write_row(r, i, to);
        }
    }
    fputs("</table>\n", to);
}

static void write_detail(const conf_report *r, int i, FILE *to) {
    const conf_case *one = &r->cases->at[i];
    const conf_result *result = &r->results[i];
    fprintf(to,
            "<h3 id=\"%s\"><span class=\"%s\">%s</span> %s (%s, %s): ", one->id,
            css(result->verdict), conf_result_word(r, i), one->id,
            conf_tier_name(one->tier), conf_level_name(one->level));
    conf_write_escaped(one->title, to);
    fputs("</h3>\n", to);
    if (result->verdict != CONF_PASSED && result->say.text[0]) {
        fputs("<pre>", to);
        conf_write_escaped(result->say.text, to);
        fputs("</pre>\n", to);
    }
}

/* What failed first, then what is not judged, skipped, passed. */
static void write_details(const conf_report *r, FILE *to) {
    static const conf_verdict order[] = {CONF_FAILED, CONF_NOT_JUDGED,
                                         CONF_SKIPPED, CONF_PASSED};
    fputs("<h2>Each case</h2>\n", to);
    for (int k = 0; k < CONF_VERDICTS; k++) {
        for (int i = 0; i < r->cases->count; i++) {
            if (r->results[i].verdict == order[k] &&
                conf_was_chosen(&r->results[i])) {
                write_detail(r, i, to);
            }
        }
    }
}

void conf_write_html(const conf_report *r, FILE *to) {
    conf_counts all = conf_count(r, -1);
    fputs(head, to);
    fprintf(to, "<title>idemconform %s</title>\n<h1>idemconform %s</h1>\n",
            r->options->mode->name, r->options->mode->name);
    fprintf(to,
            "<p><b>%s.</b> <span class=\"passed\">%d passed</span>, "
            "<span class=\"failed\">%d failed &#10007;</span>, "
            "<span class=\"not\">%d not judged ?</span>, "
            "<span class=\"skipped\">%d skipped &ndash;</span>. A case that is "
            "not judged could not be seen from here: it is not green.\n",
            all.bad == 0 ? "All is as it should be" : "Not as it should be",
            all.of[CONF_PASSED], all.of[CONF_FAILED], all.of[CONF_NOT_JUDGED],
            all.of[CONF_SKIPPED]);
    for (int tier = 0; tier < CONF_TIERS; tier++) {
        write_tier(r, tier, to);
    }
    write_details(r, to);
}
