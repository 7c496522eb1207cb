/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_look.c -- idemctl for who looks at numbers: again and again, how long
 * things take, and how much a load will take, held to what it takes.
 *
 *   ctl_look IDEMSTORED IDEMCTL */
#include "tests/e2e/ctl_shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 4000

static void again_and_again(void) {
    ctl_says(0, "",
             "test $($CTL ping --watch 100ms --count 3 | grep -c pong) "
             "-eq 3");
    ctl_says(0, "-- idemctl stats, 20", "$CTL stats --watch 100ms --count 1");
    ctl_says(0, "requests_total",
             "$CTL stats --watch 300ms --count 3 | grep '(+[0-9.]*/s)'");
    ctl_says(0, "requests_total_per_s\":",
             "$CTL --json stats --watch 300ms --count 2 | tail -1");
    ctl_says(0, "idemstore_connections_opened_total",
             "$CTL metrics --watch 300ms --count 2 | grep '/s)'");
    ctl_says(0, "records/s", "$CTL namespaces --watch 100ms --count 2");
    ctl_says(0, "records_per_s",
             "$CTL --json namespaces --watch 100ms >$DIR/ns & pid=$!; i=0; "
             "until grep records_per_s $DIR/ns; do i=$((i + 1)); $CTL acquire "
             "f$i -n look >/dev/null; done; kill $pid");
    ctl_says(0, "lag_ops", "$CTL replication --watch 100ms --count 2");
    ctl_says(15, "absent", "$CTL peek none --watch 100ms --count 2");
    ctl_says(0, "-- idemctl list", "$CTL list --watch 100ms --count 2");
    ctl_says(0, "",
             "test $($CTL clients --watch 100ms --count 2 | grep -c "
             "127.0.0.1) -eq 2");
    ctl_says(0, "-- idemctl slow", "$CTL slow --watch 100ms --count 2");
    ctl_says(64, "at least 100ms", "$CTL ping --watch 10ms");
    ctl_says(64, "--count goes with --watch", "$CTL ping --count 2");
    ctl_says(64, "is not within 1 to", "$CTL ping --watch 1s --count 0");
    ctl_says(64, "does not take --watch", "$CTL acquire k --watch 1s");
    ctl_says(64, "is asked once", "$CTL replication 127.0.0.1:1 --watch 1s");
    ctl_says(74, "", "$CTL stats --watch 100ms >/dev/full");
    ctl_says(69, "Connection refused",
             "test $($CTL ping -s 127.0.0.1:1 --watch 100ms --count 3 2>&1 | "
             "grep -c refused) -eq 3 && $CTL ping -s 127.0.0.1:1 --watch 100ms "
             "--count 2");
    ctl_says(64, "URI", "$CTL ping -s idem:///no:host --watch 100ms");
    puts("  --watch looks again, says rates, and waits for who is away");
}

static void how_long(void) {
    ctl_says(0, "request      peek", "$CTL peek none; $CTL latency");
    ctl_says(0, "p99.9", "$CTL latency");
    ctl_json(0, "latency", "$CTL --json latency");
    ctl_says(0, "",
             "$CTL --json latency | grep -q "
             "'\"of\":\"request\",\"cause\":\"peek\",\"count\":[1-9]'");
    /* A waiter waits for 300 ms, and so long is what is told. */
    ctl_says(0, "wait         time ",
             "$CTL acquire held >/dev/null; $CTL acquire held --wait 300ms "
             ">/dev/null; $CTL latency | grep '^wait'");
    ctl_says(0, "ms", "$CTL latency | grep '^wait'");
    /* Of a look alone: nobody asks for a peek between the two. */
    ctl_says(0, "",
             "test $($CTL latency --watch 300ms --count 2 | grep -c "
             "peek) -eq 1");
    puts("  latency: by method and by what was waited for");
}

/* ---------------------------------------------------------------- estimates */

static double number_of(const char *line) {
    CHECK(ctl_shell(line) == 0, "%s: %s", line, ctl_output);
    return strtod(ctl_output, NULL);
}

static double metric(const char *name) {
    char line[128];
    snprintf(line, sizeof line, "$CTL metrics | sed -n 's/^idemstore_%s //p'",
             name);
    return number_of(line);
}

/* Once nothing waits to be written, all of it has been counted. */
static double journal_bytes(void) {
    while (metric("journal_unsynced_changes") > 0 ||
           metric("journal_backlog_bytes") > 0)
        e2e_sleep_ms(20);
    return metric("journal_written_bytes_total");
}

