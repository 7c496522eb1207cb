/* SPDX-License-Identifier: Apache-2.0 */
/* ctl_test.c -- idemctl as a shell and a script use it: exit codes, JSON, lines
 * from stdin.
 *
 *   ctl_test IDEMSTORED IDEMCTL POINTS_MINIMAL */
#include "tests/e2e/ctl_shell.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Acquires and leaves the token in $TOKEN. */
static void take(const char *key) {
    char line[256];
    snprintf(line, sizeof line, "$CTL --json acquire %s --lease 60s", key);
    setenv("TOKEN", ctl_json(0, "token", line), 1);
}

/* ---------------------------------------------------------------- stories */

static void life_of_a_key(void) {
    ctl_says(0, "pong", "$CTL ping");
    ctl_says(15, "absent", "$CTL peek life");
    ctl_says(0, "acquired", "$CTL acquire life --fingerprint 01 --lease 7s");
    ctl_says(11, "in_progress", "$CTL acquire life --fingerprint 01");
    ctl_says(11, "in_progress", "$CTL acquire life --wait 50ms");
    ctl_says(12, "mismatch", "$CTL acquire life --fingerprint 02");
    ctl_says(0, "in_progress", "$CTL peek life");
    take("done");
    ctl_says(0, "1m", "$CTL renew done --token $TOKEN --lease 60s");
    ctl_says(0, "kept",
             "$CTL complete done --token $TOKEN --result 'all well'");
    ctl_says(10, "all well", "$CTL acquire done");
    ctl_says(14, "completed", "$CTL release done --token $TOKEN");
    ctl_says(15, "unknown", "$CTL complete never --token $TOKEN");
    take("back");
    ctl_says(0, "released", "$CTL release back --token $TOKEN");
    ctl_says(0, "previous            released", "$CTL acquire back");
    take("dropped");
    ctl_says(0, "released", "$CTL release dropped --token $TOKEN --unbind");
    ctl_says(15, "absent", "$CTL peek dropped");
    ctl_says(0, "acquired", "$CTL acquire brief --lease 1ms --ttl 1h");
    ctl_says(13, "orphaned",
             "sleep 0.1; $CTL acquire brief --on-orphan report");
    ctl_says(0, "orphaned", "$CTL acquire brief --lease 1s");
    ctl_says(15, "absent", "$CTL peek life --namespace elsewhere");
    ctl_says(0, "records", "$CTL stats");
    puts("  a key's life, with an exit code for each outcome");
}

static void nonce_and_body(void) {
    ctl_says(0, "acquired", "$CTL acquire again --nonce 0a0b --lease 60s");
    ctl_says(0, "acquired", "$CTL acquire again --nonce 0a0b --lease 60s");
    ctl_says(11, "in_progress", "$CTL acquire again --nonce 0a0c");
    ctl_says(0, "nonce               0a0b", "$CTL acquire again --nonce 0a0b");
    setenv("NONCE", ctl_json(0, "nonce", "$CTL --json acquire drawn"), 1);
    ctl_says(0, "acquired", "$CTL acquire drawn --nonce $NONCE");
    ctl_says(11, "in_progress", "$CTL acquire drawn");
    ctl_says(0, "acquired", "echo one | $CTL acquire body --body -");
    ctl_says(11, "in_progress", "echo one | $CTL acquire body --body -");
    ctl_says(12, "mismatch", "echo two | $CTL acquire body --body -");
    puts("  a nonce, also one that was drawn, finds its claim again; a body is "
         "a fingerprint");
}

static void as_json(void) {
    ctl_json_is(0, "outcome", "pong", "$CTL --json ping");
    ctl_json_is(15, "state", "absent", "$CTL peek j --json");
    take("j");
    ctl_json_is(11, "outcome", "in_progress", "$CTL --json acquire j");
    ctl_json_is(0, "kept", "true",
                "printf 'a\"\\\\\\n\\t\\303\\244\\001' |"
                "$CTL --json complete j --token $TOKEN --result-file -");
    ctl_json_is(10, "result", "a\"\\\n\t\303\244\001", "$CTL --json acquire j");
    take("bytes");
    ctl_shell("printf '\\377\\0x' | $CTL complete bytes --token $TOKEN"
              " --class error --result-file -");
    ctl_json_is(10, "result", "/wB4", "$CTL --json acquire bytes");
    ctl_json_is(10, "result_encoding", "base64", "$CTL --json acquire bytes");
    ctl_json_is(10, "class", "error", "$CTL --json acquire bytes");
    ctl_says(10, "\\xff\\x00x", "$CTL acquire bytes");
    take("nil");
    ctl_says(0, "completed", "$CTL complete nil --token $TOKEN");
    ctl_json_is(10, "result", "null", "$CTL --json acquire nil");
    take("empty");
    ctl_says(0, "completed", "$CTL complete empty --token $TOKEN --result ''");
    ctl_json_is(10, "result", "", "$CTL --json acquire empty");
    ctl_json_is(0, "records", "number", "$CTL --json stats");
    ctl_json_is(69, "error", "CONNECT",
                "$CTL --json --server idem://127.0.0.1:1/?timeout_ms=300 ping");
    ctl_json_is(64, "error", "USAGE", "$CTL --json ping twice");
    puts("  JSON: one object a line, whatever the bytes are");
}

