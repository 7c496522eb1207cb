/* SPDX-License-Identifier: Apache-2.0 */
/* log_lines.c -- what an operator reads: who was refused and why, and what the
 * daemon runs short of, as it begins and as it ends.
 *
 *   log_lines IDEMSTORED [TIGHT_DISK] */
#include "tests/e2e/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECONDS_MAX 60

static const char *program, *tight_disk;

static void says(const daemon_t *daemon, const char *text) {
    bool said = daemon_said(daemon, text);
    if (!said)
        child_print_log(&daemon->child);
    CHECK(said, "the log has no \"%s\"", text);
}

/* hello with a name and this secret (NULL: none); what it was told. */
static int say_hello_as(const daemon_t *daemon, const char *name,
                        const char *secret) {
    wire w;
    idp_reply reply;
    idp_request hello = {.method = IDP_HELLO, .client = text_slice(name)};
    if (secret != NULL)
        hello.secret = text_slice(secret);
    CHECK(wire_open(&w, daemon->port) && wire_ask(&w, &hello, &reply),
          "no answer to hello");
    int code = reply.is_error ? (int)reply.error : 0;
    wire_close(&w);
    return code;
}

static void who_was_refused(void) {
    char path[] = "/tmp/idemstore-log-XXXXXX";
    daemon_t daemon;
    int fd = mkstemp(path);
    CHECK(fd >= 0 && write(fd, "sesame\n", 7) == 7, "no secret");
    close(fd);
    daemon_start(&daemon,
                 &(daemon_spec){.program = program,
                                .flags = {"--secret-file", path, NULL}});
    CHECK(say_hello_as(&daemon, "till 3", "barley") == IDP_E_DENIED, "let in");
    CHECK(say_hello_as(&daemon, "nosy\n\"x\"", NULL) == IDP_E_DENIED, "let in");
    says(&daemon, "msg=\"refused: no secret, or a wrong one\" from=127.0.0.1:");
    says(&daemon, "client=\"till 3\" reason=\"the secret is wrong\"");
    says(&daemon, "client=\"nosy\\x0a\\x22x\\x22\" reason=\"hello must carry");
    CHECK(!daemon_has_said(&daemon, "barley"), "the log has the secret");
    daemon_stop(&daemon);
    unlink(path);
    puts("  a refused secret: from where, and by what name");
}

static void who_spoke_something_else(void) {
    daemon_t daemon;
    wire w;
    char said[512];
    daemon_start(&daemon, &(daemon_spec){.program = program, .flags = {NULL}});
    CHECK(wire_open(&w, daemon.port), "no connection");
    wire_send(&w, "GET / HTTP/1.1\r\n\r\n", 18);
    wire_text(&w, said, sizeof said);
    wire_close(&w);
    says(&daemon, "msg=\"closed for what it sent\" from=127.0.0.1:");
    CHECK(wire_open(&w, daemon.port), "no connection");
    wire_send(&w, "\x94\x00\x05\xc1", 4);
    wire_text(&w, said, sizeof said);
    wire_close(&w);
    says(&daemon, "client=\"\" reason=\"");
    daemon_stop(&daemon);
    puts("  another protocol at the port: from where");
}

static idp_answer acquire(wire *w, unsigned number, int *code) {
    static char key[512];
    idp_answer answer = {0};
    int len = snprintf(key, sizeof key, "%0480u", number);
    idp_request ask = ask_acquire("", 1000, 3000);
    ask.key = (idp_slice){(const uint8_t *)key, (size_t)len};
    *code = wire_call(w, &ask, &answer);
    return answer;
}

static void memory_runs_out(void) {
    daemon_t daemon;
    wire w;
    int code = 0;
    daemon_start(&daemon,
                 &(daemon_spec){
                     .program = program,
                     .flags = {"--threads", "1", "--max-memory", "1m", NULL}});
    CHECK(wire_open(&w, daemon.port), "no connection");
    for (unsigned i = 0; code == 0; i++)
        acquire(&w, i, &code);
    CHECK(code == IDP_E_NO_MEMORY, "memory has no end: %d", code);
    says(&daemon, "level=warn msg=\"memory is 80 % full\" loop=0");
    says(&daemon, "level=error msg=\"memory is full: new claims are refused\"");
    says(&daemon, "msg=\"memory has room again\"");
    says(&daemon, "msg=\"no claim was refused for memory any more\"");
    wire_close(&w);
    daemon_stop(&daemon);
    puts("  memory: at 80 %, as it is full, and as it has room again");
}

