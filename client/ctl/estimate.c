/* SPDX-License-Identifier: Apache-2.0 */
/* estimate.c -- how much memory and disk a load will take, from what a record
 * takes at a real server: e2e_ctl_estimate compares. Asks no server.
 *
 * A record is 32 bytes of head, its parts, the rounding of its size class and
 * its place in the table. A change in the journal is its parts and some 26
 * bytes; a key makes two, its claim and its end. */
#include "client/ctl/ctl.h"
#include "client/ctl/report.h"

#include <stdlib.h>
#include <string.h>

#define HEAD_BYTES        32
#define TABLE_BYTES       26 /* at the fill that a growing table has */
#define FINGERPRINT_BYTES 32
#define NONCE_BYTES       16
#define CHANGE_BYTES      26
#define KEY_BYTES         36 /* a UUID, as text */
#define FINE_CLASSES_MAX  512
#define SNAPSHOT_LOG      (1ull << 30) /* --snapshot-log, when not given */
#define RATE_MAX          100000000.0
#define RESULT_BYTES_MAX  (1ull << 27)

typedef struct load {
    double rate; /* keys a second */
    uint64_t ttl_ms;
    uint64_t key_bytes; /* its namespace's among them */
    uint64_t result_bytes;
} load;

typedef struct estimate {
    double records;
    double record_bytes;
    double memory_bytes;
    double journal_bytes; /* a key */
    double journal_per_s;
    double snapshot_bytes;
    double disk_bytes;
} estimate;

/* -------------------------------------------------------------- reading it */

static bool read_unit(const char *text, const char *units, const double *each,
                      double *value) {
    if (*text == '\0')
        return true;
    const char *at = strchr(units, *text);
    if (at == NULL || text[1] != '\0')
        return false;
    *value *= each[at - units];
    return true;
}

/* 500, 500/s, 2.5/m, 90000/h, 3000000/d. */
static bool read_rate(const char *text, double *rate) {
    static const double each[] = {1, 1.0 / 60, 1.0 / 3600, 1.0 / 86400};
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    *rate = strtod(text, &end);
    if (*end == '/')
        return end[1] != '\0' && read_unit(end + 1, "smhd", each, rate);
    return *end == '\0';
}

/* 200, 2k, 1m: as the daemon's flags. */
static bool read_bytes(const char *text, uint64_t bytes_max, uint64_t *bytes) {
    static const double each[] = {1024, 1024, 1048576, 1048576};
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    double value = strtod(text, &end);
    if (!read_unit(end, "kKmM", each, &value) || value > (double)bytes_max)
        return false;
    *bytes = (uint64_t)value;
    return true;
}

static bool read_load(ctl_ask *ask, load *of) {
    const char *rate = ctl_ask_text(ask, "rate");
    const char *result = ctl_ask_text(ask, "result");
    const char *key = ctl_ask_text(ask, "key-bytes");
    *of = (load){.ttl_ms = ask->args.ttl_ms != 0 ? ask->args.ttl_ms
                                                 : IDEM_TTL_MS_DEFAULT,
                 .key_bytes = KEY_BYTES};
    if (!read_rate(rate, &of->rate) || !(of->rate <= RATE_MAX))
        return ctl_why(ask,
                       "--rate: %.40s is no rate; write it as 500, 30/m, "
                       "9000/h or 2000000/d",
                       rate);
    if (result != NULL &&
        !read_bytes(result, RESULT_BYTES_MAX, &of->result_bytes))
        return ctl_why(ask,
                       "--result: %.40s is no number of bytes; write it as "
                       "200, 2k or 1m, at most 128m",
                       result);
    if (key != NULL &&
        !read_bytes(key, IDEM_KEY_BYTES_MAX + CTL_NS_BYTES_MAX, &of->key_bytes))
        return ctl_why(ask, "--key-bytes: %.40s is no length of a key", key);
    return true;
}

/* ------------------------------------------------------------- the estimate */

/* What a size takes: classes are 8 bytes apart up to 512, then 16 to a
 * doubling. */
static double class_bytes(uint64_t bytes) {
    uint64_t step = 8;
    for (uint64_t top = FINE_CLASSES_MAX; bytes > top; top *= 2)
        step = top / 16;
    uint64_t steps = (bytes + step - 1) / step;
    return (double)(steps * step);
}

static estimate work_out(const load *of) {
    uint64_t parts = of->key_bytes + FINGERPRINT_BYTES;
    double claim = (double)(parts + NONCE_BYTES + CHANGE_BYTES);
    double end = (double)(parts + of->result_bytes + CHANGE_BYTES);
    estimate e = {.records = of->rate * (double)of->ttl_ms / 1000};
    e.record_bytes =
        class_bytes(HEAD_BYTES + parts + of->result_bytes) + TABLE_BYTES;
    e.memory_bytes = e.records * e.record_bytes;
    e.journal_bytes = claim + end;
    e.journal_per_s = of->rate * e.journal_bytes;
    e.snapshot_bytes = e.records * end;
    /* An old one is there until the new one is; the log goes on meanwhile. */
    e.disk_bytes = 2 * e.snapshot_bytes + 2 * (double)SNAPSHOT_LOG;
    return e;
}

/* Bytes; people also see how many MiB or GiB that is. */
static void say_bytes(report *r, const char *name, double bytes) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    char text[64];
    int unit = -1;
    double shown = bytes;
    for (; shown >= 1024 && unit < 3; unit++)
        shown /= 1024;
    if (r->json || unit < 0) {
        report_whole(r, name, (uint64_t)(bytes + 0.5));
        return;
    }
    snprintf(text, sizeof text, "%.0f (%.1f %s)", bytes, shown, units[unit]);
    report_text(r, name, text);
}

ctl_exit ctl_run_estimate(ctl_session *session, ctl_ask *ask) {
    load of;
    (void)session;
    if (!read_load(ask, &of))
        return ctl_usage_error(ask);
    estimate e = work_out(&of);
    report r = report_begin(stdout, ask->json, "estimate", "steady load");
    report_whole(&r, "records", (uint64_t)(e.records + 0.5));
    say_bytes(&r, "record_bytes", e.record_bytes);
    say_bytes(&r, "memory_bytes", e.memory_bytes);
    say_bytes(&r, "max_memory_bytes", e.memory_bytes * 1.25);
    say_bytes(&r, "journal_key_bytes", e.journal_bytes);
    say_bytes(&r, "journal_s_bytes", e.journal_per_s);
    say_bytes(&r, "snapshot_bytes", e.snapshot_bytes);
    say_bytes(&r, "disk_bytes", e.disk_bytes);
    report_end(&r);
    return CTL_EXIT_DONE;
}