static void bad_words(void) {
    ctl_says(64, "--frobnicate", "$CTL --frobnicate ping");
    ctl_says(64, "frobnicate", "$CTL frobnicate");
    ctl_says(64, "acquire needs KEY", "$CTL acquire");
    ctl_says(64, "complete needs --token", "$CTL complete k");
    ctl_says(64, "--token", "$CTL complete k --token 00");
    ctl_says(64, "--token", "$CTL complete k --token");
    ctl_says(64, "--lease", "$CTL acquire k --lease 7");
    ctl_says(64, "--lease", "$CTL acquire k --lease 0s");
    ctl_says(64, "--lease", "$CTL acquire k --lease -1s");
    ctl_says(64, "--lease", "$CTL acquire k --lease 99999999999999999999s");
    ctl_says(64, "--lease", "$CTL acquire k --lease 1s --lease 1s");
    ctl_says(64, "lease", "$CTL acquire k --lease 25h");
    ctl_says(64, "--fingerprint", "$CTL acquire k --fingerprint 0g");
    ctl_says(64, "--fingerprint",
             "$CTL acquire k --body /dev/null --fingerprint 0");
    ctl_says(64, "--body", "$CTL acquire k --body /nonexistent");
    ctl_says(64, "--body", "$CTL acquire k --body /");
    ctl_says(64, "--on-orphan", "$CTL acquire k --on-orphan maybe");
    ctl_says(64, "does not take --unbind", "$CTL acquire k --unbind");
    ctl_says(64, "takes no value", "$CTL --json=1 ping");
    ctl_says(64, "nothing may follow it, and k does", "$CTL ping k");
    ctl_says(64, "key", "$CTL acquire ''");
    ctl_says(64, "URI", "$CTL --server nonsense:// ping");
    ctl_says(69, "CONNECT",
             "$CTL --server idem://127.0.0.1:1/ --timeout 300ms "
             "ping");
    ctl_says(0, "exit codes", "$CTL --help");
    ctl_says(0, "--on-orphan", "$CTL help acquire");
    ctl_says(0, "--unbind", "$CTL release --help");
    ctl_says(0, "idemctl", "$CTL --version");
    ctl_says(0, "acquired", "$CTL acquire -- --a-key-with-dashes");
    puts("  bad words are named, with 64");
}

static void secrets(void) {
    ctl_says(69, "127.0.0.1:1",
             "$CTL --server idem://:sesame@127.0.0.1:1/?timeout_ms=300 ping");
    CHECK(strstr(ctl_output, "sesame") == NULL, "the secret is shown: %s",
          ctl_output);
    ctl_says(64, "", "$CTL --server idem://:sesame@127.0.0.1:x/ ping");
    CHECK(strstr(ctl_output, "sesame") == NULL, "the secret is shown: %s",
          ctl_output);
    puts("  a secret is not echoed");
}

static void as_script(void) {
    ctl_says(
        11, "in_progress",
        "printf '# one key\\n\\nacquire \"a key\"\\nacquire a\\\\ key\\n' |"
        "$CTL");
    ctl_says(0, "pong", "printf 'ping\\nexit\\nfrobnicate\\n' | $CTL");
    ctl_says(64, "line 2", "printf 'ping\\nfrobnicate\\nping\\n' | $CTL");
    ctl_says(64, "quote", "echo \"acquire 'open\" | $CTL");
    ctl_says(64, "too long", "head -c 100000 /dev/zero | tr '\\0' x | $CTL");
    ctl_says(64, "not text", "printf 'pi\\0ng\\n' | $CTL");
    ctl_says(64, "stdin", "echo 'acquire k --body -' | $CTL");
    ctl_says(64, "--server", "echo 'ping --server idem://x/' | $CTL");
    ctl_says(0, "", "printf '' | $CTL");
    ctl_json_is(0, "outcome", "pong", "echo ping | $CTL --json");
    ctl_shell("head -c 20000 /dev/urandom | tr '\\0' x | $CTL 2>&1");
    puts("  lines from stdin; the first error stops them");
}

/* A daemon that demands one. */
static void secret_demanded(const char *daemon_program) {
    char path[] = "/tmp/idemstore-secret-XXXXXX";
    char line[256];
    char uri[128];
    daemon_t daemon;
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, "sesame\n", 7) == 7, "no secret file");
    close(fd);
    daemon_start(&daemon,
                 &(daemon_spec){.program = daemon_program,
                                .flags = {"--secret-file", path, NULL}});
    snprintf(line, sizeof line, "$CTL --server idem://127.0.0.1:%u/ ping",
             daemon.port);
    ctl_says(77, "secret_file=PATH", line);
    snprintf(uri, sizeof uri, "idem://:sesame@127.0.0.1:%u/", daemon.port);
    snprintf(line, sizeof line, "$CTL --server %s ping", uri);
    ctl_says(0, "pong", line);
    snprintf(line, sizeof line, "$CTL --server :sesame@127.0.0.1:%u ping",
             daemon.port);
    ctl_says(0, "pong", line);
    daemon_stop(&daemon);
    unlink(path);
    puts("  a secret opens the door, and is seen nowhere");
}

static void least_program(void) {
    ctl_says(0, "completed: 10 points taken", "$MINIMAL least");
    ctl_says(0, "replay: 10 points taken", "$MINIMAL least");
    ctl_says(10, "10 points taken", "$CTL acquire least");
    puts("  the least program that links the library");
}

int main(int argc, char **argv) {
    daemon_t daemon;
    if (argc != 4) {
        fputs("usage: ctl_test IDEMSTORED IDEMCTL POINTS_MINIMAL\n", stderr);
        return 64;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    ctl_start(
        &daemon,
        &(daemon_spec){.program = argv[1], .flags = {"--threads", "2", NULL}},
        argv[2], "ctl");
    setenv("MINIMAL", argv[3], 1);
    life_of_a_key();
    nonce_and_body();
    as_json();
    bad_words();
    secrets();
    as_script();
    secret_demanded(argv[1]);
    least_program();
    daemon_stop(&daemon);
    return 0;
}
