/* SPDX-License-Identifier: Apache-2.0 */
/* report.c -- the report for a terminal, the list of cases, JSON, JUnit. See
 * report.h; the HTML page has a file of its own. */
#include "tests/conformance/report.h"

#include <errno.h>
#include <string.h>

bool conf_was_chosen(const conf_result *result) {
    return result->verdict != CONF_SKIPPED || result->say.text[0] != 0;
}

conf_counts conf_count(const conf_report *r, int tier) {
    conf_counts counts = {{0}, 0, 0};
    for (int i = 0; i < r->cases->count; i++) {
        if ((tier >= 0 && (int)r->cases->at[i].tier != tier) ||
            !conf_was_chosen(&r->results[i])) {
            continue;
        }
        counts.chosen++;
        counts.of[r->results[i].verdict]++;
        counts.bad += conf_is_bad(r->options, &r->cases->at[i], &r->results[i]);
    }
    return counts;
}

const char *conf_result_word(const conf_report *r, int index) {
    const conf_result *result = &r->results[index];
    if (result->verdict == CONF_PASSED && result->expected) {
        return "passed unexpectedly";
    }
    if (result->verdict == CONF_FAILED && result->expected) {
        return "failed as expected";
    }
    return conf_verdict_name(result->verdict);
}

/* --- terminal ----------------------------------------------------------- */

static void print_indented(const char *text) {
    while (*text) {
        size_t len = strcspn(text, "\n");
        printf("    %.*s\n", (int)len, text);
        text += len + (text[len] == '\n');
    }
}

static void print_one(const conf_report *r, int i) {
    const conf_case *one = &r->cases->at[i];
    const conf_result *result = &r->results[i];
    bool bad = conf_is_bad(r->options, one, result);
    if (!conf_was_chosen(result) || (r->options->quiet && !bad)) {
        return;
    }
    printf("%-20s %-16s %s%s\n", conf_result_word(r, i), one->id, one->title,
           one->level == CONF_MUST     ? ""
           : one->level == CONF_SHOULD ? " (should)"
                                       : " (may)");
    if (result->verdict != CONF_PASSED) {
        print_indented(result->say.text);
    }
}

void conf_print(const conf_report *r) {
    conf_counts all = conf_count(r, -1);
    for (int i = 0; i < r->cases->count; i++) {
        print_one(r, i);
    }
    printf("%d cases: %d passed, %d failed, %d not judged, %d skipped; %s\n",
           all.chosen, all.of[CONF_PASSED], all.of[CONF_FAILED],
           all.of[CONF_NOT_JUDGED], all.of[CONF_SKIPPED],
           all.bad == 0 ? "all as it should be" : "not as it should be");
}

static void print_json_row(const conf_options *o, const conf_case *one) {
    json_t *row = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s}", "id", one->id, "mode", o->mode->name,
        "tier", conf_tier_name(one->tier), "level", conf_level_name(one->level),
        "title", one->title, "source", one->source);
    if (row && o->mode->describe) {
        o->mode->describe(one, row);
    }
    json_dumpf(row, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(row);
}

void conf_print_list(const conf_options *o, const conf_cases *cases,
                     const conf_result *results) {
    for (int i = 0; i < cases->count; i++) {
        const conf_case *one = &cases->at[i];
        if (!conf_was_chosen(&results[i])) {
            continue;
        }
        if (o->list_json) {
            print_json_row(o, one);
        } else {
            printf("%-16s %-8s %-6s %s\n", one->id, conf_tier_name(one->tier),
                   conf_level_name(one->level), one->title);
        }
    }
}

/* --- files -------------------------------------------------------------- */

void conf_write_escaped(const char *text, FILE *to) {
    for (; *text; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        default:
            fputc((*text >= ' ' && *text < 0x7f) || *text == '\n' ? *text : '?',
                  to);
        }
    }
}

static void write_junit_case(const conf_report *r, int i, FILE *to) {
    const conf_case *one = &r->cases->at[i];
    const conf_result *result = &r->results[i];
    fprintf(to, "  <testcase classname=\"%s.%s\" name=\"%s ",
            r->options->mode->name, conf_tier_name(one->tier), one->id);
    conf_write_escaped(one->title, to);
    fprintf(to, "\" time=\"%.3f\">", result->seconds);
    bool bad = conf_is_bad(r->options, one, result);
    if (bad || result->verdict != CONF_PASSED) {
        fprintf(to, "<%s message=\"%s\">", bad ? "failure" : "skipped",
                conf_result_word(r, i));
        conf_write_escaped(result->say.text, to);
        fprintf(to, "</%s>", bad ? "failure" : "skipped");
    }
    fputs("</testcase>\n", to);
}

static void write_junit(const conf_report *r, FILE *to) {
    conf_counts all = conf_count(r, -1);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", to);
    fprintf(to,
            "<testsuite name=\"idemconform %s\" tests=\"%d\" failures=\"%d\" "
            "skipped=\"%d\">\n",
            r->options->mode->name, all.chosen, all.bad,
            all.of[CONF_SKIPPED] + all.of[CONF_NOT_JUDGED]);
    for (int i = 0; i < r->cases->count; i++) {
        if (conf_was_chosen(&r->results[i])) {
            write_junit_case(r, i, to);
        }
    }
    fputs("</testsuite>\n", to);
}

static json_t *result_row(const conf_report *r, int i) {
    const conf_case *one = &r->cases->at[i];
    const conf_result *result = &r->results[i];
    char say[CONF_SAY_MAX];
    size_t len = 0;
    for (const char *at = result->say.text; *at; at++) {
        bool text = (*at >= ' ' && *at < 0x7f) || *at == '\n';
        say[len++] = text ? *at : '?';
    }
    say[len] = 0;
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:f}", "id", one->id, "tier",
        conf_tier_name(one->tier), "level", conf_level_name(one->level),
        "title", one->title, "verdict", conf_verdict_name(result->verdict),
        "say", say, "expected_failure", (int)result->expected, "bad",
        (int)conf_is_bad(r->options, one, result), "seconds", result->seconds);
}

static void write_json(const conf_report *r, FILE *to) {
    conf_counts all = conf_count(r, -1);
    json_t *rows = json_array();
    for (int i = 0; i < r->cases->count; i++) {
        if (conf_was_chosen(&r->results[i])) {
            json_array_append_new(rows, result_row(r, i));
        }
    }
    json_t *whole = json_pack(
        "{s:s, s:s, s:i, s:i, s:i, s:i, s:b, s:o}", "suite", "idemconform",
        "mode", r->options->mode->name, "passed", all.of[CONF_PASSED], "failed",
        all.of[CONF_FAILED], "not_judged", all.of[CONF_NOT_JUDGED], "skipped",
        all.of[CONF_SKIPPED], "good", all.bad == 0, "cases", rows);
    json_dumpf(whole, to, JSON_INDENT(1));
    fputc('\n', to);
    json_decref(whole);
}

static bool write_file(const conf_report *r, const char *path,
                       void (*write)(const conf_report *, FILE *)) {
    if (!path) {
        return true;
    }
    FILE *file = fopen(path, "we");
    if (file) {
        write(r, file);
    }
    if (!file || fclose(file) != 0) {
        fprintf(stderr, "idemconform: %s: %s\n", path, strerror(errno));
        return false;
    }
    return true;
}

bool conf_write_files(const conf_report *r) {
    bool good = write_file(r, r->options->junit, write_junit);
    good = write_file(r, r->options->json, write_json) && good;
    return write_file(r, r->options->html, conf_write_html) && good;
}
