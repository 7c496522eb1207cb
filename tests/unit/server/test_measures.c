/* SPDX-License-Identifier: Apache-2.0 */
/* How long things take, by cause, and the text that tells it. */
#include "proto/reply.h"
#include "proto/request.h"
#include "server/line/dispatch.h"
#include "server/metrics/metrics.h"
#include "server/worker/commit_gate.h"
#include "tests/unit/server/harness.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static harness t;
static caller a, b;

static void open_with(bool is_kept) {
    harness_plan(&t, 2);
    t.is_kept = is_kept;
    t.server.buffer_bytes_max = 1u << 20;
    t.server.unsent_bytes_max = 1u << 20;
    harness_open(&t);
    caller_open(&a, &t, 0);
    caller_open(&b, &t, 1);
}

static void open_plain(void) {
    open_with(false);
}

static void open_kept(void) {
    open_with(true);
}

static void close_all(void) {
    caller_close(&a);
    caller_close(&b);
    harness_run(&t);
    harness_close(&t);
}

TestSuite(measures, .init = open_plain, .fini = close_all);
TestSuite(measures_kept, .init = open_kept, .fini = close_all);

static uint64_t count_of(const ids_histogram *of) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < IDS_BUCKETS; i++)
        count += of->of[i];
    return count;
}

/* A turn's end, as the loop does it: at this time. */
static void end_turns(uint64_t now_ns) {
    for (int i = 0; i < 2; i++)
        ids_measures_end_turn(&t.workers[i]->measures, now_ns);
}

static void sums(ids_metrics *all) {
    ids_metrics part;
    end_turns(0);
    ids_metrics_gather(all, t.workers[0]);
    ids_metrics_gather(&part, t.workers[1]);
    ids_metrics_add(all, &part);
}

/* The text's line that begins so: its value. */
static double value(const char *text, const char *series) {
    size_t len = strlen(series);
    for (const char *at = text; at; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, series, len) == 0 && at[len] == ' ')
            return strtod(at + len, NULL);
        if (!*at)
            break;
    }
    cr_assert_fail("no series %s", series);
    return -1;
}

static char *text_of(ids_metrics_format format) {
    static idp_bytes text;
    ids_metrics all;
    sums(&all);
    text.len = 0;
    cr_assert(ids_metrics_write(&all, "1.2.3", format, &text));
    cr_assert(idp_bytes_append(&text, "", 1));
    return (char *)text.ptr;
}

/* Buckets ------------------------------------------------------------------ */

Test(measures, a_bound_is_its_buckets_own) {
    cr_assert_eq(ids_bucket(0), 0);
    cr_assert_eq(ids_bucket(1), 0);
    uint64_t bound_ns = 4000;
    for (uint32_t i = 0; i < IDS_BUCKETS - 1; i++, bound_ns *= 2) {
        cr_assert_eq(ids_bucket(bound_ns - 1), i, "bucket %u", i);
        cr_assert_eq(ids_bucket(bound_ns), i, "bucket %u", i);
        cr_assert_eq(ids_bucket(bound_ns + 1), i + 1, "bucket %u", i);
    }
    cr_assert_eq(bound_ns, 33554432000);
    cr_assert_eq(ids_bucket(bound_ns), IDS_BUCKETS - 1);
    cr_assert_eq(ids_bucket(UINT64_MAX), IDS_BUCKETS - 1);
}

Test(measures, a_request_alone_is_noted_at_the_next_reading) {
    ids_measures *of = &t.workers[0]->measures;
    of->begun_ns = 1000;
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    harness_run(&t);
    cr_assert_eq(count_of(&of->request[IDP_ACQUIRE]), 0);
    ids_measures_read(of, 1000 + 4001);
    cr_assert_eq(of->request[IDP_ACQUIRE].of[1], 1);
    cr_assert_eq(of->request[IDP_ACQUIRE].sum_ns, 4001);
    ids_measures_read(of, 1000 + 9000);
    cr_assert_eq(count_of(&of->request[IDP_ACQUIRE]), 1);
}

