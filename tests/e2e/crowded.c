/* SPDX-License-Identifier: Apache-2.0 */
/* crowded.c -- more connections than there are descriptors or places: the
 * store, its snapshots and its end have theirs, and who is one too many is
 * told so.
 *
 *   crowded IDEMSTORED */
#include "proto/commands.h"
#include "tests/e2e/harness.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CROWD       400u
#define RESULT_SIZE 200000u
#define RESULTS     40u /* 8 MB: three segments of the log */

static const char *program;
static char folder[64], result[RESULT_SIZE + 1];

static void clean_up(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s/*", folder);
    CHECK(system(command) == 0, "%s stays behind", folder);
}

static void send_nothing(wire *w) {
    (void)w;
}

static void send_magic(wire *w) {
    wire_send(w, "idempeer", 8);
}

static void open_crowd(wire *crowd, uint16_t port, void (*each)(wire *)) {
    for (unsigned i = 0; i < CROWD; i++)
        if (wire_open(&crowd[i], port))
            each(&crowd[i]);
}

static void close_crowd(wire *crowd) {
    for (unsigned i = 0; i < CROWD; i++)
        wire_close(&crowd[i]);
}

static void fill_segments(wire *w, const char *what) {
    for (unsigned i = 0; i < RESULTS; i++) {
        char key[64];
        snprintf(key, sizeof key, "%s-%u", what, i);
        e2e_do_once(w, key, result);
    }
}

static void take_snapshot(wire *w) {
    idp_request request = {.method = IDP_SNAPSHOT};
    idp_command_answer answer;
    idp_reply reply;
    CHECK(wire_ask(w, &request, &reply) && !reply.is_error, "no answer");
    CHECK(idp_command_read(IDP_SNAPSHOT, reply.result, &answer) &&
              answer.outcome == IDP_COMMAND_SNAPSHOT,
          "no snapshot: %.*s", (int)answer.text.len,
          (const char *)answer.text.ptr);
}

/* 128 descriptors, 400 of everybody: idle ones, then such as say that they
 * are another node. */
static void store_keeps_its_descriptors(void) {
    static wire crowd[CROWD];
    daemon_t daemon;
    wire w;
    char state[80];
    snprintf(state, sizeof state, "%s/state", folder);
    daemon_start(
        &daemon,
        &(daemon_spec){.program = program,
                       .prefix = "ulimit -n 128;",
                       .flags = {"--threads", "2", "--data-dir", folder,
                                 "--fsync", "no", "--replication", "async",
                                 "--peer-insecure", "--peer-state", state}});
    CHECK(wire_open(&w, daemon.port), "can't connect");
    CHECK(daemon_said(&daemon, "needs more descriptors than allowed"),
          "it does not say that there are too few");
    void (*const each[])(wire *) = {send_nothing, send_magic};
    const char *const what[] = {"idle", "magics"};
    for (int i = 0; i < 2; i++) {
        open_crowd(crowd, daemon.port, each[i]);
        fill_segments(&w, what[i]);
        take_snapshot(&w);
        close_crowd(crowd);
    }
    open_crowd(crowd, daemon.port, send_nothing);
    kill(daemon.child.pid, SIGTERM);
    int code = daemon_exit(&daemon, 60);
    CHECK(code == 0, "with a crowd at its doors it ends with %d", code);
    CHECK(daemon_said(&daemon, "everything is kept"),
          "its last snapshot is not there");
    close_crowd(crowd);
    wire_close(&w);
    unlink(daemon.child.log_path);
    clean_up();
    puts("  a crowd takes no descriptor that the store needs");
}

static void too_few_for_anyone(void) {
    daemon_t daemon;
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .prefix = "ulimit -n 24;",
                                         .own_listen = true,
                                         .flags = {"--listen", "127.0.0.1:0",
                                                   "--threads", "2"}});
    CHECK(daemon_exit(&daemon, 20) == 1, "it starts without descriptors");
    CHECK(daemon_said(&daemon, "ulimit -n"), "it does not say what to do");
    unlink(daemon.child.log_path);
    puts("  too few descriptors for one client: refused, with a reason");
}

