/* SPDX-License-Identifier: Apache-2.0 */
/* run_test.c -- short runs of everything: that it works, never how fast.
 *
 * run_test IDEMBENCH IDEMSTORED */
#include "bench/json.h"
#include "bench/tests/shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *bench, *stored;
static char folder[] = "/tmp/idembench-run-XXXXXX";

#define QUICK "--duration 0.2 --warmup 0.1 --connections 4"

/* The targets whose servers are on this machine. */
static const char *targets(void) {
    static char list[64];
    snprintf(list, sizeof list, "idem,idem/blind,echo%s%s",
             shell_has("redis-server") ? ",redis,redis-lua" : "",
             shell_has("memcached") ? ",memcached" : "");
    return list;
}

static const char *run(const char *what, const char *arguments) {
    int status;
    const char *said = shell(&status, "%s --idemstored %s --spawn %s", bench,
                             stored, arguments);
    holds(status == 0, what, said);
    holds(!strstr(said, "unexpected"), what, said);
    holds(!strstr(said, "lost"), what, said);
    return said;
}

static void every_job_on_every_target(void) {
    static const char *const mixes[] = {
        "fresh=1",  "claim=1",    "inflight=1",
        "replay=1", "mismatch=1", "fresh=1,inflight=1,replay=2,mismatch=1"};
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++) {
        char arguments[512];
        snprintf(arguments, sizeof arguments,
                 QUICK " --rounds 1 --pool 500 --pipeline 8 --keys zipf "
                       "--target %s --mix %s",
                 targets(), mixes[i]);
        run(mixes[i], arguments);
    }
}

static void two_shards_known_and_unknown(void) {
    run("two threads", QUICK " --rounds 1 --threads 2 --pipeline 4 --pool 300 "
                             "--mix fresh=1,replay=1 "
                             "--target idem/threads=2,idem/threads=2/blind");
}

/* A shard that none of the pool's keys belongs to has nothing to ask for. */
static void a_pool_too_small_for_the_shards_is_refused(void) {
    int status;
    const char *said =
        shell(&status,
              "timeout 600 %s --idemstored %s --spawn " QUICK " --rounds 1 "
              "--pool 1 --mix replay=1 --target idem/threads=2",
              bench, stored);
    holds(status == 1 && strstr(said, "--pool 1 is too small: the server has "
                                      "2 shards"),
          "refused", said);
    run("few keys", QUICK " --rounds 1 --pool 64 --keys zipf "
                          "--mix inflight=1 --target idem/threads=2");
}

/* Two that share a core wait for each other. */
static void a_disturbed_machine_is_told(void) {
    int status;
    shell(&status, "grep -q '^[1-9]' /proc/self/schedstat");
    if (status != 0)
        return;
    const char *said = run("one core for both",
                           "--duration 1 --warmup 0.1 --rounds 1 --pipeline 64 "
                           "--server-cpu 0 --client-cpu 0 --target idem");
    holds(strstr(said, "! the machine was disturbed: the server waited") !=
              NULL,
          "who waits for a CPU", said);
}

static void an_open_loop_reports_its_schedule(void) {
    const char *said = run("open loop", QUICK " --rounds 1 --rate 2000 "
                                              "--ramp 0.1 --target idem,echo");
    holds(strstr(said, "jobs planned") != NULL, "the schedule is told", said);
}

static void sizes_reach_their_ends(void) {
    run("small", QUICK " --rounds 1 --key-bytes 8 --fingerprint-bytes 1 "
                       "--result-bytes 0 --nonce-bytes 16 --target idem");
    run("large", QUICK " --rounds 1 --key-bytes 512 --fingerprint-bytes 64 "
                       "--result-bytes 300000 --nonce-bytes 32 "
                       "--pipeline 2 --target idem --prefill 20");
}