Test(measures, a_batch_is_noted_whole_and_what_waits_is_not) {
    uint8_t bytes[2048];
    size_t len = 0;
    const char *key = key_of(&t, 0, 0);
    for (uint32_t i = 1; i <= 5; i++)
        len += put_acquire(bytes + len, i, key, i == 3 ? 50 : 0);
    caller_send(&a, bytes, len);
    harness_run(&t);
    const ids_measures *of = &t.workers[0]->measures;
    cr_assert_eq(count_of(&of->request[IDP_ACQUIRE]), 4);
    cr_assert_eq(of->parked, 0);
    harness_pass(&t, 200);
    harness_run(&t);
    cr_assert_eq(count_of(&of->wait[IDS_WAIT_OVER]), 1);
    cr_assert_eq(of->wait[IDS_WAIT_OVER].sum_ns / 1000000 / 50, 4,
                 "as late as the turn came: %llu",
                 (unsigned long long)of->wait[IDS_WAIT_OVER].sum_ns);
}

Test(measures, a_request_alone_that_waits_is_noted_nowhere) {
    const char *key = key_of(&t, 0, 0);
    ids_measures *of = &t.workers[0]->measures;
    ask_acquire(&a, 1, key, 0);
    harness_run(&t);
    end_turns(0);
    ask_acquire(&a, 2, key, 5000);
    harness_run(&t);
    end_turns(0);
    cr_assert_eq(count_of(&of->request[IDP_ACQUIRE]), 1);
    cr_assert_eq(of->parked, 0);
}

Test(measures, one_that_waits_behind_anothers_in_a_turn_is_noted_nowhere) {
    const char *key = key_of(&t, 0, 0);
    ids_measures *of = &t.workers[0]->measures;
    ask_acquire(&a, 1, key, 0);
    harness_run(&t);
    end_turns(8000); /* in another bucket than what follows */
    of->begun_ns = of->now_ns;
    ask_plain(&a, 2, IDP_PING);
    harness_run(&t);
    ask_acquire(&a, 3, key, 5000);
    harness_run(&t);
    end_turns(8000);
    cr_assert_eq(count_of(&of->request[IDP_PING]), 1);
    cr_assert_eq(count_of(&of->request[IDP_ACQUIRE]), 1);
    cr_assert_eq(of->request[IDP_ACQUIRE].of[1], 1);
    cr_assert_eq(of->parked, 0);
}

Test(measures, a_forwarded_request_is_its_owners) {
    ask_acquire(&a, 1, key_of(&t, 1, 0), 0);
    harness_run(&t);
    end_turns(0);
    cr_assert_eq(count_of(&t.workers[0]->measures.request[IDP_ACQUIRE]), 0);
    cr_assert_eq(count_of(&t.workers[1]->measures.request[IDP_ACQUIRE]), 1);
}

Test(measures_kept, what_the_disk_holds_back_waits_for_it) {
    ids_measures *of = &t.workers[0]->measures;
    of->now_ns = 1000000;
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    harness_run(&t);
    cr_assert_eq(count_of(&of->commit_wait[IDS_WAITED_FOR_DISK]), 0);
    of->now_ns = 1000000 + 3000000;
    while (harness_sync(&t, 0))
        harness_run(&t);
    cr_assert_str_eq(caller_hear(&a), "1 acquired");
    cr_assert_eq(count_of(&of->commit_wait[IDS_WAITED_FOR_DISK]), 1);
    cr_assert_eq(of->commit_wait[IDS_WAITED_FOR_DISK].sum_ns, 3000000);
    cr_assert_eq(count_of(&of->commit_wait[IDS_WAITED_FOR_REPLICA]), 0);
}

Test(measures_kept, what_the_disk_had_before_waits_for_the_replica) {
    ids_worker *worker = t.workers[0];
    ids_measures *of = &worker->measures;
    ask_acquire(&a, 1, key_of(&t, 0, 0), 0);
    harness_run(&t);
    worker->gate.kept = worker->gate.changes;
    ids_commit_gate_release(worker, worker->gate.changes);
    cr_assert_eq(count_of(&of->commit_wait[IDS_WAITED_FOR_REPLICA]), 1);
    cr_assert_eq(count_of(&of->commit_wait[IDS_WAITED_FOR_DISK]), 0);
    while (harness_sync(&t, 0))
        harness_run(&t);
}

