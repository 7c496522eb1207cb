/* SPDX-License-Identifier: Apache-2.0 */
/* store_commands.c -- idemctl's snapshot, over the wire, and a disk that is
 * nearly full: what is refused, what goes on, what the log says at the end.
 *
 *   store_orders IDEMSTORED [TIGHT_DISK]
 *
 * TIGHT_DISK is a library that is preloaded and makes the disk look full. */
#include "proto/commands.h"
#include "tests/e2e/harness.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEYS = 3000, FEW = 50 };

typedef struct stage {
    daemon_spec spec;
    daemon_t daemon;
    char folder[64], free_path[80], prefix[700];
} stage;

static void set_free_bytes(const stage *s, const char *bytes) {
    FILE *file = fopen(s->free_path, "w");
    CHECK(file && fputs(bytes, file) >= 0 && fclose(file) == 0, "no file");
}

static void name_key(uint32_t index, char name[32]) {
    snprintf(name, 32, "order-%u", index);
}

static idp_command_answer command_snapshot(wire *w) {
    idp_request request = {.method = IDP_SNAPSHOT};
    idp_command_answer answer;
    idp_reply reply;
    CHECK(wire_ask(w, &request, &reply) && !reply.is_error, "no answer");
    CHECK(idp_command_read(IDP_SNAPSHOT, reply.result, &answer), "no answer");
    return answer;
}

static bool says(const idp_command_answer *answer, const char *text) {
    return memmem(answer->text.ptr, answer->text.len, text, strlen(text));
}

static void kill_and_start(stage *s) {
    int status;
    kill(s->daemon.child.pid, SIGKILL);
    CHECK(child_wait(&s->daemon.child, &status, 60), "it does not die");
    unlink(s->daemon.child.log_path);
    daemon_start(&s->daemon, &s->spec);
}

static void stop_and_keep_log(stage *s) {
    kill(s->daemon.child.pid, SIGTERM);
    CHECK(daemon_exit(&s->daemon, 30) == 0, "see %s", s->daemon.child.log_path);
    CHECK(!daemon_has_said(&s->daemon, "Sanitizer"), "see %s",
          s->daemon.child.log_path);
}

static void check_all(const stage *s, uint32_t count) {
    wire w;
    CHECK(wire_open(&w, s->daemon.port), "it can't be reached");
    for (uint32_t i = 0; i < count; i++) {
        char name[32];
        name_key(i, name);
        e2e_is_replayed(&w, name);
    }
    wire_close(&w);
}

static void test_snapshot_holds_what_was_there(stage *s) {
    wire w;
    daemon_start(&s->daemon, &s->spec);
    CHECK(wire_open(&w, s->daemon.port), "it can't be reached");
    for (uint32_t i = 0; i < KEYS; i++) {
        char name[32];
        name_key(i, name);
        e2e_do_once(&w, name, "paid");
    }
    for (int i = 0; i < 3; i++) {
        idp_command_answer answer = command_snapshot(&w);
        CHECK(answer.outcome == IDP_COMMAND_SNAPSHOT, "snapshot %d", i);
        CHECK(answer.records == KEYS && answer.bytes > KEYS * 30,
              "%llu records in %llu bytes", (unsigned long long)answer.records,
              (unsigned long long)answer.bytes);
    }
    wire_close(&w);
    CHECK(daemon_said(&s->daemon, "snapshot taken"), "nothing in the log");
    kill_and_start(s);
    check_all(s, KEYS);
}

/* Both are in one packet; the first has not begun to write by the second. */
static void test_two_at_once(stage *s) {
    uint8_t bytes[256];
    size_t len = 0;
    wire w;
    uint32_t refused = 0;
    for (uint32_t i = 0; i < 2; i++) {
        idp_request request = {.method = IDP_SNAPSHOT, .msgid = i};
        len += idp_request_write(bytes + len, sizeof bytes - len, &request);
    }
    CHECK(wire_open(&w, s->daemon.port) && wire_send(&w, bytes, len), "gone");
    for (uint32_t i = 0; i < 2; i++) {
        idp_reply reply;
        idp_command_answer answer;
        CHECK(wire_reply(&w, &reply) && !reply.is_error &&
                  idp_command_read(IDP_SNAPSHOT, reply.result, &answer),
              "no answer");
        if (answer.outcome == IDP_COMMAND_SNAPSHOT)
            continue;
        CHECK(says(&answer, "under way"), "%.*s", (int)answer.text.len,
              (const char *)answer.text.ptr);
        refused++;
    }
    CHECK(refused == 1, "%u were refused", refused);
    wire_close(&w);
}