static void the_files_are_whole(void) {
    char arguments[512], path[128];
    int status;
    snprintf(arguments, sizeof arguments,
             QUICK " --rounds 2 --target idem,echo --json %s/a.json "
                   "--csv %s/a.csv --hgrm %s/a --html %s/a.html",
             folder, folder, folder, folder);
    run("files", arguments);
    snprintf(path, sizeof path, "%s/a.json", folder);
    json_t *root = idb_json_load(path);
    holds(root != NULL, "the JSON can be read", path);
    const json_t *results = json_object_get(root, "results");
    holds(json_array_size(results) == 2, "two results", path);
    const json_t *figures =
        json_object_get(json_array_get(results, 0), "figures");
    const json_t *ops = json_object_get(figures, "ops_per_s");
    holds(idb_json_get_number(ops, "median") > 0, "operations", path);
    const json_t *troubles =
        json_object_get(json_array_get(results, 0), "troubles");
    holds(json_object_get(troubles, "server_waited") != NULL &&
              json_object_get(troubles, "unanswered") != NULL,
          "what was wrong", path);
    json_decref(root);
    const char *said = shell(&status, "wc -l < %s/a.csv", folder);
    holds(status == 0 && atoi(said) == 3, "three lines of CSV", said);
    said = shell(&status, "tail -1 %s/a-idem.hgrm", folder);
    holds(strstr(said, "#[Buckets") != NULL, "a percentile file", said);
    said = shell(&status, "%s --compare %s/a.json %s/a.json", bench, folder,
                 folder);
    holds(status == 0 && strstr(said, "within noise") && !strstr(said, "%\n"),
          "a report is no change to itself", said);
}

static void a_file_that_cannot_be_written_is_told_before_the_run(void) {
    int status;
    const char *said =
        shell(&status,
              "%s --idemstored %s --spawn --duration 60 --csv %s/a.csv "
              "--json %s/nowhere/a.json",
              bench, stored, folder, folder);
    holds(status == 1 && strstr(said, "nowhere/a.json: No such file"),
          "the file is named, and nothing measured", said);
}

static void a_cpu_that_is_not_here_is_refused(void) {
    int status;
    const char *said =
        shell(&status, "%s --idemstored %s --spawn --server-cpu 0,1023", bench,
              stored);
    holds(status == 64 && strstr(said, "--server-cpu names a CPU"),
          "a pin that does not hold measures something else", said);
}

/* Once there is one: how long that takes, nobody knows. */
static void an_interrupt_keeps_the_rounds_that_are_whole(void) {
    int status = 1;
    const char *said = "";
    for (int seconds = 4; seconds <= 64 && status != 130; seconds *= 2)
        said = shell(&status,
                     "timeout --foreground -s INT --preserve-status %d %s "
                     "--idemstored %s "
                     "--spawn " QUICK " --rounds 1000 --target idem,echo "
                     "--csv %s/int.csv",
                     seconds, bench, stored, folder);
    holds(status == 130, "it ends as what was interrupted", said);
    holds(strstr(said, "interrupted; what follows is of the first") &&
              strstr(said, "\necho"),
          "the table is there", said);
    said = shell(&status, "wc -l < %s/int.csv", folder);
    holds(status == 0 && atoi(said) == 3, "so is its file", said);
}

/* The terminal sends it to all that it started, the server among them. */
static void an_interrupt_of_the_whole_group_is_no_news_of_the_server(void) {
    int status = 1;
    const char *said =
        shell(&status,
              "setsid --wait sh -c 'trap : INT; %s --idemstored %s --spawn "
              "--duration 60 --warmup 0 --connections 4 --quiet & "
              "until pgrep -P $! >/dev/null; do sleep 0.1; done; sleep 1; "
              "kill -INT -$$; wait $!; wait $!; exit $?'",
              bench, stored);
    holds(strstr(said, "interrupted before a round was whole") != NULL,
          "it says why", said);
    holds(!strstr(said, "closed"), "and no more", said);
    holds(status == 130, "it ends as what was interrupted", said);
}

static void what_is_kept_lies_in_the_folder_and_is_removed(void) {
    char arguments[512];
    int status;
    snprintf(arguments, sizeof arguments,
             QUICK " --rounds 1 --pipeline 4 --data-in %s "
                   "--target idem/fsync=no,idem/fsync=everysec,"
                   "idem/fsync=always%s",
             folder,
             shell_has("redis-server")
                 ? ",redis/fsync=everysec,redis/fsync=always,redis/fsync=rdb"
                 : "");
    const char *said = run("kept", arguments);
    holds(strstr(said, "What servers kept was on") != NULL, "where", said);
    said = shell(&status, "ls -d %s/idembench-* 2>/dev/null", folder);
    holds(status != 0, "nothing stays behind", said);
    said = shell(&status,
                 "%s --idemstored %s --spawn --fsync no --data-in "
                 "/nonexistent " QUICK,
                 bench, stored);
    holds(status == 1 && strstr(said, "--data-in"), "no folder", said);
}