/* Requests by method and outcome ------------------------------------------- */

Test(measures, requests_by_what_they_heard) {
    const char *key = key_of(&t, 1, 0); /* so that some are forwarded */
    uint8_t bytes[512];
    ask_acquire(&a, 1, key, 0);
    harness_run(&t);
    ask_acquire(&b, 2, key, 0);
    harness_run(&t);
    caller_send(&a, bytes,
                put_complete(bytes, 3, key, (idp_token){1, 1}, 3)); /* stale */
    caller_send(&a, bytes,
                put_complete(bytes, 4, key_of(&t, 0, 9), (idp_token){1, 1}, 3));
    ask_plain(&a, 5, IDP_PING);
    ask_hello(&a, 6, 7, NULL); /* there is no shard 7 */
    ask_hello(&b, 7, -1, NULL);
    harness_run(&t);
    /* [0, 8, "acquire", []] */
    caller_send(&a,
                "\x94\x00\x08\xa7"
                "acquire\x90",
                12);
    harness_run(&t);
    const char *text = text_of(IDS_METRICS_PROMETHEUS);
#define OF(method, outcome)                                 \
    value(text, "idemstore_requests_total{method=\"" method \
                "\",outcome=\"" outcome "\"}")
    cr_assert_eq(OF("acquire", "acquired"), 1);
    cr_assert_eq(OF("acquire", "in_progress"), 1);
    cr_assert_eq(OF("acquire", "error"), 0);
    cr_assert_eq(OF("complete", "stale"), 1);
    cr_assert_eq(OF("complete", "unknown"), 1);
    cr_assert_eq(OF("release", "stale"), 0);
    cr_assert_eq(OF("ping", "answered"), 1);
    cr_assert_eq(OF("hello", "answered"), 1);
    cr_assert_eq(OF("hello", "error"), 1);
    cr_assert_eq(OF("none", "error"), 1);
    cr_assert_eq(value(text, "idemstore_errors_total{code=\"BAD_REQUEST\"}"),
                 2);
}

Test(measures, a_waiter_that_is_sent_away_is_an_acquire_that_failed) {
    const char *key = key_of(&t, 0, 0);
    ask_acquire(&a, 1, key, 0);
    harness_run(&t);
    ask_acquire(&a, 2, key, 5000);
    ask_acquire(&b, 3, key, 5000);
    harness_run(&t);
    for (int i = 0; i < 2; i++)
        ids_line_drain(t.lines[i]);
    harness_pass(&t, 10);
    harness_run(&t);
    const char *text = text_of(IDS_METRICS_PROMETHEUS);
    cr_assert_eq(OF("acquire", "error"), 2);
    cr_assert_eq(value(text, "idemstore_wait_seconds_count{ended=\"error\"}"),
                 2);
}

/* The text ----------------------------------------------------------------- */

static uint32_t lines_of(const char *text, bool of_samples) {
    uint32_t count = 0;
    for (const char *at = text; at && *at; at = strchr(at, '\n')) {
        at += *at == '\n';
        count += *at && (*at != '#') == of_samples;
    }
    return count;
}

/* All that there can be: with journal, peer and TLS. */
static char *full_text(ids_metrics_format format) {
    static idp_bytes text;
    ids_metrics all;
    sums(&all);
    all.has_journal = all.has_peer = true;
    all.counters.of[IDS_TLS_CERTIFICATE_END_S] = 1;
    text.len = 0;
    cr_assert(ids_metrics_write(&all, "1.2.3", format, &text));
    cr_assert(idp_bytes_append(&text, "", 1));
    return (char *)text.ptr;
}

