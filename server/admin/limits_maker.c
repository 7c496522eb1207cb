/* SPDX-License-Identifier: Apache-2.0 */
/* limits_maker.c -- namespaces' limits from texts; see limits_maker.h. */
#include "server/admin/limits_maker.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS_MAX 1000000000000000ull
#define BYTES_MAX   (1ull << 50)
#define DAY_MS      86400000ull

typedef struct section {
    ids_named_limits named; /* "*" has no name */
    uint32_t line;
    bool of_others;
    bool has_burst;
} section;

struct ids_limits_maker {
    section *all; /* [cap] */
    uint32_t count, cap;
};

__attribute__((format(printf, 3, 4))) static bool
fail_with(char *why, size_t why_cap, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(why, why_cap, format, args);
    va_end(args);
    return false;
}

ids_limits_maker *ids_limits_maker_new(void) {
    return calloc(1, sizeof(ids_limits_maker));
}

void ids_limits_maker_free(ids_limits_maker *maker) {
    if (!maker)
        return;
    free(maker->all);
    free(maker);
}

/* Sections ----------------------------------------------------------------- */

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)toupper((unsigned char)c);
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_section_name(const char *name, ids_named_limits *to, char *why,
                              size_t why_cap) {
    for (const char *c = name; *c; c++) {
        int byte = (unsigned char)*c;
        if (to->ns_len == IDP_NS_BYTES_MAX)
            return fail_with(why, why_cap, "a namespace has at most %d bytes",
                             IDP_NS_BYTES_MAX);
        if (*c == '%') {
            int high = hex_digit(c[1]), low = high < 0 ? -1 : hex_digit(c[2]);
            if (low < 0)
                return fail_with(why, why_cap,
                                 "'%%' in a name stands before two hexadecimal "
                                 "digits: %%2A");
            byte = high * 16 + low;
            c += 2;
        } else if (*c == '*') {
            return fail_with(why, why_cap,
                             "'*' alone is each other namespace; in a name it "
                             "is %%2A");
        }
        to->ns[to->ns_len++] = (uint8_t)byte;
    }
    return true;
}

static int compare_section_names(const void *a, const void *b) {
    const section *left = a, *right = b;
    const ids_named_limits *l = &left->named, *r = &right->named;
    size_t len = l->ns_len < r->ns_len ? l->ns_len : r->ns_len;
    if (left->of_others != right->of_others)
        return left->of_others ? 1 : -1; /* the last one */
    int order = len ? memcmp(l->ns, r->ns, len) : 0;
    return order != 0 ? order
                      : (l->ns_len > r->ns_len) - (l->ns_len < r->ns_len);
}

static section *add_section(ids_limits_maker *maker) {
    if (maker->count == maker->cap) {
        uint32_t cap = maker->cap ? 2 * maker->cap : 8;
        section *all = realloc(maker->all, cap * sizeof *all);
        if (!all)
            return NULL;
        maker->all = all;
        maker->cap = cap;
    }
    section *last = &maker->all[maker->count];
    *last = (section){.named.limits = ids_ns_limits_none()};
    return last;
}

/* One more of them is good where one is "*". */
static uint32_t section_has_others(const ids_limits_maker *maker,
                                   const section *next) {
    uint32_t count = next->of_others;
    for (uint32_t i = 0; i < maker->count; i++)
        count += maker->all[i].of_others;
    return count;
}

bool ids_limits_section(ids_limits_maker *maker, const char *name,
                        uint32_t line, char *why, size_t why_cap) {
    section *one = add_section(maker);
    if (!one)
        return fail_with(why, why_cap, "no memory");
    one->line = line;
    one->of_others = strcmp(name, "*") == 0;
    if (!one->of_others && !read_section_name(name, &one->named, why, why_cap))
        return false;
    for (uint32_t i = 0; i < maker->count; i++)
        if (compare_section_names(one, &maker->all[i]) == 0)
            return fail_with(why, why_cap, "namespace \"%s\" stands twice",
                             name);
    if (maker->count >= IDS_NAMED_LIMITS_MAX + section_has_others(maker, one))
        return fail_with(why, why_cap, "more than %u namespaces",
                         IDS_NAMED_LIMITS_MAX);
    maker->count++;
    return true;
}

/* Rows --------------------------------------------------------------------- */

typedef struct unit {
    char suffix;
    uint64_t of;
} unit;