static void a_second_server_takes_part(void) {
    const char *said =
        run("replicated",
            QUICK " --rounds 1 --threads 2 --pipeline 4 --target "
                  "idem/replication=async,idem/replication=sync,"
                  "idem/threads=2/replica-threads=1/replication=sync/fsync=no,"
                  "idem/replication=sync/replicas=2");
    holds(strstr(said, "replica us/op") != NULL, "the other's CPU", said);
    char arguments[512];
    snprintf(arguments, sizeof arguments,
             QUICK " --rounds 2 --before %s --target idem/before,idem", stored);
    run("two builds", arguments);
}

static void redis_waits_for_its_replica(void) {
    if (shell_has("redis-server"))
        run("redis with a replica",
            QUICK " --rounds 1 --duration 1 --pipeline 4 --target "
                  "redis/replication=async,redis/replication=sync/batch");
}

static void scenarios_fill_their_reports(void) {
    run("memory", "--scenario memory --records 2000 --target idem");
    run("growth", QUICK " --scenario growth --records 500,2000 --target idem");
    run("expiry", QUICK " --scenario expiry --records 50000 --target idem");
    run("idle", QUICK " --scenario idle --records 1000 --target idem");
    run("client", QUICK " --scenario client --rounds 1 --target idem");
    /* So many that what is measured meanwhile is not over at once. */
    run("snapshot", QUICK " --scenario snapshot --rate 1000 --records 200000 "
                          "--target idem/threads=2");
    run("fullsync", QUICK " --scenario fullsync --rate 1000 --records 200000 "
                          "--target idem/threads=2/replica-threads=1");
    run("failover", QUICK " --scenario failover --rounds 2 --target idem");
    run("hotkey", "--scenario hotkey --records 5,1200 "
                  "--target idem,idem/threads=2,idem/threads=2/blind");
    run("listing", QUICK " --scenario listing --rate 1000 --records 50000 "
                         "--target idem/threads=2");
}

static void the_promises_hold_under_contention(void) {
    const char *said =
        run("verify", "--verify --duration 2 --lease 200 --pipeline 4 "
                      "--connections 16 --target idem/threads=2");
    holds(strstr(said, "No promise was broken") != NULL, "verified", said);
}

static void wrong_flags_are_told_with_64(void) {
    int status;
    const char *said = shell(&status, "%s --spawn --rounds 0", bench);
    holds(status == 64 && strstr(said, "--rounds") != NULL, "64", said);
    said = shell(&status, "%s --help", bench);
    holds(status == 0 && strstr(said, "--server-cpu LIST"), "help", said);
    said =
        shell(&status, "%s --spawn --idemstored /nonexistent %s", bench, QUICK);
    holds(status == 1 && strstr(said, "ended at once"), "no daemon", said);
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 64;
    bench = argv[1];
    stored = argv[2];
    holds(mkdtemp(folder) != NULL, "a folder", folder);
    wrong_flags_are_told_with_64();
    every_job_on_every_target();
    two_shards_known_and_unknown();
    a_pool_too_small_for_the_shards_is_refused();
    a_disturbed_machine_is_told();
    an_open_loop_reports_its_schedule();
    sizes_reach_their_ends();
    the_files_are_whole();
    a_file_that_cannot_be_written_is_told_before_the_run();
    an_interrupt_keeps_the_rounds_that_are_whole();
    an_interrupt_of_the_whole_group_is_no_news_of_the_server();
    a_cpu_that_is_not_here_is_refused();
    what_is_kept_lies_in_the_folder_and_is_removed();
    a_second_server_takes_part();
    redis_waits_for_its_replica();
    scenarios_fill_their_reports();
    the_promises_hold_under_contention();
    int status;
    shell(&status, "rm -r %s", folder);
    puts("bench: all runs work");
    return 0;
}
