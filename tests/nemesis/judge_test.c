/* SPDX-License-Identifier: Apache-2.0 */
/* judge_test.c -- the judge, judged: histories made by hand, each with what
 * has to be found in it.
 *
 *     nemesis_judge STORIES */
#include "bench/judge/judge.h"

#include <stdlib.h>
#include <string.h>

typedef struct story {
    char title[160];
    char expected[16];
    char *text;
    size_t len;
} story;

static bool judge_one(const story *s) {
    nem_history h;
    char out[256];
    FILE *from = fmemopen(s->text, s->len, "r");
    nem_history_init(&h);
    if (from == NULL || !nem_history_read(&h, from, s->title)) {
        printf("%s: %s\n", s->title, h.why);
        return false;
    }
    fclose(from);
    nem_judgement j = nem_judge(&h, NULL);
    snprintf(out, sizeof out, "%s", j.first[0] == '\0' ? "legal" : j.first);
    const char *said = strncmp(out, "k: ", 3) == 0 ? out + 3 : out;
    bool good = strncmp(said, s->expected, strlen(s->expected)) == 0;
    if (!good) {
        printf("== %s: %s\n   but the judge says: %s\n", s->expected, s->title,
               out);
        nem_judge(&h, stdout);
    }
    nem_history_fini(&h);
    return good;
}

static bool next_story(FILE *from, char *line, int cap, story *s) {
    FILE *text = open_memstream(&s->text, &s->len);
    bool more = false;
    if (text == NULL ||
        sscanf(line, "== %15[^:]: %159[^\n]", s->expected, s->title) != 2)
        abort();
    while (fgets(line, cap, from) != NULL) {
        if (strncmp(line, "== ", 3) == 0) {
            more = true;
            break;
        }
        fputs(line[0] == '\n' ? "#\n" : line, text);
    }
    fclose(text);
    return more;
}

/* What is written is what was read. */
static bool speaks_its_own_language(const char *text, size_t len) {
    nem_history a, b;
    char *written;
    size_t written_len;
    FILE *from = fmemopen((void *)text, len, "r");
    FILE *to = open_memstream(&written, &written_len);
    nem_history_init(&a);
    nem_history_init(&b);
    bool good = nem_history_read(&a, from, "a");
    for (size_t i = 0; i < a.count; i++) {
        char line[512];
        nem_write_call(&a.ops[i], line, sizeof line);
        fprintf(to, "%s\n", line);
        nem_write_end(&a.ops[i], line, sizeof line);
        fprintf(to, a.ops[i].return_ns == NEM_NEVER ? "#%s\n" : "%s\n", line);
    }
    fclose(from);
    fclose(to);
    from = fmemopen(written, written_len, "r");
    good = good && nem_history_read(&b, from, "b") && a.count == b.count;
    for (size_t i = 0; good && i < a.count; i++)
        good = memcmp(&a.ops[i], &b.ops[i], sizeof a.ops[i]) == 0;
    fclose(from);
    free(written);
    nem_history_fini(&a);
    nem_history_fini(&b);
    return good;
}

int main(int argc, char **argv) {
    char line[512];
    unsigned good = 0, bad = 0;
    FILE *from = argc == 2 ? fopen(argv[1], "re") : NULL;
    if (from == NULL) {
        fprintf(stderr, "usage: nemesis_judge STORIES\n");
        return 64;
    }
    while (fgets(line, sizeof line, from) && strncmp(line, "== ", 3) != 0)
        continue;
    for (bool more = true; more;) {
        story s = {0};
        more = next_story(from, line, sizeof line, &s);
        bool one = judge_one(&s);
        if (!speaks_its_own_language(s.text, s.len)) {
            printf("%s: is not read as it is written\n", s.title);
            one = false;
        }
        good += one;
        bad += !one;
        free(s.text);
    }
    fclose(from);
    printf("%u stories are judged right, %u wrong\n", good, bad);
    return bad == 0 && good > 0 ? 0 : 1;
}
