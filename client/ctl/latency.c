/* SPDX-License-Identifier: Apache-2.0 */
/* latency.c -- how long things take at a server, from its histograms: by
 * method, and by what a reply or an acquire waited for. Watched, of each look
 * alone.
 *
 * A bucket is as wide as all those below it; within it times are taken to lie
 * evenly. */
#include "client/ctl/ctl.h"
#include "client/ctl/report.h"
#include "client/ctl/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HISTOGRAMS_MAX 64
#define BUCKETS_MAX    32
#define NAME_CHARS     64

typedef struct histogram {
    char of[NAME_CHARS];    /* request, commit_wait, wait, turn */
    char cause[NAME_CHARS]; /* the method, or what for; "": all */
    size_t buckets;
    double le_s[BUCKETS_MAX];
    double counts[BUCKETS_MAX]; /* up to le_s, as they are told */
    double sum_s;
} histogram;

typedef struct look {
    size_t count;
    histogram of[HISTOGRAMS_MAX];
} look;

static const struct {
    const char *family;
    const char *label; /* "": it has none */
    const char *of;
} families[] = {
    {"idemstore_request_duration_seconds", "method", "request"},
    {"idemstore_commit_wait_seconds", "for", "commit_wait"},
    {"idemstore_wait_seconds", "ended", "wait"},
    {"idemstore_loop_iteration_seconds", "", "turn"},
};
#define FAMILIES (sizeof families / sizeof families[0])

/* ----------------------------------------------------------------- reading */

static histogram *find_histogram(look *l, const char *of, const char *cause,
                                 size_t cause_len) {
    if (cause_len >= NAME_CHARS)
        return NULL;
    for (size_t i = 0; i < l->count; i++)
        if (strcmp(l->of[i].of, of) == 0 &&
            strlen(l->of[i].cause) == cause_len &&
            memcmp(l->of[i].cause, cause, cause_len) == 0)
            return &l->of[i];
    if (l->count == HISTOGRAMS_MAX)
        return NULL;
    histogram *made = &l->of[l->count++];
    *made = (histogram){.buckets = 0};
    snprintf(made->of, sizeof made->of, "%s", of);
    memcpy(made->cause, cause, cause_len);
    return made;
}

static void add_bucket(histogram *h, const series *one) {
    const char *le;
    size_t len;
    if (h->buckets == BUCKETS_MAX || !series_label(one, "le", &le, &len))
        return;
    h->le_s[h->buckets] =
        len == 4 && memcmp(le, "+Inf", 4) == 0 ? INFINITY : strtod(le, NULL);
    h->counts[h->buckets++] = one->value;
}

static void take(look *l, const series *one) {
    for (size_t i = 0; i < FAMILIES; i++) {
        size_t len = strlen(families[i].family);
        const char *cause = "";
        size_t cause_len = 0;
        if (one->family_len <= len ||
            memcmp(one->name, families[i].family, len) != 0)
            continue;
        const char *part = one->name + len;
        size_t part_len = one->family_len - len;
        if (families[i].label[0] != '\0' &&
            !series_label(one, families[i].label, &cause, &cause_len))
            continue;
        histogram *h = find_histogram(l, families[i].of, cause, cause_len);
        if (h != NULL && part_len == 7 && memcmp(part, "_bucket", 7) == 0)
            add_bucket(h, one);
        else if (h != NULL && part_len == 4 && memcmp(part, "_sum", 4) == 0)
            h->sum_s = one->value;
    }
}

/* What has come since the look before. */
static void subtract(look *l, const look *before) {
    for (size_t i = 0; i < l->count; i++) {
        const histogram *was = &before->of[i];
        histogram *is = &l->of[i];
        if (i >= before->count || strcmp(was->of, is->of) != 0 ||
            strcmp(was->cause, is->cause) != 0 || was->buckets != is->buckets ||
            (is->buckets > 0 &&
             was->counts[is->buckets - 1] > is->counts[is->buckets - 1]))
            continue; /* it has restarted: all of it is new */
        is->sum_s -= was->sum_s;
        for (size_t b = 0; b < is->buckets; b++)
            is->counts[b] -= was->counts[b];
    }
}

/* --------------------------------------------------------------- saying it */