static double estimated(const char *field, size_t result_bytes) {
    char line[256];
    snprintf(line, sizeof line,
             "$CTL --json estimate --rate 1 --key-bytes 40 --result %zu | sed "
             "-n 's/.*\"%s\":\\([0-9]*\\).*/\\1/p'",
             result_bytes, field);
    return number_of(line);
}

/* Keys of 36 bytes in a namespace of 4, as the estimate is asked for. */
static void fill(const daemon_t *daemon, const char *result) {
    wire w;
    static unsigned made;
    uint8_t bytes[32] = {0};
    CHECK(wire_open(&w, daemon->port), "no connection");
    for (int i = 0; i < KEYS; i++) {
        char key[64];
        idp_answer answer = {0};
        snprintf(key, sizeof key, "%08u-0000-4000-8000-000000000000", made++);
        memcpy(bytes, key, 8);
        idp_request acquire = ask_acquire(key, 30000, 600000);
        acquire.ns = text_slice("shop");
        acquire.fingerprint = (idp_slice){bytes, 32};
        acquire.nonce = (idp_slice){bytes, 16};
        CHECK(wire_call(&w, &acquire, &answer) == 0, "acquire %s", key);
        idp_request complete = ask_complete(key, answer.token, result);
        complete.ns = text_slice("shop");
        CHECK(wire_call(&w, &complete, &answer) == 0, "complete %s", key);
    }
    wire_close(&w);
}

static void is_near(const char *what, double estimate, double real) {
    CHECK(estimate > real * 0.9 && estimate < real * 1.1,
          "%s: %.1f estimated, %.1f taken", what, estimate, real);
    printf("  %-24s %8.0f estimated, %8.0f taken\n", what, estimate, real);
}

static void as_estimated(const daemon_t *daemon, size_t result_bytes) {
    static char result[16384];
    char what[48];
    memset(result, 'r', sizeof result);
    result[result_bytes] = '\0';
    double memory = metric("memory_bytes");
    double journal = journal_bytes();
    fill(daemon, result);
    snprintf(what, sizeof what, "memory, result of %zu", result_bytes);
    is_near(what, estimated("record_bytes", result_bytes),
            (metric("memory_bytes") - memory) / KEYS);
    snprintf(what, sizeof what, "journal, result of %zu", result_bytes);
    is_near(what, estimated("journal_key_bytes", result_bytes),
            (journal_bytes() - journal) / KEYS);
}

static void what_is_estimated(void) {
    ctl_says(0, "records             43200000", "$CTL estimate --rate 500");
    ctl_says(0, "records             14000000",
             "$CTL estimate --rate 2000000/d --ttl 7d");
    ctl_says(0, "GiB", "$CTL estimate --rate 500 --result 2k");
    ctl_says(64, "is no rate", "$CTL estimate --rate fast");
    ctl_says(64, "is no rate", "$CTL estimate --rate 5/w");
    ctl_says(64, "needs --rate", "$CTL estimate");
    ctl_says(64, "no number of bytes", "$CTL estimate --rate 5 --result 2g");
}

static void estimates(const char *program, const char *ctl) {
    daemon_t daemon;
    char folder[512];
    snprintf(folder, sizeof folder, "%s/data", getenv("DIR"));
    ctl_start(&daemon,
              &(daemon_spec){.program = program,
                             .flags = {"--threads", "1", "--data-dir", folder,
                                       "--fsync", "everysec"}},
              ctl, "shop");
    what_is_estimated();
    static const size_t sizes[] = {200, 1, 2048, 15000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        as_estimated(&daemon, sizes[i]);
    daemon_stop(&daemon);
    puts("  estimate: within a tenth of what it takes");
}

int main(int argc, char *argv[]) {
    char folder[] = "/tmp/ctl_look-XXXXXX";
    CHECK(argc >= 3, "usage: ctl_look IDEMSTORED IDEMCTL");
    CHECK(mkdtemp(folder) != NULL, "no folder");
    setenv("DIR", folder, 1);
    daemon_t daemon;
    char config[512];
    snprintf(config, sizeof config, "%s/conf", folder);
    setenv("CONF", config, 1);
    ctl_shell("printf 'namespace \"look\" {\\n max_records = 1000\\n}\\n' "
              ">$CONF");
    ctl_start(&daemon,
              &(daemon_spec){.program = argv[1], .flags = {"--config", config}},
              argv[2], "");
    again_and_again();
    how_long();
    daemon_stop(&daemon);
    estimates(argv[1], argv[2]);
    ctl_shell("rm -rf $DIR");
    return 0;
}