/* The daemon looks at the disk with each batch that it has written. */
static void wait_until_claims_are_refused(wire *w) {
    for (uint32_t i = 0; i < 500; i++) {
        char name[32];
        idp_answer answer;
        snprintf(name, sizeof name, "late-%u", i);
        idp_request q = ask_acquire(name, 60000, 86400000);
        if (wire_call(w, &q, &answer) == IDP_E_NO_MEMORY)
            return;
        e2e_sleep_ms(10);
    }
    CHECK(false, "claims are made on a full disk");
}

/* With less than 64 MiB left no claim is made; what was claimed is completed.
 */
static void test_full_disk(stage *s) {
    wire w;
    idp_answer answer;
    idp_token tokens[FEW];
    CHECK(wire_open(&w, s->daemon.port), "it can't be reached");
    for (uint32_t i = 0; i < FEW; i++) {
        char name[32];
        name_key(KEYS + i, name);
        idp_request q = ask_acquire(name, 60000, 86400000);
        CHECK(wire_call(&w, &q, &answer) == 0, "no claim");
        tokens[i] = answer.token;
    }
    set_free_bytes(s, "60000000");
    idp_command_answer order = command_snapshot(&w);
    CHECK(order.outcome == IDP_COMMAND_REFUSED && says(&order, "no room"),
          "it was not refused");
    for (uint32_t i = 0; i < FEW; i++) {
        char name[32];
        name_key(KEYS + i, name);
        idp_request q = ask_complete(name, tokens[i], "paid");
        CHECK(wire_call(&w, &q, &answer) == 0 &&
                  answer.outcome == IDP_OUTCOME_COMPLETED,
              "%s can't be completed", name);
    }
    wait_until_claims_are_refused(&w);
    wire_close(&w);
    stop_and_keep_log(s);
    CHECK(daemon_said(&s->daemon, "stopped without a closing snapshot") &&
              daemon_said(&s->daemon, "the logs hold every change"),
          "see %s", s->daemon.child.log_path);
    unlink(s->daemon.child.log_path);
    unlink(s->free_path);
    daemon_start(&s->daemon, &s->spec);
    check_all(s, KEYS + FEW);
}

int main(int argc, char **argv) {
    static stage s = {.folder = "/tmp/idemstore-orders-XXXXXX"};
    char command[128];
    CHECK(argc >= 2, "usage: store_orders IDEMSTORED [TIGHT_DISK]");
    CHECK(mkdtemp(s.folder), "no temporary folder");
    snprintf(s.free_path, sizeof s.free_path, "%s-free", s.folder);
    if (argc > 2)
        snprintf(s.prefix, sizeof s.prefix,
                 "export LD_PRELOAD='%s' TIGHT_DISK='%s';", argv[2],
                 s.free_path);
    s.spec = (daemon_spec){.program = argv[1],
                           .prefix = s.prefix,
                           .flags = {"--threads", "2", "--data-dir", s.folder,
                                     "--fsync", "everysec"}};
    test_snapshot_holds_what_was_there(&s);
    test_two_at_once(&s);
    if (argc > 2)
        test_full_disk(&s);
    stop_and_keep_log(&s);
    CHECK(daemon_said(&s.daemon, "everything is kept"), "it is not");
    unlink(s.daemon.child.log_path);
    snprintf(command, sizeof command, "rm -rf '%s'", s.folder);
    CHECK(system(command) == 0, "%s stays behind", s.folder);
    printf("snapshots are taken, once at a time; a full disk loses nothing\n");
    return 0;
}
