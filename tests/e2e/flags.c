/* SPDX-License-Identifier: Apache-2.0 */
/* flags.c -- how the daemon starts, listens, demands its secret and ends.
 *
 *   flags IDEMSTORED */
#include "tests/e2e/harness.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *program;

#define ENDS(code, saying, ...) \
    daemon_ends(code, saying,   \
                (daemon_spec){.program = program, .flags = {__VA_ARGS__}})

static void bad_flags(void) {
    ENDS(64, "--frobnicate", "--frobnicate", "1");
    ENDS(64, "--threads", "--threads", "none");
    ENDS(64, "--threads", "--threads", "0");
    ENDS(64, "--threads", "--threads", "-1");
    ENDS(64, "--max-memory", "--max-memory", "lots");
    ENDS(64, "--max-memory", "--max-memory", "99999999999999999999");
    ENDS(64, "--listen", "--listen", "nowhere");
    ENDS(64, "--listen", "--listen", "127.0.0.1:70000");
    ENDS(64, "--log-level", "--log-level", "shout");
    ENDS(64, "--replicate-from", "--replicate-from", "nowhere");
    ENDS(64, "--replicate-from", "--replicate-from", "");
    ENDS(64, "--replicate-from", "--replicate-from", ":7117");
    ENDS(64, "--advertise", "--advertise", "10.0.0.1:0");
    ENDS(64, "--advertise", "--replication", "sync", "--advertise", "host");
    ENDS(64, "--listen", "--listen");
    ENDS(64, "surplus", "surplus");
    puts("  bad flags end with 64 and are named");
    ENDS(0, "--max-memory", "--help");
    ENDS(0, "idemstored", "--version");
}

static void stays_home(void) {
    ENDS(64, "secret", "--listen", "0.0.0.0:0");
    ENDS(64, "secret", "--listen", "[::]:0");
    puts("  beyond loopback only with a secret");
}

static void one_job(wire *w, const char *key) {
    e2e_do_once(w, key, "done");
    wire_close(w);
}

static void secret_file(char *path, size_t cap, const char *text) {
    snprintf(path, cap, "/tmp/idemstore-secret-%d", (int)getpid());
    FILE *out = fopen(path, "we");
    CHECK(out != NULL, "can't write %s", path);
    fputs(text, out);
    fclose(out);
    chmod(path, 0600);
}

static void secrets(void) {
    char path[64];
    daemon_t daemon;
    idp_hello hello;
    idp_answer answer;
    wire w;
    secret_file(path, sizeof path, "open sesame\n");
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .flags = {"--secret-file", path}});
    idp_request claim = ask_acquire("behind-a-secret", 1000, 1000);
    CHECK(wire_open(&w, daemon.port), "can't connect");
    int code = wire_call(&w, &claim, &answer);
    CHECK(code == IDP_E_DENIED, "no secret: code %d", code);
    wire_close(&w);
    CHECK(wire_open(&w, daemon.port), "can't connect");
    code = wire_hello(&w, -1, "open barley", &hello);
    CHECK(code == IDP_E_DENIED, "a wrong secret: code %d", code);
    wire_close(&w);
    CHECK(wire_open(&w, daemon.port), "can't connect");
    code = wire_hello(&w, -1, "open sesam", &hello);
    CHECK(code == IDP_E_DENIED, "the beginning of it: code %d", code);
    wire_close(&w);
    CHECK(wire_open(&w, daemon.port), "can't connect");
    code = wire_hello(&w, -1, "open sesame", &hello);
    CHECK(code == 0, "the right secret: code %d", code);
    one_job(&w, "behind-a-secret");
    CHECK(!daemon_has_said(&daemon, "sesam"), "the log tells the secret");
    daemon_stop(&daemon);
    unlink(path);
    ENDS(64, "secret", "--listen", "127.0.0.1:0", "--secret-file", path);
    puts("  a secret is demanded, and never told");
}