static double histogram_total(const histogram *h) {
    return h->buckets > 0 ? h->counts[h->buckets - 1] : 0;
}

/* In seconds; of the last bucket, whose end nobody knows, its beginning. */
static double quantile(const histogram *h, double share) {
    double rank = share * histogram_total(h);
    for (size_t b = 0; b < h->buckets; b++) {
        double below = b > 0 ? h->counts[b - 1] : 0;
        double from_s = b > 0 ? h->le_s[b - 1] : 0;
        if (h->counts[b] < rank || h->counts[b] <= below)
            continue;
        if (isinf(h->le_s[b]))
            return from_s;
        return from_s +
               (h->le_s[b] - from_s) * (rank - below) / (h->counts[b] - below);
    }
    return 0;
}

static const struct {
    const char *name;
    double share;
} shown[] = {{"p50", 0.5},
             {"p90", 0.9},
             {"p99", 0.99},
             {"p999", 0.999},
             {"highest", 1.0}};
#define SHOWN (sizeof shown / sizeof shown[0])

/* 12.3us, 4.56ms, 7.8s: three digits or so, in ten columns. */
static void put_time(double s) {
    if (s < 1e-3)
        printf(" %7.1fus", s * 1e6);
    else if (s < 1)
        printf(" %7.2fms", s * 1e3);
    else
        printf(" %8.2fs", s);
}

static void say_row(const histogram *h) {
    printf("%-12s ", h->of);
    report_escape(stdout, (const uint8_t *)h->cause, strlen(h->cause));
    printf("%*s %12.0f", (int)(12 - strlen(h->cause) % 13), "",
           histogram_total(h));
    put_time(h->sum_s / histogram_total(h));
    for (size_t i = 0; i < SHOWN; i++)
        put_time(quantile(h, shown[i].share));
    putchar('\n');
}

static void say_table(const look *l) {
    bool some = false;
    for (size_t i = 0; i < l->count; i++) {
        if (histogram_total(&l->of[i]) <= 0)
            continue;
        if (!some)
            printf("%-12s %-12s %12s %9s %9s %9s %9s %9s %9s\n", "of", "",
                   "count", "mean", "p50", "p90", "p99", "p99.9", "highest");
        some = true;
        say_row(&l->of[i]);
    }
    if (!some)
        puts("nothing was asked yet");
}

static uint64_t in_ns(double s) {
    return s > 0 ? (uint64_t)(s * 1e9 + 0.5) : 0;
}

static void say_json(const look *l) {
    bool some = false;
    fputs("{\"latency\":[", stdout);
    for (size_t i = 0; i < l->count; i++) {
        const histogram *h = &l->of[i];
        if (histogram_total(h) <= 0)
            continue;
        fputs(some ? "," : "", stdout);
        some = true;
        report r = report_begin(stdout, true, "of", h->of);
        report_text(&r, "cause", h->cause);
        report_whole(&r, "count", (uint64_t)histogram_total(h));
        report_whole(&r, "mean_ns", in_ns(h->sum_s / histogram_total(h)));
        for (size_t q = 0; q < SHOWN; q++) {
            char name[16];
            snprintf(name, sizeof name, "%s_ns", shown[q].name);
            report_whole(&r, name, in_ns(quantile(h, shown[q].share)));
        }
        fputs("}", stdout);
    }
    puts("]}");
}

ctl_exit ctl_run_latency(ctl_session *session, ctl_ask *ask) {
    static char text[IDEM_METRICS_BYTES_MAX];
    static look now, told, before;
    idem_error err = IDEM_ERROR_INIT;
    if (idem_metrics_get(session->uri_at_once, ask->args.timeout_ms,
                         IDEM_METRICS_PROMETHEUS, text, sizeof text, NULL,
                         &err) != IDEM_OK)
        return ctl_say_error(ask, &err);
    const char *at = text;
    series one;
    now.count = 0;
    while (series_next(&at, &one))
        take(&now, &one);
    told = now;
    if (ask->watch_ms > 0)
        subtract(&told, &before);
    before = now;
    if (ask->json)
        say_json(&told);
    else
        say_table(&told);
    fflush(stdout);
    return CTL_EXIT_DONE;
}
