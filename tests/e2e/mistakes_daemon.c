/* SPDX-License-Identifier: Apache-2.0 */
/* mistakes_daemon.c -- idemstored's and idembench's parts of the table. */
#include "tests/e2e/mistakes.h"

#define ON "$D --listen 127.0.0.1:0 "

const mistake mistakes_daemon[] = {
    /* flags */
    {"$D --lisen 127.0.0.1:0", 64, "--lisen: no such flag",
     "did you mean --listen?"},
    {"$D --port 7117", 64, "--port: no such flag", "did you mean --listen?"},
    {"$D -p 7117", 64, "-p: no such flag", "--help"},
    {"$D start", 64, "start: no such flag", "--help"},
    {"$D --datadir /tmp", 64, "--datadir: no such flag", "mean --data-dir?"},
    {"$D --listen", 64, "--listen: ADDRESS is missing", NULL},
    {"$D --version=1", 64, "--version: takes no argument", NULL},
    {ON "--threads 0", 64, "--threads 0: must be 1 to", NULL},
    {ON "--threads two", 64, "--threads two: not a number", NULL},
    {ON "--max-memory 1t", 64, "--max-memory 1t: not a number of bytes",
     "a suffix k, m or g"},
    {ON "--max-memory 10", 64, "--max-memory 10: must be", NULL},
    {ON "--max-memory -1", 64, "--max-memory -1: not a number", NULL},
    {ON "--max-result 1g", 64, "--max-result 1g: must be", NULL},
    {ON "--fsync sometimes", 64, "--fsync sometimes: must be",
     "always, everysec or no"},
    {ON "--log-level loud", 64, "--log-level loud: must be",
     "debug, info, warn or error"},
    {ON "--data-dir=", 64, "--data-dir: a path is missing", NULL},
    {ON "--check", 64, "--check: --data-dir is missing", NULL},
    /* addresses */
    {"$D --listen 127.0.0.1:$PLAIN", 1,
     "--listen 127.0.0.1:", "another program listens there"},
    {"$D --listen 127.0.0.1", 64, "--listen 127.0.0.1", NULL},
    {"$D --listen 127.0.0.1:99999", 64, "--listen 127.0.0.1:99999", NULL},
    {"$D --listen no-such-host.invalid:0", 64,
     "--listen no-such-host.invalid:0", NULL},
    {"$D --listen 192.0.2.1:0 --insecure", 1, "--listen 192.0.2.1:0",
     "this machine has no such address"},
    {"$D --listen 0.0.0.0:0", 64, "beyond loopback", "--secret-file"},
    {"$D --listen unix:/nowhere/socket", 1, "--listen unix:/nowhere/socket",
     "No such file"},
    {"$D --listen unix:/tmp/$(printf %0120d 0)", 64, "--listen unix:", NULL},
    /* the secret */
    {ON "--secret-file /nowhere", 64, "--secret-file /nowhere", "No such file"},
    {ON "--secret-file $DIR/none", 64, "--secret-file", "empty"},
    {ON "--secret-file $DIR", 64, "--secret-file", NULL},
    {"$AS_NOBODY $DIR/idemstored --listen 127.0.0.1:0 --secret-file "
     "$DIR/secret",
     64, "--secret-file", "Permission denied"},
    /* the data folder */
    {ON "--data-dir $DIR/foreign", 1,
     "no data folder of idemstored, and not empty",
     "name an empty folder, or one that isn"},
    {ON "--data-dir $DIR/secret", 1, "--data-dir", "Not a directory"},
    {ON "--data-dir $DIR/no/such/folder", 1, "--data-dir",
     "the folder that it should be in"},
    {ON "--data-dir $DIR/flipped", 1, "can't be used", "snap-"},
    {ON "--data-dir $DIR/cut", 1, "can't be used", "snap-"},
    {ON "--data-dir $DIR/headless", 1, "MANIFEST", "no manifest"},
    {"$AS_NOBODY $DIR/idemstored --listen 127.0.0.1:0 --data-dir $DIR/closed",
     1, "--data-dir", "Permission denied"},
    {"$AS_NOBODY $DIR/idemstored --listen 127.0.0.1:0 --data-dir $DIR/new", 1,
     "--data-dir", "Permission denied"},
    {ON "--data-dir $DIR/kept & sleep 0.1; until $D --check --data-dir "
        "$DIR/kept | grep use; do sleep 0.1; done; " ON
        "--data-dir $DIR/kept; code=$?; kill $!; wait; exit $code",
     1, "in use by pid", "--data-dir"},
    /* replication */
    {ON "--replication maybe", 64, "--replication maybe: must be",
     "none, async or sync"},
    {ON "--replicate-from nowhere --peer-state $DIR/p", 64, "--replicate-from",
     NULL},
    {ON "--replication none --replicate-from 127.0.0.1:1", 64,
     "--replicate-from", "async or sync"},
    {ON "--min-in-sync 2", 64, "--min-in-sync 2", "--replication sync"},
    {ON "--replication sync --advertise nowhere --peer-state $DIR/p", 64,
     "--advertise", NULL},
    {ON "--replication sync --peer-insecure --peer-state /nowhere/p", 1,
     "--peer-state", NULL},
    {ON "--hold-claims 5 --replicate-from 127.0.0.1:1", 64, "--hold-claims",
     "one of the two"},
};

const size_t mistakes_daemon_count =
    sizeof mistakes_daemon / sizeof *mistakes_daemon;

const mistake mistakes_bench[] = {
    {"$B --targt idem", 64, "--targt is no option", "--help says more"},
    {"$B --target nonsense", 64, "names no target", "idem, redis"},
    {"$B --target idem/at=127.0.0.1:1 --duration 1", 1, "127.0.0.1:1", NULL},
    {"$B --target idem/at=127.0.0.1:$REDIS --duration 1", 1, "127.0.0.1",
     "is it idemstored?"},
    {"$B --target idem/at=127.0.0.1:$WEB --duration 1", 1, "127.0.0.1",
     "does not speak idemstore"},
    {"$B --target idem/at=127.0.0.1:$SECRET --duration 1", 1, "127.0.0.1",
     "wants a secret"},
    {"$B --duration 0", 64, "--duration", NULL},
    {"$B --connections many", 64, "--connections", NULL},
    {"$B extra", 64, "extra", NULL},
};

const size_t mistakes_bench_count =
    sizeof mistakes_bench / sizeof *mistakes_bench;