static const unit plain_units[] = {{0, 1}};
static const unit byte_units[] = {{0, 1},
                                  {'k', 1ull << 10},
                                  {'m', 1ull << 20},
                                  {'g', 1ull << 30},
                                  {'t', 1ull << 40}};
static const unit time_units[] = {
    {0, 1}, {'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', DAY_MS}};

typedef struct row {
    const char *key;
    const unit *units;
    size_t unit_count;
    uint64_t min, max;
    const char *may_be;
} row;

#define UNITS(units) (units), sizeof(units) / sizeof *(units)

enum { ROW_RECORDS, ROW_MEMORY, ROW_RATE, ROW_BURST, ROW_TTL, ROW_RESULT };

static const row rows[] = {
    [ROW_RECORDS] = {"max_records", UNITS(plain_units), 0, RECORDS_MAX,
                     "0 to 10^15"},
    [ROW_MEMORY] = {"max_memory", UNITS(byte_units), 0, BYTES_MAX,
                    "bytes, 0 to 1024t (a suffix k, m, g or t is good)"},
    [ROW_RATE] = {"rate", UNITS(plain_units), 1, IDS_RATE_MAX,
                  "1 to 10000000 claims a second"},
    [ROW_BURST] = {"burst", UNITS(plain_units), 1, UINT32_MAX,
                   "1 to 4294967295 claims"},
    [ROW_TTL] = {"max_ttl", UNITS(time_units), IDP_TTL_MS_MIN, IDP_TTL_MS_MAX,
                 "ms, 1 to 366d (a suffix s, m, h or d is good)"},
    [ROW_RESULT] = {"max_result", UNITS(byte_units), 0, BYTES_MAX,
                    "bytes, 0 to 1024t (a suffix k, m, g or t is good)"},
};

static bool read_limit_number(const row *r, const char *value, uint64_t *to) {
    char *end = NULL;
    unsigned long long number = strtoull(value, &end, 10);
    char suffix = (char)tolower((unsigned char)*end);
    if (value[0] < '0' || value[0] > '9' || number > (1ull << 60) ||
        (*end && end[1]))
        return false;
    for (size_t i = 0; i < r->unit_count; i++) {
        const unit *u = &r->units[i];
        if (u->suffix != suffix)
            continue;
        *to = number * u->of;
        return number <= r->max / u->of && *to >= r->min;
    }
    return false;
}

static void set_row(section *of, size_t at, uint64_t number) {
    ids_ns_limits *limits = &of->named.limits;
    switch (at) {
    case ROW_RECORDS:
        limits->records_max = number;
        break;
    case ROW_MEMORY:
        limits->bytes_max = number;
        break;
    case ROW_RATE:
        limits->rate = (uint32_t)number;
        break;
    case ROW_BURST:
        limits->burst = (uint32_t)number;
        of->has_burst = true;
        break;
    case ROW_TTL:
        limits->ttl_ms_max = number;
        break;
    default:
        limits->result_bytes_max = number;
    }
}

bool ids_limits_row(ids_limits_maker *maker, const char *key, const char *value,
                    char *why, size_t why_cap) {
    uint64_t number;
    assert(maker->count > 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].key, key) != 0)
            continue;
        if (!read_limit_number(&rows[i], value, &number))
            return fail_with(why, why_cap, "%s %.80s: must be %s", key, value,
                             rows[i].may_be);
        set_row(&maker->all[maker->count - 1], i, number);
        return true;
    }
    return fail_with(
        why, why_cap,
        "%.80s: no such key of a namespace; there are max_records, "
        "max_memory, rate, burst, max_ttl, max_result",
        key);
}

bool ids_limits_section_ends(ids_limits_maker *maker, char *why,
                             size_t why_cap) {
    assert(maker->count > 0);
    section *of = &maker->all[maker->count - 1];
    ids_ns_limits *limits = &of->named.limits;
    if (limits->rate == 0)
        return !of->has_burst ||
               fail_with(why, why_cap, "a namespace's burst needs its rate");
    if (!of->has_burst)
        limits->burst = limits->rate;
    return limits->burst <= (uint64_t)limits->rate * IDS_BURST_S_MAX ||
           fail_with(why, why_cap,
                     "a burst of %u: at most what a rate of %u comes to in a "
                     "day",
                     limits->burst, limits->rate);
}

