/* SPDX-License-Identifier: Apache-2.0 */
/* history.c -- histories in memory: reading them, and bringing them in order.
 * What a line means is words.c. */
#include "bench/judge/words.h"

#include <stdlib.h>
#include <string.h>

void nem_history_init(nem_history *h) {
    *h = (nem_history){0};
}

void nem_history_fini(nem_history *h) {
    free(h->ops);
    free(h->stopped);
    free(h->two);
    free(h->open);
    *h = (nem_history){0};
}

static void *room(void *at, size_t count, size_t *cap, size_t bytes) {
    if (count < *cap)
        return at;
    *cap = *cap == 0 ? 64 : *cap * 2;
    at = realloc(at, *cap * bytes);
    if (at == NULL)
        abort();
    return at;
}

nem_op *nem_history_add(nem_history *h, const nem_op *op) {
    h->ops = room(h->ops, h->count, &h->cap, sizeof *h->ops);
    h->ops[h->count] = *op;
    return &h->ops[h->count++];
}

static void add_window(nem_history *h, bool two, uint64_t from_ns,
                       uint64_t to_ns) {
    nem_window w = {from_ns, to_ns};
    if (two) {
        h->two = room(h->two, h->two_count, &h->two_cap, sizeof w);
        h->two[h->two_count++] = w;
    } else {
        h->stopped =
            room(h->stopped, h->stopped_count, &h->stopped_cap, sizeof w);
        h->stopped[h->stopped_count++] = w;
    }
}

static bool take_window(nem_history *h, char *rest, bool two) {
    uint64_t from, to;
    char *save = NULL;
    char *a = strtok_r(rest, " ", &save), *b = strtok_r(NULL, " ", &save);
    if (a == NULL || b == NULL || !nem_read_time(a, &from) ||
        !nem_read_time(b, &to) || from > to)
        return false;
    add_window(h, two, from, to);
    return true;
}

static bool take_call(nem_history *h, const nem_op *op) {
    if (h->open[op->client] != 0)
        h->ops[h->open[op->client] - 1].return_ns = NEM_NEVER;
    nem_history_add(h, op);
    h->open[op->client] = (uint32_t)h->count;
    return true;
}

static bool take_end(nem_history *h, const nem_op *who, char *rest) {
    uint32_t at = h->open[who->client];
    if (at == 0 || h->ops[at - 1].call != who->call ||
        who->invoke_ns < h->ops[at - 1].invoke_ns)
        return false;
    h->open[who->client] = 0;
    h->ops[at - 1].return_ns = who->invoke_ns;
    return nem_read_end(rest, &h->ops[at - 1]);
}

static bool take_line(nem_history *h, char *line) {
    nem_op op;
    char *rest;
    if (line[0] == '#' || line[0] == '\0')
        return true;
    if (strncmp(line, "stopped ", 8) == 0)
        return take_window(h, line + 8, false);
    if (strncmp(line, "two ", 4) == 0)
        return take_window(h, line + 4, true);
    if (!nem_read_who(line, &op, &rest))
        return false;
    if (rest[0] == '-' || rest[0] == '?' || rest[0] == '!')
        return take_end(h, &op, rest);
    return nem_read_call(rest, &op) && take_call(h, &op);
}

bool nem_history_read(nem_history *h, FILE *from, const char *name) {
    char line[512], copy[512];
    if (h->open == NULL)
        h->open = calloc(NEM_CLIENTS_MAX, sizeof *h->open);
    if (h->open == NULL)
        abort();
    for (unsigned number = 1; fgets(line, sizeof line, from); number++) {
        char *end = strchr(line, '\n');
        if (end == NULL)
            break;
        *end = '\0';
        memcpy(copy, line, sizeof copy);
        if (take_line(h, line))
            continue;
        snprintf(h->why, sizeof h->why, "%.40s:%u: no event: %.100s", name,
                 number, copy);
        return false;
    }
    return true;
}

bool nem_history_load(nem_history *h, const char *path) {
    FILE *from = fopen(path, "re");
    if (from == NULL) {
        snprintf(h->why, sizeof h->why, "%.120s: can't be read", path);
        return false;
    }
    bool good = nem_history_read(h, from, path);
    fclose(from);
    return good;
}

static int by_key_and_time(const void *left, const void *right) {
    const nem_op *a = left, *b = right;
    int keys = strcmp(a->key, b->key);
    if (keys != 0)
        return keys;
    if (a->invoke_ns != b->invoke_ns)
        return a->invoke_ns < b->invoke_ns ? -1 : 1;
    return a->client < b->client ? -1 : a->client > b->client;
}

static uint64_t earliest(const nem_window *w, size_t count, const nem_op *op,
                         uint64_t otherwise) {
    uint64_t first = otherwise;
    for (size_t i = 0; i < count; i++) {
        bool overlaps =
            op->invoke_ns <= w[i].to_ns && op->return_ns >= w[i].from_ns;
        if (overlaps && w[i].from_ns < first)
            first = w[i].from_ns;
    }
    return first;
}

/* How long clocks stood still in the minute before its end. */
static uint64_t stood(const nem_window *w, size_t count, const nem_op *op) {
    const uint64_t minute_ns = 60000 * NEM_MS;
    uint64_t stood_ns = 0;
    for (size_t i = 0; i < count && op->return_ns != NEM_NEVER; i++)
        if (w[i].from_ns < op->return_ns &&
            w[i].to_ns + minute_ns > op->return_ns)
            stood_ns += w[i].to_ns - w[i].from_ns;
    return stood_ns;
}

void nem_history_close(nem_history *h) {
    if (h->count > 0)
        qsort(h->ops, h->count, sizeof *h->ops, by_key_and_time);
    for (size_t i = 0; i < h->count; i++) {
        nem_op *op = &h->ops[i];
        op->from_ns = earliest(h->two, h->two_count, op, op->invoke_ns);
        op->clock_ns =
            earliest(h->stopped, h->stopped_count, op, op->invoke_ns);
        if (op->clock_ns == op->invoke_ns)
            op->clock_ns = 0;
        op->stood_ns = stood(h->stopped, h->stopped_count, op);
    }
}

static int by_time(const void *left, const void *right) {
    const nem_op *const *a = left, *const *b = right;
    return (*a)->return_ns < (*b)->return_ns
               ? -1
               : (*a)->return_ns > (*b)->return_ns;
}

/* In the order of what happened; ops are in the order of their calls. */
void nem_print(FILE *to, const nem_op *ops, size_t count) {
    const nem_op **ends = calloc(count + 1, sizeof *ends);
    char line[512];
    size_t next = 0;
    for (size_t i = 0; ends != NULL && i < count; i++)
        ends[i] = &ops[i];
    if (ends == NULL)
        return;
    qsort(ends, count, sizeof *ends, by_time);
    for (size_t i = 0; i <= count; i++) {
        uint64_t until = i < count ? ops[i].invoke_ns : NEM_NEVER;
        for (; next < count && ends[next]->return_ns < until; next++) {
            nem_write_end(ends[next], line, sizeof line);
            fprintf(to, "    %s\n", line);
        }
        if (i < count) {
            nem_write_call(&ops[i], line, sizeof line);
            fprintf(to, "    %s\n", line);
        }
    }
    free(ends);
}

uint64_t nem_digest(const void *bytes, size_t len) {
    const unsigned char *at = bytes;
    uint64_t digest = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++)
        digest = (digest ^ at[i]) * 0x100000001b3u;
    return digest;
}
