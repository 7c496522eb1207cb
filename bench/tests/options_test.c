/* SPDX-License-Identifier: Apache-2.0 */
/* options_test.c -- what is taken, and what is refused with 64. */
#include "bench/options.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>

static int parse(idb_options *options, const char *line) {
    static char text[512];
    char *argv[32] = {(char *)"idembench"};
    int argc = 1;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    return idb_options_parse(options, argc, argv);
}

Test(options, the_defaults_are_the_common_job) {
    idb_options o;
    cr_assert_eq(parse(&o, "--spawn"), 0);
    cr_assert_eq(o.work.key_bytes, 36);
    cr_assert_eq(o.work.fingerprint_bytes, 32);
    cr_assert_eq(o.work.result_bytes, 200);
    cr_assert_eq(o.work.lease_ms, 30000);
    cr_assert_eq(o.rounds, 5);
    cr_assert_eq(o.spec_count, 1);
    cr_assert_eq(o.specs[0].target, &idb_target_idem);
}

Test(options, targets_carry_their_details) {
    idb_options o;
    cr_assert_eq(parse(&o, "--spawn --target idem/threads=2/blind,redis,"
                           "memcached/at=127.0.0.1:99/pid=7 "
                           "--server-args redis=--hz=1"),
                 0);
    cr_assert_eq(o.spec_count, 3);
    cr_assert_eq(o.specs[0].target, &idb_target_idem_blind);
    cr_assert_eq(o.specs[0].threads, 2);
    cr_assert_str_eq(o.specs[0].label, "idem/threads=2/blind");
    cr_assert_eq(o.specs[1].args_count, 1);
    cr_assert_str_eq(o.specs[1].args[0], "--hz=1");
    cr_assert_eq(o.specs[2].external.port, 99);
    cr_assert_eq(o.specs[2].external.pid, 7);
}

Test(options, arguments_reach_a_name_or_one_target_and_add_up) {
    idb_options o;
    cr_assert_eq(parse(&o, "--spawn --target idem/threads=1,idem/threads=2 "
                           "--server-args idem=--a "
                           "--server-args idem/threads=1=--b"),
                 0);
    cr_assert_eq(o.specs[0].args_count, 2);
    cr_assert_str_eq(o.specs[0].args[0], "--a");
    cr_assert_str_eq(o.specs[0].args[1], "--b");
    cr_assert_eq(o.specs[1].args_count, 1);
    cr_assert_str_eq(o.specs[1].args[0], "--a");
}

Test(options, what_is_kept_is_said_for_all_or_for_one) {
    idb_options o;
    cr_assert_eq(parse(&o, "--spawn --fsync everysec --replication sync "
                           "--target idem,idem/fsync=off/replication=none,"
                           "redis,redis/fsync=rdb/batch,redis-lua,memcached"),
                 0);
    cr_assert_eq(o.specs[0].fsync, IDB_FSYNC_EVERYSEC);
    cr_assert_eq(o.specs[0].replication, IDB_REPLICATION_SYNC);
    cr_assert_not(idb_spec_has_files(&o.specs[1]));
    cr_assert_eq(o.specs[2].target, &idb_target_redis_wait);
    cr_assert_eq(o.specs[3].target, &idb_target_redis_wait_batch);
    cr_assert_eq(o.specs[3].fsync, IDB_FSYNC_RDB);
    cr_assert_eq(o.specs[4].replication, IDB_REPLICATION_NONE);
    cr_assert_not(idb_spec_has_files(&o.specs[5]));
    cr_assert_eq(parse(&o, "--spawn"), 0);
    cr_assert_not(idb_spec_has_files(&o.specs[0]));
}

Test(options, tls_is_a_targets_and_its_files_are_of_one_that_runs) {
    idb_options o;
    cr_assert_eq(parse(&o, "--spawn --target idem,idem/tls,redis-lua/tls"), 0);
    cr_assert_not(o.specs[0].tls);
    cr_assert(o.specs[1].tls);
    cr_assert(o.specs[2].tls);
    cr_assert_eq(parse(&o, "--target redis/tls/at=127.0.0.1:1 --tls-ca ca.pem "
                           "--tls-verify ca --tls-name a.example "
                           "--tls-cert c.pem --tls-key k.pem"),
                 0);
    cr_assert_eq(o.tls_verify, IDP_TLS_VERIFY_CA);
    cr_assert_str_eq(o.tls_files.ca, "ca.pem");
    cr_assert_str_eq(o.tls_files.cert, "c.pem");
    cr_assert_str_eq(o.tls_files.key, "k.pem");
    cr_assert_str_eq(o.tls_name, "a.example");
}