static void listens_everywhere(void) {
    char path[64];
    char flag[80];
    daemon_t daemon;
    wire w;
    snprintf(path, sizeof path, "/tmp/idemstore-sock-%d", (int)getpid());
    snprintf(flag, sizeof flag, "unix:%s", path);
    daemon_start(&daemon,
                 &(daemon_spec){.program = program,
                                .flags = {"--listen", "[::1]:0", "--listen",
                                          flag, "--threads", "2"}});
    CHECK(wire_open(&w, daemon.port), "can't connect");
    one_job(&w, "over-v4");
    wire_open_unix(&w, path);
    one_job(&w, "over-unix");
    CHECK(daemon_said(&daemon, "[::1]:"), "no port of [::1] in its lines");
    daemon_stop(&daemon);
    CHECK(access(path, F_OK) != 0, "the socket's file stays behind");

    /* After a crash the file is there, and nobody behind it. */
    daemon_spec on_unix = {
        .program = program, .own_listen = true, .flags = {"--listen", flag}};
    daemon_start(&daemon, &on_unix);
    CHECK(daemon_said(&daemon, "listening on"), "it does not listen");
    kill(daemon.child.pid, SIGKILL);
    CHECK(daemon_exit(&daemon, 20) == 128 + SIGKILL, "no SIGKILL");
    unlink(daemon.child.log_path);
    CHECK(access(path, F_OK) == 0, "no file is left: nothing is tested");
    daemon_start(&daemon, &on_unix);
    CHECK(daemon_said(&daemon, "listening on"),
          "a dead daemon's socket is in the way");
    wire_open_unix(&w, path);
    one_job(&w, "over-unix-again");
    daemon_stop(&daemon);
    puts("  [::1], a unix socket, and one that a crash left behind");
}

static void port_in_use(void) {
    char listen_at[32];
    daemon_t daemon;
    daemon_start(&daemon, &(daemon_spec){.program = program});
    snprintf(listen_at, sizeof listen_at, "127.0.0.1:%u", daemon.port);
    daemon_t second;
    daemon_start(&second, &(daemon_spec){.program = program,
                                         .own_listen = true,
                                         .flags = {"--listen", listen_at}});
    int code = daemon_exit(&second, 20);
    CHECK(code != 0 && code < 128 && daemon_said(&second, listen_at),
          "a port that is taken: ended with %d", code);
    unlink(second.child.log_path);
    daemon_stop(&daemon);
    puts("  a port that is taken is named");
}

/* SIGTERM: waiters hear of it, what was asked is answered, exit 0. */
static void drains(void) {
    daemon_t daemon;
    wire holder;
    wire waiter[20];
    idp_answer answer;
    daemon_start(&daemon, &(daemon_spec){.program = program,
                                         .flags = {"--threads", "2"}});
    CHECK(wire_open(&holder, daemon.port), "can't connect");
    idp_request claim = ask_acquire("drained", 60000, 60000);
    CHECK(wire_call(&holder, &claim, &answer) == 0, "no claim");
    claim.wait_ms = 60000;
    for (int i = 0; i < 20; i++)
        CHECK(wire_open(&waiter[i], daemon.port) &&
                  wire_send_request(&waiter[i], &claim),
              "waiter %d", i);
    for (int i = 0; daemon_stat(&daemon, "waiters") != 20; i++) {
        CHECK(i < 1000, "20 waiters are not parked");
        e2e_sleep_ms(10);
    }
    kill(daemon.child.pid, SIGTERM);
    for (int i = 0; i < 20; i++) {
        idp_reply reply;
        CHECK(wire_reply(&waiter[i], &reply) && reply.is_error &&
                  reply.error == IDP_E_SHUTTING_DOWN,
              "waiter %d is not told of the shutdown", i);
        CHECK(!wire_reply(&waiter[i], &reply), "it is not closed");
        wire_close(&waiter[i]);
    }
    int code = daemon_exit(&daemon, 30);
    CHECK(code == 0, "after SIGTERM it ends with %d", code);
    wire late;
    CHECK(!wire_open(&late, daemon.port), "somebody still listens");
    wire_close(&holder);
    unlink(daemon.child.log_path);
    puts("  SIGTERM: waiters get SHUTTING_DOWN, exit 0");
}

/* A client that reads nothing can hold a drain up, the second SIGTERM not. */
static void ends_at_once(void) {
    daemon_t daemon;
    wire w;
    char *result = malloc(1000001);
    CHECK(result != NULL, "no memory");
    memset(result, 'x', 1000000);
    result[1000000] = 0;
    daemon_start(&daemon, &(daemon_spec){.program = program});
    CHECK(wire_open(&w, daemon.port), "can't connect");
    e2e_do_once(&w, "unread", result);
    free(result);
    idp_request again = ask_acquire("unread", 1000, 1000);
    for (int i = 0; i < 20; i++)
        wire_send_request(&w, &again);
    e2e_sleep_ms(100);
    kill(daemon.child.pid, SIGTERM);
    e2e_sleep_ms(200);
    kill(daemon.child.pid, SIGTERM);
    daemon_exit(&daemon, 60);
    CHECK(daemon_has_said(&daemon, "second signal: stopped at once"),
          "the second SIGTERM is not told");
    wire_close(&w);
    unlink(daemon.child.log_path);
    puts("  a second SIGTERM ends it at once");
}

int main(int argc, char **argv) {
    CHECK(argc > 1, "usage: flags IDEMSTORED");
    program = argv[1];
    bad_flags();
    stays_home();
    secrets();
    listens_everywhere();
    port_in_use();
    drains();
    ends_at_once();
    return 0;
}