static void allow_descriptors(pid_t pid, rlim_t soft, struct rlimit *before) {
    CHECK(prlimit(pid, RLIMIT_NOFILE, NULL, before) == 0, "no limit");
    struct rlimit now = {soft, before->rlim_max};
    CHECK(prlimit(pid, RLIMIT_NOFILE, &now, NULL) == 0, "can't set it");
}

/* Sends completes of large results without waiting for answers, until the
 * daemon says that its log waits. */
static unsigned fill_until_it_waits(const daemon_t *daemon, wire *w,
                                    const idp_token *tokens) {
    for (unsigned i = 0; i < RESULTS; i++) {
        char key[32];
        snprintf(key, sizeof key, "held-%u", i);
        idp_request complete = ask_complete(key, tokens[i], result);
        CHECK(wire_send_request(w, &complete), "it is gone");
        if (daemon_has_said(daemon, "changes wait"))
            return i + 1;
        e2e_sleep_ms(20);
    }
    CHECK(daemon_said(daemon, "changes wait"), "it never waits");
    return RESULTS;
}

/* A daemon whose log waits for a segment: so many completes of that
 * connection are under way. */
static unsigned start_and_take_all(daemon_t *daemon, wire *w,
                                   struct rlimit *before) {
    idp_token tokens[RESULTS];
    idp_answer answer;
    daemon_start(daemon, &(daemon_spec){.program = program,
                                        .flags = {"--threads", "1",
                                                  "--data-dir", folder}});
    CHECK(wire_open(w, daemon->port), "can't connect");
    for (unsigned i = 0; i < RESULTS; i++) {
        char key[32];
        snprintf(key, sizeof key, "held-%u", i);
        idp_request claim = ask_acquire(key, 600000, 600000);
        CHECK(wire_call(w, &claim, &answer) == 0, "no claim");
        tokens[i] = answer.token;
    }
    allow_descriptors(daemon->child.pid, 3, before);
    return fill_until_it_waits(daemon, w, tokens);
}

/* Whatever it is that took them all: when they are back, so is the log. */
static void next_segment_is_waited_for(void) {
    daemon_t daemon;
    struct rlimit before;
    idp_reply reply;
    wire w;
    unsigned sent = start_and_take_all(&daemon, &w, &before);
    CHECK(prlimit(daemon.child.pid, RLIMIT_NOFILE, &before, NULL) == 0,
          "can't give them back");
    for (unsigned i = 0; i < sent; i++)
        CHECK(wire_reply(&w, &reply) && !reply.is_error,
              "complete %u of %u is not answered", i, sent);
    wire_close(&w);
    daemon_stop(&daemon);
    clean_up();
    puts("  a segment that can't be made yet is waited for");
}

/* What it waits for does not come, and it is told to end. */
static void it_ends_while_it_waits(void) {
    daemon_t daemon;
    struct rlimit before;
    wire w;
    start_and_take_all(&daemon, &w, &before);
    kill(daemon.child.pid, SIGTERM);
    int code = daemon_exit(&daemon, 120);
    CHECK(code == 1, "it ends with %d", code);
    CHECK(daemon_said(&daemon, "can't make a segment"),
          "it does not say what is missing");
    wire_close(&w);
    unlink(daemon.child.log_path);
    clean_up();
    puts("  it ends while it waits, and says for what");
}

/* Who is over --max-connections -------------------------------------------- */

static bool reply_says(const idp_reply *reply, const char *text) {
    return reply->is_error &&
           memmem(reply->text.ptr, reply->text.len, text, strlen(text)) != NULL;
}

/* The end without a reset, which could have overtaken the reply. */
static void ends_quietly(wire *w) {
    char rest[16];
    ssize_t got = recv(w->fd, rest, sizeof rest, 0);
    CHECK(got == 0, "after LIMIT: %zd, %s", got,
          got < 0 ? strerror(errno) : "");
    wire_close(w);
}