Test(measures, no_more_than_500_series) {
    uint32_t series = lines_of(full_text(IDS_METRICS_PROMETHEUS), true);
    cr_assert_leq(series, 500);
    cr_assert_geq(series, 380);
    cr_assert_eq(series, lines_of(full_text(IDS_METRICS_OPEN), true));
    cr_assert_lt(strlen(full_text(IDS_METRICS_OPEN)),
                 IDS_METRICS_TEXT_BYTES_MAX / 4);
}

Test(measures, what_is_not_there_has_no_metrics) {
    const char *text = text_of(IDS_METRICS_PROMETHEUS);
    cr_assert_null(strstr(text, "idemstore_journal_"));
    cr_assert_null(strstr(text, "idemstore_peer_"));
    cr_assert_null(strstr(text, "certificate_end"));
    cr_assert_not_null(strstr(text, "\nidemstore_primary 1\n"));
    cr_assert_null(strstr(text, "# EOF"));
}

Test(measures, the_two_formats_differ_in_heads) {
    const char *text = text_of(IDS_METRICS_PROMETHEUS);
    cr_assert_not_null(strstr(text, "# TYPE idemstore_errors_total counter\n"));
    cr_assert_not_null(strstr(text, "# TYPE idemstore_build_info gauge\n"));
    text = text_of(IDS_METRICS_OPEN);
    cr_assert_not_null(strstr(text, "# TYPE idemstore_errors counter\n"));
    cr_assert_not_null(strstr(text, "# TYPE idemstore_build info\n"));
    cr_assert_not_null(
        strstr(text, "\nidemstore_build_info{version=\"1.2.3\"} 1\n"));
    cr_assert_str_eq(text + strlen(text) - 6, "# EOF\n");
}

Test(measures, units_are_exact) {
    static idp_bytes text;
    ids_metrics all;
    sums(&all);
    all.node.uptime_ms = 61007;
    all.measures.turn = (ids_histogram){.of = {3, 2}, .sum_ns = 1000000020};
    all.measures.turn.of[IDS_BUCKETS - 1] = 1;
    cr_assert(ids_metrics_write(&all, "1", IDS_METRICS_PROMETHEUS, &text));
    cr_assert(idp_bytes_append(&text, "", 1));
    const char *const lines[] = {
        "\nidemstore_uptime_seconds 61.007\n",
        "\nidemstore_loop_iteration_seconds_bucket{le=\"0.000004\"} 3\n",
        "\nidemstore_loop_iteration_seconds_bucket{le=\"0.000008\"} 5\n",
        "\nidemstore_loop_iteration_seconds_bucket{le=\"16.777216\"} 5\n",
        "\nidemstore_loop_iteration_seconds_bucket{le=\"+Inf\"} 6\n",
        "\nidemstore_loop_iteration_seconds_sum 1.000000020\n",
        "\nidemstore_loop_iteration_seconds_count 6\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        cr_assert_not_null(strstr((char *)text.ptr, lines[i]), "%s", lines[i]);
    idp_bytes_free(&text);
}

/* Over the wire ------------------------------------------------------------ */

Test(measures, metrics_are_asked_and_answered_whole) {
    uint8_t bytes[256];
    const idp_request request = {
        .method = IDP_METRICS, .msgid = 9, .open_metrics = true};
    caller_send(&a, bytes, idp_request_write(bytes, sizeof bytes, &request));
    harness_run(&t);
    cr_assert_gt(a.got.len, 20000, "%zu bytes: %s", a.got.len, caller_hear(&a));
    idp_reply reply;
    size_t frame_bytes;
    cr_assert_eq(idp_reply_open(a.got.at, a.got.len, idp_reply_bytes_max(1024),
                                &reply, &frame_bytes),
                 IDP_REPLY_WHOLE);
    idp_slice text;
    cr_assert_eq(reply.msgid, 9);
    cr_assert(idp_metrics_read(reply.result, &text));
    cr_assert_eq(memcmp(text.ptr + text.len - 6, "# EOF\n", 6), 0);
    cr_assert_eq(t.workers[0]->buffers.bytes, 0);
}