void ids_limits_end(ids_limits_maker *maker) {
    if (maker->count)
        qsort(maker->all, maker->count, sizeof *maker->all,
              compare_section_names);
}

/* The whole ---------------------------------------------------------------- */

uint32_t ids_limits_count(const ids_limits_maker *maker) {
    return maker ? maker->count : 0;
}

ids_ns_limits_table *ids_limits_make(const ids_limits_maker *maker,
                                     uint32_t shards) {
    uint32_t count = ids_limits_count(maker);
    ids_ns_limits_table *limits =
        malloc(sizeof *limits + count * sizeof *limits->named);
    assert(shards > 0);
    if (!limits)
        return NULL;
    limits->others = ids_ns_limits_none();
    limits->count = 0;
    for (uint32_t i = 0; i < count; i++) {
        ids_named_limits one = maker->all[i].named;
        assert(i == 0 ||
               compare_section_names(&maker->all[i - 1], &maker->all[i]) < 0);
        ids_ns_limits_share(&one.limits, shards);
        if (maker->all[i].of_others)
            limits->others = one.limits;
        else
            limits->named[limits->count++] = one;
    }
    ids_ns_limits_share(&limits->others, shards);
    return limits;
}

static bool same_section(const section *a, const section *b) {
    const ids_ns_limits *l = &a->named.limits, *r = &b->named.limits;
    return compare_section_names(a, b) == 0 &&
           l->records_max == r->records_max && l->bytes_max == r->bytes_max &&
           l->ttl_ms_max == r->ttl_ms_max &&
           l->result_bytes_max == r->result_bytes_max && l->rate == r->rate &&
           l->burst == r->burst;
}

bool ids_limits_same(const ids_limits_maker *a, const ids_limits_maker *b) {
    if (!a || !b)
        return a == b;
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!same_section(&a->all[i], &b->all[i]))
            return false;
    return true;
}

/* As text ------------------------------------------------------------------ */

/* 0: it has no such limit. */
static uint64_t limit_row_of(const section *of, size_t at, bool *is_set) {
    const ids_ns_limits *limits = &of->named.limits;
    const uint64_t numbers[] = {[ROW_RECORDS] = limits->records_max,
                                [ROW_MEMORY] = limits->bytes_max,
                                [ROW_RATE] = limits->rate,
                                [ROW_BURST] = limits->burst,
                                [ROW_TTL] = limits->ttl_ms_max,
                                [ROW_RESULT] = limits->result_bytes_max};
    bool is_of_rate = at == ROW_RATE || at == ROW_BURST;
    *is_set = is_of_rate ? limits->rate > 0 : numbers[at] != IDS_UNLIMITED;
    return numbers[at];
}

/* In the largest unit in which it is whole. */
static int print_number(char *to, size_t cap, const row *r, uint64_t number) {
    const unit *best = &r->units[0];
    for (size_t i = 1; number && i < r->unit_count; i++)
        if (number % r->units[i].of == 0)
            best = &r->units[i];
    return snprintf(to, cap, " %s = %llu%.1s", r->key,
                    (unsigned long long)(number / best->of), &best->suffix);
}

static size_t print_name(char to[static 3 * IDP_NS_BYTES_MAX + 1],
                         const section *of) {
    size_t len = 0;
    for (size_t i = 0; i < of->named.ns_len; i++) {
        unsigned char byte = of->named.ns[i];
        bool is_plain = byte > ' ' && byte < 0x7f && !strchr("\"%*", byte);
        len += (size_t)snprintf(to + len, 4, is_plain ? "%c" : "%%%02X", byte);
    }
    return len;
}

uint32_t ids_limits_print(const ids_limits_maker *maker, uint32_t at,
                          char to[static IDS_LIMITS_TEXT_BYTES]) {
    const section *of = &maker->all[at];
    char name[3 * IDP_NS_BYTES_MAX + 1] = "*";
    size_t len, cap = IDS_LIMITS_TEXT_BYTES;
    bool is_set;
    assert(at < maker->count);
    if (!of->of_others)
        name[print_name(name, of)] = 0;
    len = (size_t)snprintf(to, cap, "namespace \"%s\" {", name);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t number = limit_row_of(of, i, &is_set);
        if (is_set)
            len += (size_t)print_number(to + len, cap - len, &rows[i], number);
    }
    assert(len + 3 <= cap);
    snprintf(to + len, cap - len, " }");
    return of->line;
}