static void results_are_dropped(void) {
    static char result[4096];
    daemon_t daemon;
    wire w;
    int code;
    memset(result, 'x', sizeof result - 1);
    daemon_start(&daemon,
                 &(daemon_spec){.program = program,
                                .flags = {"--max-result", "100", NULL}});
    CHECK(wire_open(&w, daemon.port), "no connection");
    idp_request ask = ask_acquire("k", 1000, 60000);
    idp_answer answer;
    CHECK(wire_call(&w, &ask, &answer) == 0, "not acquired");
    idp_request done = ask_complete("k", answer.token, result);
    code = wire_call(&w, &done, &answer);
    CHECK(code == 0 && !answer.kept, "kept");
    says(&daemon, "level=warn msg=\"results are not kept\"");
    says(&daemon, "msg=\"results are kept again\"");
    wire_close(&w);
    daemon_stop(&daemon);
    puts("  results that are not kept, and the end of it");
}

/* stderr is the journal's when it says so, and no other file is. */
static void levels_under_the_journal(void) {
    daemon_t daemon;
    daemon_start(
        &daemon,
        &(daemon_spec){.program = program,
                       .prefix = "JOURNAL_STREAM=$(stat -Lc %d:%i /dev/stderr)"
                                 "; export JOURNAL_STREAM;",
                       .flags = {NULL}});
    says(&daemon, "<6>ts=");
    says(&daemon, "<4>ts=");
    daemon_stop(&daemon);
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .prefix = "export JOURNAL_STREAM=1:2;",
                                         .flags = {NULL}});
    says(&daemon, "msg=\"ready\"");
    CHECK(!daemon_has_said(&daemon, "<6>"), "a level for who wants none");
    daemon_stop(&daemon);
    puts("  under the journal a line begins with its level");
}

static void free_bytes(const char *path, const char *bytes) {
    FILE *to = fopen(path, "we");
    CHECK(to != NULL, "no %s", path);
    fputs(bytes, to);
    fclose(to);
}

/* Asks for new keys until one is answered so. */
static void claims_until(wire *w, int wanted) {
    static unsigned number = 1000000;
    uint64_t end_ms = e2e_now_ms() + SECONDS_MAX * 1000;
    int code = wanted == 0 ? 1 : 0;
    while (code != wanted) {
        CHECK(e2e_now_ms() < end_ms, "it goes on hearing %d", code);
        acquire(w, number++, &code);
        e2e_sleep_ms(20);
    }
}

static void disk_runs_out(void) {
    char folder[] = "/tmp/idemstore-log-XXXXXX";
    char path[128], prefix[512];
    daemon_t daemon;
    wire w;
    CHECK(mkdtemp(folder) != NULL, "no folder");
    snprintf(path, sizeof path, "%s.free", folder);
    snprintf(prefix, sizeof prefix, "export LD_PRELOAD=%s TIGHT_DISK=%s;",
             tight_disk, path);
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .prefix = prefix,
                                         .flags = {"--data-dir", folder,
                                                   "--threads", "1", NULL}});
    CHECK(wire_open(&w, daemon.port), "no connection");
    claims_until(&w, 0);
    free_bytes(path, "1000000");
    claims_until(&w, IDP_E_NO_MEMORY);
    says(&daemon, "msg=\"the disk is nearly full: new claims are refused\"");
    free_bytes(path, "1000000000000");
    claims_until(&w, 0);
    says(&daemon, "msg=\"the disk has room again\"");
    wire_close(&w);
    daemon_stop(&daemon);
    snprintf(prefix, sizeof prefix, "rm -r %s %s", folder, path);
    CHECK(system(prefix) == 0, "%s", prefix); /* NOLINT: its own folder */
    puts("  a disk that is nearly full, and one that has room again");
}

int main(int argc, char **argv) {
    CHECK(argc == 2 || argc == 3, "usage: log_lines IDEMSTORED [TIGHT_DISK]");
    setvbuf(stdout, NULL, _IOLBF, 0);
    program = argv[1], tight_disk = argc == 3 ? argv[2] : NULL;
    who_was_refused();
    who_spoke_something_else();
    levels_under_the_journal();
    results_are_dropped();
    memory_runs_out();
    if (tight_disk != NULL)
        disk_runs_out();
    return 0;
}