Test(options, http_is_ours_and_load_alone) {
    idb_options o;
    cr_assert_eq(parse(&o, "--spawn --target idem,idem/http,idem/tls/http"), 0);
    cr_assert_not(o.specs[0].http);
    cr_assert_eq(o.specs[1].target, &idb_target_idem_http);
    cr_assert(o.specs[2].http && o.specs[2].tls);
    cr_assert_neq(parse(&o, "--spawn --target redis/http"), 0);
    cr_assert_neq(parse(&o, "--spawn --target idem/blind/http"), 0);
    cr_assert_neq(parse(&o, "--spawn --target idem/http --replication sync"),
                  0);
    cr_assert_neq(parse(&o, "--spawn --target idem/http --verify"), 0);
    cr_assert_neq(parse(&o, "--spawn --target idem/http --scenario memory"), 0);
}

Test(options, mix_cpus_and_choices_are_read) {
    idb_options o;
    cr_assert_eq(parse(&o, "--spawn --mix fresh=2,replay=5 --keys zipf "
                           "--server-cpu 0,2-3 --shard-aware off"),
                 0);
    cr_assert_eq(o.mix.weight[IDB_FRESH], 2);
    cr_assert_eq(o.mix.weight[IDB_REPLAY], 5);
    cr_assert_eq(o.mix.weight[IDB_CLAIM], 0);
    cr_assert_float_eq(o.zipf, 0.99, 1e-9);
    cr_assert_eq(CPU_COUNT(&o.server_cpus.cpus), 3);
    cr_assert_eq(o.specs[0].target, &idb_target_idem_blind);
}

Test(options, what_makes_no_sense_exits_64, .init = cr_redirect_stderr) {
    static const char *const lines[] = {
        "",
        "--spawn --what",
        "--spawn extra",
        "--spawn=1",
        "--spawn --rounds",
        "--spawn --rounds 0",
        "--spawn --rounds 1.5",
        "--spawn --rounds x",
        "--spawn --key-bytes 513",
        "--spawn --key-bytes -1",
        "--spawn --target kafka",
        "--spawn --target redis/blind",
        "--spawn --target idem/threads=0",
        "--spawn --target idem/at=nowhere",
        "--spawn --target idem/at=::1:7117",
        "--spawn --target idem/at=127.0.0.1:0",
        "--spawn --mix fresh",
        "--spawn --mix fresh=0",
        "--spawn --mix coffee=1",
        "--spawn --keys random",
        "--spawn --server-cpu x",
        "--spawn --server-cpu 3-1",
        "--spawn --lease 5000 --ttl 1000",
        "--spawn --threads 8 --connections 4",
        "--spawn --target memcached --key-bytes 251",
        "--spawn --server-args redis",
        "--spawn --server-args redis=--hz=1",
        "--spawn --fsync sometimes",
        "--spawn --fsync rdb",
        "--spawn --replication half",
        "--spawn --target idem/fsync=rdb",
        "--spawn --target memcached/fsync=no",
        "--spawn --target redis-lua/replication=sync",
        "--spawn --target redis/batch",
        "--spawn --target idem/batch",
        "--spawn --target idem/before",
        "--spawn --target redis/before --before /bin/true",
        "--spawn --target idem/replica-threads=0",
        "--spawn --target idem/replication=sync/replicas=0",
        "--spawn --target idem/replication=sync/replicas=5",
        "--spawn --target idem/replicas=2",
        "--spawn --target redis/replication=sync/replicas=2",
        "--target idem/at=127.0.0.1:1/fsync=no",
        "--spawn --target memcached/tls",
        "--spawn --target echo/tls",
        "--spawn --target redis/tls --tls-ca ca.pem",
        "--target redis/at=127.0.0.1:1 --tls-verify none",
        "--target redis/tls/at=127.0.0.1:1 --tls-verify half",
        "--target redis/tls/at=127.0.0.1:1 --tls-key k.pem",
        "--compare one.json",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        idb_options o;
        cr_assert_eq(parse(&o, lines[i]), IDB_EXIT_USAGE, "\"%s\"", lines[i]);
    }
}