static void hears_limit(wire *w, uint32_t msgid) {
    idp_reply reply;
    CHECK(wire_reply(w, &reply) && reply.error == IDP_E_LIMIT,
          "no LIMIT for one too many");
    CHECK(reply.msgid == msgid, "msgid %u, not %u", reply.msgid, msgid);
    CHECK(reply_says(&reply, "too many connections"), "%.*s",
          (int)reply.text.len, (const char *)reply.text.ptr);
    ends_quietly(w);
}

static void asks(wire *w, uint32_t msgid, idp_request request) {
    w->msgid = msgid;
    CHECK(wire_send_request(w, &request), "it is gone");
}

static void one_too_many_is_told(void) {
    daemon_t daemon;
    wire few[2], extra;
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .flags = {"--max-connections", "2"}});
    for (int i = 0; i < 2; i++) {
        CHECK(wire_open(&few[i], daemon.port), "connection %d", i);
        e2e_do_once(&few[i], i ? "one" : "two", "well");
    }
    for (int with_more = 0; with_more < 2; with_more++) {
        CHECK(wire_open(&extra, daemon.port), "can't connect");
        asks(&extra, 77, (idp_request){.method = IDP_PING});
        if (with_more)
            asks(&extra, 78, (idp_request){.method = IDP_STATS});
        hears_limit(&extra, 77);
    }
    CHECK(wire_open(&extra, daemon.port), "can't connect");
    asks(&extra, 4000000000u, ask_complete("large", (idp_token){0}, result));
    hears_limit(&extra, 4000000000u);
    CHECK(wire_open(&extra, daemon.port), "can't connect");
    hears_limit(&extra, 0); /* it has said nothing */
    for (int i = 0; i < 2; i++) {
        e2e_do_once(&few[i], i ? "three" : "four", "well");
        wire_close(&few[i]);
    }
    daemon_stop(&daemon);
    puts("  one connection too many: LIMIT under its msgid, then the end");
}

/* LIMIT says which ----------------------------------------------------------
 */

static void limit_says(const char *flag, const char *value, const char *text,
                       const char *name_it) {
    daemon_t daemon;
    idp_reply reply;
    idp_answer answer;
    wire w;
    daemon_start(&daemon,
                 &(daemon_spec){.program = program,
                                .flags = {"--threads", "1", flag, value}});
    CHECK(wire_open(&w, daemon.port), "can't connect");
    idp_request claim = ask_acquire("wanted", 60000, 60000);
    CHECK(wire_call(&w, &claim, &answer) == 0, "no claim");
    claim.wait_ms = 60000;
    for (int i = 0; i < 2; i++)
        CHECK(wire_send_request(&w, &claim), "waiter %d", i);
    CHECK(wire_reply(&w, &reply), "the second waiter hears nothing");
    CHECK(reply.error == IDP_E_LIMIT && reply_says(&reply, text) &&
              reply_says(&reply, name_it),
          "%s: %.*s", flag, (int)reply.text.len, (const char *)reply.text.ptr);
    wire_close(&w);
    daemon_stop(&daemon);
}

static void each_limit_has_its_text(void) {
    limit_says("--max-waiters", "1", "too many acquires wait",
               "(--max-waiters)");
    limit_says("--max-waiters-per-key", "1", "wait for this key",
               "(--max-waiters-per-key)");
    limit_says("--max-pending", "1", "requests of this connection are pending",
               "(--max-pending)");
    puts("  waiters, pending requests, connections: LIMIT says which");
}

int main(int argc, char **argv) {
    CHECK(argc == 2, "usage: crowded IDEMSTORED");
    program = argv[1];
    memset(result, 'x', RESULT_SIZE);
    snprintf(folder, sizeof folder, "/tmp/idemstore-crowded-XXXXXX");
    CHECK(mkdtemp(folder) != NULL, "no folder");
    store_keeps_its_descriptors();
    too_few_for_anyone();
    next_segment_is_waited_for();
    it_ends_while_it_waits();
    one_too_many_is_told();
    each_limit_has_its_text();
    rmdir(folder);
    return 0;
}
